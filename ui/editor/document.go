package editor

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Problem is something wrong with a manifest, at a line.
type Problem struct {
	Line, Column int    // from 1; Column is 0 when it is about the whole line
	Text         string // what is wrong, in the words of who says so
	Hint         string // what may have been meant; "" when that is not known
	Warning      bool   // the API server takes the manifest all the same

	ask *ask // what there is instead of an unknown field
}

// Manifest is a text of Kubernetes objects, read as far as it can be.
type Manifest struct {
	documents []document
	problems  []Problem
}

// document is one object of a manifest.
type document struct {
	text  string
	first int        // the line where it begins, from 1
	root  *yaml.Node // a mapping

	version, kind, name string // of the object; "" when the text has none
}

// Parse reads a manifest.
func Parse(text string) *Manifest {
	m := &Manifest{}
	for _, p := range split(text) {
		m.read(p.text, p.first)
	}
	return m
}

// Empty says whether there is neither an object nor anything wrong.
func (m *Manifest) Empty() bool { return len(m.documents) == 0 && len(m.problems) == 0 }

// Problems are what can be told from the text alone: its syntax, and what every
// object has.
func (m *Manifest) Problems() []Problem { return m.problems }

// piece is what stands between two separators of a text.
type piece struct {
	text  string
	first int // line
}

// split takes a text apart at the lines that kubectl takes for separators
// (k8s.io/apimachinery/pkg/util/yaml, YAMLReader): "---" and blanks.
func split(text string) []piece {
	var pieces []piece
	lines := strings.Split(text, "\n")
	start := 0
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && strings.TrimRight(lines[i], " \t\r") != "---" {
			continue
		}
		pieces = append(pieces, piece{strings.Join(lines[start:i], "\n"), start + 1})
		start = i + 1
	}
	return pieces
}

// read takes one document in.
func (m *Manifest) read(text string, first int) {
	loader, err := yaml.NewLoader(strings.NewReader(strings.Repeat("\n", first-1) + text)) // so that lines are counted from the top
	if err != nil {
		m.wrong(first, 0, err.Error())
		return
	}
	var node yaml.Node
	switch err := loader.Load(&node); {
	case errors.Is(err, io.EOF):
		return // nothing, or only comments
	case err != nil:
		m.syntax(first, err)
		return
	}
	root := &node
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		root = root.Content[0]
	}
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return
	}
	if root.Kind != yaml.MappingNode {
		m.wrong(root.Line, 0, "An object is written as fields with values: begin with \"apiVersion:\" and \"kind:\".")
		return
	}
	var second yaml.Node
	if err := loader.Load(&second); err == nil {
		m.wrong(max(second.Line, first), 0, "Another object begins here: write \"---\" alone on a line before it.")
		return
	} else if !errors.Is(err, io.EOF) {
		m.syntax(first, err)
		return
	}
	d := document{text: text, first: root.Line, root: root}
	d.version, d.kind, d.name = d.value("apiVersion"), d.value("kind"), d.value("metadata.name")
	m.twice(root)
	m.lacks(&d)
	m.documents = append(m.documents, d)
}

func (m *Manifest) wrong(line, column int, text string) {
	m.problems = append(m.problems, Problem{Line: line, Column: column, Text: text})
}

// syntax tells what the YAML parser says.
func (m *Manifest) syntax(first int, err error) {
	var many *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &many) && len(many.Errors) > 0:
		for _, e := range many.Errors {
			m.wrong(max(e.Mark.Line, first), e.Mark.Column, "YAML: "+e.Message)
		}
	case errors.As(err, &one):
		m.wrong(max(one.Mark.Line, first), one.Mark.Column, "YAML: "+one.Message)
	default:
		m.wrong(first, 0, "YAML: "+err.Error())
	}
}

// twice finds fields that stand twice in one mapping: of those kubectl would
// send the last one alone, without a word.
func (m *Manifest) twice(n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if line, again := seen[key.Value]; again {
				m.wrong(key.Line, key.Column, fmt.Sprintf("Field %q stands here for the second time; the first is in line %d.", key.Value, line))
				continue
			}
			seen[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		m.twice(child)
	}
}

// lacks says which of the fields are missing that kubectl apply needs of every
// object.
func (m *Manifest) lacks(d *document) {
	problem := func(line int, text, hint string) {
		m.problems = append(m.problems, Problem{Line: line, Text: text, Hint: hint})
	}
	if d.kind == "" {
		problem(d.first, "The object has no kind.", "")
	}
	if d.version == "" {
		hint := ""
		if v := versions[d.kind]; v != "" {
			hint = fmt.Sprintf("A %s has apiVersion: %s", d.kind, v)
		}
		problem(d.first, "The object has no apiVersion.", hint)
	}
	if d.name == "" {
		line, _ := d.find("metadata", nil)
		problem(line, "The object has no name.", "metadata: and below it, two blanks in: name: …")
	}
}

// value is the text of a scalar field; "" without one.
func (d *document) value(path string) string {
	if n := d.node(path); n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	return ""
}

// node gives the value of a field; nil without it.
func (d *document) node(path string) *yaml.Node {
	p := locate(d.root, d.root.Line, steps(path), nil)
	if p.left > 0 {
		return nil
	}
	return p.node
}

// find gives the line of a field that the API server names, as in
// spec.ports[0].port, or of the nearest field around it that the text has. ok is
// false when it has none of them: then the line is the document's first. Of
// several that a path without indices may mean, the first is taken that fits.
func (d *document) find(path string, fits func(*yaml.Node) bool) (line int, ok bool) {
	all := steps(path)
	p := locate(d.root, d.first, all, fits)
	return p.line, len(all) > 0 && p.left < len(all)
}

// place is how far a path leads.
type place struct {
	line int
	node *yaml.Node
	left int  // steps that the text lacks
	fits bool // the value is one that was looked for
}

// before says whether p is nearer to what was looked for than another place.
func (p place) before(other place) bool {
	if p.left != other.left {
		return p.left < other.left
	}
	return p.fits && !other.fits
}

// otherNames are fields that are meant when the API server names those that it
// fills from them (k8s.io/api/core/v1, ServiceSpec).
var otherNames = map[string]string{"clusterIPs": "clusterIP", "ipFamilies": "ipFamilyPolicy"}

// locate follows a path as far as it leads. line is where n begins to be told of.
func locate(n *yaml.Node, line int, path []string, fits func(*yaml.Node) bool) place {
	if n.Kind == yaml.AliasNode && n.Alias != nil && n.Alias.Kind != yaml.AliasNode {
		n = n.Alias
	}
	if len(path) == 0 {
		return place{line: line, node: n, fits: fits == nil || fits(n)}
	}
	here := place{line: line, node: n, left: len(path)}
	switch n.Kind {
	case yaml.MappingNode:
		for take := min(len(path), 4); take > 0; take-- { // a key may hold dots
			if i := field(n, strings.Join(path[:take], ".")); i >= 0 {
				return locate(n.Content[i+1], n.Content[i].Line, path[take:], fits)
			}
		}
		if i := field(n, otherNames[path[0]]); i >= 0 {
			return locate(n.Content[i+1], n.Content[i].Line, path[1:], fits)
		}
	case yaml.SequenceNode:
		if at, err := strconv.Atoi(path[0]); err == nil {
			if at >= 0 && at < len(n.Content) {
				return locate(n.Content[at], n.Content[at].Line, path[1:], fits)
			}
			return here
		}
		for _, element := range n.Content { // a path of encoding/json's has no indices
			if p := locate(element, element.Line, path, fits); p.before(here) {
				here = p
			}
		}
	}
	return here
}

// field gives the place of a mapping's key; -1 when it has none of that name.
func field(n *yaml.Node, name string) int {
	for i := 0; i+1 < len(n.Content) && name != ""; i += 2 {
		if n.Content[i].Value == name {
			return i
		}
	}
	return -1
}

// steps takes a path apart: "spec.ports[0].port" is spec, ports, 0, port, and
// "metadata.labels[a.b/c]" is metadata, labels, a.b/c.
func steps(path string) []string {
	var out []string
	for path != "" {
		switch i := strings.IndexAny(path, ".["); {
		case i < 0:
			return append(out, path)
		case i > 0:
			out = append(out, path[:i])
			path = path[i:]
		case path[0] == '.':
			path = path[1:]
		default:
			inside, rest, _ := strings.Cut(path[1:], "]")
			out = append(out, strings.Trim(inside, `"`))
			path = rest
		}
	}
	return out
}

// unindexed is a path without its indices, the last step aside, as kubectl
// explain wants it: it gives "spec.ports" and "prot" of spec.ports[0].prot.
func unindexed(path string) (parent, last string) {
	all := steps(path)
	if len(all) == 0 {
		return "", ""
	}
	last = all[len(all)-1]
	named := slices.DeleteFunc(all[:len(all)-1], func(step string) bool { _, err := strconv.Atoi(step); return err == nil })
	return strings.Join(named, "."), last
}
