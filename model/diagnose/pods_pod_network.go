package diagnose

import (
	"fmt"

	"svctour/model"
)

// The network plugin gives the Pod no address.
var podNetwork = Rule{
	ID: "pod-network", Lane: LanePods,
	Title: "The network plugin cannot set up the Pod's network",
	Explain: "A Pod's sandbox gets its address from the network plugin (CNI). When that does not run on the node, or has no address left, the Pod stays in ContainerCreating. " +
		"The kubelet's event has the plugin's words.",
	Source: "https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/network-plugins/; pkg/kubelet/events, FailedCreatePodSandBox",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		if pod.Phase != "Pending" || pod.IP() != "" && !pod.HostNetwork {
			return nil
		}
		for _, e := range s.events["Pod "+pod.Key()] {
			if e.Reason != "FailedCreatePodSandBox" && e.Reason != "NetworkNotReady" {
				continue
			}
			return &Finding{
				Confidence: Certain,
				Headline:   fmt.Sprintf("Pod %s gets no network on node %s: %s", pod.Name, pod.Node, short(e.Message)),
				Cause:      "Its containers start when the network plugin has given it an address.",
				Evidence:   []Fact{observed("Event", e.Meta, e.Reason, e.Message), observed("Pod", pod.Meta, "status.podIP", pod.IP())},
				Fix:        command("See whether the network plugin runs on that node, and has addresses left.", "get pods -n kube-system -o wide --field-selector=spec.nodeName=%s", pod.Node),
			}
		}
		return nil
	}),
}
