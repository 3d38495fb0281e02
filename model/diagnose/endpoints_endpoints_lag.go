package diagnose

import (
	"fmt"
	"slices"
	"strconv"
)

// Endpoints that the controller has not written yet, or any more.
var endpointsLag = Rule{
	ID: "endpoints-lag", Lane: LaneEndpoints,
	Title:   "Ready Pods are not in the EndpointSlices",
	Explain: "The EndpointSlice controller writes what kube-proxy and DNS use. If it lags behind or does not run, new Pods get no connections and old addresses stay.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/",
	Lags:    true,
	Check: func(s *Subject) []Finding {
		if !s.lives() || s.unread("endpointslices") {
			return nil
		}
		listed := map[string]bool{}
		for _, slice := range s.slices {
			for i := range slice.Endpoints {
				for _, address := range slice.Endpoints[i].Addresses {
					listed[address] = true
				}
			}
		}
		for _, pod := range s.ready {
			if s.familyDiffers(pod) || slices.ContainsFunc(pod.IPs, func(ip string) bool { return listed[ip] }) {
				continue
			}
			since := condition(pod, "Ready")
			if since != nil && !s.snapshot.Time.IsZero() && s.snapshot.Time.Sub(since.Since).Seconds() < 10 {
				continue // the controller is given a moment
			}
			return []Finding{{
				Severity: Error, Confidence: Likely,
				Headline: fmt.Sprintf("Pod %s is ready, but in no EndpointSlice of the Service", pod.Name),
				Cause:    "The EndpointSlice controller has not written it: it may not run (kube-controller-manager), or be far behind.",
				Evidence: []Fact{observed("Pod", pod.Meta, "status.podIP", pod.IP()), observed("Service", s.Service.Meta, "EndpointSlices", strconv.Itoa(len(s.slices)))},
				Fix:      command("See whether the controller manager runs.", "get pods -n kube-system -l component=kube-controller-manager"),
			}}
		}
		return nil
	},
}
