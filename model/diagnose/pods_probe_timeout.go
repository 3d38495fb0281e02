package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// The probe gets no answer in time.
var probeTimeout = Rule{
	ID: "probe-timeout", Lane: LanePods,
	Title:   "The probe gets no answer in time",
	Explain: "A probe waits timeoutSeconds, one second unless said otherwise. A program that answers more slowly under load, or that waits for another, is never ready.",
	Source:  "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#configure-probes",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		c, probe, field, e := s.failing(pod, "context deadline exceeded")
		if probe == nil {
			c, probe, field, e = s.failing(pod, "timed out")
		}
		if probe == nil {
			c, probe, field, e = s.failing(pod, "timeout")
		}
		if probe == nil {
			return nil
		}
		return &Finding{
			Confidence: Certain,
			Headline:   fmt.Sprintf("The %s of Pod %s (%s) gets no answer in time", field, pod.Name, probeText(probe)),
			Cause:      "The program accepts the probe and answers too late, or something drops it on the way.",
			Evidence:   []Fact{observed("Pod", pod.Meta, "spec.containers["+c.Name+"]."+field, probeText(probe)), observed("Event", e.Meta, e.Reason, strings.TrimSpace(e.Message))},
			Fix:        s.containerFix(pod, c, "Give it more time, if the program is only slow.", object{field: object{"timeoutSeconds": 5}}),
		}
	}),
}
