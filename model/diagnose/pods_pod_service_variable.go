package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// A Service's variable is taken for the program's own.
var podServiceVariable = Rule{
	ID: "pod-service-variable", Lane: LanePods,
	Title: "A Service's environment variable collides with the program's own",
	Explain: "For every Service of its namespace a new Pod gets variables: a Service named app sets APP_PORT=tcp://10.96.1.2:80. " +
		"A program that reads APP_PORT for itself gets an address instead of a number. Set enableServiceLinks: false, or rename the Service.",
	Source: "https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		if !pod.ServiceLinks {
			return nil
		}
		for _, c := range allContainers(pod) {
			if !crashes(c) {
				continue
			}
			for _, other := range s.services(pod.Namespace) {
				if other.ClusterIP() == "" || other.Headless() {
					continue
				}
				name := strings.ToUpper(strings.ReplaceAll(other.Name, "-", "_"))
				variable := mentioned(c, name)
				if variable == "" {
					continue
				}
				return &Finding{
					Confidence: Likely,
					Headline:   fmt.Sprintf("Service %s sets %s in Pod %s, which reads it for itself", other.Name, variable, pod.Name),
					Cause:      fmt.Sprintf("%s=tcp://%s:%d is set in every Pod of the namespace made after the Service; container %s uses that variable, and crashes.", variable, other.ClusterIP(), firstPort(other), c.Name),
					Evidence: []Fact{
						observed("Pod", pod.Meta, "spec.containers["+c.Name+"].command", short(strings.Join(c.Command, " "))),
						observed("Service", other.Meta, "metadata.name", other.Name),
						{Object: about("Pod", pod.Meta), Field: "env " + variable, Value: fmt.Sprintf("tcp://%s:%d", other.ClusterIP(), firstPort(other)), Kind: model.Derived},
						observed("Pod", pod.Meta, "spec.enableServiceLinks", "true"),
						crashFact(pod, c),
					},
					Fix: s.templateFix(pod, "Switch the Services' variables off; DNS does their work.", object{"enableServiceLinks": false}),
				}
			}
		}
		return nil
	}),
}
