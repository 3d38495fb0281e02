package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"svctour/model"
	"svctour/model/path"
	"svctour/ui/shell"
)

// counted is what iptables-save -c prints of what kube-proxy derived, every
// rule with its counter from packets; rules that drop names are not there.
func counted(t testing.TB, s *model.Snapshot, node string, packets func(rule string) int, drop string) string {
	t.Helper()
	var b strings.Builder
	for line := range strings.SplitSeq(path.Print(path.Compile(s, node, path.IPv4)), "\n") {
		if strings.HasPrefix(line, "-A ") {
			if drop != "" && strings.Contains(line, drop) {
				continue
			}
			line = fmt.Sprintf("[%d:0] %s", packets(line), line)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// atPath is a lesson with a Service and a client, looking at the path.
func atPath(t testing.TB, w, h int) *driver {
	t.Helper()
	d := tourStart(t, w, h, Options{})
	d.toService()
	for range 10 {
		d.press("5")
		if l := d.app.screen.(shell.Watcher); d.app.watch.node != "" || func() bool { n, _ := l.Watches(); return n != "" }() {
			return d
		}
		d.press("right")
		d.show(withService())
		d.calm()
	}
	t.Fatal("no step has a path to watch")
	return nil
}

func TestObservedRules(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {200, 60}} {
		d := atPath(t, size.w, size.h)
		name := fmt.Sprintf("%dx%d", size.w, size.h)
		seen := counted(t, withService(), d.app.watch.node, func(string) int { return 142 }, "")
		d.backend.observe = func(string, []string) (string, error) { return seen, nil }
		d.looks()
		d.sees("142 pkts", "observed")
		golden(t, "observed-"+name, d.frame())

		missing := counted(t, withService(), d.app.watch.node, func(string) int { return 7 }, "10.96.142.31")
		d.backend.observe = func(string, []string) (string, error) { return missing, nil }
		d.looks()
		d.sees("not on the node", "derived")
		golden(t, "missing-"+name, d.frame())

		d.backend.observe = func(string, []string) (string, error) { return "", errors.New("pods/exec is forbidden") }
		d.looks()
		d.sees("was not looked at", "forbidden")
	}
}

func TestWatchEndsWithItsScreen(t *testing.T) {
	d := atPath(t, 120, 40)
	ended := d.app.watch.ctx
	d.press("l")
	if d.app.watch.node != "" || !errors.Is(ended.Err(), context.Canceled) {
		t.Fatalf("the list of lessons watches %+v, the lesson's watch ended with %v", d.app.watch, ended.Err())
	}
	d.backend.observe = func(string, []string) (string, error) {
		t.Error("a node is looked at that no screen shows")
		return "", errors.New("unasked")
	}
	d.send(answer{ended, observeDueMsg{}})
}

func TestRequestFollowsTheBackendWhoseRuleCounted(t *testing.T) {
	d := atPath(t, 120, 40)
	looks := 0
	d.backend.observe = func(node string, _ []string) (string, error) {
		looks++
		now := looks
		return counted(t, withService(), node, func(rule string) int {
			if now > 1 && strings.Contains(rule, "--to-destination 10.244.1.6:80") {
				return 6
			}
			return 5
		}, ""), nil
	}
	d.looks()
	d.backend.reply = model.Reply{Stdout: "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nhello\n"}
	d.press("space")
	last := d.backend.ran[len(d.backend.ran)-1]
	if !slices.Equal(last[:4], []string{"tour", "exec", "tmp", "--"}) {
		t.Fatalf("ran %q", last)
	}
	d.sees("HTTP/1.1 200 OK", podName(1), "its rule counted", "observed")
	golden(t, "request-120x40", d.frame())
}

func nodeSilent(string, []string) (string, error) { return "", errors.New("no kube-proxy") }

func TestRequestThatFailsIsNoGuess(t *testing.T) {
	d := atPath(t, 120, 40)
	d.backend.observe = nodeSilent
	d.backend.reply = model.Reply{Exit: 7, Stderr: "curl: (7) Connection refused\ncommand terminated with exit code 7\n"}
	d.press("space")
	d.sees("no answer: curl: (7) Connection refused")
	d.backend.reply = model.Reply{Stdout: "HTTP/1.1 200 OK\n\nhello"}
	d.press("space")
	d.sees("HTTP/1.1 200 OK; which backend answered is not known")
}

func TestClientIsMadeOnlyAfterConsent(t *testing.T) {
	d := atPath(t, 120, 40)
	without := world(append(threePods(), webService(model.ClusterIP, 0), webSlice(3))...)
	d.show(without)
	d.calm()
	before := len(d.backend.ran)
	d.press("space")
	d.sees("Make a client?", "tour")
	d.press("n")
	if len(d.backend.ran) != before {
		t.Fatalf("ran %q without consent", d.backend.ran[before:])
	}
	d.press("space", "y")
	if got := d.backend.ran[len(d.backend.ran)-1]; !slices.Equal(got, []string{"tour", "run", "tmp", "--image=nginx:1.27"}) {
		t.Fatalf("ran %q", got)
	}
}

func TestWhatCannotBeSentIsWalkedAndCalledDerived(t *testing.T) {
	d := atPath(t, 120, 40)
	d.backend.reply = model.Reply{Exit: 127, Stderr: "the image has neither curl nor wget\ncommand terminated with exit code 127\n"}
	d.backend.observe = nodeSilent
	d.press("space")
	d.sees("not sent: the image has neither curl nor wget", "derived", "◆")
}

// In mode ipvs the rules are observed and what IPVS holds is not: the path stays
// derived, and no row says that the node lacks a real server.
func TestPathOfModeIPVS(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}} {
		d := atPath(t, size.w, size.h)
		s := *withService()
		s.Proxy.Mode = path.ModeIPVS
		ipvs := model.NewSnapshot(s)
		d.show(ipvs)
		d.calm()
		p := path.CompileIPVS(ipvs, d.app.watch.node, path.IPv4)
		d.backend.observe = func(_ string, command []string) (string, error) {
			if command[0] == "ipset" {
				return path.PrintIPSets(p), nil
			}
			return path.Print(p), nil
		}
		d.looks()
		d.sees("KUBE-SERVICES", "derived")
		for _, wrong := range []string{"not on the node", "differ"} {
			if strings.Contains(d.frame(), wrong) {
				t.Errorf("%q in\n%s", wrong, d.frame())
			}
		}
		golden(t, fmt.Sprintf("ipvs-%dx%d", size.w, size.h), d.frame())
	}
}

// A look that began before a rule was wanted cannot have missed it.
func TestALookOlderThanTheRuleSaysNothingOfIt(t *testing.T) {
	d := atPath(t, 120, 40)
	two := world(append(threePods(), clientPod(), webService(model.ClusterIP, 0), webSlice(2))...)
	d.show(two)
	d.calm()
	seen := counted(t, two, d.app.watch.node, func(string) int { return 142 }, "")
	d.backend.observe = func(string, []string) (string, error) { return seen, nil }
	begun := d.app.look(glance{})
	d.show(withService()) // a third endpoint, while the node is looked at
	d.calm()
	d.send(begun())
	d.sees("142 pkts", "10.244.2.7", "derived")
	if strings.Contains(d.frame(), "not on the node") {
		t.Fatalf("the look began before the rule was wanted:\n%s", d.frame())
	}
	d.looks()
	d.sees("not on the node")
	d.backend.observe = func(string, []string) (string, error) { return "", errors.New("pods/exec is forbidden") }
	d.looks()
	d.sees("was not looked at")
	for _, old := range []string{"not on the node", "142 pkts"} {
		if strings.Contains(d.frame(), old) {
			t.Errorf("%q is of an earlier look:\n%s", old, d.frame())
		}
	}
}

// A key reads all rules of the node at once; the next look in turn is not moved.
func TestLookAgain(t *testing.T) {
	d := atPath(t, 120, 40)
	var ran []string
	d.backend.observe = func(node string, command []string) (string, error) {
		ran = append(ran, strings.Join(command, " "))
		return counted(t, withService(), node, func(string) int { return 3 }, ""), nil
	}
	d.press("o")
	d.sees("3 pkts", "observed")
	if !slices.Equal(ran, []string{"iptables-save -c"}) {
		t.Fatalf("ran %q", ran)
	}
	d.press("?")
	d.sees("read all rules of the node again")
}

// A look that does not end is broken off by the next one, unless the person
// asked for it.
func TestANewerLookBreaksOneOff(t *testing.T) {
	e := newEye("node-1", path.IPv4)
	d := &scripted{waiting: make(chan struct{}, 8)}
	begin := func(ctx context.Context, g glance) (news chan bool) {
		news = make(chan bool, 1)
		go func() {
			_, ok := e.look(ctx, d, g, withService())
			news <- ok
		}()
		return news
	}
	first := begin(t.Context(), glance{})
	<-d.waiting
	leaving, leave := context.WithCancel(t.Context())
	second := begin(leaving, glance{all: true})
	if <-first {
		t.Error("the first look says something, though a newer one broke it off")
	}
	<-d.waiting
	third := begin(t.Context(), glance{})
	if len(d.waiting)+len(second) > 0 {
		t.Error("the look that the person asked for does not go on alone")
	}
	leave()
	<-second
	<-d.waiting
	if len(third) > 0 {
		t.Error("the third look ended by itself")
	}
}
