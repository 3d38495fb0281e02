package lessons

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"svctour/model"
)

// placed is a lesson that differs by place and needs some of it.
var placed = strings.ReplaceAll(`---
format: 2
id: placed
number: 1
title: Placed
summary: Port ${port}.
minutes: 1
variables:
  port: 30080
  who: tmp
show:
  from: pod/${who}
  target: 10.0.0.1:${port}
---

## Look

Ask for ${port} as ${who}.

~~~yaml svc.yaml
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  ports:
    - port: 80
      nodePort: ${port}
~~~

~~~sh
kubectl get pods ${port} --seen=${port + 1}
~~~

### Predict

~~~yaml
question: Is ${port} ${port + 1}?
choices:
  - say: Yes.
    is: port + 1
    belief: M42
    help: No.
  - say: No.
    is: port
truth: port
seen: port
why: So.
~~~

## Break the names

It breaks them for all.

~~~sh
kubectl -n kube-system scale deployment coredns --replicas=0
~~~

### Needs

~~~yaml
[lab, nodes 1]
~~~

### Scope

cluster

~~~sh
kubectl -n kube-system scale deployment coredns --replicas=1
~~~

## Walk

Walk the way.

### Router

~~~yaml
target: web:${port}
~~~

### Given

~~~sh
kubectl get pods
~~~

~~~cel
true
~~~
`, "~~~", "```")

func TestVariablesDifferByPlace(t *testing.T) {
	l := loadOne(t, placed)
	elsewhere, err := l.With(map[string]any{"port": 31000.0, "who": "ada"})
	if err != nil {
		t.Fatal(err)
	}
	for port, l := range map[int]*Lesson{30080: l, 31000: elsewhere} {
		who := map[int]string{30080: "tmp", 31000: "ada"}[port]
		p := newPlay(t, l, Progress{})
		s := newWorld().snapshot()
		observe(t, p, s)
		inv, err := p.Command(s)
		if want := fmt.Sprintf("kubectl get pods %d --seen=%d", port, port+1); err != nil || inv.Display != want {
			t.Errorf("the command is %q, want %q (%v)", inv.Display, want, err)
		}
		at := p.Position()
		if got, want := at.Texts(s).Story, fmt.Sprintf("Ask for %d as %s.", port, who); got != want {
			t.Errorf("the story is %q, want %q", got, want)
		}
		if file := l.Steps[0].File.Content; !strings.Contains(file, fmt.Sprintf("nodePort: %d\n", port)) {
			t.Errorf("the manifest is %s", file)
		}
		if got := at.Show(s); got.From != "pod/"+who || got.Target != fmt.Sprintf("10.0.0.1:%d", port) {
			t.Errorf("it shows %+v", got)
		}
		asked, err := at.Ask(s)
		if err != nil || asked.Question != fmt.Sprintf("Is %d %d?", port, port+1) || asked.Truth != fmt.Sprint(port) || asked.Right != 1 {
			t.Errorf("it asks %+v, %v", asked, err)
		}
	}
	for _, wrong := range []map[string]any{{"nothing": 1}, {"port": "x"}, {"who": 3}, {"port": []int{1}}, {"port": 1.5}} {
		if _, err := l.With(wrong); err == nil {
			t.Errorf("%v was taken", wrong)
		}
	}
}

// broken says what a play on the lab did to DNS.
type broken struct {
	*fakeCluster
	lab bool
}

func (c broken) Next(ctx context.Context, after uint64) (*model.Snapshot, error) {
	s, err := c.fakeCluster.Next(ctx, after)
	if s != nil {
		s.Cluster.Lab = c.lab
	}
	return s, err
}

func TestStepsWhoseNeedsAreNotMetAreLeftOut(t *testing.T) {
	l := loadOne(t, placed)
	play := func(c broken, o AutoOptions) (string, error) {
		var out strings.Builder
		o.Namespace, o.Out, o.Timeout = testNamespace, &out, 50*time.Millisecond
		err := Auto(context.Background(), l, c, o)
		return out.String(), err
	}
	ran := func(c broken, part string) bool {
		return slices.ContainsFunc(c.ran, func(line string) bool { return strings.Contains(line, part) })
	}

	away := broken{&fakeCluster{world: newWorld()}, false}
	out, err := play(away, AutoOptions{})
	if err != nil || !strings.Contains(out, "left out: it needs lab: this cluster is not svctour's lab") || ran(away, "coredns") {
		t.Errorf("%v, ran %q\n%s", err, away.ran, out)
	}
	if !strings.Contains(out, "not walked: from pod/tmp to web:30080") {
		t.Errorf("the route:\n%s", out)
	}

	on := broken{&fakeCluster{world: newWorld()}, true}
	var routes []string
	out, err = play(on, AutoOptions{Route: func(_ context.Context, _ *model.Snapshot, from, target string) error {
		routes = append(routes, from+" "+target)
		return nil
	}})
	if err != nil || !ran(on, "--replicas=0") || on.ran[len(on.ran)-1] != "-n kube-system scale deployment coredns --replicas=1" {
		t.Errorf("%v, ran %q\n%s", err, on.ran, out)
	}
	if !slices.Equal(routes, []string{"pod/tmp web:30080"}) {
		t.Errorf("walked %q", routes)
	}

	// What was changed is undone also when the lesson fails.
	failing := broken{&fakeCluster{world: newWorld()}, true}
	_, err = play(failing, AutoOptions{Route: func(context.Context, *model.Snapshot, string, string) error { return errors.New("no way") }})
	if err == nil || !strings.Contains(err.Error(), "no way") || failing.ran[len(failing.ran)-1] != "-n kube-system scale deployment coredns --replicas=1" {
		t.Errorf("%v, ran %q", err, failing.ran)
	}

	// A need can be brought about.
	brought := broken{&fakeCluster{world: newWorld()}, false}
	has := false
	out, err = play(brought, AutoOptions{
		Has: func(s *model.Snapshot, n Need) (bool, string) { return has || n.Kind == NeedNodes, "not yet" },
		Bring: func(context.Context, Need) error {
			has, brought.changed = true, true
			return nil
		},
	})
	if err != nil || !strings.Contains(out, "brought about: lab") || !ran(brought, "coredns") {
		t.Errorf("%v, ran %q\n%s", err, brought.ran, out)
	}
	never := broken{&fakeCluster{world: newWorld()}, false}
	out, err = play(never, AutoOptions{Bring: func(context.Context, Need) error { return errors.New("there is no other lab") }})
	if err != nil || !strings.Contains(out, "left out: it needs lab: there is no other lab") {
		t.Errorf("%v\n%s", err, out)
	}

	whole := loadOne(t, strings.Replace(placed, "minutes: 1", "minutes: 1\nneeds: [mode nftables]", 1))
	var text strings.Builder
	nowhere := broken{&fakeCluster{world: newWorld()}, true}
	err = Auto(context.Background(), whole, nowhere, AutoOptions{Namespace: testNamespace, Out: &text})
	if err != nil || !strings.Contains(text.String(), "Left out: it needs mode nftables: kube-proxy's mode is not known here") || len(nowhere.ran) > 0 {
		t.Errorf("%v, ran %q\n%s", err, nowhere.ran, &text)
	}
}

func TestNeeds(t *testing.T) {
	s := &model.Snapshot{Nodes: []*model.Node{{}, {}}, Proxy: model.Proxy{Mode: "iptables"}, Cluster: model.Cluster{Lab: true}}
	for text, want := range map[string]bool{"lab": true, "nodes 2": true, "nodes 3": false, "mode iptables": true, "mode ipvs": false, "addon metallb": false} {
		n, err := parseNeed(text)
		if err != nil || n.String() != text {
			t.Errorf("%q is %+v, %v", text, n, err)
		}
		if met, why := n.Met(s); met != want || why == "" {
			t.Errorf("%q: met is %v, %q", text, met, why)
		}
	}
	for _, text := range []string{"", "lab 2", "nodes", "nodes 0", "nodes many", "mode ebpf", "addon", "addon A B", "luck"} {
		if n, err := parseNeed(text); err == nil {
			t.Errorf("%q is %+v", text, n)
		}
	}
	s.Sync.Missing = map[string]string{"nodes": "forbidden"}
	if met, why := (Need{Kind: NeedNodes, Count: 1}).Met(s); met || !strings.Contains(why, "forbidden") {
		t.Errorf("nodes that cannot be read: %v, %q", met, why)
	}
}

func TestBeliefs(t *testing.T) {
	list, err := Beliefs()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 38 {
		t.Errorf("there are %d misconceptions", len(list))
	}
	if b := list[0]; b.ID != "M01" || b.Truth == "" {
		t.Errorf("the first one is %+v", b)
	}
	good := "- {id: M100, belief: b, truth: t, source: [s]}\n"
	for text, want := range map[string]string{
		good + good: "a second misconception",
		"- {id: M1, belief: b, truth: t, source: [s]}":    "want M and two or three digits",
		"- {id: M100, belief: b, truth: t}":               "at least one source",
		"- {id: M100, belief: b, truth: t, source: ['']}": "an empty source",
		"- {id: M100, belief: b, because: t}":             "because",
	} {
		errs := Lint(fstest.MapFS{lessonFile: {Data: []byte(placed)}, beliefsFile: {Data: []byte(text)}})
		if !strings.Contains(errors.Join(errs...).Error(), want) {
			t.Errorf("%q: want %q, got %v", text, want, errs)
		}
	}
	own := strings.Replace(placed, "belief: M42", "belief: M100", 1)
	if errs := Lint(fstest.MapFS{lessonFile: {Data: []byte(own)}, beliefsFile: {Data: []byte(good)}}); len(errs) > 0 {
		t.Errorf("a misconception of the folder's own: %v", errs)
	}
}

func TestASetIsLearnedAsAWhole(t *testing.T) {
	other := strings.NewReplacer("id: placed", "id: other", "number: 1", "number: 2", "Is ${port} ${port + 1}?", "Again?").Replace(placed)
	list := []*Lesson{loadOne(t, placed), loadOne(t, other)}
	if errs := lintSet(list[:1]); len(errs) != 1 || !strings.Contains(errs[0].Error(), "placed/lesson.md: belief M42 stands in one question only") {
		t.Errorf("one question only: %v", errs)
	}
	if errs := lintSet(list); len(errs) > 0 {
		t.Errorf("two questions: %v", errs)
	}
	same := strings.NewReplacer("id: placed", "id: same", "number: 1", "number: 3").Replace(placed)
	if errs := lintSet([]*Lesson{list[0], loadOne(t, same)}); len(errs) != 1 {
		t.Errorf("the same question twice: %v", errs)
	}
	said := func(id string) *Lesson {
		return loadOne(t, strings.NewReplacer("id: placed", "id: "+id, "Walk the way.", "The same sentence has six words here.").Replace(placed))
	}
	if errs := lintSet([]*Lesson{said("one"), said("two"), list[1]}); len(errs) != 1 || !strings.Contains(errs[0].Error(), `two/lesson.md:`) || !strings.Contains(errs[0].Error(), "stands in one/lesson.md:") {
		t.Errorf("said twice: %v", errs)
	}
}

func TestSentences(t *testing.T) {
	for markdown, want := range map[string][]int{
		"One two three. Four five!":                      {3, 2},
		"Run `kubectl get service web` now.":             {3},
		"Give ${selected({'app': 'web'}).size()} Pods.":  {3},
		"- one two\n- three four\n\nFive six\nseven.":    {2, 2, 3},
		"A table:\n\n| a | b |\n|---|---|\n| c | d |\n":  {2},
		"Before.\n\n```sh\nmany words in here.\n```\n":   {1},
		"See `10.96.0.1`. Then e.g. this one. (Or not.)": {2, 4, 2},
		"*Terminating.* And so on… Yes":                  {1, 3, 1},
		"":                                               nil,
	} {
		var got []int
		for _, s := range sentencesOf(markdown, 1) {
			got = append(got, s.words)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", markdown, got, want)
		}
	}
}

// What path, lookup and members tell is what the packages of the model say.
func TestTheClusterIsAsked(t *testing.T) {
	w := newWorld()
	w.scale(3)
	w.pods[2].Conditions[0].Status = "False"
	w.addPod(map[string]string{"run": "tmp"}).Name = "tmp"
	w.setService(webService(nil))
	w.setService(&model.Service{Meta: model.Meta{Name: "db"}, Type: model.ExternalName, ExternalName: "db.example.com"})
	s := w.snapshot()
	s.Proxy, s.DNS = model.DefaultProxy(), model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true}
	s.Workloads = []*model.Workload{{Kind: "StatefulSet", Meta: model.Meta{Namespace: testNamespace, Name: "shard"}, Replicas: 2}, {Kind: "Job", Meta: model.Meta{Namespace: testNamespace, Name: "job"}}}
	s.Policies = []*model.NetworkPolicy{{Meta: model.Meta{Namespace: testNamespace, Name: "wall"}, Pods: model.LabelSelector{Labels: map[string]string{"app": "none"}}, Ingress: &[]model.PolicyRule{{Ports: []model.PolicyPort{{}}}}}}
	in := &input{namespace: testNamespace, snapshot: s, now: pictureOf(s, testNamespace), before: &Picture{},
		replies: []reply{{Reply: model.Reply{Stdout: "first"}}, {Reply: model.Reply{Stdout: "second", Exit: 3}}}}
	for source, want := range map[string]string{
		"path('pod/tmp', 'web').verdict":                                        "dnat",
		"path('pod/tmp', 'web').end":                                            "arrives",
		"path('pod/tmp', 'web').backends.size()":                                "2",
		"path('pod/tmp', 'web').backends.all(b, b.probability == 0.5)":          "true",
		"path('pod/tmp', 'web').backends[0].pod":                                "web-01",
		"path('pod/tmp', 'web').rules > 2":                                      "true",
		"path('pod/tmp', 'web').masquerade":                                     "false",
		"path('pod/tmp', 'web:81').verdict":                                     "none",
		"lookup('pod/tmp', 'web').rcode":                                        "NOERROR",
		"lookup('pod/tmp', 'web').name":                                         "web.tour.svc.cluster.local.",
		"lookup('pod/tmp', 'web').addresses == ['10.96.0.50']":                  "true",
		"lookup('pod/tmp', 'none.tour.svc.cluster.local.').rcode":               "NXDOMAIN",
		"lookup('pod/tmp', 'db').alias":                                         "db.example.com.",
		"lookup('pod/tmp', 'web').queries":                                      "2",
		"members('web').filter(m, m.listed).size()":                             "3",
		"members('web').filter(m, m.listed && !m.ready).map(m, m.reason)[0]":    "not-ready",
		"members('web').filter(m, !m.listed).map(m, m.pod + ' ' + m.reason)[0]": "tmp not-selected",
		"members('nothing').size()":                                             "0",
		"mode":                                                                  "iptables",
		"last.stdout + string(last.exit)":                                       "second3",
		"statefulset('shard').replicas + statefulsets.size()":                   "3",
		"policies[0].name + string(policies[0].ingress[0].ports.size())":        "wall1",
		"answered":                   "false",
		"has(policies[0].egress)":    "false",
		"before.statefulsets.size()": "0",
		"pod('tmp').containers.all(c, has(c.readinessProbe))":                    "true",
		"path('pod/tmp', 'web').backends.map(b, b.address).exists(a, a == '10')": "false",
	} {
		e, err := plain().compile(source, anyValue)
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got, err := e.value(in); err != nil || got != want {
			t.Errorf("%s: %q, want %q (%v)", source, got, want, err)
		}
	}
	for source, want := range map[string]string{
		"path('pod/nobody', 'web').end":   "the path from pod/nobody to web",
		"lookup('pod/nobody', 'web').end": "undefined field",
		"path('pod/tmp').end":             "no matching overload",
	} {
		e, err := plain().compile(source, anyValue)
		if err == nil {
			_, err = e.value(in)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", source, want, err)
		}
	}
}
