package sandbox

import (
	"fmt"

	"svctour/model"
	"svctour/model/diagnose"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/shell"
)

// Actions implements shell.Screen.
func (x *Screen) Actions() []shell.Action {
	var actions []shell.Action
	for i := range x.states {
		a := shell.Action{
			ID: "state", N: i, Keys: []string{digit(i)}, Title: x.states[i].Title, Quiet: true, Hidden: i > 0,
			Help: "bring a state about: 1 to 9 and 0 (removes what the one before made)",
		}
		if x.world == nil {
			a.Why = "the cluster has not been read yet"
		}
		actions = append(actions, a)
	}
	walk, predicted := x.sendAction(), x.live.WalkAction()
	predicted.ID, predicted.Keys = "predict walk", []string{"w"}
	stream := x.live.StreamAction()
	stream.ID, stream.Keys = "stream", []string{"s"}
	faster, slower := x.live.PaceActions()
	faster.ID, faster.Keys = "faster", []string{"+", "="}
	slower.ID, slower.Keys = "slower", []string{"-"}
	again := shell.Action{ID: "again", Keys: []string{"r"}, Title: "again", Help: "bring the present state about once more", Quiet: x.size.W < 100}
	if x.at < 0 {
		again.Why, again.Quiet = "there is no state yet: press a digit", true
	}
	node, _ := x.Watches()
	actions = append(actions, walk, predicted, stream, faster, slower, again,
		shell.Action{ID: "write", Keys: []string{"e"}, Title: "write", Help: "write the state's manifest, have it checked, and apply it"},
		shell.Action{ID: "tab", Keys: []string{"tab"}, Title: "next pane", Help: "next pane (shift+tab: the one before)", Quiet: x.class() == layout.Large},
		shell.Action{ID: "tab back", Keys: []string{"shift+tab"}, Title: "previous pane", Hidden: true},
		shell.Action{ID: "up", Keys: []string{"up", "k"}, Title: "scroll up", Help: "scroll (also down, j, page up, page down)", Quiet: true},
		shell.Action{ID: "down", Keys: []string{"down", "j"}, Title: "scroll down", Hidden: true},
		shell.Action{ID: "page up", Keys: []string{"pgup"}, Title: "a page up", Hidden: true},
		shell.Action{ID: "page down", Keys: []string{"pgdown"}, Title: "a page down", Hidden: true},
		shell.Action{ID: "rules", Keys: []string{"x"}, Title: "rules", Help: "each rule as the node's tools print it", Quiet: x.size.W < 120},
		shell.Action{ID: "full", Keys: []string{"z"}, Title: "full stage", Help: "the stage on the whole screen, and back", Quiet: true},
		shell.Action{ID: "look", Keys: []string{"o"}, Title: "look again", Help: "read all rules of the node again", Quiet: true, Hidden: node == ""},
		x.doctorAction(), x.fixAction(),
		shell.Action{ID: "undo", Keys: []string{"u"}, Title: "undo the fix", Help: "put back what stood there before the last fix", Hidden: !x.undo, Why: noUndo(x.undo)},
		shell.Action{ID: "contents", Keys: []string{"esc", "l"}, Title: "lessons", Help: "the list of lessons", Quiet: x.size.W < 100},
		shell.Action{ID: "quit", Keys: []string{"q"}, Title: "quit"},
	)
	return actions
}

// digit is the key of a state: the tenth has 0.
func digit(i int) string { return fmt.Sprint((i + 1) % 10) }

// sendAction is what space does. The client is part of every state, so none is
// made alone.
func (x *Screen) sendAction() shell.Action {
	a := x.live.SendAction()
	a.ID, a.Keys = "walk", []string{"space"}
	if !x.client() {
		a.Title, a.Why, a.Quiet = "send a request", "there is no client: press a digit, or r", true
	}
	return a
}

// client says whether what connects is there.
func (x *Screen) client() bool {
	v := x.live.State()
	return v != nil && (v.Client.Kind != model.ClientPod || v.Snapshot.Pod(v.Client.Namespace, v.Client.Name) != nil)
}

// doctorAction shows the diagnosis, or the menu again.
func (x *Screen) doctorAction() shell.Action {
	a := shell.Action{ID: "doctor", Keys: []string{"d"}, Title: "doctor", Help: "say what is wrong with the Service", Quiet: x.size.W < 100}
	switch {
	case x.doctor:
		a.Title, a.Help = "states", "back to the states"
	case x.service() == "":
		a.Why, a.Quiet = "there is no Service yet", true
	}
	return a
}

// fixAction offers the fix of the first finding.
func (x *Screen) fixAction() shell.Action {
	a := shell.Action{ID: "fix", Keys: []string{"f"}, Title: "fix", Help: "show what the doctor's fix changes, and apply it"}
	if x.fix() == nil {
		a.Why, a.Quiet = "there is no fix by one command", true
	}
	return a
}

// fix is that of the first finding; nil without a command.
func (x *Screen) fix() *diagnose.Fix {
	report := x.live.Report()
	if !x.doctor || report == nil || len(report.Findings) == 0 || report.Findings[0].Fix.Args == nil {
		return nil
	}
	return &report.Findings[0].Fix
}

func noUndo(undo bool) string {
	if undo {
		return ""
	}
	return "no fix was applied"
}

// Do implements shell.Screen.
func (x *Screen) Do(id string, n int) shell.Intent {
	switch id {
	case "state":
		return x.bring(n)
	case "again":
		return x.bring(x.at)
	case "walk":
		if !x.client() {
			return nil
		}
		intent, problem := x.live.Send()
		x.problem = problem
		x.followPacket()
		return intent
	case "predict walk":
		x.live.Walk()
		x.followPacket()
	case "stream":
		x.showStage()
		return x.live.Stream()
	case "faster":
		return x.live.Pace(1)
	case "slower":
		return x.live.Pace(-1)
	case "write":
		return x.write()
	case "look":
		return shell.Look{}
	case "full":
		x.full = !x.full
	case "rules":
		if x.live.Rules = !x.live.Rules; x.live.Rules {
			x.focus = pathPane
		}
	case "doctor":
		x.doctor = !x.doctor
		x.scroll[menuPane] = 0
		if x.doctor {
			if x.class() == layout.Small {
				x.focus = menuPane
			}
			return x.live.Diagnose()
		}
	case "fix":
		if fix := x.fix(); fix != nil {
			return shell.Fix{Fix: *fix}
		}
	case "undo":
		return shell.Undo{}
	case "contents":
		return shell.Contents{}
	case "quit":
		return shell.Quit{}
	default:
		x.doPane(id, n)
	}
	return nil
}

// write opens the present state's manifest in the editor, or an empty one.
func (x *Screen) write() shell.Intent {
	in := shell.Write{About: "sandbox", Name: "box.yaml"}
	if x.at >= 0 && x.world != nil {
		in.About = "sandbox/" + digit(x.at)
		in.Text = x.states[x.at].Manifest(x.namespace, x.domain())
	}
	return in
}

func (x *Screen) doPane(id string, n int) {
	switch id {
	case "tab":
		x.focus = (x.focus + 1) % panes
	case "tab back":
		x.focus = (x.focus + panes - 1) % panes
	case "up":
		x.scrollBy(-1)
	case "down":
		x.scrollBy(1)
	case "page up":
		x.scrollBy(-8)
	case "page down":
		x.scrollBy(8)
	case "pane":
		if n >= 0 && n < int(panes) {
			x.focus = pane(n)
		}
	}
}

// scrollBy scrolls the pane in focus, bounded by what there is at the present size.
func (x *Screen) scrollBy(rows int) {
	d := x.arrange(x.size.W, x.size.H, x.theme)
	if d.rows[x.focus] == nil {
		return
	}
	at := live.Offset(x.scroll[x.focus], d.rows[x.focus].Len(), d.height(x.focus))
	x.scroll[x.focus] = max(0, at+rows)
}

// followPacket shows the stage when a packet walks over it.
func (x *Screen) followPacket() {
	if x.live.Moving() {
		x.showStage()
	}
}

// showStage lets the stage be in sight.
func (x *Screen) showStage() {
	if x.class() != layout.Large {
		x.focus = stagePane
	}
}
