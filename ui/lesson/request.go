package lesson

import (
	"fmt"
	"net"
	"strings"

	"svctour/lessons"
	"svctour/model"
	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/layout"
	"svctour/ui/live"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// request is a request under way, or the last that was answered.
type request struct {
	serial  int
	waiting bool
	reply   *model.Reply      // the answer, once there
	backend string            // "namespace/name" of the Pod that answered; "" when it is not known
	how     string            // by what the backend is known
	before  map[string]uint64 // the growth of the outcomes' counters when it was sent, by rule
}

// Watches implements shell.Watcher: the node whose rules the path runs through.
func (l *Screen) Watches() (string, path.Family) {
	trace := l.view.Trace
	if trace == nil || trace.Packet.Node == "" || !l.pathInSight() {
		return "", ""
	}
	family := path.IPv4
	if strings.Contains(trace.Packet.Destination, ":") {
		family = path.IPv6
	}
	return trace.Packet.Node, family
}

// pathInSight says whether the path is drawn at the present size.
func (l *Screen) pathInSight() bool {
	switch l.class() {
	case layout.Large:
		return true
	case layout.Medium:
		return l.tab() == pathPane
	}
	return l.focus == pathPane || l.request.waiting
}

// readRules takes in what a node was seen to hold.
func (l *Screen) readRules(rules *shell.Rules) {
	seen := l.view.Seen
	if seen == nil || seen.Node != rules.Node || seen.Family != rules.Family {
		seen = &live.Seen{Node: rules.Node, Family: rules.Family}
		l.view.Seen = seen
	}
	seen.Take(rules.Observed, rules.Differences, rules.Err, l.view.Trace)
	seen.Note(rules.Changed)
}

// send sends a request from the client Pod, offers to make one, or walks the
// predicted packet where nothing can be sent.
func (l *Screen) send() shell.Intent {
	l.request = request{}
	trace := l.view.Trace
	namespace, pod := l.client()
	switch {
	case pod == "" || namespace != l.view.Namespace || l.view.Snapshot == nil:
		l.startWalk()
		return nil
	case !l.hasClient():
		command := []string{"run", pod, "--image=nginx:1.27"} // it has curl, and every lab has the image
		return shell.MakeClient{Invoke: lessons.Invocation{Display: "kubectl " + strings.Join(command, " "), Args: command}}
	case trace == nil:
		l.problem = "There is nothing to send a request to yet."
		return nil
	case trace.Packet.Protocol != "TCP":
		l.startWalk()
		return nil
	}
	l.requests++
	l.request = request{serial: l.requests, waiting: true, before: l.view.Seen.Grown()}
	l.view.Walk = nil
	if l.class() != layout.Large {
		l.lookAt(pathPane)
	}
	url := "http://" + net.JoinHostPort(trace.Packet.Destination, fmt.Sprint(trace.Packet.Port)) + "/"
	// What the image has decides; sh is in every one that has curl or wget.
	script := "if command -v curl >/dev/null; then exec curl -sS -i -m 5 " + url + "; elif command -v wget >/dev/null; then exec wget -S -T 5 -O - " + url + "; fi; echo 'the image has neither curl nor wget' >&2; exit 127"
	return shell.Request{Serial: l.requests, Invoke: lessons.Invocation{
		Display: fmt.Sprintf("kubectl exec %s -- curl -i %s", pod, url),
		Args:    []string{"exec", pod, "--", "sh", "-c", script},
	}}
}

// client is the Pod that requests come from; no name when they come from elsewhere.
func (l *Screen) client() (namespace, pod string) {
	client, ok := strings.CutPrefix(l.view.Client, "pod/")
	if !ok {
		return "", ""
	}
	if namespace, pod, ok = strings.Cut(client, "/"); !ok {
		return l.view.Namespace, client
	}
	return namespace, pod
}

// hasClient says whether the client Pod exists.
func (l *Screen) hasClient() bool {
	namespace, pod := l.client()
	return pod != "" && l.view.Snapshot.Pod(namespace, pod) != nil
}

// answered takes in the answer, and lets the packet walk to who gave it.
func (l *Screen) answered(msg shell.Answered) {
	if msg.Serial != l.request.serial || !l.request.waiting {
		return
	}
	if msg.Rules != nil {
		l.readRules(msg.Rules)
	}
	l.request.waiting, l.request.reply = false, &msg.Reply
	if !l.request.sent() {
		l.startWalk()
		return
	}
	outcome := l.whoAnswered()
	if outcome < 0 {
		return
	}
	destination := l.view.Trace.Outcomes[outcome].Destination
	if l.request.backend = destination.Pod; l.request.backend == "" {
		l.request.backend = net.JoinHostPort(destination.IP, fmt.Sprint(destination.Port))
	}
	l.view.Walk, l.walkTick = &live.Walk{Outcome: outcome}, 0
}

// whoAnswered finds the outcome that the request took: the one whose Pod the
// answer names, or the one whose DNAT rule alone counted a connection
// meanwhile. -1 when neither tells.
func (l *Screen) whoAnswered() int {
	if l.view.Trace == nil {
		return -1
	}
	named, counted := -1, -1
	names, counts := 0, 0
	grown := l.view.Seen.Grown()
	for i, o := range l.view.Trace.Outcomes {
		if o.Destination == nil {
			continue
		}
		_, pod, _ := strings.Cut(o.Destination.Pod, "/")
		if pod != "" && l.request.reply.Exit == 0 && strings.Contains(l.request.reply.Stdout, pod) {
			named = i
			names++
		}
		if key := live.DNATRule(o); key != "" && l.request.before != nil && grown[key] > l.request.before[key] {
			counted = i
			counts++
		}
	}
	switch {
	case names == 1:
		l.request.how = "the answer names it"
		return named
	case counts == 1:
		l.request.how = "its rule counted it"
		return counted
	}
	return -1
}

// sent says whether the request got as far as the network: else kubectl, or
// the Pod's image, could not run what sends it (exit codes of sh: 126 and 127).
func (r *request) sent() bool {
	switch r.reply.Exit {
	case -1, 126, 127:
		return false
	case 1:
		return strings.Contains(r.reply.Stderr, "command terminated with exit code") // the program's own
	}
	return true
}

// summary is the request in one line for the path pane; "" when none was sent.
func (r *request) summary() (text string, good bool) {
	switch {
	case r.waiting:
		return "request under way …", true
	case r.reply == nil:
		return "", false
	case !r.sent():
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

// sendAction is what space does now: send for real, or walk what is predicted.
func (l *Screen) sendAction() shell.Action {
	a := shell.Action{ID: "walk", Keys: []string{"space"}, Title: "walk a packet", Help: "walk a predicted packet along its path"}
	fromPod := strings.HasPrefix(l.view.Client, "pod/")
	switch {
	case l.request.waiting:
		a.Title, a.Why = "send a request", "a request is under way"
	case fromPod && l.view.Snapshot != nil && !l.hasClient():
		a.Title, a.Help, a.Quiet = "make a client", "make the Pod that sends requests (asks first)", true
	case fromPod && l.view.Trace != nil && l.view.Trace.Packet.Protocol == "TCP":
		a.Title, a.Help = "send a request", "send a real request from the client Pod"
	case l.view.Trace == nil:
		a.Why, a.Quiet = "there is no path to walk yet", true
	}
	return a
}

// requestLines say how the last request went.
func (l *Screen) requestLines(t *theme.Theme, w int) []frame.Line {
	text, good := l.request.summary()
	if text == "" {
		return nil
	}
	style := t.Good
	if !good {
		style = t.Bad
	}
	if l.request.waiting {
		return []frame.Line{{{Text: " request under way " + t.Glyph.Pending, Style: t.Accent}}}
	}
	evidence := frame.Span{Text: "  observed", Style: t.Observed}
	if !l.request.sent() {
		evidence = frame.Span{Text: "  derived", Style: t.Derived}
	}
	return frame.Wrap(frame.Line{{Text: " " + model.Printable(text), Style: style}, evidence}, w, 1)
}
