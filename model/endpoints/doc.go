// Package endpoints says which Pods are endpoints of a Service, and which
// endpoints a Service's port has. It holds the rules of labels and selectors,
// of the EndpointSlice controller, and of kube-proxy where it joins a Service's
// ports with EndpointSlices. Nothing else in the repository computes them.
package endpoints
