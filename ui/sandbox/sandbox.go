// Package sandbox is the screen with no goal: a digit brings a state about, and
// the rest is up to the person, with the stage, the prompt and the editor.
package sandbox

import (
	"cmp"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/path"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// pane is one of the parts that can be focused and scrolled.
type pane int

const (
	menuPane pane = iota
	stagePane
	endpointsPane
	dnsPane
	pathPane
	panes
)

var paneTitles = [panes]string{"Sandbox", "Stage", "Endpoints", "DNS", "Path"}

// livePanes stand together on a large screen.
var livePanes = []pane{stagePane, endpointsPane, dnsPane, pathPane}

// livePane gives the live pane that p is; not of the menu.
func (p pane) livePane() live.Pane { return live.Pane(p - stagePane) }

// Screen is the sandbox.
type Screen struct {
	states []lessons.SandboxState
	live   *live.Panes
	texts  *live.Texts
	theme  *theme.Theme // by which rows are counted when keys scroll

	namespace string
	world     *model.Snapshot
	turn      shell.Turn // of computing
	at        int        // the state that was asked for last; -1 before the first

	size    shell.Size
	focus   pane
	scroll  [panes]int
	running string        // the command under way; "" when none is
	rest    []string      // those that follow it
	replies []model.Reply // of the commands of the present state

	problem string
	doctor  bool // the diagnosis stands where the menu does
	full    bool // the stage takes the whole screen
	undo    bool // a fix was applied that can be taken back
}

// New makes the screen. The same seed walks packets the same way.
func New(states []lessons.SandboxState, namespace string, size shell.Size, seed uint64, t *theme.Theme) *Screen {
	return &Screen{
		states: states, live: live.New(namespace, seed), texts: live.NewTexts(), theme: t,
		namespace: namespace, at: -1, size: size, focus: stagePane,
	}
}

// Still keeps everything on the stage from moving.
func (x *Screen) Still(still bool) { x.live.Still = still }

// Handle implements shell.Screen.
func (x *Screen) Handle(msg any) shell.Intent {
	switch msg := msg.(type) {
	case shell.Size:
		x.size = msg
	case shell.World:
		x.world = msg.Snapshot
		return x.compute()
	case shell.Computed:
		return x.computed(msg)
	case shell.Diagnosed:
		if x.live.Diagnosed(msg) && x.doctor {
			return x.live.Diagnose()
		}
	case shell.Heard:
		x.heard(msg)
	case shell.Fixed:
		x.undo = msg.Undo
	default:
		if x.live.Handle(msg) {
			return x.compute()
		}
	}
	return nil
}

// bring brings a state about, after what the one before has made is gone.
func (x *Screen) bring(n int) shell.Intent {
	if n < 0 || n >= len(x.states) || x.world == nil {
		return nil
	}
	x.at, x.doctor, x.problem, x.replies = n, false, "", nil
	x.scroll = [panes]int{}
	x.live.Forget()
	commands := x.states[n].Commands(x.namespace, x.domain())
	x.running, x.rest = commands[0].Display, nil
	for _, c := range commands[1:] {
		x.rest = append(x.rest, c.Display)
	}
	return shell.Intents{shell.Stop{}, shell.Run{Invokes: commands}, x.compute()}
}

// domain is the cluster's.
func (x *Screen) domain() string { return cmp.Or(x.world.DNS.Domain, "cluster.local") }

func (x *Screen) heard(msg shell.Heard) {
	x.replies = append(x.replies, msg.Reply)
	x.running = ""
	if !msg.Last && len(x.rest) > 0 {
		x.running, x.rest = x.rest[0], x.rest[1:]
	}
}

// state is the one that the panes are about: before a first one was asked for, it
// is the first, of which something may still be there.
func (x *Screen) state() *lessons.SandboxState { return &x.states[max(0, x.at)] }

// result is what one computation gives.
type result struct {
	of    *lessons.SandboxState
	state *live.State
}

// compute asks for everything that is drawn of the present picture. The last
// picture stands until the answer is there.
func (x *Screen) compute() shell.Intent {
	if x.world == nil {
		return nil
	}
	serial, ok := x.turn.Begin()
	if !ok {
		return nil
	}
	s, of, namespace, work := x.world, x.state(), x.namespace, x.live.Work()
	return shell.Compute{Serial: serial, Work: func() any {
		show := of.ShowIn(s, namespace)
		return result{of, work(s, live.Focus{Namespace: namespace, Service: show.Service, Client: show.From, Target: show.Target, Name: show.Name})}
	}}
}

// computed takes the answer in; one of another state says nothing of this one.
func (x *Screen) computed(msg shell.Computed) shell.Intent {
	more, ok := x.turn.End(msg.Serial)
	r, isResult := msg.Value.(result)
	if !ok || !isResult {
		return nil
	}
	var intents shell.Intents
	if r.of == x.state() {
		x.live.Take(r.state)
		if off := x.live.OffAim(); off != nil {
			intents = append(intents, off)
		}
	} else {
		more = true
	}
	if more {
		intents = append(intents, x.compute())
	}
	if x.doctor {
		intents = append(intents, x.live.Diagnose())
	}
	return intents
}

// service is the Service that the panes are about; "" before a first picture.
func (x *Screen) service() string {
	if v := x.live.State(); v != nil {
		return v.Focus.Service
	}
	return ""
}

func (x *Screen) class() layout.Class { return layout.Classify(x.size.W, x.size.H) }

// tab is the live pane that a screen without room for all shows.
func (x *Screen) tab() pane { return max(stagePane, x.focus) }

// Animating implements shell.Screen.
func (x *Screen) Animating() bool { return x.running != "" || x.live.Animating() }

// Watches implements shell.Watcher: the node whose rules the path runs through.
func (x *Screen) Watches() (string, path.Family) {
	switch {
	case x.class() == layout.Large, x.tab() == pathPane, x.tab() == stagePane, x.live.Waiting():
		return x.live.Watches()
	}
	return "", ""
}

// Chains implements shell.Watcher: the chains of the path.
func (x *Screen) Chains() []path.ChainID { return x.live.Chains() }
