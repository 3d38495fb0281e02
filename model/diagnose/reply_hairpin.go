package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
)

// A Pod that asks for itself.
var hairpin = Rule{
	ID: "hairpin", Lane: LaneReply,
	Title: "The client is one of the Service's own Pods",
	Explain: "A connection that kube-proxy sends back to the Pod from which it came needs a network plugin that lets a packet return where it came from (hairpin mode of a bridge port, or promiscuous mode). " +
		"Where it does not, such connections time out, and only those: one in as many as there are endpoints.",
	Source: "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#a-pod-fails-to-reach-itself-via-the-service-ip",
	Check: func(s *Subject) []Finding {
		if s.Client == nil || !s.lives() || s.Service.Headless() || !slices.Contains(s.ready, s.Client) {
			return nil
		}
		return []Finding{{
			Severity: Info, Confidence: Possible,
			Headline: fmt.Sprintf("Pod %s is a backend itself: 1 of %d connections comes back to it", s.Client.Name, len(s.ready)),
			Cause:    "kube-proxy masquerades it, and the reply comes back if the Pod's port on its node's bridge is in hairpin mode. The API does not show that.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)), observed("Pod", s.Client.Meta, "metadata.labels", pairs(s.Client.Labels)),
				{Object: "Node " + s.Client.Node, Field: "hairpin mode", Value: "not known", Kind: model.Unknown},
			},
			Fix: Fix{Explain: "Look on the node: cat /sys/class/net/*/brport/hairpin_mode is 1 for each Pod; the network plugin's configuration has hairpinMode."},
		}}
	},
}
