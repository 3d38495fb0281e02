package diagnose

import (
	"fmt"
	"strconv"
	"strings"

	"svctour/model"
)

// Where the node port answers, and where it does not.
var nodePortReach = Rule{
	ID: "nodeport-reach", Lane: LaneOutside,
	Title: "A nodePort is on the nodes' addresses only",
	Explain: "nodePort answers on the nodes' addresses, port on the cluster IP, targetPort on the Pods. Nodes that are containers (kind, k3d, minikube with docker) " +
		"or virtual, as the lab's, are not this machine: localhost:NODEPORT needs a port mapping.",
	Source: "https://kind.sigs.k8s.io/docs/user/configuration/#extra-port-mappings",
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.Service.Type != model.NodePort || len(s.Service.Ports) == 0 {
			return nil
		}
		p := s.Service.Ports[0]
		f := Finding{
			Severity: Info, Confidence: Certain,
			Headline: fmt.Sprintf("nodePort %s answers on the nodes' addresses only", nodePorts(s.Service)),
			Cause:    fmt.Sprintf("On the cluster IP the port is %d, on the Pods it is %s.", p.Port, orElse(p.TargetPort, strconv.Itoa(int(p.Port)))),
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.ports", portsText(s.Service))},
			Fix:      Fix{Explain: fmt.Sprintf("Ask for NODE-IP:%d from outside, for %s:%d from inside.", p.NodePort, s.Name, p.Port)},
		}
		switch {
		case s.snapshot.Cluster.Lab:
			f.Cause += " The lab's nodes are not this machine: its localhost answers only for ports that were exposed."
			f.Fix = Fix{Explain: "Give it a port of this machine's loopback.", Command: fmt.Sprintf("svctour lab expose %d", p.NodePort)}
		case strings.HasPrefix(s.snapshot.Cluster.Context, "kind-"):
			f.Cause += " The nodes of kind are containers: localhost answers only for extraPortMappings."
			f.Fix.Explain += " On this machine make the cluster anew with extraPortMappings, or use kubectl port-forward."
		}
		return []Finding{f}
	},
}
