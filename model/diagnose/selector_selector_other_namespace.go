package diagnose

import (
	"fmt"
	"maps"
	"slices"

	"svctour/model"
)

// The Pods are in another namespace.
var selectorOtherNamespace = Rule{
	ID: "selector-other-namespace", Lane: LaneSelector,
	Title:   "The Pods that the selector means are in another namespace",
	Explain: "A Service selects Pods of its own namespace only. Make the Service where the Pods are; an ExternalName Service can lead there.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service",
	Check: func(s *Subject) []Finding {
		if !s.noPods() || s.workload() != nil {
			return nil
		}
		if here := s.nearest(); here != nil && here.rank < farRank {
			return nil
		}
		best, pods := "", []*model.Pod(nil)
		for _, namespace := range slices.Sorted(maps.Keys(s.all)) {
			if namespace == s.Namespace {
				continue
			}
			found := s.matching(namespace, s.Service.Selector)
			closer := model.Distance(namespace, s.Namespace) < model.Distance(best, s.Namespace)
			if len(found) > 0 && (best == "" || closer) {
				best, pods = namespace, found
			}
		}
		if best == "" {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("Selector %s matches no Pod in %s; in namespace %s %s it", pairs(s.Service.Selector), s.Namespace, best, podsHave(len(pods))),
			Cause:    "A Service sees Pods of its own namespace only.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)),
				observed("Pod", pods[0].Meta, "metadata.labels", pairs(pods[0].Labels)),
			},
			Fix: Fix{
				Explain: fmt.Sprintf("Make the Service in %s, and ask for %s.%s.", best, s.Name, best),
				Command: fmt.Sprintf("kubectl get service %s -n %s -o json | jq 'del(.metadata.namespace,.metadata.uid,.metadata.resourceVersion,.spec.clusterIP,.spec.clusterIPs,.spec.ports[].nodePort)' | kubectl apply -n %s -f -", model.ShellWord(s.Name), model.ShellWord(s.Namespace), model.ShellWord(best)),
			},
		}}
	},
}
