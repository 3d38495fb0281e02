package cluster

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
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
	files, _ := filepath.Glob("../test/doctor/testdata/charts/*.yaml")
	for _, file := range append(files, "../test/cases/testdata/cases.yaml") {
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
