package diagnose

import (
	"fmt"
	"strings"
)

// No Pod runs, on purpose.
var scaledToZero = Rule{
	ID: "scaled-to-zero", Lane: LaneSelector,
	Title:   "The workload is scaled to zero",
	Explain: "The selector is right, but what would make the Pods is told to make none; an autoscaler may have done so.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#scaling-a-deployment",
	Check: func(s *Subject) []Finding {
		if !s.noPods() {
			return nil
		}
		w := s.workload()
		if w == nil || w.replicas != 0 || w.kind == "Job" {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("%s %s is scaled to zero: there is no Pod to answer", w.kind, w.meta.Name),
			Cause:    "The selector fits the Pods that it would make, and it makes none.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.selector", pairs(s.Service.Selector)), observed(w.kind, w.meta, "spec.replicas", "0")},
		}
		if w.kind == "DaemonSet" {
			f.Headline = fmt.Sprintf("DaemonSet %s runs on no node: there is no Pod to answer", w.meta.Name)
			f.Evidence[1] = observed(w.kind, w.meta, "status.desiredNumberScheduled", "0")
			f.Fix = command("See which nodes its nodeSelector and tolerations allow.", "describe daemonset %s -n %s", w.meta.Name, w.meta.Namespace)
			return []Finding{f}
		}
		f.Fix = patched("Scale it up; look also at what scaled it down.", w.kind, w.meta, "merge", spec(object{"replicas": 1}))
		f.Fix = f.Fix.by("scale %s %s -n %s --replicas=1", strings.ToLower(w.kind), w.meta.Name, w.meta.Namespace)
		return []Finding{f}
	},
}
