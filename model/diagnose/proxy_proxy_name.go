package diagnose

import "svctour/model"

// A label that tells kube-proxy to keep away.
var proxyName = Rule{
	ID: "proxy-name", Lane: LaneProxy,
	Title: "A label keeps kube-proxy from the Service",
	Explain: "kube-proxy leaves out Services and EndpointSlices with the label service.kubernetes.io/service-proxy-name, whatever its value: they are another program's. " +
		"The EndpointSlice controller copies a Service's labels to its slices.",
	Source: "cmd/kube-proxy/app/server.go, labelSelectorNoProxyName; pkg/proxy/apis/well_known_labels.go",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || s.Service.Headless() {
			return nil
		}
		value, is := s.Service.Labels[proxyNameLabel]
		if !is {
			return nil
		}
		return []Finding{ignored("Service", s.Service.Meta, proxyNameLabel, value)}
	},
}
