package stage

import (
	"slices"

	"svctour/model/scene"
)

// Moment is where a packet is on its way.
type Moment struct {
	Way  scene.Way
	Leg  int     // index into its Legs
	Part float64 // how much of the leg is behind it, 0 to 1
	Rule int     // where it is translated, the index of the rule it stands at
	Over bool    // it has come to its end
}

// rules is the leg on which rules decide; nil where none do.
func (m *Moment) rules() *scene.Leg {
	for i := range m.Way.Legs {
		if len(m.Way.Legs[i].Rules) > 0 {
			return &m.Way.Legs[i]
		}
	}
	return nil
}

// How many steps of animation a packet takes for a leg, stays at a rule, and
// rests at its end. A leg has at least eight, however short it is.
const (
	travelSteps = 12
	ruleSteps   = 8
	restSteps   = 28
)

// Steps is how many steps a way takes until it is over.
func Steps(w scene.Way) int {
	n := restSteps
	for i := range w.Legs {
		n += legSteps(&w.Legs[i])
	}
	return n
}

func legSteps(l *scene.Leg) int {
	if l.Kind == scene.Translate {
		return ruleSteps * min(6, max(2, len(l.Rules)))
	}
	return travelSteps
}

// At gives the moment after so many steps.
func At(w scene.Way, step int) Moment {
	for i := range w.Legs {
		n := legSteps(&w.Legs[i])
		if step >= n {
			step -= n
			continue
		}
		m := Moment{Way: w, Leg: i, Part: float64(step) / float64(n-1)}
		if w.Legs[i].Kind == scene.Translate {
			m.Rule = step * len(w.Legs[i].Rules) / n
		}
		return m
	}
	return Moment{Way: w, Leg: max(0, len(w.Legs)-1), Part: 1, Over: true}
}

// Reach is how many steps it takes until a packet begins leg i of a way, or where
// it is translated comes to one of that leg's rules.
func Reach(w scene.Way, i, rule int) int {
	n := 0
	for k := range w.Legs[:i] {
		n += legSteps(&w.Legs[k])
	}
	if rules := len(w.Legs[i].Rules); w.Legs[i].Kind == scene.Translate && rules > 0 {
		n += (min(rule, rules-1)*legSteps(&w.Legs[i]) + rules - 1) / rules
	}
	return n
}

// Rest is the last moment of a way: the packet has come to its end.
func Rest(w scene.Way) Moment { return At(w, Steps(w)) }

// trail gives the ways that the packet has behind it, and where it is now; ok is
// false while that is not in the picture.
func (p *Picture) trail(m Moment) (behind [][]point, at point, ok bool) {
	var whole []point // from the client to the endpoint
	for i := 0; i <= m.Leg && i < len(m.Way.Legs); i++ {
		leg := &m.Way.Legs[i]
		part, returns := p.route(leg.From, leg.To), false
		switch leg.Kind {
		case scene.Translate:
			part = nil
		case scene.Answer:
			returns = true
		case scene.Reply:
			part, returns = reversed(whole), true
		case scene.Send, scene.Deliver:
			whole = append(whole, part...)
		}
		if len(part) == 0 {
			if i == m.Leg && !ok && p.lanes.client != nil { // while a name is looked up out of sight
				at, ok = *p.lanes.client, true
			}
			continue
		}
		if i == m.Leg {
			part = part[:1+int(m.Part*float64(len(part)-1)+0.5)]
		}
		at, ok = part[len(part)-1], true
		if !returns {
			behind = append(behind, part)
		}
	}
	return behind, at, ok
}

func reversed(cells []point) []point {
	out := slices.Clone(cells)
	slices.Reverse(out)
	return out
}
