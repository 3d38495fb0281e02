// Package convert turns Kubernetes API objects into model values. It is the
// only place that knows both.
//
// A converted value shares no map, slice or pointer with the object it came
// from, so objects held by an informer's cache stay safe; it may share some with
// other values, so it must not be changed. Every function gives
// nil for nil. Where a field that the API server always fills is empty (the
// object was read from a file and never stored), the API server's own default
// (pkg/apis/core/v1/defaults.go, pkg/apis/discovery/v1/defaults.go) is used, so
// that the value means what the stored object would mean.
package convert

import (
	"maps"
	"slices"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/model"
)

// Meta copies the part of ObjectMeta that svctour reads.
func Meta(o *metav1.ObjectMeta) model.Meta {
	m := model.Meta{
		Namespace:       shared(o.Namespace),
		Name:            o.Name,
		UID:             string(o.UID),
		ResourceVersion: o.ResourceVersion,
		Generation:      o.Generation,
		Labels:          labels(o.Labels),
		Annotations:     maps.Clone(o.Annotations),
		Created:         o.CreationTimestamp.Time,
	}
	if o.DeletionTimestamp != nil {
		m.Deleting = o.DeletionTimestamp.Time
	}
	for i := range o.OwnerReferences {
		r := &o.OwnerReferences[i]
		m.Owners = append(m.Owners, model.Owner{
			Kind:       shared(r.Kind),
			Name:       shared(r.Name),
			UID:        shared(r.UID),
			Controller: r.Controller != nil && *r.Controller,
		})
	}
	return m
}

// list converts each element; an empty list becomes nil.
func list[A, B any](in []A, convert func(*A) B) []B {
	if len(in) == 0 {
		return nil
	}
	out := make([]B, len(in))
	for i := range in {
		out[i] = convert(&in[i])
	}
	return out
}

// shared gives one copy of a text that many objects have: in a big cluster most
// of what Pods say they all say.
func shared[S ~string](s S) string {
	if s == "" {
		return ""
	}
	return unique.Make(string(s)).Value()
}

// labels copies labels.
func labels(in map[string]string) map[string]string {
	if in == nil {
		return nil
	}
	out := make(map[string]string, len(in))
	for key, value := range in {
		out[shared(key)] = shared(value)
	}
	return out
}

// same gives old instead of fresh when both are equal, so that only one is kept.
func same(fresh, old map[string]string) map[string]string {
	if fresh != nil && old != nil && maps.Equal(fresh, old) {
		return old
	}
	return fresh
}

// words copies a list of any string type; an empty list becomes nil.
func words[S ~string](in []S) []string {
	return list(in, func(s *S) string { return string(*s) })
}

// deref gives what p points to, or the zero value.
func deref[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// copied gives a pointer to a copy of what p points to, or nil.
func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// orDefault gives s, or def when s is empty.
func orDefault[S ~string](s S, def string) string {
	if s == "" {
		return def
	}
	return string(s)
}

// matchLabels copies the matchLabels of a label selector. A selector that also
// has matchExpressions cannot be written as a map; its matchLabels are still a
// true part of it.
func matchLabels(s *metav1.LabelSelector) map[string]string {
	if s == nil {
		return nil
	}
	return labels(s.MatchLabels)
}

// oneOrMore gives the plural field of an API object, or the singular one when
// an older writer left the plural empty; nil when both are.
func oneOrMore(plural []string, singular string) []string {
	if len(plural) > 0 {
		return slices.Clone(plural)
	}
	if singular != "" {
		return []string{singular}
	}
	return nil
}
