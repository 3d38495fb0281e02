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
	// Check looks at one Service. Rule and Lane of its findings are filled in.
	Check func(*Subject) []Finding
}

// Rules are all rules, those of a lane in order: where several find something
// equally bad, the first is the headline.
var Rules = []Rule{
	clientMissing, clientNDots, clientEgressDNS,
	dnsDown, clusterDomain,
	serviceMissing, externalNameIsAddress, servicePortMissing, noClusterIP,
	noSelectorNoEndpoints, selectorRemovedStale, scaledToZero, podsNotCreated, selectorOtherNamespace, selectorNearMiss, selectorMatchesNothing, selectorTooBroad, workloadsFight,
	podUnscheduled, podImage, podConfig, podVariableCollision, podPeersNotReady, podOutOfMemory, podCrashLoop, podInit, podProbePort, podProbeFails, podReadinessGate, podNodeDown, podEnded, podStarting, someNotReady,
	endpointsLag, endpointsEmpty,
	targetPortName, targetPortProtocol, targetPortSwapped, targetPortUndeclared, headlessPort, statefulSetService, statefulSetNotHeadless,
	policyIngress, externalLocal, internalLocal, hintsMissing, sourceRanges,
	proxyDown,
	loadBalancerEvents, loadBalancerPending, nodePortReach,
}

// RuleByID finds a rule; nil when there is none.
func RuleByID(id string) *Rule {
	for i := range Rules {
		if Rules[i].ID == id {
			return &Rules[i]
		}
	}
	return nil
}
