package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"svctour/model"
)

// pageSize is how many objects are asked for at once, as by kubectl.
const pageSize = 500

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
	arrived int    // complete lists, since the store was last cleared
}

func newStore[O metav1.Object, M any](resource string, convert func(O) *M, meta func(*M) *model.Meta, changed func(Event)) *store[O, M] {
	return &store[O, M]{resource: resource, convert: convert, meta: meta, changed: changed}
}

// Add implements cache.ReflectorStore.
func (s *store[O, M]) Add(object any) error { return s.set(object) }

// Update implements cache.ReflectorStore.
func (s *store[O, M]) Update(object any) error { return s.set(object) }

// read is a value on its way from the server to its store. Objects are
// converted one by one as they come: a big cluster's lists are several times
// bigger than what is kept of them.
type read[M any] struct {
	*metav1.ObjectMeta // nothing: what a reflector asks for is in meta
	meta               *model.Meta
	value              *M
}

// nothing is what a read value does not tell of its object.
var nothing metav1.ObjectMeta

// What a reflector and its temporary store ask for.
func (r *read[M]) GetNamespace() string         { return r.meta.Namespace }
func (r *read[M]) GetName() string              { return r.meta.Name }
func (r *read[M]) GetUID() types.UID            { return types.UID(r.meta.UID) }
func (r *read[M]) GetResourceVersion() string   { return r.meta.ResourceVersion }
func (r *read[M]) GetObjectMeta() metav1.Object { return r }

// GetObjectKind and DeepCopyObject implement runtime.Object.
func (r *read[M]) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }
func (r *read[M]) DeepCopyObject() runtime.Object   { return r }

// Transformer implements cache.TransformingStore: it makes a *read of an object.
func (s *store[O, M]) Transformer() cache.TransformFunc {
	return func(object any) (any, error) {
		o, ok := object.(O)
		if !ok {
			return object, nil
		}
		return s.read(o), nil
	}
}

func (s *store[O, M]) read(o O) *read[M] {
	value := s.convert(o)
	return &read[M]{ObjectMeta: &nothing, meta: s.meta(value), value: value}
}

// readList is what a list of objects was converted to.
type readList struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []runtime.Object
}

// DeepCopyObject implements runtime.Object.
func (l *readList) DeepCopyObject() runtime.Object { return l }

// listPages lists page by page, and converts each before it asks for the next.
func (s *store[O, M]) listPages(ctx context.Context, options metav1.ListOptions, page func(context.Context, metav1.ListOptions) (runtime.Object, error)) (runtime.Object, error) {
	if options.ResourceVersion == "0" { // a cache would give all at once
		options.ResourceVersion = ""
	}
	if options.Limit == 0 && options.ResourceVersion == "" {
		options.Limit = pageSize
	}
	out := &readList{}
	for {
		list, err := page(ctx, options)
		if err != nil {
			return nil, err
		}
		if err := meta.EachListItem(list, func(object runtime.Object) error {
			o, ok := object.(O)
			if !ok {
				return fmt.Errorf("%s: a list brought a %T", s.resource, object)
			}
			out.Items = append(out.Items, s.read(o))
			return nil
		}); err != nil {
			return nil, err
		}
		about, err := meta.ListAccessor(list)
		if err != nil {
			return nil, err
		}
		out.ResourceVersion = about.GetResourceVersion()
		if options.Continue = about.GetContinue(); options.Continue == "" {
			return out, nil
		}
		options.ResourceVersion, options.ResourceVersionMatch = "", ""
	}
}

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
		one, ok := object.(*read[M])
		if !ok {
			o, is := object.(O)
			if !is {
				return fmt.Errorf("%s: a list brought a %T", s.resource, object)
			}
			one = s.read(o)
		}
		value := known[one.meta.UID]
		if value == nil || s.meta(value).ResourceVersion != one.meta.ResourceVersion {
			value = one.value
		}
		fresh = append(fresh, value)
	}
	slices.SortFunc(fresh, func(a, b *M) int { return compareMeta(s.meta(a), s.meta(b)) })

	s.mu.Lock()
	s.sorted, s.shared = fresh, false
	s.arrived++
	s.newest = 0
	s.note(resourceVersion)
	s.mu.Unlock()
	s.changed(Event{Resource: s.resource, ResourceVersion: resourceVersion})
	return nil
}

// clear forgets everything, silently: the resource cannot be read any more.
func (s *store[O, M]) clear() {
	s.mu.Lock()
	s.sorted, s.shared, s.newest, s.arrived = nil, false, 0, 0
	s.mu.Unlock()
}

// list gives the present objects of a namespace, "" for all. The list must not
// be changed.
func (s *store[O, M]) list(namespace string) []*M {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shared = true
	low, high := 0, len(s.sorted)
	if namespace != "" {
		low, _ = s.find(namespace, "")
		high, _ = s.find(namespace+"\x00", "")
	}
	// A full slice expression: an append by the reader cannot reach our array.
	return s.sorted[low:high:high]
}

func (s *store[O, M]) revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest
}

// lists is how many complete lists have arrived since the store was cleared.
func (s *store[O, M]) lists() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.arrived
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
