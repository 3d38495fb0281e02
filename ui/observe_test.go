package ui_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"svctour/model"
	"svctour/model/path"
	"svctour/test/uitest"
	"svctour/ui"
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
func atPath(t testing.TB, w, h int) *uitest.Driver {
	t.Helper()
	d := uitest.Tour(t, w, h, ui.Options{})
	toService(d)
	for range 10 {
		if d.Press("5"); d.Watched() != "" {
			return d
		}
		d.Press("right")
		d.Show(uitest.WithService())
		d.Calm()
	}
	t.Fatalf("no step has a path to watch:\n%s", d.Frame())
	return nil
}

func TestObservedRules(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}, {200, 60}} {
		d := atPath(t, size.w, size.h)
		name := fmt.Sprintf("%dx%d", size.w, size.h)
		seen := counted(t, uitest.WithService(), d.Watched(), func(string) int { return 142 }, "")
		d.Observe(func(string, []string) (string, error) { return seen, nil })
		d.Look()
		d.Sees("142 pkts", "observed")
		golden(t, "observed-"+name, d.Frame())

		missing := counted(t, uitest.WithService(), d.Watched(), func(string) int { return 7 }, "10.96.142.31")
		d.Observe(func(string, []string) (string, error) { return missing, nil })
		d.Look()
		d.Sees("not on the node", "derived")
		golden(t, "missing-"+name, d.Frame())

		d.Observe(func(string, []string) (string, error) { return "", errors.New("pods/exec is forbidden") })
		d.Look()
		d.Sees("was not looked at", "forbidden")
	}
}

func TestWatchEndsWithItsScreen(t *testing.T) {
	d := atPath(t, 120, 40)
	due := d.App.LookDue()
	d.Press("l")
	if d.Watched() != "" || !ui.WatchEnded(due) {
		t.Fatalf("the list of lessons watches %q, the lesson's watch ended: %v", d.Watched(), ui.WatchEnded(due))
	}
	d.Observe(func(string, []string) (string, error) {
		t.Error("a node is looked at that no screen shows")
		return "", errors.New("unasked")
	})
	d.Send(due)
}

func TestRequestFollowsTheBackendWhoseRuleCounted(t *testing.T) {
	d := atPath(t, 120, 40)
	looks := 0
	d.Observe(func(node string, _ []string) (string, error) {
		looks++
		now := looks
		return counted(t, uitest.WithService(), node, func(rule string) int {
			if now > 1 && strings.Contains(rule, "--to-destination 10.244.1.6:80") {
				return 6
			}
			return 5
		}, ""), nil
	})
	d.Backend.SetReply(model.Reply{Stdout: "HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nhello\n"})
	d.Press("space")
	last := d.Last()
	if !slices.Equal(last[:4], []string{"tour", "exec", "tmp", "--"}) {
		t.Fatalf("ran %q", last)
	}
	d.Sees("HTTP/1.1 200 OK", uitest.PodName(1), "its rule counted", "observed")
	golden(t, "request-120x40", d.Frame())
}

func nodeSilent(string, []string) (string, error) { return "", errors.New("no kube-proxy") }

func TestRequestThatFailsIsNoGuess(t *testing.T) {
	d := atPath(t, 120, 40)
	d.Observe(nodeSilent)
	d.Backend.SetReply(model.Reply{Exit: 7, Stderr: "curl: (7) Connection refused\ncommand terminated with exit code 7\n"})
	d.Press("space")
	d.Sees("no answer: curl: (7) Connection refused")
	d.Backend.SetReply(model.Reply{Stdout: "HTTP/1.1 200 OK\n\nhello"})
	d.Press("space")
	d.Sees("HTTP/1.1 200 OK; which backend answered is not known")
}

func TestClientIsMadeOnlyAfterConsent(t *testing.T) {
	d := atPath(t, 120, 40)
	without := uitest.World(append(uitest.ThreePods(), uitest.WebService(model.ClusterIP, 0), uitest.WebSlice(3))...)
	d.Show(without)
	d.Calm()
	before := len(d.Backend.Ran())
	d.Press("space")
	d.Sees("Make a client?", "tour")
	d.Press("n")
	if len(d.Backend.Ran()) != before {
		t.Fatalf("ran %q without consent", d.Backend.Ran()[before:])
	}
	d.Press("space", "y")
	if got := d.Last(); !slices.Equal(got, []string{"tour", "run", "tmp", "--image=nginx:1.27"}) {
		t.Fatalf("ran %q", got)
	}
}

func TestWhatCannotBeSentIsWalkedAndCalledDerived(t *testing.T) {
	d := atPath(t, 120, 40)
	d.Backend.SetReply(model.Reply{Exit: 127, Stderr: "the image has neither curl nor wget\ncommand terminated with exit code 127\n"})
	d.Observe(nodeSilent)
	d.Press("space")
	d.Sees("not sent: the image has neither curl nor wget", "derived", "◆")
}

// In mode ipvs the rules are observed and what IPVS holds is not: the path stays
// derived, and no row says that the node lacks a real server.
func TestPathOfModeIPVS(t *testing.T) {
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}} {
		d := atPath(t, size.w, size.h)
		s := *uitest.WithService()
		s.Proxy.Mode = path.ModeIPVS
		ipvs := model.NewSnapshot(s)
		d.Show(ipvs)
		d.Calm()
		p := path.CompileIPVS(ipvs, d.Watched(), path.IPv4)
		d.Observe(func(_ string, command []string) (string, error) {
			if command[0] == "ipset" {
				return path.PrintIPSets(p), nil
			}
			return path.Print(p), nil
		})
		d.Look() // the one before was of the mode before
		d.Sees("KUBE-SERVICES", "derived")
		for _, wrong := range []string{"not on the node", "differ"} {
			if strings.Contains(d.Frame(), wrong) {
				t.Errorf("%q in\n%s", wrong, d.Frame())
			}
		}
		golden(t, fmt.Sprintf("ipvs-%dx%d", size.w, size.h), d.Frame())
	}
}

// A look that began before a rule was wanted cannot have missed it.
func TestALookOlderThanTheRuleSaysNothingOfIt(t *testing.T) {
	d := atPath(t, 120, 40)
	two := uitest.World(append(uitest.ThreePods(), uitest.ClientPod(), uitest.WebService(model.ClusterIP, 0), uitest.WebSlice(2))...)
	d.Show(two)
	d.Calm()
	seen := counted(t, two, d.Watched(), func(string) int { return 142 }, "")
	d.Observe(func(string, []string) (string, error) { return seen, nil })
	begun := d.App.BeginLook()
	d.Show(uitest.WithService()) // a third endpoint, while the node is looked at
	d.Calm()
	d.Send(begun())
	d.Sees("142 pkts", "10.244.2.7", "derived")
	if strings.Contains(d.Frame(), "not on the node") {
		t.Fatalf("the look began before the rule was wanted:\n%s", d.Frame())
	}
	d.Look()
	d.Sees("not on the node")
	d.Observe(func(string, []string) (string, error) { return "", errors.New("pods/exec is forbidden") })
	d.Look()
	d.Sees("was not looked at")
	for _, old := range []string{"not on the node", "142 pkts"} {
		if strings.Contains(d.Frame(), old) {
			t.Errorf("%q is of an earlier look:\n%s", old, d.Frame())
		}
	}
}

// A key reads all rules of the node at once; the next look in turn is not moved.
func TestLookAgain(t *testing.T) {
	d := atPath(t, 120, 40)
	var ran []string
	d.Observe(func(node string, command []string) (string, error) {
		ran = append(ran, strings.Join(command, " "))
		return counted(t, uitest.WithService(), node, func(string) int { return 3 }, ""), nil
	})
	ran = nil // what was asked before the key
	d.Press("o")
	d.Sees("3 pkts", "observed")
	if !slices.Equal(ran, []string{"iptables-save -c"}) {
		t.Fatalf("ran %q", ran)
	}
	d.Press("?")
	d.Sees("read all rules of the node again")
}
