package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// The probe's page answers with an error.
var probeStatus = Rule{
	ID: "probe-status", Lane: LanePods,
	Title:   "The probe's path answers with an error",
	Explain: "An HTTP probe succeeds with a status from 200 to 399. 404 is a wrong path, 401 or 403 one that wants credentials, 503 often a program that waits for something else.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/probes/#http-probes; pkg/probe/http",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		c, probe, field, e := s.failing(pod, "statuscode:")
		if probe == nil || probe.Kind != "http" {
			return nil
		}
		_, code, _ := strings.Cut(e.Message, "statuscode: ")
		code, _, _ = strings.Cut(code, " ")
		return &Finding{
			Confidence: Certain,
			Headline:   fmt.Sprintf("The %s of Pod %s asks :%s%s and is answered %s", field, pod.Name, probe.Port, probe.Path, short(code)),
			Cause:      "A status below 200 or from 400 on is a failure: the Pod is not ready and no endpoint.",
			Evidence:   []Fact{observed("Pod", pod.Meta, "spec.containers["+c.Name+"]."+field, probeText(probe)), observed("Event", e.Meta, e.Reason, e.Message)},
			Fix:        command("Ask a path that answers 200 when the program can serve.", "logs %s -n %s -c %s", pod.Name, pod.Namespace, c.Name),
		}
	}),
}
