package diagnose

import (
	"fmt"
	"strings"

	"svctour/model"
)

// ExternalName Services that lead in a circle.
var externalNameLoop = Rule{
	ID: "externalname-loop", Lane: LaneService,
	Title:   "ExternalName Services lead in a circle",
	Explain: "Each ExternalName is a CNAME. When one leads back to a name that was already asked for, resolvers give up.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#externalname; RFC 1034, section 3.6.2",
	Check: func(s *Subject) []Finding {
		seen, path := map[string]bool{}, []string{}
		for at := s.Service; at != nil && at.Type == model.ExternalName; {
			seen[at.Key()], path = true, append(path, at.Key())
			namespace, name, inside := s.inCluster(at.ExternalName)
			if !inside {
				return nil
			}
			if seen[namespace+"/"+name] {
				return []Finding{{
					Severity: Error, Confidence: Certain,
					Headline: fmt.Sprintf("externalName %s leads back to %s/%s", s.Service.ExternalName, namespace, name),
					Cause:    "The CNAME records are a circle: " + names(append(path, namespace+"/"+name)) + ". Resolvers give up.",
					Evidence: []Fact{observed("Service", s.Service.Meta, "spec.externalName", s.Service.ExternalName), observed("Service", at.Meta, "spec.externalName", at.ExternalName)},
					Fix:      Fix{Explain: "Let it lead to a host or to a Service of another type: " + strings.Join(path[:1], "") + " is its own target."},
				}}
			}
			at = s.snapshot.Service(namespace, name)
		}
		return nil
	},
}
