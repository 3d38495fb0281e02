package whatif

import (
	"maps"
	"slices"
	"strings"

	"svctour/model"
)

// table holds the objects of one kind: those of the snapshot, and over them what
// is different.
type table[M any] struct {
	base []*M
	meta func(*M) *model.Meta
	over map[string]*M // nil for one that is gone
	// index finds those of the snapshot by namespace/name.
	index map[string]*M
}

func newTable[M any](base []*M, meta func(*M) *model.Meta) *table[M] {
	t := &table[M]{base: base, meta: meta, over: map[string]*M{}, index: make(map[string]*M, len(base))}
	for _, o := range base {
		t.index[meta(o).Key()] = o
	}
	return t
}

// get gives an object, nil when it is not there.
func (t *table[M]) get(namespace, name string) *M {
	key := model.Meta{Namespace: namespace, Name: name}.Key()
	if o, changed := t.over[key]; changed {
		return o
	}
	return t.index[key]
}

// put keeps an object. One that differs in nothing stays the snapshot's.
func (t *table[M]) put(o *M) {
	key := t.meta(o).Key()
	if old := t.index[key]; old != nil && equal(old, o) {
		delete(t.over, key)
		return
	}
	t.over[key] = o
}

func (t *table[M]) removeKey(key string) {
	if t.index[key] == nil {
		delete(t.over, key)
		return
	}
	t.over[key] = nil
}

// all gives the objects that are there, in no order.
func (t *table[M]) all() []*M {
	if len(t.over) == 0 {
		return t.base
	}
	out := make([]*M, 0, len(t.base)+len(t.over))
	for _, o := range t.base {
		if _, changed := t.over[t.meta(o).Key()]; !changed {
			out = append(out, o)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.over)) {
		if o := t.over[key]; o != nil {
			out = append(out, o)
		}
	}
	return out
}

// in gives those of a namespace, in the order of their names.
func (t *table[M]) in(namespace string) []*M {
	var out []*M
	for _, o := range t.all() {
		if t.meta(o).Namespace == namespace {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *M) int { return strings.Compare(t.meta(a).Name, t.meta(b).Name) })
	return out
}

func (t *table[M]) inNamespace(namespace string) []model.Meta {
	var out []model.Meta
	for _, o := range t.in(namespace) {
		out = append(out, *t.meta(o))
	}
	return out
}

// dependents gives the objects that have this owner and no other.
func (t *table[M]) dependents(uid string) []model.Meta {
	var out []model.Meta
	for _, o := range t.all() {
		owners := t.meta(o).Owners
		if len(owners) > 0 && uid != "" && !slices.ContainsFunc(owners, func(owner model.Owner) bool { return owner.UID != uid }) {
			out = append(out, *t.meta(o))
		}
	}
	return out
}

// mark says of each object whether it would come, go or change.
func (t *table[M]) mark(marks map[string]model.ChangeKind) {
	for key, o := range t.over {
		old := t.index[key]
		switch {
		case o == nil:
			marks[t.meta(old).UID] = model.Removed
		case old == nil:
			marks[t.meta(o).UID] = model.Added
		case t.meta(old).UID != t.meta(o).UID: // another object of the same name
			marks[t.meta(old).UID], marks[t.meta(o).UID] = model.Removed, model.Added
		default:
			marks[t.meta(o).UID] = model.Changed
		}
	}
}

// changed gives what is different: the object before and after, nil where there
// is none.
func (t *table[M]) changed(each func(before, after *M)) {
	for key, o := range t.over {
		each(t.index[key], o)
	}
}

func namespaceOf(key string) string {
	namespace, _, _ := strings.Cut(key, "/")
	return namespace
}
