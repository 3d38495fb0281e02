package files

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// pruned leaves out of an object what plainYAML does.
func pruned(v any, free bool) any {
	switch node := v.(type) {
	case map[string]any:
		for key, value := range node {
			if !free && unreadKeys[key] || key == "kubectl.kubernetes.io/last-applied-configuration" {
				delete(node, key)
				continue
			}
			node[key] = pruned(value, freeKeys[key])
		}
	case []any:
		for i := range node {
			node[i] = pruned(node[i], false)
		}
	}
	return v
}

// FuzzPlainYAML holds what the fast reader understands against a parser of all
// of YAML.
func FuzzPlainYAML(f *testing.F) {
	files, _ := filepath.Glob("../../test/doctor/testdata/charts/*.yaml")
	for _, file := range append(files, "../../test/cases/testdata/cases.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "\n---\n") {
			if plain, err := yaml.YAMLToJSON([]byte(part)); err == nil && len(part) < 1<<14 { // as kubectl prints it
				if block, err := yaml.JSONToYAML(plain); err == nil {
					f.Add(string(block))
				}
			}
		}
	}
	f.Add("a: 1\nb: \"x\\ny\"\nc: 'it''s'\nd:\n- e: 10.0.0.1\n  f: []\n- g\nlabels:\n  volumes: x\nvolumes:\n- name: y\n  z: |\n    a: b\n")
	f.Add("a: 1.37\nb: 0x1f\nc: yes\n1: x\nd: 2001-01-01\ne: 1e3\n")
	f.Fuzz(func(t *testing.T, text string) {
		var p plainYAML
		got, ok := p.parse([]byte(text))
		if !ok {
			return
		}
		var mine, theirs any
		if err := json.Unmarshal(got, &mine); err != nil {
			t.Fatalf("%q became %s: %v", text, got, err)
		}
		plain, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			return // not YAML at all
		}
		if err := json.Unmarshal(plain, &theirs); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(mine, pruned(theirs, false)) {
			t.Errorf("%q\nbecame %s\nwant   %s", text, got, plain)
		}
	})
}

// TestSeveralDumps: a loop over namespaces appends one List to the other, with
// or without "---", and nothing of any is lost.
func TestSeveralDumps(t *testing.T) {
	inYAML := func(namespace string) string {
		return fmt.Sprintf(`apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata:
    name: web
    namespace: %[1]s
    uid: %[1]s
  spec:
    ports:
    - port: 80
- apiVersion: v1
  kind: Service
  metadata:
    name: written
    namespace: %[1]s
  spec:
    ports:
    - port: 80
kind: List
metadata:
  resourceVersion: ""
`, namespace)
	}
	inJSON := func(namespace string) string {
		return fmt.Sprintf(`{
    "apiVersion": "v1",
    "items": [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "web",
                "namespace": %[1]q,
                "uid": %[1]q
            },
            "spec": {
                "ports": [
                    {
                        "port": 80
                    }
                ]
            }
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "written",
                "namespace": %[1]q
            },
            "spec": {
                "ports": [
                    {
                        "port": 80
                    }
                ]
            }
        }
    ],
    "kind": "List",
    "metadata": {
        "resourceVersion": ""
    }
}
`, namespace)
	}
	const one = "apiVersion: v1\nkind: Service\nmetadata: {name: alone, namespace: z}\nspec: {ports: [{port: 80}]}\n"
	const none = "apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  resourceVersion: \"\"\n"
	for name, c := range map[string]struct{ file, want string }{
		"YAML":                     {inYAML("a") + "---\n" + inYAML("b") + "---\n" + inYAML("c") + "---\n", "a/web a/written b/web b/written c/web c/written"},
		"YAML without separators":  {inYAML("a") + inYAML("b"), "a/web a/written b/web b/written"},
		"YAML with blank lines":    {"---\n" + inYAML("a") + "\n---\n\n" + inYAML("b"), "a/web a/written b/web b/written"},
		"YAML with comments":       {inYAML("a") + "# b\n--- # b\n" + inYAML("b"), "a/web a/written b/web b/written"},
		"JSON":                     {inJSON("a") + inJSON("b") + inJSON("c"), "a/web a/written b/web b/written c/web c/written"},
		"JSON with separators":     {inJSON("a") + "---\n" + inJSON("b"), "a/web a/written b/web b/written"},
		"both":                     {inJSON("a") + inYAML("b") + inJSON("c"), "a/web a/written b/web b/written c/web c/written"},
		"a manifest behind":        {inYAML("a") + "---\n" + one, "a/web a/written z/alone"},
		"one without a separator":  {inYAML("a") + one, "a/web a/written z/alone"},
		"one behind JSON":          {inJSON("a") + "---\n" + one, "a/web a/written z/alone"},
		"a manifest before":        {one + "---\n" + inYAML("a") + "---\n" + inYAML("b"), "a/web a/written b/web b/written z/alone"},
		"an empty one between":     {inYAML("a") + "---\n" + none + "---\n" + inYAML("b"), "a/web a/written b/web b/written"},
		"one of the same at last":  {inYAML("a") + "---\n" + strings.ReplaceAll(inYAML("a"), "name: written", "name: late"), "a/late a/web a/written"},
		"something else behind it": {inYAML("a") + "---\n- 1\n", "error"},
		"cut JSON":                 {inJSON("a") + inJSON("b")[:len(inJSON("b"))-3], "error"},
		"cut in the second":        {inJSON("a") + inJSON("b")[:300], "error"},
	} {
		snapshot, _, err := Read(strings.NewReader(c.file), []string{"-"}, "")
		var got []string
		if err != nil {
			got = []string{"error"}
		} else {
			for _, service := range snapshot.Services {
				got = append(got, service.Key())
			}
		}
		if want := strings.Fields(c.want); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, want)
		}
	}
}
