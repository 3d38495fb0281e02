package lessons

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// located is a scalar of a YAML block, with its place in the lesson's file.
type located struct {
	text string
	line int
}

// UnmarshalYAML implements yaml's construction from a node.
func (l *located) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want one value here", node.Line)
	}
	l.text, l.line = node.Value, node.Line
	if node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		l.line++ // the text begins below the mark
	}
	return nil
}

// plainValue is a line "key: value" of a question or a condition whose value
// stands without quotes.
var plainValue = regexp.MustCompile(`^(\s*(?:- )?(?:question|say|is|help|truth|seen|why|holds|unless):\s+)([^\s"'|>\[{&*!%@].*)$`)

// quoted puts quotes around values of one line that YAML would take for a
// mapping, as it does CEL's {'app': 'web'}.
func quoted(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		found := plainValue.FindStringSubmatch(line)
		if found == nil || i+1 < len(lines) && continues(lines[i+1], len(found[1])-len(strings.TrimLeft(found[1], " -"))) {
			continue
		}
		value := withoutComment(found[2])
		if strings.Contains(value, ": ") {
			lines[i] = found[1] + "'" + strings.ReplaceAll(value, "'", "''") + "'"
		}
	}
	return strings.Join(lines, "\n")
}

// continues says whether a line goes on with a value whose key stands at column
// indent.
func continues(line string, indent int) bool {
	own := len(line) - len(strings.TrimLeft(line, " "))
	return strings.TrimSpace(line) != "" && own > indent
}

// withoutComment cuts YAML's comment off a value with CEL's strings in it.
func withoutComment(value string) string {
	for i := 0; i < len(value); i++ {
		switch {
		case value[i] == '\'' || value[i] == '"':
			i = stringEnd(value, i)
		case value[i] == '#' && i > 0 && value[i-1] == ' ':
			return strings.TrimSpace(value[:i])
		}
	}
	return strings.TrimSpace(value)
}

// manifest checks that every document of a manifest is a Kubernetes object
// without a namespace of its own. line is where the text begins.
func (r *reader) manifest(text string, line int) {
	loader, err := yaml.NewLoader(strings.NewReader(strings.Repeat("\n", line-1) + text))
	if err != nil {
		r.add(line, 0, "%v", err)
		return
	}
	objects := 0
	for {
		var node yaml.Node
		if err := loader.Load(&node); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			r.yamlError(line, err)
			return
		}
		var object struct {
			APIVersion string `yaml:"apiVersion"`
			Kind       string `yaml:"kind"`
			Metadata   struct {
				Name      string `yaml:"name"`
				Namespace string `yaml:"namespace"`
			} `yaml:"metadata"`
		}
		if err := node.Decode(&object); err != nil {
			r.yamlError(line, err)
			return
		}
		objects++
		switch m := object.Metadata; {
		case object.APIVersion == "" || object.Kind == "" || m.Name == "":
			r.add(max(node.Line, line), 0, "want a Kubernetes object with apiVersion, kind and metadata.name")
		case m.Namespace != "":
			r.add(max(node.Line, line), 0, "metadata.namespace: the namespace is chosen by whoever plays the lesson")
		}
	}
	if objects == 0 {
		r.add(line, 0, "the manifest is empty")
	}
}

// yaml reads one document, all of whose fields must be known.
func (r *reader) yaml(text string, line int, out any) {
	padded := strings.Repeat("\n", line-1) + text // so that its errors count the file's lines
	if err := yaml.Load([]byte(padded), out, yaml.WithKnownFields()); err != nil {
		r.yamlError(line, err)
	}
}

func (r *reader) yamlError(line int, err error) {
	var many *yaml.LoadErrors
	var one *yaml.LoadError
	switch {
	case errors.As(err, &many) && len(many.Errors) > 0:
		for _, e := range many.Errors {
			r.add(max(e.Mark.Line, line), 0, "%s", e.Message)
		}
	case errors.As(err, &one):
		r.add(max(one.Mark.Line, line), 0, "%s", one.Message)
	default:
		r.add(line, 0, "%v", err)
	}
}
