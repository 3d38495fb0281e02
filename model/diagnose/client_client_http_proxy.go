package diagnose

import (
	"fmt"
	"slices"
)

// A client that sends its HTTP requests to a proxy.
var clientHTTPProxy = Rule{
	ID: "client-http-proxy", Lane: LaneClient,
	Title: "The client's HTTP requests go to a proxy",
	Explain: "HTTP_PROXY sends every request to a proxy, which knows no Service, unless NO_PROXY exempts the name. " +
		"Put .svc, the cluster's domain and the Service range into NO_PROXY.",
	Source: "curl(1), environment; golang.org/x/net/http/httpproxy",
	Check: func(s *Subject) []Finding {
		if s.Client == nil || s.Service == nil {
			return nil
		}
		for i := range s.Client.Containers {
			c := &s.Client.Containers[i]
			sets := func(names ...string) string {
				for _, name := range names {
					if slices.Contains(c.EnvNames, name) {
						return name
					}
				}
				return ""
			}
			proxy := sets("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
			if proxy == "" || sets("no_proxy", "NO_PROXY") != "" {
				continue
			}
			return []Finding{{
				Severity: Warning, Confidence: Likely,
				Headline: fmt.Sprintf("Container %s of Pod %s sets %s and no NO_PROXY: its requests for %s go to the proxy", c.Name, s.Client.Name, proxy, s.Name),
				Cause:    "A proxy outside of the cluster resolves no Service's name and routes no cluster IP; clients that heed the variable never connect to the Service.",
				Evidence: []Fact{observed("Pod", s.Client.Meta, "spec.containers["+c.Name+"].env", proxy+", no NO_PROXY")},
				Fix: s.containerFix(s.Client, c, "Exempt the cluster's names.",
					object{"env": []any{object{"name": "NO_PROXY", "value": fmt.Sprintf("localhost,127.0.0.1,.svc,.%s,%s", s.domain(), s.Name)}}}),
			}}
		}
		return nil
	},
}
