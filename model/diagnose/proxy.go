package diagnose

import (
	"fmt"

	"svctour/model"
)

const proxyNameLabel = "service.kubernetes.io/service-proxy-name"

func ignored(kind string, meta model.Meta, label, value string) Finding {
	return Finding{
		Severity: Error, Confidence: Likely,
		Headline: fmt.Sprintf("The label %s of %s %s keeps kube-proxy away: nothing forwards", label, kind, meta.Name),
		Cause:    "kube-proxy makes no rules of what has this label; only a program that looks for it would.",
		Evidence: []Fact{observed(kind, meta, "metadata.labels["+label+"]", orElse(value, `""`))},
		Fix:      patched("Take the label away, unless that program runs.", kind, meta, "merge", object{"metadata": object{"labels": object{label: nil}}}),
	}
}
