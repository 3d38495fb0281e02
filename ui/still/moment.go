package still

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"svctour/model/scene"
	"svctour/ui/question"
	"svctour/ui/shell"
	"svctour/ui/stage"
)

// moment is a moment of a step that has begun.
type moment struct {
	name  string
	keys  []string // pressed one after the other
	await bool     // what they have asked for is there
	// stands says whether the packet, which walks then, has come to where it is
	// to be drawn; nil: it need not.
	stands func(stage.Moment) bool
	heard  int // answers of a stream that are heard before it is stopped
}

func moments() []moment {
	send := []string{"space"}
	return []moment{
		{name: "start"},
		{name: "sent", keys: send},
		{name: "rule", keys: send, await: true, stands: atRule},
		{name: "stream", keys: []string{"s"}, heard: 60},
		{name: "reply", keys: send, await: true, stands: func(m stage.Moment) bool { return m.Over }},
	}
}

// atRule says whether the packet stands at the last of the rules that decide.
func atRule(m stage.Moment) bool {
	if m.Leg >= len(m.Way.Legs) {
		return false
	}
	leg := &m.Way.Legs[m.Leg]
	return leg.Kind == scene.Translate && m.Rule == len(leg.Rules)-1
}

// Moments are the names that At takes.
func Moments() []string {
	var names []string
	for _, m := range moments() {
		names = append(names, m.name)
	}
	return names
}

// At brings about a moment of the step, which is Ready: "start"; "sent", with a
// request under way; "rule", where the packet stands at the rule that decides;
// "stream", after sixty requests of one; "reply", where it has come to its end. It stays until the next Until.
func (p *Program) At(ctx context.Context, name string) error {
	for _, m := range moments() {
		if m.name == name {
			return p.goTo(ctx, m)
		}
	}
	return fmt.Errorf("there is no moment %q: there is %s", name, strings.Join(Moments(), ", "))
}

// listen lets the app go on until so many answers of a stream were heard, and
// stops it.
func (p *Program) listen(ctx context.Context, n int) error {
	s, ok := p.app.Screen().(settler)
	for heard := 0; ok && heard < n; {
		if v, drawn := s.Panes().View(); drawn && v.Meter != nil {
			heard = v.Meter.Answered()
		}
		select {
		case msg := <-p.came:
			p.send(msg)
			p.count(-1)
		case <-p.nudge:
		case <-ctx.Done():
			return fmt.Errorf("of %d answers %d were heard: %w", n, heard, ctx.Err())
		}
	}
	if err := p.Press("s"); err != nil {
		return err
	}
	return p.rest(ctx)
}

// predict answers the question that the step asks first, if it asks one: no packet
// shows its way before. It is answered by the first choice.
func (p *Program) predict(ctx context.Context) error {
	asked := slices.ContainsFunc(p.app.Screen().Actions(), func(a shell.Action) bool { return a.ID == question.AnswerID })
	if !asked {
		return nil
	}
	for _, key := range []string{"1", "s"} {
		if err := p.Press(key); err != nil {
			return err
		}
	}
	return p.rest(ctx)
}

func (p *Program) goTo(ctx context.Context, m moment) error {
	if len(m.keys) > 0 {
		if err := p.predict(ctx); err != nil {
			return err
		}
	}
	for _, key := range m.keys {
		if err := p.Press(key); err != nil {
			return err
		}
	}
	if m.heard > 0 {
		return p.listen(ctx, m.heard)
	}
	if !m.await {
		return nil
	}
	if err := p.rest(ctx); err != nil || m.stands == nil {
		return err
	}
	s, ok := p.app.Screen().(settler)
	for ok {
		at, walks := s.Panes().Packet()
		switch {
		case walks && m.stands(at):
			return nil
		case !walks || !p.Step():
			ok = false
		}
		if err := p.rest(ctx); err != nil {
			return err
		}
	}
	return fmt.Errorf("no packet comes to the moment %q", m.name)
}
