package diagnose

import (
	"fmt"

	"svctour/model"
)

// A name that two containers of a Pod give to different ports.
var targetPortAmbiguous = Rule{
	ID: "targetport-ambiguous", Lane: LanePort,
	Title:   "Two containers of the Pod give the target port's name to different ports",
	Explain: "targetPort by name is the first container's port of that name. The API server only warns when another container has the name, too.",
	Source:  "pkg/api/v1/pod/util.go, FindPort",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		pod := s.ready[0]
		first := map[string]model.ContainerPort{}
		other := map[string]model.ContainerPort{}
		for _, port := range s.ports(pod).list {
			key := port.Name + "/" + port.Protocol
			if have, is := first[key]; !is {
				first[key] = port
			} else if have.Port != port.Port {
				other[key] = port
			}
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			second, is := other[p.TargetPort+"/"+p.Protocol]
			if p.TargetPort == "" || !is {
				continue
			}
			return []Finding{{
				Severity: Warning, Confidence: Likely,
				Headline: fmt.Sprintf("Two containers of Pod %s have a port named %s: %d counts, %d does not", pod.Name, p.TargetPort, first[p.TargetPort+"/"+p.Protocol].Port, second.Port),
				Cause:    "The first container's is taken, in the order of the Pod's spec.",
				Evidence: []Fact{observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d].targetPort", i), p.TargetPort), observed("Pod", pod.Meta, "ports", podPortsText(pod))},
				Fix:      s.setTargetPort(i, fmt.Sprint(second.Port), "If the other is meant, say its number, or give it a name of its own."),
			}}
		}
		return nil
	},
}
