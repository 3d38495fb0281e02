package diagnose

import (
	"fmt"

	"svctour/model"
)

// The readiness probe asks a port that no container declares.
var probePort = Rule{
	ID: "probe-port", Lane: LanePods,
	Title:   "The readiness probe asks another port than the container's",
	Explain: "A probe of a port on which nothing listens fails forever, and the Pod never becomes an endpoint. Name the port, and probe the name.",
	Source:  "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range containers(pod) {
			field, probe := "readinessProbe", c.Readiness
			if c.Startup != nil && c.Startup.Port != "" && !s.declared(pod, c.Startup.Port) {
				field, probe = "startupProbe", c.Startup
			}
			if probe == nil || probe.Port == "" || c.Ready || c.State != "running" || s.declared(pod, probe.Port) || len(s.ports(pod).list) == 0 {
				continue
			}
			right := s.ports(pod).list[0]
			for i := range s.Service.Ports {
				if n := s.target(&s.Service.Ports[i], pod); n > 0 && s.declared(pod, fmt.Sprint(n)) {
					right.Port = n
					break
				}
			}
			f := &Finding{
				Confidence: Likely,
				Headline:   fmt.Sprintf("The %s of Pod %s asks port %s; the container declares %s", field, pod.Name, probe.Port, podPortsText(pod)),
				Cause:      "The container runs, but its probe fails, so that the Pod is not ready and no endpoint.",
				Evidence: []Fact{
					observed("Pod", pod.Meta, "spec.containers["+c.Name+"]."+field, probeText(probe)),
					observed("Pod", pod.Meta, "ports", podPortsText(pod)),
					observed("Pod", pod.Meta, "status.conditions[Ready]", "False"),
				},
			}
			for _, e := range s.events["Pod "+pod.Key()] {
				if e.Reason == "Unhealthy" {
					f.Evidence = append(f.Evidence, observed("Event", e.Meta, e.Reason, short(e.Message)))
					break
				}
			}
			f.Fix = s.containerFix(pod, c, fmt.Sprintf("Probe port %d.", right.Port), object{field: probeBody(probe, right.Port)})
			return f
		}
		return nil
	}),
}
