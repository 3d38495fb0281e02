package editor

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"svctour/model"
)

const service = `apiVersion: v1
kind: Service
metadata:
  name: web
  labels:
    app.kubernetes.io/name: web
spec:
  selector:
    app: web
  ports:
    - name: http
      port: 80
    - name: admin
      port: "81"
---
# the Pods
apiVersion: apps/v1
kind: Deployment
metadata:
  name: pods
spec:
  replicas: 3
  template:
    spec:
      containers:
        - name: nginx
          image: nginx:1.27
`

// at is a problem as line, text and hint.
func at(problems []Problem) []string {
	var out []string
	for i := range problems {
		p := &problems[i]
		text := p.Text
		if p.Hint != "" {
			text += " | " + p.Hint
		}
		if p.Warning {
			text = "warning: " + text
		}
		out = append(out, fmt.Sprintf("%02d %s", p.Line, text))
	}
	return out
}

// What the API server says stands at the line of the field that it names. The
// words are its own, and kubectl's.
func TestTold(t *testing.T) {
	for name, c := range map[string]struct {
		reply model.Reply
		want  []string
	}{
		"one field": {
			model.Reply{Exit: 1, Stderr: `The Service "web" is invalid: spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive`},
			[]string{`12 spec.ports[0].port: Invalid value: 99999: must be between 1 and 65535, inclusive`},
		},
		"several fields": {
			model.Reply{Exit: 1, Stderr: "The Service \"web\" is invalid: \n* spec.ports[1].name: Invalid value: \"x y\": a label\n* spec.clusterIPs[0]: Invalid value: [\"1\"]: no\n* spec.type: Unsupported value: \"Node\"\n"},
			[]string{`13 spec.ports[1].name: Invalid value: "x y": a label`, `07 spec.clusterIPs[0]: Invalid value: ["1"]: no`, `07 spec.type: Unsupported value: "Node"`},
		},
		"key with dots": {
			model.Reply{Exit: 1, Stderr: `The Service "web" is invalid: metadata.labels[app.kubernetes.io/name]: Invalid value: "": x`},
			[]string{`06 metadata.labels[app.kubernetes.io/name]: Invalid value: "": x`},
		},
		"another document": {
			model.Reply{Exit: 1, Stderr: "The Deployment \"pods\" is invalid: spec.selector: Required value"},
			[]string{"21 spec.selector: Required value"},
		},
		"a field that is not there": {
			model.Reply{Exit: 1, Stderr: "The Deployment \"pods\" is invalid: status.x: no"},
			[]string{"17 status.x: no"},
		},
		"unknown fields": {
			model.Reply{Exit: 1, Stderr: `Error from server (BadRequest): error when creating "STDIN": Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.template.spec.containers[0].imagee", unknown field "spec.replica"`},
			[]string{`26 Unknown field "spec.template.spec.containers[0].imagee".`, `21 Unknown field "spec.replica".`},
		},
		"a patch": {
			model.Reply{Exit: 1, Stderr: "Error from server (BadRequest): error when applying patch:\n{\"spec\":{}}\nto:\nResource: \"/v1, Resource=services\", GroupVersionKind: \"/v1, Kind=Service\"\nName: \"web\", Namespace: \"tour\"\nfor: \"STDIN\": error when patching \"STDIN\": strict decoding error: unknown field \"spec.prots\""},
			[]string{`07 Unknown field "spec.prots".`},
		},
		"a wrong type": {
			model.Reply{Exit: 1, Stderr: `Error from server (BadRequest): error when creating "STDIN": Service in version "v1" cannot be handled as a Service: json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32`},
			[]string{`14 spec.ports.port cannot be text. | It takes a whole number, without quotes`},
		},
		"a warning": {
			model.Reply{Stdout: "service/web\n", Stderr: "Warning: spec.selector: this will go\n"},
			[]string{`08`},
		},
		"two objects": {
			model.Reply{Exit: 1, Stderr: "The Service \"web\" is invalid: spec.ports: Required value\nError from server (BadRequest): error when creating \"STDIN\": Deployment in version \"v1\" cannot be handled as a Deployment: strict decoding error: unknown field \"spec.x\"\n"},
			[]string{"10 spec.ports: Required value", `21 Unknown field "spec.x".`},
		},
		"refused by the guard": {
			model.Reply{Exit: -1, Stderr: `Service is for namespace "default": svctour writes only into its own, here "tour".`},
			[]string{"03"},
		},
	} {
		problems, unchecked := Parse(service).Told(c.reply)
		got := at(problems)
		for i := range c.want {
			if len(c.want[i]) == 2 && i < len(got) {
				got[i] = got[i][:2]
			}
		}
		if unchecked != "" || !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, unchecked %q\nwant %q", name, got, unchecked, c.want)
		}
	}
}

func TestWhatIsNotAboutTheTextIsToldBesideIt(t *testing.T) {
	for _, reply := range []model.Reply{
		{Exit: 1, Stderr: "The connection to the server 127.0.0.1:6443 was refused - did you specify the right host or port?"},
		{Exit: 1, Stderr: "Unable to connect to the server: dial tcp 192.0.2.1:443: i/o timeout"},
		{Exit: 1, Stderr: "Error from server (ServiceUnavailable): the server is currently unable to handle the request"},
		{Exit: -1, Stderr: "Nothing may be changed from here."},
		{Exit: 1},
	} {
		if problems, unchecked := Parse(service).Told(reply); unchecked == "" || len(problems) > 0 {
			t.Errorf("%q: %v", reply.Stderr, problems)
		}
	}
	if problems, unchecked := Parse(service).Told(model.Reply{Stdout: "service/web\n"}); unchecked != "" || problems != nil {
		t.Errorf("%v %q", problems, unchecked)
	}
}

func TestKindsThatAreNotKnown(t *testing.T) {
	for text, want := range map[string]string{
		"apiVersion: v1\nkind: Servcie\nmetadata:\n  name: a\n":          "02|Did you mean Service?",
		"apiVersion: v1\nkind: Deployment\nmetadata:\n  name: a\n":       "01|A Deployment has apiVersion: apps/v1",
		"apiVersion: rbac/v1\nkind: ClusterRole\nmetadata:\n  name: a\n": "02|",
	} {
		m := Parse(text)
		d := m.documents[0]
		problems, _ := m.Told(model.Reply{Exit: -1, Stderr: `Svctour does not write kind "` + d.kind + `" of "` + d.version + `": only objects that live in its own namespaces.`})
		if len(problems) != 1 || fmt.Sprintf("%02d|%s", problems[0].Line, problems[0].Hint) != want {
			t.Errorf("%q: %+v", text, problems)
		}
	}
}

func TestProblemsOfTheTextAlone(t *testing.T) {
	for text, want := range map[string]string{
		"apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: 80\n   targetPort: 80\n": "08",
		"apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  name: wbe\n":                                      `05 Field "name" stands here for the second time; the first is in line 4.`,
		"kind: Deployment\nmetadata:\n  name: web\n":                                                                "01 The object has no apiVersion. | A Deployment has apiVersion: apps/v1",
		"apiVersion: v1\nkind: Service\nmetadata:\n  labels: {}\n":                                                  "03 The object has no name. | metadata: and below it, two blanks in: name: …",
		"just words\n":                     `01 An object is written as fields with values: begin with "apiVersion:" and "kind:".`,
		"---\n\n# nothing\n---\nkind: [\n": "06",
	} {
		got := at(Parse(text).Problems())
		if len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, text := range []string{"", "\n---\n", "# only a remark", service} {
		if m := Parse(text); len(m.Problems()) > 0 || m.Empty() != (text != service) {
			t.Errorf("%q: %v", text, m.Problems())
		}
	}
}

const printed = "KIND:       Service\nVERSION:    v1\n\nFIELD: spec <ServiceSpec>\n\n\nDESCRIPTION:\n    Spec defines.\n    \nFIELDS:\n" +
	"  clusterIP\t<string>\n    the IP  port\t<x>\n\n  ports\t<[]ServicePort>\n    ports\n\n  selector\t<map[string]string>\n    x\n\n  type\t<string>\n  enum: ClusterIP\n    x\n"

func TestFieldsAreSuggested(t *testing.T) {
	fields := Fields(printed)
	if !slices.Equal(fields, []string{"clusterIP", "ports", "selector", "type"}) {
		t.Fatalf("fields %q", fields)
	}
	for written, want := range map[string]string{
		"prots": "Did you mean ports?", "port": "Did you mean ports?", "Selector": "Did you mean selector?", "slector": "Did you mean selector?",
		"clusterIp": "Did you mean clusterIP?", "typ": "Did you mean type?", "replicas": "", "x": "",
	} {
		p := Problem{ask: &ask{kind: "Service", version: "v1", path: "spec", field: written}}
		if got := strings.Join(p.Ask(), " "); got != "explain service.spec --api-version=v1" {
			t.Fatalf("asks %q", got)
		}
		if p.Suggest(fields); p.Hint != want {
			t.Errorf("%q: %q, want %q", written, p.Hint, want)
		}
	}
}

const object = `apiVersion: v1
kind: Service
metadata:
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: |
      {"apiVersion":"v1"}
  creationTimestamp: "2026-11-23T12:00:00Z"
  name: web
  namespace: tour
  resourceVersion: "12"
  uid: 7d1c
spec:
  clusterIP: 10.96.142.31
  clusterIPs:
  - 10.96.142.31
  ports:
  - nodePort: 31000
    port: 80
  - name: b
    nodePort: 30080
    port: 81
  selector:
    app: web
status:
  loadBalancer: {}
`

func TestWhatTheServerKeepsForItselfIsLeftOut(t *testing.T) {
	want := `apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: tour
spec:
  clusterIP: 10.96.142.31
  clusterIPs:
  - 10.96.142.31
  ports:
  - nodePort: 31000
    port: 80
  - name: b
    nodePort: 30080
    port: 81
  selector:
    app: web
`
	if got := Plain(object); strings.TrimSpace(got) != strings.TrimSpace(want) {
		t.Errorf("got\n%s", got)
	}
	manifest := "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n  - port: 80\n  - port: 81\n    nodePort: 30080\n"
	made := Made(object, manifest)
	for _, line := range []string{"  clusterIP: # the API server chooses it\n  ports:\n", "  - nodePort: # the API server chooses it\n    port: 80\n", "    nodePort: 30080\n"} {
		if !strings.Contains(made, line) {
			t.Errorf("a new object lacks %q:\n%s", line, made)
		}
	}
}

// Whatever is written, and whatever is said of it, a problem stands in the text.
func TestProblemsStandInTheText(t *testing.T) {
	words := rapid.SliceOf(rapid.SampledFrom([]string{
		"apiVersion: v1\n", "kind: Service\n", "metadata:\n", "  name: web\n", "spec:\n", "  ports:\n", "  - port: 80\n", "---\n", "- ", "  ", "{", "}", "\"", ": ", "&a ", "*a", "\n", "é", "\t", "<<: *a\n", "? ",
	}))
	says := rapid.SliceOf(rapid.SampledFrom([]string{
		"The Service \"web\" is invalid: ", "\n* ", "spec.ports[0].port: ", "spec.ports[9]", "[", "]", ".", "unknown field \"spec.a\"", "unknown field \"\"", "json: cannot unmarshal string into Go struct field X.spec.ports.port of type int32",
		"Error from server (BadRequest): ", "Warning: ", "\n", "for: \"STDIN\": ", "does not write kind \"x\" of \"y\"", "no matches for kind \"x\" in version \"y\"", " is for namespace \"",
	}))
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(words.Draw(t, "text"), "")
		m := Parse(text)
		problems := slices.Clone(m.Problems())
		told, unchecked := m.Told(model.Reply{Exit: rapid.SampledFrom([]int{-1, 0, 1}).Draw(t, "exit"), Stderr: strings.Join(says.Draw(t, "says"), "")})
		problems = append(problems, told...)
		if unchecked != "" && len(told) > 0 {
			t.Fatalf("checked, and not: %q and %v", unchecked, told)
		}
		lines := 1 + strings.Count(text, "\n")
		for _, p := range problems {
			if p.Line < 1 || p.Line > lines+1 || p.Text == "" {
				t.Fatalf("%+v in a text of %d lines", p, lines)
			}
			_ = p.Ask()
		}
		for _, o := range m.Objects() {
			if Plain(o.Text) == "" || Made(o.Text, o.Text) == "" {
				t.Fatalf("nothing is left of %q", o.Text)
			}
		}
	})
}
