package diagnose

import (
	"fmt"

	"svctour/model"
)

// A probe fails, for whatever reason.
var probeFails = Rule{
	ID: "probe-fails", Lane: LanePods,
	Title:   "The Pods run, but their probe fails",
	Explain: "Containers run and are not ready: the startup or readiness probe fails, or has not succeeded yet. The kubelet's event has the answer that it got.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range containers(pod) {
			probe := c.Readiness
			if probe == nil {
				probe = c.Startup
			}
			if c.Ready || c.State != "running" || probe == nil {
				continue
			}
			f := &Finding{
				Confidence: Likely,
				Headline:   fmt.Sprintf("Container %s of Pod %s runs, but its probe (%s) does not succeed", c.Name, pod.Name, probeText(probe)),
				Cause:      "A Pod that is not ready is no endpoint.",
				Evidence:   []Fact{observed("Pod", pod.Meta, containerField(c, "ready"), "false"), observed("Pod", pod.Meta, "spec.containers["+c.Name+"].readinessProbe", probeText(probe))},
				Fix:        command("See what the probe was answered; correct the probe, or the program.", "describe pod %s -n %s", pod.Name, pod.Namespace),
			}
			for _, e := range s.events["Pod "+pod.Key()] {
				if e.Reason == "Unhealthy" {
					f.Cause, f.Confidence = e.Message, Certain
					f.Evidence = append(f.Evidence, observed("Event", e.Meta, e.Reason, short(e.Message)))
					break
				}
			}
			return f
		}
		return nil
	}),
}
