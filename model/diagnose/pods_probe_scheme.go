package diagnose

import (
	"fmt"

	"svctour/model"
)

// The probe speaks HTTP where the program speaks TLS, or the other way round.
var probeScheme = Rule{
	ID: "probe-scheme", Lane: LanePods,
	Title:   "The probe speaks another protocol than the program",
	Explain: "httpGet has a scheme: HTTP unless it says HTTPS. A server with TLS answers a plain request with an error, and a plain server cannot do a TLS handshake.",
	Source:  "https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Probe",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, sign := range []struct{ said, have, want string }{
			{"server gave HTTP response to HTTPS client", "HTTPS", "HTTP"},
			{"malformed HTTP response", "HTTP", "HTTPS"},
			{"first record does not look like a TLS handshake", "HTTPS", "HTTP"},
			{"Client sent an HTTP request to an HTTPS server", "HTTP", "HTTPS"},
		} {
			c, probe, field, e := s.failing(pod, sign.said)
			if probe == nil || probe.Kind != "http" {
				continue
			}
			return &Finding{
				Confidence: Likely,
				Headline:   fmt.Sprintf("The %s of Pod %s speaks %s, and the program at port %s does not", field, pod.Name, sign.have, probe.Port),
				Cause:      "The probe fails, so that the Pod is not ready and no endpoint.",
				Evidence:   []Fact{observed("Pod", pod.Meta, "spec.containers["+c.Name+"]."+field, probeText(probe)), observed("Event", e.Meta, e.Reason, e.Message)},
				Fix:        s.containerFix(pod, c, "Let it speak "+sign.want+".", object{field: object{"httpGet": object{"scheme": sign.want, "port": number(probe.Port), "path": probe.Path}}}),
			}
		}
		return nil
	}),
}
