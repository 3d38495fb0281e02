package diagnose

// Rule is one cause that the doctor knows.
type Rule struct {
	ID   string
	Lane Lane
	// Title is the cause in a few words, Explain what is behind it and what to
	// do; both are for people, see svctour explain.
	Title, Explain string
	// Source is why this is so: a page, a KEP or a file of Kubernetes.
	Source string
	// Lags says that a controller may just not have caught up with a change: what
	// is found may be over in a moment, and is worth a second look.
	Lags bool
	// Check looks at one Service. Rule and Lane of its findings are filled in.
	Check func(*Subject) []Finding
}

// Rules are all rules, those of a lane in order: where several find something
// equally bad, the first is the headline.
var Rules = []Rule{
	clientNotRunning, clientHostNetwork, clientDNSPolicy, clientDNSSearch, clientNDots, clientEgressDNS, clientEgress, clientHTTPProxy,
	dnsDown, dnsPolicy, dnsServerMissing, dnsDomain,
	serviceMissing, namespaceTerminating, serviceDeleting, externalNameAddress, externalNameLoop, externalNameMissing, externalNameShort, servicePortMissing, serviceNoClusterIP,
	sliceLabel, endpointsNotMirrored, selectorNone, selectorRemovedStaleSlice, scaledToZero, podsTerminating, podsNotCreated, selectorOtherNamespace, selectorNearMiss, selectorMatchesNothing,
	selectorTooBroad, workloadsShareSelector, selectorSeveral,
	podUnschedulable, podImage, podConfig, podNetwork, podServiceVariable, peersNotPublished, podOutOfMemory, livenessKills, podPortConflict, podCrashes, podInit,
	probePort, probeStatus, probeScheme, probeTimeout, probeFails, readinessGate, podNodeDown, podsEnded, podsNotReady, somePodsNotReady, rolloutStuck, podRestarts,
	familyMismatch, endpointsLag, endpointsStale, endpointsEmpty, sliceAddressType, slicePort, sliceClusterIP, sliceNotReady, sliceForeign,
	targetPortName, targetPortProtocol, targetPortSwapped, targetPortSomePods, targetPortUndeclared, targetPortAmbiguous, headlessPort, statefulSetService, statefulSetNotHeadless, externalNamePort,
	policyServicePort, policyPortName, policyClientNamespace, policyNobody, policyIngress, policyOutside, externalLocal, internalLocal, topologyHints, trafficDistribution, sourceRanges, sessionAffinity,
	proxyName, proxyNameSlice, proxyDown,
	loadBalancerFailed, loadBalancerPending, loadBalancerNodes, addressShared, nodePortAddresses, nodePortReach, externalIPs, externalNameHost,
	hairpin,
}

// RuleByID finds a rule, also one of ProbeRules; nil when there is none.
// Rule.Source is where what it says comes from.
func RuleByID(id string) *Rule {
	for _, list := range [][]Rule{Rules, ProbeRules} {
		for i := range list {
			if list[i].ID == id {
				return &list[i]
			}
		}
	}
	return nil
}
