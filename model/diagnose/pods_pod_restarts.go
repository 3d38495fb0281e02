package diagnose

import (
	"fmt"
	"time"

	"svctour/model"
)

// Pods that are ready just now.
var podRestarts = Rule{
	ID: "pod-restarts", Lane: LanePods,
	Title:   "A Pod is ready just now, and keeps crashing",
	Explain: "A container that has crashed several times and has just come back will most likely do so again; clients lose their connections each time.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy",
	Check: func(s *Subject) []Finding {
		const often, lately = 3, 10 * time.Minute
		if !s.lives() || s.snapshot.Time.IsZero() {
			return nil
		}
		for _, pod := range s.ready {
			since := condition(pod, "Ready")
			if since == nil || since.Since.IsZero() || s.snapshot.Time.Sub(since.Since) > lately {
				continue
			}
			for _, c := range containers(pod) {
				// Exit code 255 or none is a restart of the node, 143 a wish.
				if c.Restarts < often || c.LastReason == "" || c.LastExitCode == 0 || c.LastExitCode == 143 || c.LastExitCode == 255 {
					continue
				}
				return []Finding{{
					Severity: Warning, Confidence: Likely,
					Headline: fmt.Sprintf("Container %s of Pod %s has crashed %s and is back since %s", c.Name, pod.Name, times(c.Restarts), s.snapshot.Time.Sub(since.Since).Round(time.Second)),
					Cause:    fmt.Sprintf("The last run ended with exit code %d (%s).", c.LastExitCode, c.LastReason),
					Evidence: []Fact{
						observed("Pod", pod.Meta, containerField(c, "restartCount"), fmt.Sprint(c.Restarts)),
						observed("Pod", pod.Meta, containerField(c, "lastState.terminated"), fmt.Sprintf("exit code %d (%s)", c.LastExitCode, c.LastReason)),
						{Object: about("Pod", pod.Meta), Field: "ready since", Value: since.Since.UTC().Format(time.RFC3339), Kind: model.Observed},
					},
					Fix: command("Read what it said before it ended.", "logs %s -n %s -c %s --previous", pod.Name, pod.Namespace, c.Name),
				}}
			}
		}
		return nil
	},
}
