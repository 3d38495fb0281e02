package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// An ExternalName that would need search domains.
var externalNameShort = Rule{
	ID: "externalname-short", Lane: LaneService,
	Title: "externalName is a short name",
	Explain: "externalName is the target of a CNAME record, and that is always a full name: no search domain is added. db.prod has to be " +
		"db.prod.svc.cluster.local.",
	Source: "RFC 1034, section 3.6.2; https://kubernetes.io/docs/concepts/services-networking/service/#externalname",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type != model.ExternalName {
			return nil
		}
		labels := strings.Split(strings.TrimSuffix(s.Service.ExternalName, "."), ".")
		name, namespace := labels[0], s.Namespace
		if len(labels) > 1 {
			namespace = labels[1]
		}
		short := len(labels) == 1 && name != "" || // no host of the internet has one label
			len(labels) == 2 && s.snapshot.Service(namespace, name) != nil ||
			len(labels) == 3 && labels[2] == "svc"
		if !short {
			return nil
		}
		full := fmt.Sprintf("%s.%s.svc.%s", name, namespace, s.domain())
		return []Finding{{
			Severity: Error, Confidence: Likely,
			Headline: fmt.Sprintf("externalName %s is a short name, and a CNAME's target is always taken as a full one", s.Service.ExternalName),
			Cause:    fmt.Sprintf("Resolvers follow it to %s. as it is, without a search domain, and find nothing.", strings.TrimSuffix(s.Service.ExternalName, ".")),
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.externalName", s.Service.ExternalName)},
			Fix:      patched("Use the full name.", "Service", s.Service.Meta, "merge", spec(object{"externalName": full})),
		}}
	},
}
