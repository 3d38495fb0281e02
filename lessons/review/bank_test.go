package review

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"svctour/model"
)

// small is a bank of one question, whose world holds n Pods.
const small = `
format: 1
base: "kind: Base"
worlds:
  pods: |
    # times ${n}
    kind: Pod
    name: ${name}-${i}
questions:
  - id: how-many
    lesson: clusterip
    variables: {n: [1, 2, 3], name: [web, api], proxy: [iptables, nftables]}
    world: pods
    mode: ${proxy}
    question: "How many Pods has ${name} in ${mode} mode?"
    choices:
      - {say: "${n}", is: n}
      - {say: "${n + 1}", is: n + 1, belief: M39, help: "One less than ${n + 1}."}
      - {say: None., is: 0, slip: true, help: Look again.}
    truth: pods.size()
    why: Count them.
`

// podWorld makes a Pod of every document that says it is one.
func podWorld(manifests, mode string) (*model.Snapshot, error) {
	s := model.Snapshot{Sync: model.Sync{Synced: true}, Proxy: model.Proxy{Mode: mode}}
	for i, document := range strings.Split(manifests, "\n---\n") {
		if strings.HasPrefix(document, "kind: Pod") {
			s.Pods = append(s.Pods, &model.Pod{Meta: model.Meta{Namespace: Namespace, Name: fmt.Sprint("pod-", i)}})
		}
	}
	return model.NewSnapshot(s), nil
}

func smallBank(t *testing.T) *Bank {
	t.Helper()
	b, err := Load([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSurfacesAreFilledIn(t *testing.T) {
	q := smallBank(t).Questions[0]
	if len(q.Surfaces()) != 12 {
		t.Fatalf("%d surfaces", len(q.Surfaces()))
	}
	s := q.Surfaces()[4]
	if s.Key != "n=2 name=web proxy=iptables" && s.Key != "n=2 name=web proxy=nftables" {
		t.Errorf("surface %q", s.Key)
	}
	asked, err := q.Ask(s, podWorld)
	if err != nil {
		t.Fatal(err)
	}
	if asked.Question != "How many Pods has web in "+s.Values["proxy"].(string)+" mode?" || asked.Choices[asked.Right].Say != "2" {
		t.Errorf("%+v", asked)
	}
	if c := asked.Choices[1]; c.Help != "One less than 3." || c.Belief != "M39" {
		t.Errorf("%+v", c)
	}
	if _, err := q.Ask(s, func(string, string) (*model.Snapshot, error) { return nil, errors.New("no world") }); err == nil || !strings.Contains(err.Error(), `question "how-many" with n=2`) {
		t.Errorf("without a world: %v", err)
	}
	if _, err := q.Ask(s, func(string, string) (*model.Snapshot, error) { return model.NewSnapshot(model.Snapshot{}), nil }); err != nil {
		t.Errorf("another choice is right: %v", err)
	}
}

func TestBadBanks(t *testing.T) {
	for name, c := range map[string]struct{ from, to, want string }{
		"format":           {"format: 1", "format: 9", "reads format 1"},
		"a field":          {"mode: ${proxy}", "modus: iptables", "modus"},
		"id":               {"id: how-many", "id: How Many", "lower-case"},
		"twice":            {"questions:", "questions:\n  - id: how-many\n    lesson: clusterip\n    variables: {n: [1, 2], name: [a], proxy: [x]}\n    question: Q?\n    choices: [{say: A., is: 1}, {say: B., is: 2, belief: M39, help: No.}]\n    truth: n\n    why: So.", "another question"},
		"no world":         {"world: pods", "world: nodes", `no world "nodes"`},
		"one surface":      {"{n: [1, 2, 3], name: [web, api], proxy: [iptables, nftables]}", "{n: [1], name: [web], proxy: [iptables]}", "two surfaces"},
		"no values":        {"n: [1, 2, 3]", "n: []", "surfaces"},
		"too many":         {"n: [1, 2, 3]", "n: [1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]", "surfaces"},
		"no misconception": {"belief: M39", "slip: true", "none of its choices"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(small, c.from, c.to, 1)
			if text == small {
				t.Fatal("nothing is replaced")
			}
			if _, err := Load([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"truth":        {"truth: pods.size()", "truth: pods.nothing", "field selection"},
		"two are even": {"is: 0, slip", "is: n, slip", "with is"},
		"none right":   {"truth: pods.size()", "truth: pods.size() + 7", "no choice"},
		"no help":      {`, help: Look again.`, "", "help"},
		"unknown":      {"belief: M39", "belief: M999", "M999"},
		"times":        {"# times ${n}", "# times 1000", "up to 100"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Load([]byte(strings.Replace(small, c.from, c.to, 1)))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := b.Questions[0].Ask(b.Questions[0].Surfaces()[0], podWorld); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestSession walks one misconception through its reviews: each time in a surface
// that was not used before.
func TestSession(t *testing.T) {
	record, now := &Record{}, monday
	s := NewSession(smallBank(t), record, podWorld, 7)
	if q, err := s.Next(now); q != nil || err != nil {
		t.Errorf("at first %+v, %v", q, err)
	}
	record.Add(Answer{Question: "clusterip/three-pods", About: []string{"M39"}, When: now, Sure: true, Belief: "M39", From: FromLesson})
	surfaces, orders := map[string]bool{}, map[string]bool{}
	for i, after := range append([]time.Duration{hour}, Spacing()[1:]...) {
		if q, err := s.Next(now.Add(after - time.Minute)); q != nil || err != nil {
			t.Errorf("review %d comes too early: %+v, %v", i+1, q, err)
		}
		now = now.Add(after)
		q, err := s.Next(now)
		if err != nil || q == nil {
			t.Fatalf("review %d: %+v, %v", i+1, q, err)
		}
		surfaces[q.Surface] = true
		orders[fmt.Sprint(slices.IndexFunc(q.Choices, func(c Choice) bool { return c.Say == "None." }))] = true
		if q.Choices[q.Right].Help != "" {
			t.Errorf("the right choice has help: %+v", q)
		}
		if _, err := s.Answer(q, 3, true, FromReview, now); err == nil {
			t.Error("a fourth choice is taken")
		}
		a, err := s.Answer(q, q.Right, true, FromReview, now)
		if err != nil || !a.Right || a.Belief != "" {
			t.Errorf("%+v, %v", a, err)
		}
	}
	if len(surfaces) != 3 {
		t.Errorf("asked in %v", surfaces)
	}
	if q, err := s.Next(now.Add(10000 * hour)); q != nil || err != nil {
		t.Errorf("it comes back: %+v, %v", q, err)
	}
	if got := record.Standings([]string{"M39"})[0]; got.State != Overcome {
		t.Errorf("%+v", got)
	}
	if _, err := s.Placement("clusterip"); err == nil || !strings.Contains(err.Error(), "1 questions, not 5") {
		t.Errorf("%v", err)
	}
}

// TestBuiltin: the program's bank can be read.
func TestBuiltin(t *testing.T) {
	b, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Questions) < 40 || len(b.Beliefs()) < 38 {
		t.Errorf("%d questions about %d misconceptions", len(b.Questions), len(b.Beliefs()))
	}
}
