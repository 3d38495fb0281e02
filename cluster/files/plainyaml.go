package files

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// plainYAML turns YAML as kubectl prints it into JSON: block mappings and
// sequences, a scalar on each line. It is some ten times faster than a parser
// of all of YAML, and gives up on whatever it does not know; the caller then
// takes that parser. What a diagnosis never reads is left out.
type plainYAML struct {
	lines []plainLine
	at    int
	out   []byte
}

type plainLine struct {
	indent int
	text   []byte
}

// unreadKeys are fields of Pods, Nodes and others that nothing here reads.
var unreadKeys = map[string]bool{
	"managedFields": true, "volumes": true, "volumeMounts": true, "tolerations": true, "affinity": true, "securityContext": true, "resources": true,
	"imageID": true, "containerID": true, "terminationMessagePath": true, "terminationMessagePolicy": true, "imagePullPolicy": true, "startedAt": true,
	"topologySpreadConstraints": true, "images": true, "allocatable": true, "capacity": true, "allocatedResources": true,
}

// freeKeys hold keys of people's own choice.
var freeKeys = map[string]bool{"labels": true, "annotations": true, "matchLabels": true, "selector": true, "nodeSelector": true}

// parse gives the JSON of one object; the result is valid until the next call.
func (p *plainYAML) parse(text []byte) ([]byte, bool) {
	p.lines, p.at, p.out = p.lines[:0], 0, p.out[:0]
	if unusual(text) {
		return nil, false
	}
	for len(text) > 0 {
		line := text
		if i := bytes.IndexByte(text, '\n'); i >= 0 {
			line, text = text[:i], text[i+1:]
		} else {
			text = nil
		}
		rest := bytes.TrimLeft(line, " ")
		if len(rest) == 0 || rest[0] == '#' || rest[0] == '\t' || rest[len(rest)-1] == ' ' || rest[len(rest)-1] == '\r' {
			return nil, false
		}
		p.lines = append(p.lines, plainLine{len(line) - len(rest), rest})
	}
	if len(p.lines) == 0 || p.lines[0].indent != 0 || p.item(0) {
		return nil, false
	}
	ok := p.mapping(0, false)
	return p.out, ok && p.at == len(p.lines)
}

// unusual says whether a text holds what kubectl would have escaped: control
// characters, other line breaks, what is no UTF-8.
func unusual(text []byte) bool {
	ascii := true
	for _, b := range text {
		if b < ' ' && b != '\n' || b == 0x7f {
			return true
		}
		ascii = ascii && b < utf8.RuneSelf
	}
	return !ascii && bytes.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && unicode.IsControl(r) || r == utf8.RuneError || r == '\u2028' || r == '\u2029' || r == '\ufeff'
	})
}

// item says whether the present line begins an element of a sequence there.
func (p *plainYAML) item(indent int) bool {
	if p.at >= len(p.lines) || p.lines[p.at].indent != indent {
		return false
	}
	text := p.lines[p.at].text
	return text[0] == '-' && (len(text) == 1 || text[1] == ' ')
}

func (p *plainYAML) mapping(indent int, free bool) bool {
	p.out = append(p.out, '{')
	first := true
	for p.at < len(p.lines) && p.lines[p.at].indent == indent && !p.item(indent) {
		key, rest, ok := plainKey(p.lines[p.at].text)
		if !ok {
			return false
		}
		p.at++
		if !free && unreadKeys[string(key)] || string(key) == "kubectl.kubernetes.io/last-applied-configuration" {
			for p.at < len(p.lines) && (p.lines[p.at].indent > indent || p.item(indent)) {
				p.at++
			}
			continue
		}
		if !first {
			p.out = append(p.out, ',')
		}
		first = false
		p.out = append(p.text(key), ':')
		if len(rest) > 0 {
			if !p.scalar(rest) || p.at < len(p.lines) && p.lines[p.at].indent > indent { // it goes on in the next line
				return false
			}
			continue
		}
		switch {
		case p.item(indent):
			ok = p.sequence(indent)
		case p.at < len(p.lines) && p.lines[p.at].indent > indent && p.item(p.lines[p.at].indent):
			ok = p.sequence(p.lines[p.at].indent)
		case p.at < len(p.lines) && p.lines[p.at].indent > indent:
			ok = p.mapping(p.lines[p.at].indent, freeKeys[string(key)])
		default:
			p.out = append(p.out, "null"...)
		}
		if !ok {
			return false
		}
	}
	if first && p.at < len(p.lines) && p.lines[p.at].indent == indent {
		return false
	}
	p.out = append(p.out, '}')
	return p.at >= len(p.lines) || p.lines[p.at].indent <= indent
}

func (p *plainYAML) sequence(indent int) bool {
	p.out = append(p.out, '[')
	first := true
	for p.item(indent) {
		line := &p.lines[p.at]
		if len(line.text) < 3 || line.text[2] == ' ' || line.text[2] == '-' && (len(line.text) == 3 || line.text[3] == ' ') {
			return false
		}
		if !first {
			p.out = append(p.out, ',')
		}
		first = false
		if _, _, is := plainKey(line.text[2:]); is {
			line.indent, line.text = indent+2, line.text[2:]
			if !p.mapping(indent+2, false) {
				return false
			}
			continue
		}
		p.at++
		if !p.scalar(line.text[2:]) || p.at < len(p.lines) && p.lines[p.at].indent > indent {
			return false
		}
	}
	p.out = append(p.out, ']')
	return true
}

// plainKey takes "key: value" and "key:" apart; a key in quotes is not known.
func plainKey(text []byte) (key, rest []byte, ok bool) {
	i := bytes.Index(text, []byte(": "))
	switch {
	case i > 0:
		key, rest = text[:i], text[i+2:]
	case len(text) > 1 && text[len(text)-1] == ':':
		key = text[:len(text)-1]
	default:
		return nil, nil, false
	}
	for j, c := range key {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case j > 0 && (c >= '0' && c <= '9' || c == '.' || c == '/' || c == '-' || c == '_'):
		default:
			return nil, nil, false
		}
	}
	return key, rest, !ambiguous(key)
}

// ambiguous says whether YAML 1.1 takes a word for something else than text.
func ambiguous(word []byte) bool {
	if len(word) > 5 {
		return false
	}
	switch string(bytes.ToLower(word)) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~":
		return true
	}
	return false
}

func (p *plainYAML) scalar(text []byte) bool {
	switch c := text[0]; {
	case c == '"':
		return p.quoted(text)
	case c == '\'':
		body := text[1:]
		if len(body) == 0 || body[len(body)-1] != '\'' {
			return false
		}
		body = body[:len(body)-1]
		if bytes.Contains(bytes.ReplaceAll(body, []byte("''"), nil), []byte("'")) {
			return false
		}
		p.out = p.text(bytes.ReplaceAll(body, []byte("''"), []byte("'")))
		return true
	case string(text) == "{}", string(text) == "[]", string(text) == "true", string(text) == "false", string(text) == "null":
		p.out = append(p.out, text...)
		return true
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(text) {
			p.out = append(p.out, text...)
			return true
		}
		// 10.0.0.1 and 3a-b are text; 1.37, 0x1f, 1_000, 1:30 and dates need not be.
		if c == '-' || c == '+' || c == '.' || bytes.Count(text, []byte(".")) < 2 && !bytes.ContainsAny(text, "ghijklmnpqrsuvwxyz") || bytes.ContainsAny(text, "_xT:") {
			return false
		}
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '/' || c == '$' || c == '(':
	default:
		return false
	}
	if ambiguous(text) || bytes.Contains(text, []byte(": ")) || bytes.Contains(text, []byte(" #")) || text[len(text)-1] == ':' {
		return false
	}
	p.out = p.text(text)
	return true
}

// quoted takes a text in double quotes whose escapes JSON has, too.
func (p *plainYAML) quoted(text []byte) bool {
	if len(text) < 2 || text[len(text)-1] != '"' {
		return false
	}
	for i := 1; i < len(text)-1; i++ {
		switch c := text[i]; {
		case c == '"' || c < 0x20 || c > 0x7e:
			return false
		case c == '\\':
			i++
			if i >= len(text)-1 || !bytes.ContainsRune([]byte(`"\nrt`), rune(text[i])) {
				return false
			}
		}
	}
	p.out = append(p.out, text...)
	return true
}

// text appends a text as a JSON string.
func (p *plainYAML) text(text []byte) []byte {
	for _, c := range text {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			quoted, err := json.Marshal(string(text))
			if err != nil {
				return append(p.out, `""`...)
			}
			return append(p.out, quoted...)
		}
	}
	return append(append(append(p.out, '"'), text...), '"')
}
