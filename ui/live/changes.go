// Package live draws model values: the map, endpoints, resolution, path,
// manifest and story. Every drawing is a pure function from values to lines.
package live

import (
	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// calm is how many ticks a change stays marked.
const calm = 12

// Changes remembers what just came, went or turned, so that it can be marked
// for a while. It ages by ticks, not by a clock.
type Changes struct {
	marks map[string]*mark
}

type mark struct {
	change model.Change
	age    int
}

// Add marks changes as new.
func (c *Changes) Add(changes []model.Change) {
	if c.marks == nil {
		c.marks = map[string]*mark{}
	}
	for _, change := range changes {
		c.marks[change.ID] = &mark{change: change}
	}
}

// Tick ages the marks by one step and says whether any is left.
func (c *Changes) Tick() bool {
	for id, m := range c.marks {
		if m.age++; m.age >= calm {
			delete(c.marks, id)
		}
	}
	return len(c.marks) > 0
}

// Busy says whether any mark is left.
func (c *Changes) Busy() bool { return len(c.marks) > 0 }

// Style overlays the mark of an object, if it has one, on a style.
func (c *Changes) Style(t *theme.Theme, id string, base frame.Style) frame.Style {
	m := c.marks[id]
	if m == nil {
		return base
	}
	switch m.change.Kind {
	case model.Added:
		return base.With(t.Added)
	case model.Removed:
		return base.With(t.Removed)
	}
	return base.With(t.Changed)
}

// Sign is "+" for what just came, "~" for what just turned, else a blank.
func (c *Changes) Sign(id string) string {
	m := c.marks[id]
	switch {
	case m == nil:
		return " "
	case m.change.Kind == model.Added:
		return "+"
	case m.change.Kind == model.Removed:
		return "-"
	}
	return "~"
}

// Gone lists what was removed a moment ago, of one subject, in a stable order.
func (c *Changes) Gone(subject string) []model.Change {
	var out []model.Change
	for _, m := range c.marks {
		if m.change.Kind == model.Removed && m.change.Subject == subject {
			out = append(out, m.change)
		}
	}
	sortChanges(out)
	return out
}
