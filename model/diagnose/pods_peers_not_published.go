package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// A StatefulSet's Pods wait for each other's names.
var peersNotPublished = Rule{
	ID: "peers-not-published", Lane: LanePods,
	Title: "Pods wait for the names of peers that are not ready",
	Explain: "A headless Service publishes ready Pods only. Pods that become ready when they have found their peers never do: set " +
		"publishNotReadyAddresses: true on the Service that the peers use.",
	Source: "https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/#ServiceSpec, publishNotReadyAddresses",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		if !s.Service.Headless() || s.Service.PublishNotReady {
			return nil
		}
		for _, c := range containers(pod) {
			for _, probe := range []*model.Probe{c.Readiness, c.Startup} {
				if probe == nil || probe.Kind != "exec" || c.State != "running" || !namesService(strings.Join(probe.Command, " "), s.Name) {
					continue
				}
				return &Finding{
					Confidence: Likely,
					Headline:   fmt.Sprintf("Pod %s is ready only when it finds a peer by its name, and %s publishes ready Pods only", pod.Name, s.Name),
					Cause:      "No Pod is ready, so no peer has a name; without a peer's name none becomes ready.",
					Evidence: []Fact{
						observed("Pod", pod.Meta, "spec.containers["+c.Name+"].readinessProbe.exec", short(strings.Join(probe.Command, " "))),
						observed("Service", s.Service.Meta, "spec.publishNotReadyAddresses", "false"),
					},
					Fix: patched("Publish the Pods' names before they are ready. If the StatefulSet makes its Pods one after the other (podManagementPolicy OrderedReady, the default) it also needs Parallel: make it anew.", "Service", s.Service.Meta, "merge", spec(object{"publishNotReadyAddresses": true})),
				}
			}
		}
		return nil
	}),
}
