package diagnose

import "svctour/model"

// A label that tells kube-proxy to keep away from the slice alone.
var proxyNameSlice = Rule{
	ID: "proxy-name-slice", Lane: LaneProxy,
	Title: "A label keeps kube-proxy from the Service's EndpointSlice",
	Explain: "kube-proxy leaves out EndpointSlices with the label service.kubernetes.io/service-proxy-name or service.kubernetes.io/headless, whatever its value. " +
		"The EndpointSlice controller copies a Service's labels to its slices; for a moment it may still have the old ones.",
	Source: "cmd/kube-proxy/app/server.go, labelSelectorNoProxyName; pkg/proxy/apis/well_known_labels.go",
	Lags:   true,
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || s.Service.Headless() || len(s.slices) != 1 || len(s.slices[0].Endpoints) == 0 {
			return nil
		}
		slice := s.slices[0]
		for _, label := range []string{proxyNameLabel, "service.kubernetes.io/headless"} {
			if value, has := slice.Labels[label]; has {
				return []Finding{ignored("EndpointSlice", slice.Meta, label, value)}
			}
		}
		return nil
	},
}
