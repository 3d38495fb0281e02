package lessons

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"svctour/model"
)

func newPlay(t testing.TB, l *Lesson, progress Progress) *Play {
	t.Helper()
	p, err := NewPlay(l, testNamespace, progress)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func observe(t testing.TB, p *Play, s *model.Snapshot) bool {
	t.Helper()
	changed, err := p.Observe(s)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// answer answers the question of the step that a play stands at.
func answer(t testing.TB, p *Play, choice int) {
	t.Helper()
	asked, err := p.Position().Ask(p.last)
	if err != nil || asked == nil || !p.Answer(asked, choice) {
		t.Fatalf("the step asks %+v, %v", asked, err)
	}
}

// look judges the last snapshot again: a quiet cluster sends no other.
func look(t testing.TB, p *Play) { t.Helper(); observe(t, p, p.last) }

// heard lets a play hear a reply, and judge the last snapshot with it.
func heard(p *Play, r model.Reply) (changed bool, err error) {
	if p.Heard(r) {
		return true, nil
	}
	return p.Observe(p.last)
}

func TestAStepIsDoneWhenTheClusterShowsIt(t *testing.T) {
	w := newWorld()
	p := newPlay(t, loadOne(t, scaling), Progress{})
	if p.Preparing() {
		t.Error("nothing can be said before a first snapshot")
	}
	unsynced := w.snapshot()
	unsynced.Sync.Synced = false
	if observe(t, p, unsynced) || p.Preparing() {
		t.Error("a snapshot that is not synced must not count")
	}

	observe(t, p, w.snapshot())
	if !p.Preparing() || p.Ack() && !p.Done(0) {
		t.Fatal("two Pods are not there: the step must wait for its start state")
	}
	given, err := p.Given(w.snapshot())
	if err != nil || len(given) != 1 || given[0].Display != "kubectl scale deployment web --replicas=2" {
		t.Fatalf("given is %+v, %v", given, err)
	}

	w.scale(2)
	p.Again()
	if !observe(t, p, w.snapshot()) || p.Preparing() || p.Done(0) {
		t.Fatal("the step should have begun")
	}
	if !p.Ack() || !p.Done(0) || p.Ack() {
		t.Error("a step that is read is done when it is acknowledged, once")
	}
	if !p.Next() || p.Index() != 1 {
		t.Fatal("there is a next step")
	}
	if look(t, p); p.Preparing() {
		t.Fatal("the next step begins where the last one ended")
	}
	if p.Ack() {
		t.Error("a step with a check cannot be acknowledged")
	}
	w.scale(4)
	if observe(t, p, w.snapshot()) || p.Done(1) {
		t.Error("four are not five")
	}
	w.scale(5)
	if !observe(t, p, w.snapshot()) || !p.Done(1) {
		t.Error("five Pods: done, no matter who made them")
	}
	w.scale(1)
	if observe(t, p, w.snapshot()) || !p.Done(1) {
		t.Error("done stays done")
	}
}

func TestBeforeIsWhatTheStepBeganWith(t *testing.T) {
	w := newWorld()
	w.scale(5)
	p := newPlay(t, loadOne(t, scaling), Progress{})
	p.Goto(2)
	observe(t, p, w.snapshot())
	if p.Preparing() || p.Done(2) {
		t.Fatal("five Pods are the start state, and nothing was deleted yet")
	}
	inv, err := p.Command(w.snapshot())
	if err != nil || inv.Display != "kubectl delete pod web-01" || strings.Join(inv.Args, " ") != "delete pod web-01" {
		t.Fatalf("the command is %+v, %v", inv, err)
	}

	// The program is quit and started again while the step is open.
	data, err := json.Marshal(p.Progress())
	if err != nil {
		t.Fatal(err)
	}
	var progress Progress
	if err := json.Unmarshal(data, &progress); err != nil {
		t.Fatal(err)
	}
	p = newPlay(t, loadOne(t, scaling), progress)
	if p.Index() != 2 {
		t.Fatalf("resumed at step %d", p.Index())
	}

	w.deletePod("web-03") // another one than the command names
	observe(t, p, w.snapshot())
	if p.Done(2) {
		t.Error("one is gone, but nothing replaced it")
	}
	w.addPod(webLabels)
	observe(t, p, w.snapshot())
	if !p.Done(2) {
		t.Error("a Pod from before is gone and five run: done, also after a restart")
	}
	if p.Progress().Before != nil {
		t.Error("a step that is done needs no picture of before")
	}
}

func TestResumeOnAnotherClusterWantsTheStartState(t *testing.T) {
	w := newWorld()
	w.scale(5)
	p := newPlay(t, loadOne(t, scaling), Progress{})
	p.Goto(2)
	observe(t, p, w.snapshot())
	progress := p.Progress()

	other := newWorld()
	other.uid = "namespace-2"
	other.scale(1)
	p = newPlay(t, loadOne(t, scaling), progress)
	if !observe(t, p, other.snapshot()) || !p.Preparing() {
		t.Fatal("the namespace is another one: its start state is missing")
	}
	other.scale(5)
	observe(t, p, other.snapshot())
	if p.Preparing() || p.Done(2) {
		t.Error("the step should have begun again, with the Pods of this cluster as before")
	}

	elsewhere, err := NewPlay(loadOne(t, scaling), "svctour-tour", progress)
	if err != nil || elsewhere.steps[2].begun {
		t.Errorf("another namespace has another start state (%v)", err)
	}
}

// TestUnderway: a step does not begin while what brings it about still runs.
func TestUnderway(t *testing.T) {
	w := newWorld()
	w.scale(5)
	p := newPlay(t, loadOne(t, scaling), Progress{})
	p.Goto(2)
	p.Underway(true)
	observe(t, p, w.snapshot())
	if !p.Preparing() {
		t.Fatal("it has begun, and a command of its start state still runs")
	}
	p.Underway(false)
	observe(t, p, w.snapshot())
	if p.Preparing() {
		t.Error("it has not begun")
	}
	p.Again()
	p.Underway(true)
	p.Goto(2)
	observe(t, p, w.snapshot())
	if p.Preparing() {
		t.Error("what was left behind still keeps the step from beginning")
	}
}

func TestLeftOutStepsFinishALesson(t *testing.T) {
	p := newPlay(t, loadOne(t, scaling), Progress{})
	for i := range p.steps {
		p.steps[i].done = i > 0
	}
	if p.Finished() {
		t.Fatal("the first step is not done")
	}
	p.LeaveOut()
	progress := p.Progress()
	if !p.Finished() || len(progress.LeftOut) != 1 || progress.LeftOut[0] != p.Step().ID {
		t.Fatalf("left out %q", progress.LeftOut)
	}
	p = newPlay(t, loadOne(t, scaling), progress)
	if !p.Finished() {
		t.Error("resumed, it is not finished any more")
	}
	p.steps[0].done = true
	if left := p.Progress().LeftOut; len(left) > 0 {
		t.Errorf("left out %q, which is done", left)
	}
	p.Again()
	if p.Finished() {
		t.Error("finished at the beginning")
	}
}

func TestBackAgainAndSkip(t *testing.T) {
	w := newWorld()
	w.scale(2)
	p := newPlay(t, loadOne(t, scaling), Progress{})
	if p.Back() {
		t.Error("there is nothing before the first step")
	}
	observe(t, p, w.snapshot())
	p.Ack()
	p.Next()
	w.scale(5)
	observe(t, p, w.snapshot())
	p.Next() // "Delete" begins with these five
	look(t, p)
	answer(t, p, 1)
	p.Back()
	if !p.Done(1) {
		t.Error("going back undoes nothing")
	}
	w.deletePod("web-01")
	w.addPod(webLabels)
	observe(t, p, w.snapshot())
	p.Next()
	if look(t, p); !p.Done(2) {
		t.Error("what happened while the learner looked at an earlier step counts")
	}
	if a, ok := p.Predicted(2); !ok || a.Choice != 1 || a.Seen != "5" || a.SeenAs != 1 {
		t.Errorf("the answer was lost: %+v", a)
	}

	p.Back()
	p.Again()
	if p.Done(1) || p.Done(2) || !p.Done(0) {
		t.Error("again starts over from its step on")
	}
	if _, ok := p.Predicted(2); ok {
		t.Error("again asks again")
	}
	if look(t, p); !p.Preparing() {
		t.Error("five Pods are not the start state of this step")
	}
	p.Next() // skipped
	if look(t, p); p.Preparing() || p.Done(2) {
		t.Error("five Pods are the start state of the next one")
	}
	w.scale(1)
	observe(t, p, w.snapshot())
	p.Again()
	if look(t, p); !p.Preparing() {
		t.Error("one Pod is not the start state")
	}
	if p.Finished() || p.Goto(9) || p.Goto(-1) {
		t.Error("not finished, and there is no such step")
	}
}

// A learner who is quicker than the Pods must not begin a step too early: what
// it compares with would not be there.
func TestNothingBeginsBeforeItsStartState(t *testing.T) {
	w := newWorld()
	p := newPlay(t, nodeport(t), Progress{})
	observe(t, p, w.snapshot())
	if !p.Preparing() || !p.Ack() || !p.Next() {
		t.Fatal("the first step can be read while the Pods start")
	}
	if look(t, p); !p.Preparing() {
		t.Fatal("the second step began without a Service")
	}
	if inv, err := p.Command(w.snapshot()); err == nil {
		t.Errorf("it gave %q while preparing", inv.Display)
	}
	w.scale(3)
	w.addPod(map[string]string{"run": "tmp"}).Name = "tmp"
	w.setService(webService(nil))
	observe(t, p, w.snapshot())
	if _, err := p.Command(w.snapshot()); p.Preparing() || err != nil {
		t.Errorf("the start state is there: %v", err)
	}
}

func TestRepliesCountFromTheStepsBegin(t *testing.T) {
	l := nodeport(t)
	at := stepNamed(t, l, "A port out of range")
	refused := model.Reply{Command: "kubectl apply -f web-svc.yaml", Exit: 1,
		Stderr: `The Service "web" is invalid: spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767`}
	w := newWorld()
	p := newPlay(t, l, Progress{})
	p.Goto(at)
	observe(t, p, w.snapshot())
	if changed, err := heard(p, refused); changed || err != nil {
		t.Errorf("the step has not begun: %v %v", changed, err)
	}
	w.scale(3)
	w.addPod(map[string]string{"run": "tmp"}).Name = "tmp"
	w.setService(webService(func(s *model.Service) { s.Type, s.Ports[0].NodePort = model.NodePort, 30080 }))
	observe(t, p, w.snapshot())
	if p.Preparing() || p.Done(at) {
		t.Fatal("the step should have begun, and not be done")
	}
	for _, other := range []model.Reply{
		{Command: refused.Command, Exit: 0, Stdout: "service/web configured"},
		{Command: refused.Command, Exit: 1, Stderr: "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"},
	} {
		if changed, err := heard(p, other); changed || err != nil {
			t.Errorf("%q is not the refusal that was asked for: %v %v", other.Stderr, changed, err)
		}
	}
	if changed, err := heard(p, refused); !changed || err != nil || !p.Done(at) {
		t.Errorf("the refusal makes the step done: %v %v", changed, err)
	}
	for range 3 * replyLimit {
		p.Again()
		observe(t, p, w.snapshot())
		p.Heard(model.Reply{Stdout: strings.Repeat("x", replySize+1)})
	}
	if len(p.replies) > replyLimit || len(p.replies[0].Stdout) > replySize {
		t.Error("replies are kept without bounds")
	}
}

func TestALookIsDoneWhenItsCommandRan(t *testing.T) {
	w := newWorld()
	w.scale(5)
	p := newPlay(t, loadOne(t, scaling), Progress{})
	p.Goto(3)
	observe(t, p, w.snapshot())
	for _, r := range []model.Reply{{Command: "kubectl get pods", Exit: 1}, {Command: "kubectl delete pod x"}, {Command: "kubectl"}} {
		if changed, _ := heard(p, r); changed {
			t.Errorf("%+v does not make the step done", r)
		}
	}
	if changed, err := heard(p, model.Reply{Command: "kubectl get pods -o wide"}); !changed || err != nil || !p.Done(3) {
		t.Error("the learner had a look: done")
	}
}

func TestTypedCommandsKnowTheFiles(t *testing.T) {
	p := newPlay(t, nodeport(t), Progress{})
	for _, line := range []string{"kubectl apply -f web.yaml", "kubectl apply -f=web.yaml", "kubectl apply --filename=./web.yaml", "kubectl apply --filename web.yaml", "kubectl apply -fweb.yaml"} {
		inv, err := p.Typed(line)
		if err != nil || !strings.Contains(inv.Stdin, "kind: Deployment") || !strings.HasSuffix(inv.Args[len(inv.Args)-1], "-") || inv.Display != line {
			t.Errorf("%q became %+v, %v", line, inv, err)
		}
	}
	inv, err := p.Typed(`kubectl patch service web -p '{"spec":{"type":"NodePort"}}'`)
	if err != nil || inv.Args[4] != `{"spec":{"type":"NodePort"}}` {
		t.Errorf("quotes: %q, %v", inv.Args, err)
	}
	if inv, err := p.Typed("kubectl logs -f web"); err != nil || strings.Join(inv.Args, " ") != "logs -f web" {
		t.Errorf("-f of logs is no file: %q, %v", inv.Args, err)
	}
	for line, want := range map[string]string{
		"kubectl apply -f x.yaml":               "there is tmp.yaml, web-svc.yaml, web.yaml",
		"kubectl apply -f web.yaml -f tmp.yaml": "only one -f",
		"kubectl apply -f":                      "needs a file",
		"kubectl delete pod ${pods[0].name}":    "no meaning here",
		"kubectl get pods; rm x":                `";"`,
		"helm install":                          "begin with kubectl",
		"":                                      "empty",
		`kubectl get pods \`:                    "backslash",
	} {
		if _, err := p.Typed(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q, got %v", line, want, err)
		}
	}
}

func TestShowIsFilledIn(t *testing.T) {
	w := newWorld()
	p := newPlay(t, nodeport(t), Progress{})
	p.Goto(1)
	if got := p.Position().Show(w.snapshot()); got != (Show{Service: "web", From: "outside", Name: "web"}) {
		t.Errorf("without a Service the target is not known yet: %+v", got)
	}
	w.setService(webService(func(s *model.Service) { s.Ports[0].NodePort = 30080 }))
	if got := p.Position().Show(w.snapshot()); got.Target != "172.18.0.2:30080" {
		t.Errorf("the target is %q", got.Target)
	}
}

func TestNewPlayRefuses(t *testing.T) {
	l := loadOne(t, scaling)
	if _, err := NewPlay(&Lesson{ID: "x"}, testNamespace, Progress{}); err == nil {
		t.Error("a lesson without steps was taken")
	}
	if _, err := NewPlay(l, "", Progress{}); err == nil {
		t.Error("no namespace was taken")
	}
	if _, err := NewPlay(l, testNamespace, Progress{Lesson: "other"}); err == nil {
		t.Error("the progress of another lesson was taken")
	}
	p, err := NewPlay(l, testNamespace, Progress{Lesson: l.ID, Step: "no-more", Done: []string{"look", "no-more"}, Predictions: map[string]Answered{"delete": {Choice: 7, Asked: &Asked{Choices: []string{"one"}}}, "look": {}}})
	if err != nil || p.Index() != 1 || !p.Done(0) {
		t.Errorf("an edited lesson resumes at its first open step, got %d (%v)", p.Index(), err)
	}
	if _, ok := p.Predicted(2); ok {
		t.Error("an answer that is no choice any more was kept")
	}
}

func TestACheckThatCannotBeReadIsAnError(t *testing.T) {
	w := newWorld()
	s := w.snapshot()
	s.Sync.Missing = map[string]string{"pods": "pods is forbidden"}
	p := newPlay(t, loadOne(t, scaling), Progress{})
	if _, err := p.Observe(s); err == nil || !strings.Contains(err.Error(), "looks at pods, which cannot be read: pods is forbidden") {
		t.Errorf("got %v", err)
	}
	if changed, err := p.Observe(w.snapshot()); changed || err != nil {
		t.Errorf("the next snapshot brings better news: %v %v", changed, err)
	}
}

// A check of every kind that could hang or crash the screen ends in an error.
func TestABadCheckIsBounded(t *testing.T) {
	w := newWorld()
	w.scale(200)
	s := w.snapshot()
	in := &input{namespace: testNamespace, snapshot: s, now: pictureOf(s, testNamespace), before: &Picture{}}
	e, err := plain().compile("pods.all(a, pods.all(b, pods.all(c, pods.all(d, a.name != 'x'))))", aBool)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.holds(in); err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Errorf("got %v", err)
	}
	began := time.Now()
	_, _ = e.holds(in)
	t.Logf("stopped after %v", time.Since(began)) // unbounded it would be 1.6 billion comparisons
}

func stepNamed(t testing.TB, l *Lesson, title string) int {
	t.Helper()
	for i, s := range l.Steps {
		if s.Title == title {
			return i
		}
	}
	t.Fatalf("lesson %q has no step %q", l.ID, title)
	return 0
}

func BenchmarkObserve(b *testing.B) {
	l := nodeport(b)
	for _, pods := range []int{20, 100} {
		for _, title := range []string{"Two lines", "A port out of range", "Let the API server choose"} {
			b.Run(fmt.Sprintf("%s/%d Pods", title, pods), func(b *testing.B) {
				w := newWorld()
				w.setService(webService(nil))
				w.addPod(map[string]string{"run": "tmp"}).Name = "tmp"
				w.scale(3)
				p := newPlay(b, l, Progress{})
				at := stepNamed(b, l, title)
				p.Goto(at)
				p.steps[at].prepare = false
				w.scale(pods)
				s := w.snapshot()
				for b.Loop() {
					p.steps[at].done = false
					if _, err := p.Observe(s); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func TestResumeAtAStepThatIsDone(t *testing.T) {
	w := newWorld()
	w.scale(2)
	p := newPlay(t, loadOne(t, scaling), Progress{})
	observe(t, p, w.snapshot())
	p.Ack()
	progress := p.Progress()

	w.scale(5) // the learner ran ahead meanwhile
	p = newPlay(t, loadOne(t, scaling), progress)
	observe(t, p, w.snapshot())
	p.Next()
	if look(t, p); p.Preparing() || !p.Done(1) {
		t.Error("what was done meanwhile counts")
	}

	other := newWorld()
	other.uid = "namespace-2"
	p = newPlay(t, loadOne(t, scaling), progress)
	observe(t, p, other.snapshot())
	p.Next()
	if look(t, p); !p.Preparing() {
		t.Error("on another cluster the next step wants its start state")
	}
}

func TestMissingNamesTheConditionsThatAreNotMet(t *testing.T) {
	w := newWorld()
	const until = "selected({'app': 'web'}).size() == 2"
	p := newPlay(t, loadOne(t, strings.Replace(scaling, until, until+"\n  && services.all(s, s.name != 'x' && s.name != 'y') && pods.exists(p, p.ready)", 1)), Progress{})
	if got := p.Position().Missing(p.last); got != nil {
		t.Errorf("before a first snapshot: %q", got)
	}
	observe(t, p, w.snapshot())
	if got := p.Position().Missing(p.last); !slices.Equal(got, []string{until, "pods.exists(p, p.ready)"}) {
		t.Errorf("missing %q", got)
	}
	w.scale(1)
	observe(t, p, w.snapshot())
	if got := p.Position().Missing(p.last); !slices.Equal(got, []string{until}) {
		t.Errorf("missing %q", got)
	}
	w.scale(2)
	observe(t, p, w.snapshot())
	if got := p.Position().Missing(p.last); got != nil {
		t.Errorf("at the start of the step: %q", got)
	}
}

func TestConditions(t *testing.T) {
	for source, want := range map[string][]string{
		"a":                                {"a"},
		"a && b":                           {"a ", " b"},
		"a && f(b && c) && [d && e][0]":    {"a ", " f(b && c) ", " [d && e][0]"},
		`a == "x && \" y" && b == '"&&"'`:  {`a == "x && \" y" `, ` b == '"&&"'`},
		"a && b || c":                      {"a && b || c"},
		"a ? b && c : d":                   {"a ? b && c : d"},
		"(a || b) && {'k': c || d}['k']":   {"(a || b) ", " {'k': c || d}['k']"},
		"!(a && b)":                        {"!(a && b)"},
		"pods.all(p, p.ready) && x == '?'": {"pods.all(p, p.ready) ", " x == '?'"},
	} {
		if got := cutConditions(source); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

func TestOutlineHasPlaceholders(t *testing.T) {
	for line, want := range map[string]string{
		"kubectl get pods -l 'app=web'":                                  "kubectl get pods -l 'app=web'",
		"kubectl delete pod ${selected({'app': 'web'})[0].name}":         "kubectl delete pod POD",
		"kubectl get service ${services[0].name} -o name":                "kubectl get service SERVICE -o name",
		"kubectl exec tmp -- curl ${service('web').clusterIP}:80":        "kubectl exec tmp -- curl CLUSTERIP:80",
		"kubectl get node ${nodes[0].name}":                              "kubectl get node NODE",
		"kubectl scale deployment web --replicas=${pods.size() + 1}":     "kubectl scale deployment web --replicas=VALUE",
		"kubectl exec tmp -- curl ${nodes[0].addresses[0].address}:3000": "kubectl exec tmp -- curl ADDRESS:3000",
	} {
		c, err := parseCommand(line, plain())
		if err != nil {
			t.Fatal(err)
		}
		if got := (&Step{command: c}).Outline(); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// A snapshot is judged while the play goes on. What it comes to counts only
// where the play still stands.
func TestAJudgementOfAnEarlierPositionIsDropped(t *testing.T) {
	w := newWorld()
	w.scale(2)
	p := newPlay(t, loadOne(t, scaling), Progress{})
	observe(t, p, w.snapshot())
	p.Ack()
	p.Next()
	look(t, p)
	w.scale(5)
	for name, meanwhile := range map[string]func(){
		"another step": func() { p.Back(); p.Next() },
		"again":        p.Again,
		"a reply":      func() { p.Heard(model.Reply{Command: "kubectl get pods"}) },
	} {
		late := p.Position().Judge(w.snapshot())
		if !late.Position.Done() {
			t.Fatal("five Pods make the step done")
		}
		meanwhile()
		if changed, ok := p.Apply(late); changed || ok || p.Done(1) {
			t.Errorf("%s: the late judgement was taken in", name)
		}
		w.scale(2)
		observe(t, p, w.snapshot())
		w.scale(5)
	}
	position := p.Position()
	judged := position.Judge(w.snapshot())
	if changed, ok := p.Apply(judged); !changed || !ok || !p.Done(1) || position.Done() {
		t.Error("the judgement of the present position counts, and the position stays what it was")
	}
}

// An answer that is given while a snapshot is judged stays.
func TestAnAnswerSurvivesAJudgement(t *testing.T) {
	w := newWorld()
	w.scale(5)
	p := newPlay(t, loadOne(t, scaling), Progress{})
	p.Goto(2)
	observe(t, p, w.snapshot())
	judged := p.Position().Judge(w.snapshot())
	answer(t, p, 1)
	if _, ok := p.Apply(judged); !ok {
		t.Fatal("an answer makes no other position")
	}
	if a, ok := p.Predicted(2); !ok || a.Choice != 1 {
		t.Error("the answer was lost")
	}
}
