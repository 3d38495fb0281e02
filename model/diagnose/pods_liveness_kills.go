package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// A container that its own liveness or startup probe kills.
var livenessKills = Rule{
	ID: "liveness-kills", Lane: LanePods,
	Title: "The liveness probe kills the container again and again",
	Explain: "When a liveness or startup probe fails failureThreshold times the kubelet kills the container. A probe of the wrong port or path, or one that is too hasty for a slow start, " +
		"never lets it live. Correct the probe; give slow programs a startupProbe.",
	Source: "https://kubernetes.io/docs/concepts/workloads/pods/probes/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range containers(pod) {
			if c.Restarts == 0 {
				continue
			}
			for _, e := range s.events["Pod "+pod.Key()] {
				kind, _, is := strings.Cut(e.Message, " probe failed: ")
				if e.Reason != "Unhealthy" || !is || kind != "Liveness" && kind != "Startup" {
					continue
				}
				probe, field := c.Liveness, "livenessProbe"
				if kind == "Startup" {
					probe, field = c.Startup, "startupProbe"
				}
				if probe == nil {
					continue
				}
				f := &Finding{
					Confidence: Likely,
					Headline:   fmt.Sprintf("The %s of Pod %s kills container %s: %s", field, pod.Name, c.Name, short(strings.TrimSpace(e.Message))),
					Cause:      fmt.Sprintf("The kubelet has restarted it %s; between its starts it is no endpoint.", times(c.Restarts)),
					Evidence: []Fact{
						observed("Pod", pod.Meta, "spec.containers["+c.Name+"]."+field, probeText(probe)),
						observed("Event", e.Meta, e.Reason, e.Message),
						observed("Pod", pod.Meta, containerField(c, "restartCount"), fmt.Sprint(c.Restarts)),
					},
					Fix: command("Let the probe ask what the program answers, or give it more time (a startupProbe, failureThreshold, timeoutSeconds).", "describe pod %s -n %s", pod.Name, pod.Namespace),
				}
				if list := s.ports(pod).list; probe.Port != "" && probe.Kind != "exec" && len(list) > 0 && !s.declared(pod, probe.Port) {
					f.Evidence = append(f.Evidence, observed("Pod", pod.Meta, "ports", podPortsText(pod)))
					f.Fix = s.containerFix(pod, c, fmt.Sprintf("Probe port %d.", list[0].Port), object{field: probeBody(probe, list[0].Port)})
				}
				return f
			}
		}
		return nil
	}),
}
