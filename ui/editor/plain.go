package editor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// kept are fields that the API server and kubectl keep for themselves. Whoever
// compares two states of an object does not ask for them.
var kept = []string{
	"status", "metadata.uid", "metadata.resourceVersion", "metadata.generation", "metadata.creationTimestamp",
	"metadata.managedFields", "metadata.selfLink", "metadata.annotations[" + lastApplied + "]",
}

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Plain leaves out of an object, in the YAML that kubectl prints, what the API
// server and kubectl keep for themselves.
func Plain(object string) string {
	d := objectOf(object)
	if d == nil {
		return object
	}
	fields := kept
	if n := d.node("metadata.annotations"); n != nil && len(n.Content) == 2 && n.Content[0].Value == lastApplied {
		fields = append(slices.Clone(kept), "metadata.annotations")
	}
	lines := strings.Split(object, "\n")
	gone := make([]bool, len(lines))
	for _, field := range fields {
		if key := d.key(field); key != nil {
			drop(lines, gone, key)
		}
	}
	return left(lines, gone)
}

// left are the lines that are not gone.
func left(lines []string, gone []bool) string {
	var out []string
	for i, line := range lines {
		if !gone[i] {
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}

// drop marks the lines of a field: its own, and those of its value, which are
// further in, or the items of a list.
func drop(lines []string, gone []bool, key *yaml.Node) {
	at, indent := key.Line-1, key.Column-1
	for i := at; i < len(lines); i++ {
		inside := len(lines[i]) - len(strings.TrimLeft(lines[i], " "))
		if i > at && strings.TrimSpace(lines[i]) != "" && inside <= indent && !(inside == indent && strings.HasPrefix(lines[i][inside:], "- ")) {
			return
		}
		gone[i] = true
	}
}

// chosen are the fields of a Service for which the API server chooses a free
// value when it makes the object: of a dry run it is not the one that will be
// (k8s.io/kubernetes/pkg/registry/core/service/storage/alloc.go).
var chosen = []string{"spec.clusterIP", "spec.clusterIPs", "spec.healthCheckNodePort"}

// Made is a new object as a dry run tells it, without values that will be others
// when it is really made, and that its manifest leaves open.
func Made(object, manifest string) string {
	object = Plain(object)
	d, asked := objectOf(object), objectOf(manifest)
	if d == nil || asked == nil || d.kind != "Service" {
		return object
	}
	lines := strings.Split(object, "\n")
	gone := make([]bool, len(lines))
	mask := func(field string) {
		key := d.key(field)
		if key == nil || asked.node(field) != nil || d.value(field) == "None" {
			return
		}
		if n := d.node(field); n.Kind != yaml.ScalarNode {
			drop(lines, gone, key)
			return
		}
		lines[key.Line-1] = lines[key.Line-1][:key.Column-1] + key.Value + ": # the API server chooses it"
	}
	for _, field := range chosen {
		if field != "spec.clusterIPs" || asked.node("spec.clusterIP") == nil {
			mask(field)
		}
	}
	if ports := d.node("spec.ports"); ports != nil {
		for i := range ports.Content {
			mask(fmt.Sprintf("spec.ports[%d].nodePort", i))
		}
	}
	return left(lines, gone)
}

// objectOf reads one object; nil when it cannot be read.
func objectOf(text string) *document {
	m := Parse(text)
	if len(m.documents) != 1 {
		return nil
	}
	return &m.documents[0]
}

// key gives the key of a field; nil without it.
func (d *document) key(path string) *yaml.Node {
	all := steps(path)
	around := locate(d.root, d.root.Line, all[:len(all)-1], nil)
	if around.left > 0 || around.node.Kind != yaml.MappingNode {
		return nil
	}
	if i := field(around.node, all[len(all)-1]); i >= 0 {
		return around.node.Content[i]
	}
	return nil
}

// Object is one object of a manifest, to be looked up and written by itself.
type Object struct {
	Title    string // "Service web"
	Text     string // its manifest
	Resource string // what kubectl get calls its kind: "deployment.v1.apps"
	Name     string
}

// Get is the kubectl command, without "kubectl", that prints the object as it is,
// and nothing where there is none.
func (o *Object) Get() []string {
	return []string{"get", "-o", "yaml", "--ignore-not-found", o.Resource, o.Name}
}

// Objects gives the objects of a manifest in order.
func (m *Manifest) Objects() []Object {
	var out []Object
	for i := range m.documents {
		d := &m.documents[i]
		o := Object{Title: strings.TrimSpace(cmp.Or(d.kind, "object") + " " + d.name), Text: d.text, Resource: strings.ToLower(d.kind), Name: d.name}
		if group, version, ok := strings.Cut(d.version, "/"); ok {
			o.Resource += "." + version + "." + group
		}
		out = append(out, o)
	}
	return out
}
