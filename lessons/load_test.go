package lessons

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestBuiltinLessons(t *testing.T) {
	root, err := fs.Sub(content, "content")
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range Lint(root) {
		t.Error(problem)
	}
	list, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"clusterip", "nodeport", "loadbalancer"} { // people's progress has these
		if _, err := Find(list, id); err != nil {
			t.Error(err)
		}
	}
	for _, l := range list {
		for _, step := range l.Steps {
			if step.Check != "" && len(step.Lacks) == 0 {
				t.Errorf("%s: step %q does not say what is still wrong", l.ID, step.Title)
			}
		}
	}
	for i, l := range list[1:] {
		if before := list[i]; before.Kind == KindChallenge && l.Kind == KindLesson || before.Kind == l.Kind && before.Level == l.Level && before.Number > l.Number {
			t.Errorf("%q stands before %q", before.ID, l.ID)
		}
	}
}

// Every step of every lesson can be judged, asked and filled in over a cluster
// that holds nothing: no expression takes the screen down.
func TestBuiltinLessonsOnAnEmptyCluster(t *testing.T) {
	list, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	s := newWorld().snapshot()
	for _, l := range list {
		p := newPlay(t, l, Progress{})
		for i := range l.Steps {
			p.Goto(i)
			_, _ = p.Observe(s)
			at := p.Position()
			if texts := at.Texts(s); texts.Story == "" {
				t.Errorf("%s/%s has no story", l.ID, l.Steps[i].ID)
			}
			_, _ = at.Ask(s)
			_, _ = at.Command(s)
			at.Show(s)
			at.Lacking(s)
			if at.Done() {
				t.Errorf("%s/%s is done where nothing is", l.ID, l.Steps[i].ID)
			}
		}
	}
}

func TestDiffAgainstTheStepBefore(t *testing.T) {
	l := nodeport(t)
	step := l.Steps[1]
	if step.File == nil || step.File.Previous == "" {
		t.Fatalf("step %q shows no change of its manifest", step.Title)
	}
	var added []string
	for line := range strings.Lines(step.File.Content) {
		if !strings.Contains(step.File.Previous, line) {
			added = append(added, strings.TrimSpace(line))
		}
	}
	if fmt.Sprint(added) != "[type: NodePort nodePort: 30080]" {
		t.Errorf("the change is %q, want the two lines of the transcript", added)
	}
	for _, s := range l.Steps {
		if s.File != nil && s.File.Name == "web-any.yaml" && s.File.Previous != "" {
			t.Error("a manifest that is new has nothing before it")
		}
	}
	if _, err := Find([]*Lesson{{ID: "one"}, {ID: "two"}}, "none"); err == nil || !strings.Contains(err.Error(), "there is one, two") {
		t.Errorf("an unknown lesson should list the known ones, got %v", err)
	}
}

// minimal is a lesson whose every part a test may break.
var minimal = strings.ReplaceAll(`---
format: 2
id: small
number: 1
title: Small
summary: A small lesson.
minutes: 1
---

Notes for teachers.

## First

A story.

~~~yaml pod.yaml
apiVersion: v1
kind: Pod
metadata:
  name: one
~~~

~~~sh
kubectl apply -f pod.yaml
~~~

~~~cel
pods.exists(p, p.name == 'one'
  && p.ready)
~~~

### Given

~~~sh
kubectl delete pod one --ignore-not-found
~~~

~~~cel
pods.size() == 0
~~~

### Predict

~~~yaml
question: Which of ${pods.size()}?
choices:
  - say: this
    is: 3
    belief: M01
    help: It is not.
  - say: that
    is: 0
  - say: none
    is: -1
    belief: M02
    help: Not that, either.
  - say: all
    is: 99
    slip: true
    help: Nor that.
truth: pods.size()
seen: pods.filter(p, p.name != 'one').size()
why: Because.
~~~

### Hints

- A hint.

### Show

~~~yaml
service: one
~~~

### Wrong

It does nothing.

~~~sh
kubectl apply -f none.yaml
~~~

### After

Done.
`, "~~~", "```")

// minimalChoices are all choices of minimal but the first.
var minimalChoices = minimal[strings.Index(minimal, "  - say: that"):strings.Index(minimal, "truth: ")]

// What stands behind "--" belongs to a program in a Pod.
func TestAProgramHasItsOwnFlags(t *testing.T) {
	l := loadOne(t, strings.Replace(strings.Replace(minimal, "-f none.yaml", "-f pod.yaml", 1), "kubectl apply -f pod.yaml", "kubectl exec one -- curl -s -n -f x http://web", 1))
	if got := l.Steps[0].Command; got != "kubectl exec one -- curl -s -n -f x http://web" {
		t.Errorf("the command is %q", got)
	}
}

func TestMinimalLesson(t *testing.T) {
	text := strings.Replace(minimal, "-f none.yaml", "-f pod.yaml", 1)
	l := loadOne(t, text)
	step := l.Steps[0]
	if step.ID != "first" || step.Story != "A story." || step.After != "Done." || step.Command != "kubectl apply -f pod.yaml" {
		t.Errorf("the step is %+v", step)
	}
	if q := step.Predict; q.Text != "Which of ${pods.size()}?" || q.Truth != "pods.size()" || len(q.Choices) != 4 || q.Choices[1].Say != "that" ||
		q.Choices[0].Belief != "M01" || q.Choices[0].Help != "It is not." || !q.Choices[3].Slip || q.Why != "Because." {
		t.Errorf("the question is %+v", q)
	}
	if len(step.Hints) != 1 || step.Show.Service != "one" || len(step.Wrong) != 1 || step.Wrong[0].Why != "It does nothing." {
		t.Errorf("the step is %+v", step)
	}
	if !step.Checked() || step.Reads() {
		t.Error("the step has a check and a command")
	}
	if crlf := loadOne(t, strings.ReplaceAll(text, "\n", "\r\n")); crlf.Steps[0].File.Content != step.File.Content {
		t.Error("line ends of another system change the manifest")
	}
}

func TestProblemsSayWhere(t *testing.T) {
	lineOf := func(text string) int {
		return strings.Count(minimal[:strings.Index(minimal, text)], "\n") + 1
	}
	tests := []struct {
		name     string
		old, new string
		line     int // counted in the broken lesson
		want     string
	}{
		{"no front matter", "---\nformat: 2", "format: 2", 1, "want front matter"},
		{"front matter not closed", "minutes: 1\n---", "minutes: 1", 1, "no closing"},
		{"format of the future", "format: 2", "format: 3", 1, "this program reads format 2"},
		{"unknown field", "minutes: 1", "minuets: 1", 7, "minuets"},
		{"wrong type", "number: 1", "number: one", 4, "one"},
		{"bad id", "id: small", "id: Small One", 1, "lower-case"},
		{"no title", "title: Small", "title:", 1, "a title"},
		{"unknown part", "### After", "### Afterwards", lineOf("### After"), "want Predict, Read back"},
		{"part twice", "### After", "### Hints", lineOf("### After"), `a second "Hints"`},
		{"empty story", "A story.\n", "", lineOf("## First"), "the story has 0 words"},
		{"long story", "A story.", strings.Repeat("word ", 91), lineOf("## First"), "91 words"},
		{"open fence", "### After\n\nDone.\n", "~~~cel\ntrue", lineOf("### After"), "never closed"},
		{"two commands in a step", "kubectl apply -f pod.yaml\n", "kubectl apply -f pod.yaml\nkubectl get pods\n", lineOf("kubectl apply -f pod.yaml"), "one command"},
		{"not kubectl", "kubectl delete pod one", "rm -rf one", lineOf("kubectl delete"), "begin with kubectl"},
		{"a pipe", "kubectl delete pod one", "kubectl get pods | sort", lineOf("kubectl delete"), `"|"`},
		{"open quote", "kubectl delete pod one", "kubectl delete pod 'one", lineOf("kubectl delete"), "not closed"},
		{"a namespace", "kubectl delete pod one", "kubectl delete pod one -n default", lineOf("kubectl delete"), "-n"},
		{"bad expression in a command", "kubectl delete pod one", "kubectl delete pod ${pods[0].nam}", lineOf("kubectl delete"), "undefined field 'nam'"},
		{"missing file", "-f none.yaml", "-f none.yaml", lineOf("-f none.yaml"), `no file "none.yaml" at this step: there is pod.yaml`},
		{"typo in a field", "&& p.ready)", "&& p.redy)", lineOf("  && p.ready"), "undefined field 'redy'"},
		{"check is not a truth", "pods.size() == 0", "pods.size()", lineOf("pods.size() == 0"), "must be true or false"},
		{"check is cut off", "pods.size() == 0", "pods.size() ==", lineOf("pods.size() == 0"), "Syntax error"},
		{"no why", "why: Because.\n", "", lineOf("### Predict"), "truth and why"},
		{"no truth", "truth: pods.size()\n", "", lineOf("### Predict"), "truth and why"},
		{"no seen", "seen: pods.filter(p, p.name != 'one').size()\n", "", lineOf("## First"), "wants seen"},
		{"one choice", minimalChoices, "", lineOf("### Predict"), "two to four choices"},
		{"truth has a typo", "truth: pods.size()", "truth: pods.siez()", lineOf("truth:"), "undeclared reference"},
		{"truth is a list", "truth: pods.size()", "truth: pods", lineOf("truth:"), "must be a string, a number or a bool"},
		{"a choice of another type", "is: 3", "is: three", lineOf("is: 3"), "is: three is a string, and truth a int"},
		{"seen of another type", "seen: pods.filter", "seen: \"'x'\" #", lineOf("seen:"), "seen is a string, and truth a int"},
		{"the same value twice", "is: 3", "is: 0", lineOf("is: 0"), "a second choice with is: 0"},
		{"unknown misconception", "belief: M01", "belief: M999", lineOf("belief: M01"), `belief "M999": there is no such misconception`},
		{"wrong choice without help", "    help: It is not.\n", "", lineOf("say: this"), "wants help"},
		{"wrong choice without a belief", "    belief: M01\n", "", lineOf("say: this"), "wants the belief that it shows"},
		{"belief and slip", "slip: true", "slip: true\n    belief: M03", lineOf("say: all"), "not both"},
		{"too many slips", "belief: M01", "slip: true", 1, "2 of 3 wrong choices are slips"},
		{"two choices without help", "    belief: M01\n    help: It is not.\n", "", lineOf("### Predict"), "2 choices have no help"},
		{"unknown word of a question", "why: Because.", "because: Why.", lineOf("why:"), "because"},
		{"broken ${} in a question", "${pods.size()}?", "${pods.siez()}?", lineOf("question:"), "undeclared reference"},
		{"long question", "Which of", strings.Repeat("word ", 31), lineOf("question:"), "the question has 32 words"},
		{"broken ${} in a story", "A story.", "A ${story}.", lineOf("## First"), "undeclared reference"},
		{"long sentence", "A story.", strings.Repeat("word ", 23), lineOf("## First"), "a sentence of 23 words"},
		{"long sentences", "A story.", strings.Repeat(strings.Repeat("word ", 13)+"end. ", 12), 1, "half of the sentences have"},
		{"seen in a read back", "### After", "### Read back\n\n~~~yaml\nquestion: So?\nchoices: [{say: a, is: 1}, {say: b, is: 2, belief: M01, help: No.}]\ntruth: 1\nseen: 1\nwhy: So.\n~~~\n\n### After",
			lineOf("## First"), "it has no seen"},
		{"a router beside a command", "### After", "### Router\n\n~~~yaml\ntarget: web\n~~~\n\n### After", lineOf("## First"), "no command, no check and no other question"},
		{"a need that is none", "### After", "### Needs\n\n~~~yaml\n[luck]\n~~~\n\n### After", lineOf("### After"), `need "luck"`},
		{"a mode that is none", "minutes: 1", "minutes: 1\nmodes: [ebpf]", 1, `mode "ebpf"`},
		{"a kind that is none", "minutes: 1", "minutes: 1\nkind: quiz", 1, `kind "quiz"`},
		{"a level of no challenge", "minutes: 1", "minutes: 1\nlevel: 1", 1, "are those of a challenge"},
		{"a part of a challenge", "### After", "### Debrief\n\nSo.\n\n### After", lineOf("### After"), "only a challenge has it"},
		{"scope without a lab", "### After", "### Scope\n\ncluster\n\n~~~sh\nkubectl get pods\n~~~\n\n### After", lineOf("## First"), "it needs lab"},
		{"scope without commands", "### After", "### Scope\n\ncluster\n\n### After", lineOf("### After"), "that undo what the step changed"},
		{"a condition without words", "### After", "### Still wrong\n\n~~~yaml\n- unless: pods.size() == 0\n~~~\n\n### After", lineOf("### After"), "want a list of sentences, or of {unless"},
		{"more sentences than conditions", "### After", "### Still wrong\n\n~~~yaml\n- One.\n- Two.\n- Three.\n- Four.\n~~~\n\n### After", lineOf("### After") + 3, "want one sentence for each of the"},
		{"a variable that is taken", "minutes: 1", "minutes: 1\nvariables: {pods: 3}", 1, `variable "pods"`},
		{"a variable of no kind", "minutes: 1", "minutes: 1\nvariables: {port: [3]}", 1, "want an integer or a string"},
		{"empty hint", "- A hint.", "- ", lineOf("- A hint."), "an empty hint"},
		{"no hints", "- A hint.\n", "", lineOf("### Hints"), "no hints"},
		{"unknown show", "service: one", "servic: one", lineOf("service: one"), "servic"},
		{"bad show", "service: one", "service: ${now}", lineOf("## First"), "must be a string"},
		{"broken manifest", "kind: Pod", "kind: [Pod", lineOf("metadata:"), ""},
		{"no kind", "kind: Pod\n", "", lineOf("apiVersion"), "apiVersion, kind and metadata.name"},
		{"own namespace", "  name: one\n", "  name: one\n  namespace: x\n", lineOf("apiVersion"), "metadata.namespace"},
		{"file in a folder", "yaml pod.yaml", "yaml ../pod.yaml", lineOf("```yaml pod.yaml"), "plain name"},
		{"check without hints", "### Hints\n\n- A hint.\n", "", lineOf("## First"), "at least one hint"},
		{"check without a command", "```sh\nkubectl apply -f pod.yaml\n```\n", "", lineOf("## First"), "needs the command"},
		{"check without a start", "### Given", "### Wrong", lineOf("## First"), "needs a Given"},
		{"given without an end", "```cel\npods.size() == 0\n```\n", "", lineOf("### Given"), "when the state is there"},
		{"wrong without a reason", "It does nothing.\n", "", lineOf("### Wrong"), "want why it is wrong"},
		{"a part without a step", "## First", "### First", lineOf("## First"), "must belong"},
		{"a title too low", "## First", "## First\n\n# Small", lineOf("## First") + 2, "before the first step"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := strings.Replace(minimal, test.old, strings.ReplaceAll(test.new, "~~~", "```"), 1)
			if text == minimal && test.old != test.new {
				t.Fatalf("the lesson does not hold %q", test.old)
			}
			if test.old != test.new {
				text = strings.Replace(text, "-f none.yaml", "-f pod.yaml", 1)
			}
			errs := Lint(fstest.MapFS{"lesson.md": {Data: []byte(text)}})
			for _, err := range errs {
				var p *Problem
				if !errors.As(err, &p) {
					t.Errorf("%v is no Problem", err)
				} else if p.Line == test.line && strings.Contains(p.Message, test.want) {
					if !strings.HasPrefix(err.Error(), fmt.Sprintf("lesson.md:%d:", test.line)) {
						t.Errorf("the error %q does not begin with its place", err)
					}
					return
				}
			}
			t.Errorf("want line %d with %q, got %v", test.line, test.want, errs)
		})
	}
}

func TestProblemsOfFolders(t *testing.T) {
	good := strings.Replace(minimal, "-f none.yaml", "-f pod.yaml", 1)
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"nothing", nil, "there is no lesson here"},
		{"no text", map[string]string{"small/web.yaml": "a: b"}, "small/lesson.md: there is no such file"},
		{"id is not the folder", map[string]string{"large/lesson.md": good}, `large/lesson.md:1: id "small": want the name of its folder, "large"`},
		{"same number", map[string]string{"small/lesson.md": good, "tiny/lesson.md": strings.Replace(good, "id: small", "id: tiny", 1)}, `lesson "small" has the number 1 too`},
		{"broken manifest", map[string]string{"small/lesson.md": good, "small/web.yaml": "kind: Pod\nmetadata: {name: x}\n"}, "small/web.yaml:1: want a Kubernetes object"},
		{"same step twice", map[string]string{"lesson.md": good + "\n## First\n\nAgain.\n"}, "does not tell this step"},
		{"too large", map[string]string{"lesson.md": strings.Repeat("x", maxFile+1)}, "at most"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range test.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			errs := Lint(root)
			if !strings.Contains(errors.Join(errs...).Error(), test.want) {
				t.Errorf("want %q, got %v", test.want, errs)
			}
			if _, err := Load(root); err == nil {
				t.Error("Load took what Lint complains about")
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(minimal)
	f.Add(scaling)
	for _, name := range []string{"testdata/nodeport", "content/clusterip"} {
		text, err := os.ReadFile(name + "/lesson.md")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		root := fstest.MapFS{"lesson.md": {Data: []byte(text)}}
		errs := Lint(root)
		for _, err := range errs {
			if err.Error() == "" {
				t.Error("an empty error")
			}
		}
		list, err := Load(root)
		if (err == nil) != (len(errs) == 0) {
			t.Fatalf("Load says %v, Lint %v", err, errs)
		}
		for _, l := range list { // what loads can be played
			p, err := NewPlay(l, testNamespace, Progress{})
			if err != nil {
				t.Fatal(err)
			}
			s := newWorld().snapshot()
			for range l.Steps {
				_, _ = p.Observe(s)
				_, _ = p.Command(s)
				_, _ = p.Given(s)
				at := p.Position()
				at.Show(s)
				at.Texts(s)
				at.Guards(s)
				at.Lacking(s)
				at.Route(s)
				if a, err := at.Ask(s); err == nil && a != nil && (a.Right < 0 || a.Right >= len(a.Choices)) {
					t.Errorf("asked %+v", a)
				}
				p.Next()
			}
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, line := range []string{"kubectl get pods", `kubectl patch service web -p '{"a":"b c"}'`, `kubectl x "a\"b" c\ d`, "kubectl delete pod ${pods[0].name}-x", "kubectl -f", "kubectl apply -f=a.yaml"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parseCommand(line, plain())
		if err != nil {
			return
		}
		if len(c.words) == 0 {
			t.Fatal("a command without words")
		}
		in := &input{namespace: testNamespace, snapshot: newWorld().snapshot(), now: &Picture{}, before: &Picture{}}
		if inv, err := c.invoke(in, nil); err == nil && len(inv.Args) != len(c.words)-1 {
			t.Errorf("%q became %q", line, inv.Args)
		}
	})
}
