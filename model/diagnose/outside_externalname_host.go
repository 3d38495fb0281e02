package diagnose

import (
	"fmt"

	"svctour/model"
)

// What a host sees of clients that ask for it by a Service's name.
var externalNameHost = Rule{
	ID: "externalname-host", Lane: LaneOutside,
	Title: "HTTP and TLS clients of an ExternalName ask for the Service's name",
	Explain: "A client puts the name that it asked for into the Host header and the TLS handshake. A host that serves several sites, or has a certificate, " +
		"knows only its own name: it answers 404 or 421, or the client refuses the certificate.",
	Source: "https://kubernetes.io/docs/concepts/services-networking/service/#externalname, caution; RFC 9110, section 7.2",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type != model.ExternalName {
			return nil
		}
		if _, _, inside := s.inCluster(s.Service.ExternalName); inside {
			return nil
		}
		return []Finding{{
			Severity: Info, Confidence: Possible,
			Headline: fmt.Sprintf("%s is asked under the name %s by HTTP and TLS clients", s.Service.ExternalName, s.Name),
			Cause:    "The Host header and the server name of TLS are what the client asked for; the host may know no such site, and its certificate is for another name.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.externalName", s.Service.ExternalName)},
			Fix:      Fix{Explain: fmt.Sprintf("Let HTTPS clients ask for %s itself.", s.Service.ExternalName)},
		}}
	},
}
