package diagnose

import (
	"fmt"

	"svctour/model"
)

// An ExternalName to a Service that is not there.
var externalNameMissing = Rule{
	ID: "externalname-missing", Lane: LaneService,
	Title:   "externalName is a Service that does not exist",
	Explain: "The name lies in the cluster's own domain, and no Service has it: the CNAME leads to NXDOMAIN.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#externalname",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type != model.ExternalName || s.unread("services") {
			return nil
		}
		namespace, name, inside := s.inCluster(s.Service.ExternalName)
		if !inside || s.hides(namespace) || s.snapshot.Service(namespace, name) != nil {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("externalName %s is in the cluster, and there is no Service %s in namespace %s", s.Service.ExternalName, name, namespace),
			Cause:    "The name is answered with a CNAME to a name that does not exist.",
			Evidence: []Fact{
				observed("Service", s.Service.Meta, "spec.externalName", s.Service.ExternalName),
				{Object: "Namespace " + namespace, Field: "Services named " + name, Value: "0", Kind: model.Observed},
			},
			Fix: command("See which Services there are.", "get services -n %s", namespace),
		}
		if near := s.nearService(namespace, name); near != nil {
			f.Fix = patched("Lead to the one that is there.", "Service", s.Service.Meta, "merge", spec(object{"externalName": fmt.Sprintf("%s.%s.svc.%s", near.Name, near.Namespace, s.domain())}))
		}
		return []Finding{f}
	},
}
