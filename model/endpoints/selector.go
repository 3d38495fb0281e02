package endpoints

import (
	"slices"

	"svctour/model"
)

// Matches says whether labels have every pair of a selector, as the selector of
// a Service or matchLabels mean it. An empty selector matches everything
// (k8s.io/apimachinery/pkg/labels, Set.AsSelector); a Service without selector
// selects nothing all the same, see Selects.
func Matches(selector, labels map[string]string) bool {
	for key, value := range selector {
		if !carries(labels, key, value) {
			return false
		}
	}
	return true
}

// Missing gives the keys of a selector whose pairs labels do not have, in order;
// none when they match (k8s.io/apimachinery/pkg/labels, Set.AsSelector).
func Missing(selector, labels map[string]string) []string {
	var out []string
	for key, value := range selector {
		if !carries(labels, key, value) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

func carries(labels map[string]string, key, value string) bool {
	have, is := labels[key]
	return is && have == value
}

// MatchesSelector says whether labels satisfy a LabelSelector. Nil selects
// nothing, a selector without requirements selects everything, and one that the
// API server would refuse selects nothing
// (k8s.io/apimachinery/pkg/apis/meta/v1/helpers.go, LabelSelectorAsSelector).
func MatchesSelector(selector *model.LabelSelector, labels map[string]string) bool {
	if selector == nil || !Matches(selector.Labels, labels) {
		return false
	}
	for i := range selector.Expressions {
		if !meets(&selector.Expressions[i], labels) {
			return false
		}
	}
	return true
}

// meets is Requirement.Matches (k8s.io/apimachinery/pkg/labels/selector.go):
// NotIn holds for labels without the key, too.
func meets(r *model.LabelRequirement, labels map[string]string) bool {
	value, has := labels[r.Key]
	switch r.Operator {
	case "In":
		return has && slices.Contains(r.Values, value)
	case "NotIn":
		return len(r.Values) > 0 && !(has && slices.Contains(r.Values, value))
	case "Exists":
		return has && len(r.Values) == 0
	case "DoesNotExist":
		return !has && len(r.Values) == 0
	}
	return false
}

// Selects says whether a Service's selector picks a Pod: the Pod is in its
// namespace and has every pair. An ExternalName Service and one without
// selector pick nothing
// (k8s.io/kubernetes/pkg/controller/endpointslice/endpointslice_controller.go, syncService).
func Selects(service *model.Service, pod *model.Pod) bool {
	return Selecting(service) && service.Namespace == pod.Namespace && Matches(service.Selector, pod.Labels)
}

// Selecting says whether the EndpointSlice controller looks for a Service's
// Pods: it has a selector and is no ExternalName
// (k8s.io/kubernetes/pkg/controller/endpointslice/endpointslice_controller.go, syncService).
func Selecting(service *model.Service) bool {
	return service.Type != model.ExternalName && len(service.Selector) > 0
}
