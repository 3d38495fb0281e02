package diagnose

import (
	"fmt"

	"svctour/model"
)

// kube-proxy does not run on some node.
var proxyDown = Rule{
	ID: "proxy-down", Lane: LaneProxy,
	Title:   "kube-proxy does not run on a node",
	Explain: "Where kube-proxy does not run, the node's rules stay as they were: new Services do nothing there, and old endpoints stay.",
	Source:  "https://kubernetes.io/docs/reference/networking/virtual-ips/",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.Headless() || s.unread("nodes") || s.unread("pods") {
			return nil
		}
		runs, any := map[string]bool{}, false
		for _, pod := range s.all["kube-system"] {
			if pod.Labels["k8s-app"] == "kube-proxy" {
				any = true
				runs[pod.Node] = runs[pod.Node] || pod.Ready()
			}
		}
		if !any { // another program may do its work
			return nil
		}
		var down []string
		for _, node := range s.snapshot.Nodes {
			if node.Ready() && !runs[node.Name] && (s.Client == nil || s.Client.Node == node.Name) {
				down = append(down, node.Name)
			}
		}
		if len(down) == 0 {
			return nil
		}
		return []Finding{{
			Severity: Warning, Confidence: Certain,
			Headline: fmt.Sprintf("kube-proxy is not ready on %s: the rules there are stale", names(down)),
			Cause:    "Clients on such a node do not see changes of Services and endpoints.",
			Evidence: []Fact{{Object: "DaemonSet kube-system/kube-proxy", Field: "nodes without a ready Pod", Value: names(down), Kind: model.Observed}},
			Fix:      command("See why it does not run.", "get pods -n kube-system -l k8s-app=kube-proxy -o wide"),
		}}
	},
}
