package lessons

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"svctour/model"
)

// closed is a challenge: the Service selects nothing.
var closed = strings.ReplaceAll(`---
format: 2
id: closed
kind: challenge
number: 1
title: Closed
summary: No one answers.
minutes: 5
level: 1
par: {changes: 1, looks: 2}
beliefs: [M33]
---

## No answer

The client gets no answer.

~~~sh
kubectl exec tmp -- curl http://web
~~~

~~~cel
answered && readyEndpoints('web').size() == 2
~~~

### Given

~~~sh
kubectl delete pods wbe
kubectl scale deployment web --replicas=2
kubectl set selector service web app=wbe
~~~

~~~cel
service('web').selector == {'app': 'wbe'} && selected({'app': 'web'}).size() == 2 && selected({'app': 'wbe'}).size() == 0
~~~

### Guard

~~~yaml
- holds: selected({'app': 'web'}).size() == 2
  say: There must be two Pods, not ${selected({'app': 'web'}).size()}.
~~~

### Still wrong

~~~yaml
- unless: readyEndpoints('web').size() > 0
  say: The Service has ${readyEndpoints('web').size()} endpoints.
~~~

### Hints

- Where.
- What.
- Meaning.

### Wrong

More Pods do not help.

~~~sh
kubectl scale deployment web --replicas=4
~~~

~~~cel
selected({'app': 'web'}).size() == 4
~~~

### Wrong

Another typo.

~~~sh
kubectl set selector service web app=bew
~~~

~~~cel
service('web').selector == {'app': 'bew'}
~~~

### Wrong

The request succeeds, and the Pods are no longer those of before.

~~~sh
kubectl label pods web app=wbe
~~~

~~~cel
readyEndpoints('web').size() == 2
~~~

### Solution

~~~sh
kubectl set selector service web app=web
~~~

### Debrief

A Service has no status.
`, "~~~", "```")

// shop is a cluster in which the request is answered if the Service has an
// endpoint.
type shop struct{ *fakeCluster }

func newShop() shop {
	w := newWorld()
	w.addPod(map[string]string{"run": "tmp"}).Name = "tmp"
	w.setService(webService(nil))
	return shop{&fakeCluster{world: w}}
}

func (c shop) Kubectl(ctx context.Context, args []string, stdin string) model.Reply {
	line := strings.Join(args, " ")
	if app, ok := strings.CutPrefix(line, "set selector service web app="); ok {
		c.ran, c.changed = append(c.ran, line), true
		c.setService(webService(func(s *model.Service) { s.Selector = map[string]string{"app": app}; s.ResourceVersion = app }))
		return model.Reply{Stdout: "service/web selector updated"}
	}
	if line == "delete pods wbe" {
		c.pods = slices.DeleteFunc(c.pods, func(p *model.Pod) bool { return p.Labels["app"] == "wbe" })
		c.changed = true
		return model.Reply{}
	}
	if line == "label pods web app=wbe" {
		c.ran, c.changed = append(c.ran, line), true
		for _, pod := range c.pods {
			if pod.Labels["app"] == "web" {
				pod.Labels = map[string]string{"app": "wbe"}
			}
		}
		return model.Reply{Stdout: "pods labeled"}
	}
	if strings.HasPrefix(line, "exec tmp -- curl") {
		c.ran = append(c.ran, line)
		if len(pictureOf(c.snapshot(), testNamespace).readyEndpoints("web")) == 0 {
			return model.Reply{Stderr: "connection refused", Exit: 7}
		}
		return model.Reply{Stdout: "hello"}
	}
	return c.fakeCluster.Kubectl(ctx, args, stdin)
}

func autoInShop(t *testing.T, text string) (string, shop, error) {
	t.Helper()
	c := newShop()
	var out strings.Builder
	err := Auto(context.Background(), loadOne(t, text), c, AutoOptions{Namespace: testNamespace, Out: &out, Timeout: 200 * time.Millisecond})
	return out.String(), c, err
}

func TestAutoProvesAChallenge(t *testing.T) {
	out, c, err := autoInShop(t, closed)
	if err != nil || !strings.Contains(out, "Challenge 1 is proved.") {
		t.Fatalf("%v\n%s", err, out)
	}
	requests := 0
	for _, line := range c.ran {
		if strings.HasPrefix(line, "exec") {
			requests++
		}
	}
	if requests < 4 { // broken, after each wrong fix, and solved
		t.Errorf("the request was sent %d times: %q", requests, c.ran)
	}
}

func TestAutoReportsABrokenChallenge(t *testing.T) {
	for _, test := range []struct{ name, old, new, want string }{
		{"nothing is broken", "app=wbe", "app=web", "start state does not come about"},
		{"solved by the request alone", "answered && readyEndpoints('web').size() == 2", "answered || readyEndpoints('web').size() == 0", "true before anything was done"},
		{"a wrong fix solves it", "kubectl set selector service web app=bew\n```\n\n```cel\nservice('web').selector == {'app': 'bew'}",
			"kubectl set selector service web app=web\n```\n\n```cel\nservice('web').selector == {'app': 'web'}", "makes its check true"},
		{"no guard rejects a wrong fix", "- holds: selected({'app': 'web'}).size() == 2", "- holds: true", `the wrong fix "kubectl label pods web app=wbe" makes its check true`},
		{"the solution solves nothing", "### Solution\n\n```sh\nkubectl set selector service web app=web", "### Solution\n\n```sh\nkubectl set selector service web app=bew", "its solution does not solve it within"},
		{"the solution breaks a guard", "### Solution\n\n```sh\n", "### Solution\n\n```sh\nkubectl scale deployment web --replicas=1\n", "its solution does not solve it within"},
		{"the solution is refused", "### Solution\n\n```sh\n", "### Solution\n\n```sh\nkubectl delete pod nobody\n", `its solution's "kubectl delete pod nobody" ended with exit code 1`},
		{"given does not notice", " && selected({'app': 'web'}).size() == 2 && selected({'app': 'wbe'}).size() == 0", "", "Given does not notice the wrong fix"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(closed, test.old, test.new, 1)
			if text == closed {
				t.Fatalf("the challenge does not hold %q", test.old)
			}
			out, _, err := autoInShop(t, text)
			var violation *Violation
			if !errors.As(err, &violation) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want %q, got %v\n%s", test.want, err, out)
			}
		})
	}
}

// A challenge is solved by a request that is answered in the mended cluster, and
// only while its guards hold.
func TestAChallengeIsSolvedByItsRequest(t *testing.T) {
	c := newShop()
	p := newPlay(t, loadOne(t, closed), Progress{})
	run := func(line string) {
		t.Helper()
		inv, err := p.Typed("kubectl " + line)
		if err != nil {
			t.Fatal(err)
		}
		reply := c.Kubectl(context.Background(), inv.Args, inv.Stdin)
		reply.Command = inv.Display
		if _, err := heard(p, reply); err != nil {
			t.Fatal(err)
		}
		observe(t, p, c.snapshot())
	}
	const request = "exec tmp -- curl http://web"
	observe(t, p, c.snapshot())
	if !p.Preparing() || p.Position().Guards(p.last) != nil || p.Position().Lacking(p.last) != nil {
		t.Fatal("nothing is broken yet")
	}
	run("scale deployment web --replicas=2")
	run("set selector service web app=wbe")
	if p.Preparing() {
		t.Fatal("the start state is there")
	}
	run(request)
	if got := p.Position().Lacking(p.last); !slices.Equal(got, []string{"The Service has 0 endpoints."}) {
		t.Errorf("lacking %q", got)
	}
	run("set selector service web app=web")
	if p.Done(0) {
		t.Error("the request was not sent again")
	}
	if got := p.Position().Lacking(p.last); !slices.Equal(got, []string{"the request was not answered since the cluster last changed"}) {
		t.Errorf("lacking %q", got)
	}
	run("exec tmp -- curl http://10.0.0.1")
	if p.Done(0) {
		t.Error("another request is not the one")
	}
	run("scale deployment web --replicas=1")
	run(request)
	if got := p.Position().Guards(p.last); p.Done(0) || len(got) != 1 || got[0].Holds || got[0].Say != "There must be two Pods, not 1." {
		t.Errorf("one Pod too few: solved is %v, the guards are %+v", p.Done(0), got)
	}
	run("scale deployment web --replicas=2")
	if p.Done(0) {
		t.Error("the cluster changed after the request")
	}
	run(request)
	if !p.Done(0) {
		t.Error("it is solved")
	}
}

func TestAChallengeIsCounted(t *testing.T) {
	c := newShop()
	p := newPlay(t, loadOne(t, closed), Progress{})
	p.Count(EffortChange) // before it began
	c.scale(2)
	c.setService(webService(func(s *model.Service) { s.Selector = map[string]string{"app": "wbe"} }))
	observe(t, p, c.snapshot())
	for _, line := range []string{"kubectl get pods", "kubectl exec tmp -- ls", "kubectl rollout status deployment web", "kubectl scale deployment web --replicas=2", "kubectl rollout restart deployment web"} {
		inv, err := Typed(line)
		if err != nil {
			t.Fatal(err)
		}
		p.Count(inv.Effort())
	}
	if got := p.Score(); got != (Score{Changes: 2, Looks: 3}) || got.Within(*p.Lesson().Par) || !got.Within(Par{2, 3}) {
		t.Errorf("the score is %+v", got)
	}
	if again := newPlay(t, loadOne(t, closed), p.Progress()); again.Score() != p.Score() {
		t.Error("the score was lost")
	}
}

func TestAChallengeSolvedByItsAnswer(t *testing.T) {
	text := closed[:strings.Index(closed, "```cel\nanswered")] + closed[strings.Index(closed, "### Given"):strings.Index(closed, "### Guard")] + `### Predict

` + "```yaml" + `
question: What is broken?
choices:
  - say: The Service.
    is: service
    belief: M33
    help: It is as it should be.
  - say: Nothing.
    is: nothing
truth: "selected({'app': 'web'}).size() == 2 ? 'nothing' : 'pods'"
why: All of it works.
` + "```" + `

### Hints

- Where.
- What.
- Meaning.

### Debrief

Nothing was broken.
`
	text = strings.Replace(text, "beliefs: [M33]", "beliefs: [M33]\nsolved-by: answer", 1)
	out, _, err := autoInShop(t, text)
	if err != nil || !strings.Contains(out, "solved by its answer") {
		t.Fatalf("%v\n%s", err, out)
	}

	c := newShop()
	c.scale(2)
	c.setService(webService(func(s *model.Service) { s.Selector = map[string]string{"app": "wbe"} }))
	p := newPlay(t, loadOne(t, text), Progress{})
	observe(t, p, c.snapshot())
	if changed, err := heard(p, model.Reply{Command: "kubectl exec tmp -- curl http://web"}); changed || err != nil || p.Ack() {
		t.Error("the request alone solves nothing, and neither does reading")
	}
	answer(t, p, 0)
	if p.Done(0) || p.Revealed(0) {
		t.Error("the wrong answer solves nothing, and tells nothing")
	}
	answer(t, p, 1)
	if !p.Done(0) || !p.Revealed(0) || p.Score().Tries != 2 {
		t.Errorf("the right answer solves it: score %+v", p.Score())
	}
}

func TestLintOfChallenges(t *testing.T) {
	loadOne(t, closed)
	for _, test := range []struct{ name, old, new, want string }{
		{"no level", "level: 1\n", "", "level 0"},
		{"no par", "par: {changes: 1, looks: 2}\n", "", "wants par"},
		{"no beliefs", "beliefs: [M33]\n", "", "wants beliefs"},
		{"unknown belief", "beliefs: [M33]", "beliefs: [M998]", "no such misconception"},
		{"odd way to solve", "level: 1", "level: 1\nsolved-by: luck", `solved-by "luck"`},
		{"two hints", "- Meaning.\n", "", "has three hints"},
		{"one wrong fix", closed[strings.Index(closed, "### Wrong"):strings.Index(closed, "### Wrong\n\nThe request")], "", "needs at least two Wrong"},
		{"no solution", "### Solution", "### Solutions", "needs a Solution"},
		{"no debrief", "### Debrief", "### Debriefs", "needs a Debrief"},
		{"no given", "### Given", "### Givens", "needs a Given"},
		{"no request in the check", "answered && ", "", "needs a check with answered"},
		{"two steps", "### Debrief", "## Second\n\nMore.\n\n### Debrief", "has one step, this one has 2"},
		{"a guard without words", "  say: There must be two Pods, not ${selected({'app': 'web'}).size()}.\n", "", "want a list of {holds"},
		{"a guard with a typo", "holds: selected", "holds: selectet", "undeclared reference"},
		{"a long debrief", "A Service has no status.", strings.Repeat("So it is. ", 31), "the debrief has 93 words"},
		{"a solution without commands", "### Solution\n\n```sh", "### Solution\n\n```text", "want the commands (sh) that solve"},
	} {
		text := strings.Replace(closed, test.old, test.new, 1)
		errs := Lint(fstest.MapFS{lessonFile: {Data: []byte(text)}})
		if text == closed || !strings.Contains(errors.Join(errs...).Error(), test.want) {
			t.Errorf("%s: want %q, got %v", test.name, test.want, errs)
		}
	}
}
