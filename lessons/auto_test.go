package lessons

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// scaling is a small lesson that is right. The tests of Auto break it.
const scaling = `---
format: 2
id: scaling
number: 1
title: Scaling
summary: Pods, more or fewer.
minutes: 1
show:
  service: web
---

## Look

Two Pods run.

### Given

` + "```sh\nkubectl scale deployment web --replicas=2\n```\n\n```cel\nselected({'app': 'web'}).size() == 2\n```" + `

## Scale

Make it five.

` + "```sh\nkubectl scale deployment web --replicas=5\n```\n\n```cel\nselected({'app': 'web'}).size() == 5\n```" + `

### Hints

- Count.

### Wrong

Four are not five.

` + "```sh\nkubectl scale deployment web --replicas=4\n```\n\n```cel\nselected({'app': 'web'}).size() == 4\n```" + `

## Delete

Delete one.

` + "```sh\nkubectl delete pod ${selected({'app': 'web'})[0].name}\n```\n\n```cel\nbefore.pods.exists(old, pods.all(p, p.uid != old.uid)) && pods.size() == 5\n```" + `

### Predict

` + "```yaml" + `
question: How many Pods will there be?
choices:
  - say: four
    is: 4
    belief: M40
    help: Another one takes its place.
  - say: five
    is: 5
truth: 5
seen: pods.size()
why: Another one is made.
` + "```" + `

### Given

` + "```sh\nkubectl scale deployment web --replicas=5\n```\n\n```cel\npods.size() == 5\n```" + `

### Hints

- Delete.

### Wrong

Fewer Pods.

` + "```sh\nkubectl scale deployment web --replicas=1\n```\n\n```cel\npods.size() == 1\n```" + `

### Wrong

There is no such Pod.

` + "```sh\nkubectl delete pod nobody\n```" + `

## Look again

Have a look.

` + "```sh\nkubectl get pods\n```\n"

func autoOn(t *testing.T, text string, c *fakeCluster) (string, error) {
	t.Helper()
	var out strings.Builder
	err := Auto(context.Background(), loadOne(t, text), c, AutoOptions{Namespace: testNamespace, Out: &out, Timeout: 50 * time.Millisecond})
	return out.String(), err
}

func TestAutoProvesARightLesson(t *testing.T) {
	c := &fakeCluster{world: newWorld()}
	out, err := autoOn(t, scaling, c)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := []string{
		"scale deployment web --replicas=2", // to the first step's start
		"scale deployment web --replicas=4", // wrong
		"scale deployment web --replicas=2", // and back
		"scale deployment web --replicas=5",
		"scale deployment web --replicas=1", // wrong
		"scale deployment web --replicas=5", // and back
		"delete pod nobody",                 // refused: nothing to undo
	}
	for i, line := range want {
		if i >= len(c.ran) || c.ran[i] != line {
			t.Fatalf("command %d: want %q, ran %q", i, line, c.ran)
		}
	}
	if last := c.ran[len(c.ran)-2:]; !strings.HasPrefix(last[0], "delete pod web-") || last[1] != "get pods" {
		t.Errorf("the last commands were %q", last)
	}
	for _, text := range []string{"$ kubectl scale deployment web --replicas=5", "rejected", "Lesson 1 is proved."} {
		if !strings.Contains(out, text) {
			t.Errorf("the transcript lacks %q:\n%s", text, out)
		}
	}
}

// Every kind of broken lesson is reported: the guard itself can fail.
func TestAutoReportsABrokenLesson(t *testing.T) {
	tests := []struct {
		name     string
		old, new string
		refuse   string
		want     string
	}{
		{"already true", "selected({'app': 'web'}).size() == 5", "selected({'app': 'web'}).size() >= 2", "", "true before anything was done"},
		{"accepts a wrong fix", "selected({'app': 'web'}).size() == 5", "selected({'app': 'web'}).size() > 2", "", `the wrong fix "kubectl scale deployment web --replicas=4" makes its check true`},
		{"command does not solve", "selected({'app': 'web'}).size() == 5", "selected({'app': 'web'}).size() == 6", "", "does not make the check true within"},
		{"command is refused", "", "", "replicas=5", "ended with exit code 1: error: refused"},
		{"no start state", "selected({'app': 'web'}).size() == 2", "selected({'app': 'web'}).size() == 3", "", "start state does not come about within"},
		{"no effect of the wrong fix", "pods.size() == 1", "pods.size() == 0", "", "does not have its effect within"},
		{"wrong fix is not refused", "kubectl delete pod nobody", "kubectl get pods", "", "should be refused"},
		{"start state does not notice", "### Given\n\n```sh\nkubectl scale deployment web --replicas=5\n```\n\n```cel\npods.size() == 5\n```",
			"### Given\n\n```sh\nkubectl scale deployment web --replicas=5\n```\n\n```cel\npods.size() > 0\n```", "", "Given does not notice the wrong fix"},
		{"check cannot be evaluated", "&& pods.size() == 5", "&& pods[9].ready", "", "index out of bounds"},
		{"nothing to fill in", "${selected({'app': 'web'})[0].name}", "${selected({'app': 'none'})[0].name}", "", "fill in ${selected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := scaling
			if test.old != "" {
				if text = strings.Replace(scaling, test.old, test.new, 1); text == scaling {
					t.Fatalf("the lesson does not hold %q", test.old)
				}
			}
			out, err := autoOn(t, text, &fakeCluster{world: newWorld(), refuse: test.refuse})
			var violation *Violation
			if !errors.As(err, &violation) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("want a violation with %q, got %v\n%s", test.want, err, out)
			}
			if violation.Line == 0 || violation.Step == "" {
				t.Errorf("the violation does not say where: %+v", violation)
			}
		})
	}
}

func TestAutoEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := Auto(ctx, loadOne(t, scaling), &fakeCluster{world: newWorld()}, AutoOptions{Namespace: testNamespace})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("want %v, got %v", context.Canceled, err)
	}
}

func TestAutoPlaysOneStep(t *testing.T) {
	c := &fakeCluster{world: newWorld()}
	var out strings.Builder
	err := Auto(context.Background(), loadOne(t, scaling), c, AutoOptions{Namespace: testNamespace, Out: &out, Step: 3})
	if err != nil {
		t.Fatal(err)
	}
	if c.ran[0] != "scale deployment web --replicas=5" || strings.Contains(strings.Join(c.ran, ","), "replicas=2") || !strings.Contains(out.String(), "Step 3 is proved.") {
		t.Errorf("ran %q\n%s", c.ran, out.String())
	}
}
