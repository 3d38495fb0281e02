package editor

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"svctour/model"
)

// DryRun is the kubectl command, without "kubectl", that has the API server
// check a manifest on its standard input, and prints the objects in a form of
// kubectl's -o. It changes nothing.
func DryRun(output string) []string {
	return []string{"apply", "--dry-run=server", "--validate=strict", "-o", output, "-f", "-"}
}

// AsNew is the same for objects as if they were not there yet. To a patch with a
// value of the wrong type the API server does not say which field it is; that is
// told of objects that are new.
func AsNew() []string {
	return []string{"create", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-"}
}

// Vague says whether the API server told only that something in a patch has the
// wrong type (k8s.io/apimachinery/pkg/util/strategicpatch).
func Vague(reply model.Reply) bool {
	return reply.Exit > 0 && strings.Contains(reply.Stderr, "The request is invalid: patch: ")
}

// What kubectl prints about a manifest that the API server does not take.
var (
	messageStart = regexp.MustCompile(`^(Error from server\b|error: |Warning: |The \S+ ".*" is invalid)`)
	// k8s.io/apimachinery/pkg/api/errors NewInvalid, as kubectl's
	// pkg/cmd/util StandardErrorMessage prints it
	invalid = regexp.MustCompile(`(?s)^The (\S+) "(.*?)" is invalid: ?(.*)$`)
	item    = regexp.MustCompile(`(?s)^([A-Za-z][A-Za-z0-9]*(?:[.\[][^:\s]*)?): (.+)$`)
	// k8s.io/apimachinery/pkg/runtime NewStrictDecodingError
	strict = regexp.MustCompile(`(unknown|duplicate) field "([^"]+)"`)
	// encoding/json UnmarshalTypeError
	mistyped = regexp.MustCompile(`json: cannot unmarshal (.+?) into Go (?:struct field \w+\.(\S+)|value) of type (\S+)`)
	unread   = regexp.MustCompile(`^(Unable to connect to the server|The connection to the server|Error from server \((Timeout|ServiceUnavailable|TooManyRequests|InternalError|Unauthorized)\))`)
	prefixes = regexp.MustCompile(`^(Error from server \(\w+\): |Error from server: |error: |Warning: |error when (creating|patching|applying patch) "STDIN": |error validating "STDIN": )`)
	// the guard's own words
	notWritten  = regexp.MustCompile(`does not write kind "([^"]*)" of "([^"]*)"`)
	noKind      = regexp.MustCompile(`no matches for kind "([^"]*)" in version "([^"]*)"`)
	ofNamespace = regexp.MustCompile(`^(\S+) is for namespace "`)
	wrongObject = regexp.MustCompile(`^(\S+ has (no metadata|a namespace that is not text)|The manifest (holds|cannot be read))`)
)

// Told makes problems of what kubectl said to a dry run, each at the line of the
// field that it names. unchecked is a sentence that says why there was no check;
// "" when there was one.
func (m *Manifest) Told(reply model.Reply) (problems []Problem, unchecked string) {
	text := strings.TrimSpace(reply.Stderr)
	if reply.Exit < 0 { // kubectl was not run
		if problems = m.refused(text); problems == nil {
			return nil, model.Sentence(text)
		}
		return problems, ""
	}
	for _, message := range messages(text) {
		switch {
		case strings.HasPrefix(message, "Warning: "):
			problems = append(problems, m.warning(message))
		case reply.Exit == 0: // kubectl's own remarks
		case strings.HasPrefix(message, "Error from server (AlreadyExists): "): // AsNew was asked
		case unread.MatchString(message):
			return nil, model.Sentence(brief(message))
		default:
			problems = append(problems, m.message(message)...)
		}
	}
	if reply.Exit != 0 && len(problems) == 0 {
		return nil, fmt.Sprintf("kubectl ended with exit code %d.", reply.Exit)
	}
	return problems, ""
}

// messages takes what kubectl printed apart: a message may have several lines.
func messages(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimRight(line, " \r")
		switch {
		case line == "":
		case len(out) == 0 || messageStart.MatchString(line):
			out = append(out, line)
		default:
			out[len(out)-1] += "\n" + line
		}
	}
	return out
}

// refused makes problems of what the guard said; nil when that is not about the
// manifest.
func (m *Manifest) refused(text string) []Problem {
	if at := notWritten.FindStringSubmatch(text); at != nil {
		return []Problem{m.unknownKind(at[1], at[2], text)}
	}
	d := m.about(text)
	if d == nil {
		return nil
	}
	switch {
	case ofNamespace.MatchString(text):
		line, _ := d.find("metadata.namespace", nil)
		return []Problem{{Line: line, Text: text, Hint: "Leave the namespace out: it is chosen for you"}}
	case wrongObject.MatchString(text):
		return []Problem{{Line: d.first, Text: text}}
	}
	return nil
}

// unknownKind is a kind that may not be written, or that there is not.
func (m *Manifest) unknownKind(kind, version, text string) Problem {
	p := Problem{Line: 1, Text: text, Hint: kindHint(kind, version)}
	for i := range m.documents {
		if d := &m.documents[i]; d.kind == kind && d.version == version {
			field := "kind"
			if right := versions[kind]; right != "" && right != version {
				field = "apiVersion"
			}
			p.Line, _ = d.find(field, nil)
			break
		}
	}
	return p
}

func (m *Manifest) warning(message string) Problem {
	p := Problem{Line: 1, Text: brief(message), Warning: true}
	if d := m.about(message); d != nil {
		p.Line = d.first
		path, _, _ := strings.Cut(p.Text, ": ")
		if line, ok := d.find(path, nil); ok && !strings.Contains(path, " ") {
			p.Line = line
		}
	}
	return p
}

// message makes problems of one message.
func (m *Manifest) message(text string) []Problem {
	d := m.about(text)
	if d == nil {
		return []Problem{{Line: 1, Text: brief(text)}}
	}
	if kind := noKind.FindStringSubmatch(text); kind != nil {
		return []Problem{m.unknownKind(kind[1], kind[2], brief(kind[0]))}
	}
	if fields := strict.FindAllStringSubmatch(text, -1); fields != nil {
		var out []Problem
		for _, field := range fields {
			line, _ := d.find(field[2], nil)
			p := Problem{Line: line, Text: model.Sentence(field[0])}
			if field[1] == "unknown" {
				parent, name := unindexed(field[2])
				p.ask = &ask{kind: d.kind, version: d.version, path: parent, field: name}
			}
			out = append(out, p)
		}
		return out
	}
	if at := mistyped.FindStringSubmatch(text); at != nil {
		line, _ := d.find(at[2], unlike(at[3]))
		return []Problem{{Line: line, Text: cmp.Or(at[2], "This object") + " cannot be " + article(at[1]) + ".", Hint: wants(at[3])}}
	}
	if list := invalid.FindStringSubmatch(text); list != nil {
		return d.items(list[3])
	}
	return d.items(brief(text))
}

// items makes problems of what the API server says of single fields: one, or a
// list with stars.
func (d *document) items(text string) []Problem {
	var out []Problem
	for one := range strings.SplitSeq("\n"+strings.TrimSpace(text), "\n* ") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		p := Problem{Line: d.first, Text: one}
		if field := item.FindStringSubmatch(one); field != nil {
			p.Line, _ = d.find(field[1], nil)
		}
		p.Text = shortened(p.Text)
		out = append(out, p)
	}
	return out
}

// about gives the document that a message is about: the one whose kind and name
// it has, else whose name, else whose kind, else the only one.
func (m *Manifest) about(text string) *document {
	var best *document
	most := -1
	for i := range m.documents {
		d, score := &m.documents[i], 0
		if d.name != "" && strings.Contains(text, `"`+d.name+`"`) {
			score += 2
		}
		if d.kind != "" && regexp.MustCompile(`\b`+regexp.QuoteMeta(d.kind)+`\b`).MatchString(text) {
			score++
		}
		if score > most {
			best, most = d, score
		}
	}
	return best
}

// brief is a message without what it says of kubectl's doings.
func brief(message string) string {
	if i := strings.LastIndex(message, "\nfor: \"STDIN\": "); i >= 0 {
		message = message[i+len("\nfor: \"STDIN\": "):]
	}
	for {
		rest := prefixes.ReplaceAllString(message, "")
		if rest == message {
			return shortened(strings.Join(strings.Fields(message), " "))
		}
		message = rest
	}
}

// longest is how many letters of a message are shown.
const longest = 400

// shortened leaves out the middle of a long text: it may hold the whole object.
func shortened(text string) string {
	letters := []rune(text)
	if len(letters) <= longest {
		return text
	}
	return string(letters[:longest/2]) + " … " + string(letters[len(letters)-longest/2:])
}

// wants says how a value of a Go type is written.
func wants(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "It takes a list: begin each of its items with \"- \""
	case strings.HasPrefix(goType, "map["), strings.Contains(goType, "."):
		return "It takes fields with values, each on a line of its own, two blanks further in"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "It takes a whole number, without quotes"
	case goType == "bool":
		return "It takes true or false, without quotes"
	case goType == "string":
		return "It takes text: put it into quotes"
	}
	return ""
}

// unlike tells values that cannot be of a Go type.
func unlike(goType string) func(*yaml.Node) bool {
	tag := map[string]string{"int32": "!!int", "int64": "!!int", "int": "!!int", "bool": "!!bool", "string": "!!str"}[goType]
	return func(n *yaml.Node) bool {
		if tag == "" {
			return n.Kind == yaml.ScalarNode
		}
		return n.Kind != yaml.ScalarNode || n.Tag != tag
	}
}

// article puts a word of encoding/json's for a value into a sentence.
func article(value string) string {
	switch {
	case value == "array":
		return "a list"
	case value == "object":
		return "fields with values"
	case value == "string":
		return "text"
	case value == "bool":
		return "true or false"
	case strings.HasPrefix(value, "number"):
		return strings.TrimSpace("the number" + strings.TrimPrefix(value, "number"))
	}
	return value
}
