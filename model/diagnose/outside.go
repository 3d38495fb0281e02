package diagnose

import (
	"fmt"
	"strconv"
	"strings"

	"svctour/model"
)

// localNodes are the ready nodes without and with a ready endpoint.
func (s *Subject) localNodes() (without, with []string) {
	have := map[string]bool{}
	for _, pod := range s.ready {
		have[pod.Node] = true
	}
	for _, node := range s.snapshot.Nodes {
		switch {
		case !node.Ready():
		case have[node.Name]:
			with = append(with, node.Name)
		default:
			without = append(without, node.Name)
		}
	}
	return without, with
}

// pending says whether a Service that exists waits for its load balancer; one
// that was only written down does not.
func (s *Subject) pending() bool {
	return s.Service != nil && s.Service.ResourceVersion != "" && s.Service.Type == model.LoadBalancer && len(s.Service.Ingress) == 0
}

func nodePorts(s *model.Service) string {
	var out []string
	for _, p := range s.Ports {
		if p.NodePort != 0 {
			out = append(out, strconv.Itoa(int(p.NodePort)))
		}
	}
	return strings.Join(out, ", ")
}

// names lists a few names.
func names(list []string) string {
	const most = 5
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
	}
	return strings.Join(list, ", ")
}
