package lessons

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"svctour/model"
)

// asking is a lesson with a question before and one after its look.
var asking = strings.ReplaceAll(`---
format: 2
id: asking
number: 1
title: Asking
summary: Questions.
minutes: 1
---

## Count

How many?

~~~sh
kubectl get pods
~~~

### Predict

~~~yaml
question: There are ${pods.size()} Pods. How many are ready?
choices:
  - say: All ${pods.size()}.
    is: pods.size()
    belief: M48
    help: One of ${pods.size()} is not.
  - say: All but one.
    is: pods.size() - 1
  - say: None.
    is: 0
    belief: M33
    help: They have probes.
truth: pods.filter(p, p.ready).size()
seen: last.stdout == 'two' ? 2 : pods.filter(p, p.ready).size()
why: One of ${pods.size()} has a probe that fails.
~~~

### Read back

~~~yaml
question: What did the look say?
choices:
  - say: Two.
    is: two
  - say: Three.
    is: three
    belief: M48
    help: Look again.
truth: last.stdout
why: That is what it said.
~~~

### After

There were ${before.pods.size()}, and now ${pods.size()}. Port ${service('web').ports[0].port}.

## Read

Only read.

### Predict

~~~yaml
question: Is the mode known?
choices:
  - say: Yes.
    is: true
    belief: M06
    help: No.
  - say: No.
    is: false
truth: mode != ''
why: Nothing told it.
~~~
`, "~~~", "```")

func counting(t *testing.T) (*world, *Play) {
	t.Helper()
	w := newWorld()
	w.scale(3)
	w.pods[0].Conditions[0].Status = "False"
	p := newPlay(t, loadOne(t, asking), Progress{})
	observe(t, p, w.snapshot())
	return w, p
}

func TestAQuestionIsAnsweredByTheCluster(t *testing.T) {
	w, p := counting(t)
	asked, err := p.Position().Ask(p.last)
	if err != nil {
		t.Fatal(err)
	}
	want := &Asked{
		Question: "There are 3 Pods. How many are ready?",
		Choices:  []string{"All 3.", "All but one.", "None."},
		Is:       []string{"3", "2", "0"},
		Help:     []string{"One of 3 is not.", "", "They have probes."},
		Beliefs:  []string{"M48", "", "M33"},
		Right:    1, Why: "One of 3 has a probe that fails.", Truth: "2",
	}
	if !reflect.DeepEqual(asked, want) {
		t.Errorf("asked %+v\nwant %+v", asked, want)
	}
	if back, err := p.Position().AskBack(p.last); back != nil || err != nil {
		t.Errorf("what was seen is asked before it was: %+v, %v", back, err)
	}
	if p.Revealed(0) || p.Answer(asked, 3) || p.Answer(nil, 0) || !p.Answer(asked, 0) || p.Answer(asked, 1) {
		t.Error("a prediction is made once, among the choices")
	}
	p.Sure(true)
	if a, ok := p.Predicted(0); !ok || a.Right || a.Sure != Sure || a.Belief != "M48" || a.Seen != "" || p.Revealed(0) {
		t.Errorf("before the step is done the answer is %+v", a)
	}

	w.pods[0].Conditions[0].Status = "True" // meanwhile all are ready
	if changed, err := heard(p, model.Reply{Command: "kubectl get pods", Stdout: "two"}); !changed || err != nil {
		t.Fatal(changed, err)
	}
	observe(t, p, w.snapshot())
	a, _ := p.Predicted(0)
	if !p.Revealed(0) || a.Seen != "2" || a.SeenAs != 1 || a.Asked.Truth != "2" {
		t.Errorf("what the look said is seen: %+v", a)
	}
	if asked, err := p.Position().Ask(p.last); asked != nil || err != nil {
		t.Errorf("a step that is done asks %+v, %v", asked, err)
	}
	back, err := p.Position().AskBack(p.last)
	if err != nil || back.Right != 0 || back.Truth != "two" {
		t.Fatalf("read back: %+v, %v", back, err)
	}
	if _, ok := p.ReadBackOf(0); ok || !p.AnswerBack(back, 1) || p.AnswerBack(back, 0) {
		t.Error("what was seen is answered once")
	}
	if a, ok := p.ReadBackOf(0); !ok || a.Right || a.Belief != "M48" {
		t.Errorf("read back: %+v", a)
	}
}

func TestWhatTheClusterDidInsteadIsTold(t *testing.T) {
	w, p := counting(t)
	answer(t, p, 1)
	w.pods[0].Conditions[0].Status = "True"
	observe(t, p, w.snapshot())
	if _, err := heard(p, model.Reply{Command: "kubectl get pods", Stdout: "three"}); err != nil {
		t.Fatal(err)
	}
	observe(t, p, w.snapshot())
	if a, _ := p.Predicted(0); !a.Right || a.Seen != "3" || a.SeenAs != 0 {
		t.Errorf("the answer was right when it was asked, and three were seen: %+v", a)
	}
}

func TestAnswersAreKept(t *testing.T) {
	w, p := counting(t)
	answer(t, p, 2)
	p.Sure(false)
	if _, err := heard(p, model.Reply{Command: "kubectl get pods", Stdout: "two"}); err != nil {
		t.Fatal(err)
	}
	observe(t, p, w.snapshot())
	back, err := p.Position().AskBack(p.last)
	if err != nil || !p.AnswerBack(back, 0) {
		t.Fatal(err)
	}
	data, err := json.Marshal(p.Progress())
	if err != nil {
		t.Fatal(err)
	}
	var progress Progress
	if err := json.Unmarshal(data, &progress); err != nil {
		t.Fatal(err)
	}
	again := newPlay(t, loadOne(t, asking), progress)
	w.scale(9)
	observe(t, again, w.snapshot())
	want, _ := p.Predicted(0)
	if got, ok := again.Predicted(0); !ok || !reflect.DeepEqual(got, want) || got.Sure != Guess || got.Seen != "2" {
		t.Errorf("kept %+v, want %+v", got, want)
	}
	if got, ok := again.ReadBackOf(0); !ok || !got.Right {
		t.Errorf("kept %+v", got)
	}
	again.Again()
	if _, ok := again.Predicted(0); ok {
		t.Error("again asks again")
	}
}

// Progress of format 1 kept choices alone. They mean nothing any more.
func TestOldProgressIsTakenWithoutItsAnswers(t *testing.T) {
	var progress Progress
	if err := json.Unmarshal([]byte(`{"lesson":"asking","step":"read","done":["count"],"answers":{"count":1,"read":0}}`), &progress); err != nil {
		t.Fatal(err)
	}
	p := newPlay(t, loadOne(t, asking), progress)
	if p.Index() != 1 || !p.Done(0) {
		t.Errorf("at step %d", p.Index())
	}
	if _, ok := p.Predicted(0); ok {
		t.Error("an answer to a question that was never asked")
	}
}

func TestAStepThatIsOnlyReadRevealsAtOnce(t *testing.T) {
	w, p := counting(t)
	p.Goto(1)
	look(t, p)
	answer(t, p, 0)
	if !p.Revealed(1) || p.Done(1) {
		t.Error("there is nothing to wait for")
	}
	if !p.Ack() {
		t.Error("the step can be read")
	}
	observe(t, p, w.snapshot())
	if a, _ := p.Predicted(1); a.Seen != "false" {
		t.Errorf("the truth itself is seen: %+v", a)
	}
}

func TestAQuestionThatCannotBeAskedSaysWhy(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"no choice is right", "is: pods.size() - 1", "is: 7", `"2" is right, and no choice says so`},
		{"two are equal", "is: 0", "is: pods.size() + 0", `the choices 1 and 3 are both "3"`},
		{"truth out of bounds", "truth: pods.filter(p, p.ready).size()", "truth: pods[9].containers.size()", "index out of bounds"},
		{"a text out of bounds", "why: One of ${pods.size()}", "why: One of ${pods[9].name}", "fill in ${pods[9].name}"},
	} {
		w := newWorld()
		w.scale(3)
		w.pods[0].Conditions[0].Status = "False"
		p := newPlay(t, loadOne(t, strings.Replace(asking, test.old, test.new, 1)), Progress{})
		observe(t, p, w.snapshot())
		if asked, err := p.Position().Ask(p.last); err == nil || asked != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: want %q, got %v", test.name, test.want, err)
		}
	}
}

func TestTextsAreFilledIn(t *testing.T) {
	w, p := counting(t)
	w.scale(2)
	texts := p.Position().Texts(w.snapshot())
	if texts.Story != "How many?" || texts.After != "There were 3, and now 2. Port …." {
		t.Errorf("the texts are %+v", texts)
	}
}

func TestAutoComparesWhatWasPredicted(t *testing.T) {
	right := strings.Replace(asking, "seen: last.stdout == 'two' ? 2 : pods", "seen: pods", 1)
	right = strings.Replace(right, "is: two", `is: "'ok\\n'"`, 1)
	for _, test := range []struct{ name, old, new, want string }{
		{"right", "", "", ""},
		{"seen is another value", "seen: pods.filter(p, p.ready).size()", "seen: pods.size()", `"2" is right, and the cluster then showed "3"`},
		{"no right choice", "is: pods.size() - 1", "is: 7", `"2" is right, and no choice says so`},
		{"a wrong choice without help", "  - say: All but one.\n    is: pods.size() - 1\n  - say: None.\n    is: 0\n    belief: M33\n    help: They have probes.",
			"  - say: All but one.\n    is: pods.size() - 1\n    belief: M33\n    help: They have probes.\n  - say: None.\n    is: 0", `the wrong choice "None." has no help`},
		{"read back is never right", "truth: last.stdout", "truth: \"'four'\"", `read back: "four" is right`},
		{"seen cannot be told", "seen: pods.filter(p, p.ready).size()", "seen: pods[9].containers.size()", "index out of bounds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			w.scale(3)
			w.pods[0].Conditions[0].Status = "False"
			text := strings.Replace(right, test.old, test.new, 1)
			if text == right && test.old != "" {
				t.Fatalf("the lesson does not hold %q", test.old)
			}
			out, err := autoOn(t, text, &fakeCluster{world: w})
			if test.want == "" {
				if err != nil || !strings.Contains(out, "There are 3 Pods.") {
					t.Errorf("%v\n%s", err, out)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v\n%s", test.want, err, out)
			}
		})
	}
}
