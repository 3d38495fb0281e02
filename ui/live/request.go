package live

import (
	"cmp"
	"fmt"
	"net"
	"strings"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// Request is a request under way, or the last that was answered.
type Request struct {
	serial  int
	waiting bool
	before  *Seen        // what the node was seen to hold when it was sent
	reply   *model.Reply // the answer, once there
	backend string       // "namespace/name" of the Pod that answered; "" when it is not known
	how     string       // by what the backend is known
}

// Send asks for a request from the client Pod, or for such a Pod, or walks the
// predicted packet where nothing can be sent. problem says in a sentence why
// nothing is done.
func (p *Panes) Send() (intent shell.Intent, problem string) {
	p.request, p.reply = Request{}, nil
	if p.state == nil {
		return nil, ""
	}
	trace := p.state.Trace
	client := p.state.Client
	pod := client.Name
	switch {
	case client.Kind != model.ClientPod || client.Namespace != p.namespace:
		p.startWalk()
		return nil, ""
	case !p.hasClient():
		command := []string{"run", pod, "--image=nginx:1.27"} // it has curl, and every lab has the image
		return shell.MakeClient{Invoke: lessons.Invocation{Display: "kubectl " + strings.Join(command, " "), Args: command}}, ""
	case trace == nil || trace.Packet.Port == 0:
		return nil, "There is nothing to send a request to yet."
	case trace.Packet.Protocol != "TCP":
		p.startWalk()
		return nil, ""
	}
	p.requests++
	p.request, p.walk = Request{serial: p.requests, waiting: true, before: p.state.Seen}, nil
	url := "http://" + net.JoinHostPort(cmp.Or(trace.Packet.Destination, trace.Packet.Host), fmt.Sprint(trace.Packet.Port)) + "/"
	// What the image has decides; sh is in every one that has curl or wget.
	script := "if command -v curl >/dev/null; then exec curl -sS -i -m 5 " + model.ShellWord(url) + "; elif command -v wget >/dev/null; then exec wget -S -T 5 -O - " + model.ShellWord(url) + "; fi; echo 'the image has neither curl nor wget' >&2; exit 127"
	return shell.Request{Serial: p.requests, Invoke: lessons.Invocation{
		Display: fmt.Sprintf("kubectl exec %s -- curl -i %s", pod, url),
		Args:    []string{"exec", pod, "--", "sh", "-c", script},
	}}, ""
}

// Waiting says whether a request is under way.
func (p *Panes) Waiting() bool { return p.request.waiting }

// Moving says whether a packet walks along the path, or waits to.
func (p *Panes) Moving() bool { return p.walk != nil || p.request.waiting }

// hasClient says whether the client Pod exists.
func (p *Panes) hasClient() bool {
	client := p.state.Client
	return client.Kind == model.ClientPod && p.state.Snapshot.Pod(client.Namespace, client.Name) != nil
}

// SendAction is what sending a request comes to now: a request, a client that
// could send one, or the predicted packet.
func (p *Panes) SendAction() shell.Action {
	a := shell.Action{Title: walkTitle, Help: "walk a predicted packet along its path"}
	fromPod := p.state != nil && p.state.Client.Kind == model.ClientPod
	switch {
	case p.request.waiting:
		a.Title, a.Why = "send a request", "a request is under way"
	case fromPod && !p.hasClient():
		a.Title, a.Help, a.Quiet = "make a client", "make the Pod that sends requests (asks first)", true
	case fromPod && p.state.Trace != nil && p.state.Trace.Packet.Protocol == "TCP":
		a.Title, a.Help = "send a request", "send a real request from the client Pod"
	default:
		a.Why = p.noWalk()
		a.Quiet = a.Why != ""
	}
	return a
}

// WalkAction is to walk the predicted packet; hidden where SendAction does it.
func (p *Panes) WalkAction() shell.Action {
	return shell.Action{
		Title: walkTitle, Help: "walk a predicted packet along its path", Quiet: true,
		Why: p.noWalk(), Hidden: p.SendAction().Title == walkTitle,
	}
}

const walkTitle = "walk a packet"

func (p *Panes) noWalk() string {
	if p.state == nil || p.state.Trace == nil {
		return "there is no path to walk yet"
	}
	return ""
}

// hear takes in the answer to a request, and says whether it was waited for.
func (p *Panes) hear(msg shell.Answered) (due bool) {
	if msg.Serial != p.request.serial || !p.request.waiting {
		return false
	}
	if msg.Rules != nil {
		p.looks = append(p.looks, newLook(msg.Rules))
	}
	p.reply = &msg.Reply
	return true
}

// answer is the answer to a request, and the way that the request took.
type answer struct {
	serial  int
	before  *Seen
	reply   *model.Reply
	outcome int    // index into the trace's outcomes; -1 when it is not known
	how     string // by what it is known
	backend string
}

func newAnswer(r *Request, reply *model.Reply) *answer {
	return &answer{serial: r.serial, before: r.before, reply: reply, outcome: -1}
}

// find finds the outcome that the request took: the one whose Pod the answer
// names, or the one whose DNAT rule alone counted a connection meanwhile.
func (a *answer) find(v *State) {
	if v.Trace == nil || !sent(a.reply) {
		return
	}
	named, counted := -1, -1
	names, counts := 0, 0
	for i := range v.Trace.Outcomes {
		o := &v.Trace.Outcomes[i]
		if o.Destination == nil {
			continue
		}
		_, pod, _ := strings.Cut(o.Destination.Pod, "/")
		if pod != "" && a.reply.Exit == 0 && strings.Contains(a.reply.Stdout, pod) {
			named = i
			names++
		}
		if hop := dnatHop(*o); a.before.counting() && v.Seen.grew(hop) > a.before.grew(hop) {
			counted = i
			counts++
		}
	}
	switch {
	case names == 1:
		a.outcome, a.how = named, "the answer names it"
	case counts == 1:
		a.outcome, a.how = counted, "its rule counted it"
	default:
		return
	}
	destination := v.Trace.Outcomes[a.outcome].Destination
	if a.backend = destination.Pod; a.backend == "" {
		a.backend = net.JoinHostPort(destination.IP, fmt.Sprint(destination.Port))
	}
}

// answered shows the answer, and lets the packet walk to who gave it.
func (p *Panes) answered(a *answer) {
	r := &p.request
	r.waiting, r.reply, r.backend, r.how = false, a.reply, a.backend, a.how
	p.reply = nil
	switch {
	case !sent(a.reply):
		p.startWalk()
	case a.outcome >= 0:
		p.begin(a.outcome, true)
	case a.reply.Exit != 0: // it goes where it is predicted to end, if that explains it
		if way := p.state.Scene.Failing(); way >= 0 {
			p.begin(way, false)
		}
	}
}

// sent says whether a request got as far as the network: else kubectl, or the
// Pod's image, could not run what sends it (exit codes of sh: 126 and 127).
func sent(reply *model.Reply) bool {
	switch reply.Exit {
	case -1, 126, 127:
		return false
	case 1:
		return strings.Contains(reply.Stderr, "command terminated with exit code") // the program's own
	}
	return true
}

// summary is the request in one line for the path pane; "" when none was sent.
func (r *Request) summary() (text string, good bool) {
	switch {
	case r.waiting:
		return "request under way …", true
	case r.reply == nil:
		return "", false
	case !sent(r.reply):
		return "not sent: " + lastLine(r.reply.Stderr, r.reply.Exit) + "; the packet walks where it is predicted to", false
	case r.reply.Exit != 0:
		return "no answer: " + lastLine(r.reply.Stderr, r.reply.Exit), false
	}
	text = firstLine(r.reply.Stdout)
	if text == "" { // wget -S puts the headers there
		text = firstLine(r.reply.Stderr)
	}
	if r.backend != "" {
		return text + ", from " + r.backend + " (" + r.how + ")", true
	}
	return text + "; which backend answered is not known", true
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return strings.TrimSpace(line)
}

// lastLine is the last thing a failed command said, kubectl's own remark on
// the exit code aside.
func lastLine(s string, exit int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" && !strings.HasPrefix(line, "command terminated with exit code") {
			return line
		}
	}
	return fmt.Sprintf("exit code %d", exit)
}

// rows say how the last request went.
func (r *Request) rows(t *theme.Theme, w int) frame.Lines {
	l := r.said(t)
	if l == nil {
		return nil
	}
	return frame.Wrap(append(frame.L(" ", t.Text), l...), w, 1)
}

// line is the same in one line of w columns, the evidence at its end.
func (r *Request) line(t *theme.Theme, w int) frame.Line {
	l := r.said(t)
	if len(l) > 1 {
		l[0].Text = frame.Truncate(l[0].Text, w-frame.Width(l[1].Text))
	}
	return l
}

func (r *Request) said(t *theme.Theme) frame.Line {
	text, good := r.summary()
	if text == "" {
		return nil
	}
	style := t.Good
	if !good {
		style = t.Bad
	}
	if r.waiting {
		return frame.L("request under way "+t.Glyph.Pending, t.Accent)
	}
	evidence := frame.Span{Text: "  observed", Style: t.Observed}
	if !sent(r.reply) {
		evidence = frame.Span{Text: "  derived", Style: t.Derived}
	}
	return frame.Line{{Text: model.Printable(text), Style: style}, evidence}
}
