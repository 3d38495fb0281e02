package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/model"
)

// store holds the converted objects of one resource, sorted by namespace and
// name. It is the sink of one reflector at a time (cache.ReflectorStore) and
// keeps no API object. A relist arrives as one Replace, so an object whose
// deletion was missed disappears with it: there are no tombstones to unwrap.
//
// The list given to a snapshot is never changed again: the first change after
// it copies the list.
type store[O metav1.Object, M any] struct {
	resource string
	convert  func(O) *M
	meta     func(*M) *model.Meta
	changed  func(Event) // called without the lock; never blocks

	mu      sync.Mutex
	sorted  []*M
	shared  bool   // sorted belongs to a snapshot
	newest  uint64 // resourceVersion of the newest event or list
	replace bool   // a list arrived
}

func newStore[O metav1.Object, M any](resource string, convert func(O) *M, meta func(*M) *model.Meta, changed func(Event)) *store[O, M] {
	return &store[O, M]{resource: resource, convert: convert, meta: meta, changed: changed}
}

// Add implements cache.ReflectorStore.
func (s *store[O, M]) Add(object any) error { return s.set(object) }

// Update implements cache.ReflectorStore.
func (s *store[O, M]) Update(object any) error { return s.set(object) }

// Resync implements cache.ReflectorStore.
func (s *store[O, M]) Resync() error { return nil }

func (s *store[O, M]) set(object any) error {
	o, ok := object.(O)
	if !ok {
		return fmt.Errorf("%s: a watch brought a %T", s.resource, object)
	}
	value := s.convert(o)
	s.mu.Lock()
	s.own()
	i, found := s.find(o.GetNamespace(), o.GetName())
	if found {
		s.sorted[i] = value
	} else {
		s.sorted = slices.Insert(s.sorted, i, value)
	}
	s.note(o.GetResourceVersion())
	s.mu.Unlock()
	s.tell(o)
	return nil
}

// Delete implements cache.ReflectorStore.
func (s *store[O, M]) Delete(object any) error {
	o, ok := object.(O)
	if !ok {
		return fmt.Errorf("%s: a watch brought a %T", s.resource, object)
	}
	s.mu.Lock()
	if i, found := s.find(o.GetNamespace(), o.GetName()); found {
		s.own()
		s.sorted = slices.Delete(s.sorted, i, i+1)
	}
	s.note(o.GetResourceVersion())
	s.mu.Unlock()
	s.tell(o)
	return nil
}

// Replace implements cache.ReflectorStore. A value whose object did not change
// is kept, so that it stays the same value in the next snapshot.
func (s *store[O, M]) Replace(objects []any, resourceVersion string) error {
	s.mu.Lock()
	old := s.sorted
	known := make(map[string]*M, len(old)) // by UID
	for _, value := range old {
		known[s.meta(value).UID] = value
	}
	s.mu.Unlock()
	fresh := make([]*M, 0, len(objects))
	for _, object := range objects {
		o, ok := object.(O)
		if !ok {
			return fmt.Errorf("%s: a list brought a %T", s.resource, object)
		}
		value := known[string(o.GetUID())]
		if value == nil || s.meta(value).ResourceVersion != o.GetResourceVersion() {
			value = s.convert(o)
		}
		fresh = append(fresh, value)
	}
	slices.SortFunc(fresh, func(a, b *M) int { return compareMeta(s.meta(a), s.meta(b)) })

	s.mu.Lock()
	s.sorted, s.shared, s.replace = fresh, false, true
	s.newest = 0
	s.note(resourceVersion)
	s.mu.Unlock()
	s.changed(Event{Resource: s.resource, ResourceVersion: resourceVersion})
	return nil
}

// clear forgets everything, silently: the resource cannot be read any more.
func (s *store[O, M]) clear() {
	s.mu.Lock()
	s.sorted, s.shared, s.newest, s.replace = nil, false, 0, false
	s.mu.Unlock()
}

// list gives the present objects; nobody may change the list.
func (s *store[O, M]) list() []*M {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = true
	// A full slice expression: an append by the reader cannot reach our array.
	return s.sorted[:len(s.sorted):len(s.sorted)]
}

func (s *store[O, M]) revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// listed says whether a complete list has arrived.
func (s *store[O, M]) listed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replace
}

// own makes sorted ours to change.
func (s *store[O, M]) own() {
	if s.shared {
		// Room for a few more, so that a burst of creations copies once.
		s.sorted = append(make([]*M, 0, len(s.sorted)+16), s.sorted...)
		s.shared = false
	}
}

func (s *store[O, M]) find(namespace, name string) (int, bool) {
	return slices.BinarySearchFunc(s.sorted, &model.Meta{Namespace: namespace, Name: name},
		func(value *M, want *model.Meta) int { return compareMeta(s.meta(value), want) })
}

// note remembers the newest resourceVersion. They are decimal numbers that
// grow with time within one cluster (KEP-5504); anything else is ignored.
func (s *store[O, M]) note(resourceVersion string) {
	if v, err := strconv.ParseUint(resourceVersion, 10, 64); err == nil && v > s.newest {
		s.newest = v
	}
}

func (s *store[O, M]) tell(o O) {
	key := o.GetName()
	if ns := o.GetNamespace(); ns != "" {
		key = ns + "/" + key
	}
	s.changed(Event{Resource: s.resource, Key: key, ResourceVersion: o.GetResourceVersion()})
}

func compareMeta(a, b *model.Meta) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}
