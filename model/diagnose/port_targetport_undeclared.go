package diagnose

import (
	"fmt"
	"slices"
	"strconv"

	"svctour/model"
)

// targetPort is a number that no container declares.
var targetPortUndeclared = Rule{
	ID: "targetport-undeclared", Lane: LanePort,
	Title: "targetPort is a number that the Pods do not declare",
	Explain: "Declaring a port is not needed for it to work. But where a container declares ports and targetPort is another number, " +
		"most often nothing listens there: connections are refused by the Pod itself.",
	Source: "core/v1 Container.ports: not specifying a port does not prevent it from being exposed",
	Check: func(s *Subject) []Finding {
		if !s.lives() {
			return nil
		}
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			target := orElse(p.TargetPort, strconv.Itoa(int(p.Port)))
			if !numeric(target) || slices.ContainsFunc(s.ready, func(pod *model.Pod) bool { return s.declared(pod, target) || len(s.ports(pod).list) == 0 }) {
				continue
			}
			pod := s.ready[0]
			f := Finding{
				Severity: Warning, Confidence: Likely,
				Headline: fmt.Sprintf("targetPort %s is none of the ports that the Pods declare: %s", target, podPortsText(pod)),
				Cause:    "If nothing listens there, every connection is refused by the Pod itself.",
				Evidence: []Fact{observed("Service", s.Service.Meta, fmt.Sprintf("spec.ports[%d].targetPort", i), target), observed("Pod", pod.Meta, "ports", podPortsText(pod))},
				Fix:      Fix{Explain: "Use a port on which the container listens."},
			}
			if right := s.rightPort(pod, p); right != "" {
				f.Fix = s.setTargetPort(i, right, "Use the port that the Pods declare.")
			}
			return []Finding{f}
		}
		return nil
	},
}
