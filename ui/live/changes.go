package live

import (
	"sort"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// calm is how many ticks a change stays marked.
const calm = 30

// Changes are the marks of what came, went or turned a moment ago. They age by
// ticks, not by a clock. A value is immutable: After gives a new one.
type Changes struct {
	marks map[string]mark
	gone  []model.Change // what was removed, in order of its text
	last  int            // the tick of the newest mark
}

type mark struct {
	change model.Change
	born   int // the tick at which it was marked
}

// After gives the marks as they are after these further changes, seen at a tick.
func (c *Changes) After(changes []model.Change, tick int) *Changes {
	if len(changes) == 0 {
		return c
	}
	next := &Changes{marks: make(map[string]mark, len(changes)), last: tick}
	if c != nil {
		for id, m := range c.marks {
			if tick-m.born < calm {
				next.marks[id] = m
			}
		}
	}
	for _, change := range changes {
		next.marks[change.ID] = mark{change, tick}
	}
	for _, m := range next.marks {
		if m.change.Kind == model.Removed {
			next.gone = append(next.gone, m.change)
		}
	}
	sort.Slice(next.gone, func(i, j int) bool { return next.gone[i].Text < next.gone[j].Text })
	return next
}

// Busy says whether any mark is left at a tick.
func (c *Changes) Busy(tick int) bool { return c != nil && len(c.marks) > 0 && tick-c.last < calm }

// at gives the mark of an object at a tick.
func (c *Changes) at(id string, tick int) (mark, bool) {
	if c == nil {
		return mark{}, false
	}
	m, ok := c.marks[id]
	return m, ok && tick-m.born < calm
}

// marked overlays the mark of an object, if it has one, on a style.
func (v *View) marked(t *theme.Theme, id string, base frame.Style) frame.Style {
	m, ok := v.Changes.at(id, v.Tick)
	switch {
	case !ok:
		return base
	case m.change.Kind == model.Added:
		return base.With(t.Added)
	case m.change.Kind == model.Removed:
		return base.With(t.Removed)
	}
	return base.With(t.Changed)
}

// sign is "+" for what just came, "~" for what just turned, else a blank.
func (v *View) sign(id string) string {
	m, ok := v.Changes.at(id, v.Tick)
	switch {
	case !ok:
		return " "
	case m.change.Kind == model.Added:
		return "+"
	case m.change.Kind == model.Removed:
		return "-"
	}
	return "~"
}

// gone lists what was removed a moment ago and is wanted, in order of its text.
func (v *View) gone(want func(*model.Change) bool) []*model.Change {
	if v.Changes == nil {
		return nil
	}
	var out []*model.Change
	for i := range v.Changes.gone {
		change := &v.Changes.gone[i]
		if _, marked := v.Changes.at(change.ID, v.Tick); marked && want(change) {
			out = append(out, change)
		}
	}
	return out
}
