package lessons

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// command is a parsed command line: words whose parts may be expressions.
type command struct {
	text  string
	words []template
}

// template is text with expressions in it.
type template []part

// part is a piece of text, or an expression when expr is set. Quoted text
// keeps its quotes in source, for display.
type part struct {
	text   string
	source string
	expr   *expression
}

// parseCommand splits a line into words as a POSIX shell does with blanks,
// single and double quotes and backslashes; ${…} holds a CEL expression in
// the dialect d and is refused when d is nil. Nothing else of a shell's syntax
// has a meaning, and its operators are refused, so that no one expects them to work.
func parseCommand(line string, d *dialect) (command, error) {
	line = strings.TrimSpace(line)
	c := command{text: line}
	words, err := splitWords(line, d)
	if err != nil {
		return c, err
	}
	c.words = words
	if len(words) == 0 {
		return c, fmt.Errorf("the command is empty")
	}
	if first, _ := words[0].constant(); first != "kubectl" {
		return c, fmt.Errorf("the command must begin with kubectl")
	}
	return c, nil
}

func splitWords(line string, d *dialect) ([]template, error) {
	var words []template
	var word template
	open := false // a word has begun, maybe an empty quoted one
	for i := 0; i < len(line); {
		rest := line[i:]
		switch ch := line[i]; {
		case ch == ' ' || ch == '\t':
			if open {
				words, word, open = append(words, word), nil, false
			}
			i++
			continue
		case strings.HasPrefix(rest, "${"):
			if d == nil {
				return nil, fmt.Errorf("column %d: ${…} has no meaning here", i+1)
			}
			p, n, err := expressionPart(rest, d, anyText)
			if err != nil {
				return nil, fmt.Errorf("column %d: %w", i+1, err)
			}
			word = append(word, p)
			i += n
		case ch == '\'' || ch == '"':
			p, n, err := quotedPart(rest)
			if err != nil {
				return nil, fmt.Errorf("column %d: %w", i+1, err)
			}
			word = append(word, p)
			i += n
		case ch == '\\':
			if len(rest) < 2 {
				return nil, fmt.Errorf("column %d: a backslash at the end", i+1)
			}
			word = append(word, part{text: rest[1:2], source: rest[:2]})
			i += 2
		case strings.IndexByte("|&;<>`$", ch) >= 0:
			return nil, fmt.Errorf("column %d: %q is not understood: one plain command, without a shell's operators", i+1, string(ch))
		default:
			n := strings.IndexAny(rest, " \t'\"\\|&;<>`$")
			if n < 0 {
				n = len(rest)
			}
			word = append(word, part{text: rest[:n], source: rest[:n]})
			i += n
		}
		open = true
	}
	if open {
		words = append(words, word)
	}
	return words, nil
}

func quotedPart(rest string) (part, int, error) {
	quote := rest[0]
	var text strings.Builder
	for i := 1; i < len(rest); i++ {
		switch ch := rest[i]; {
		case ch == quote:
			return part{text: text.String(), source: rest[:i+1]}, i + 1, nil
		case ch == '\\' && quote == '"' && i+1 < len(rest) && strings.IndexByte("\"\\$`", rest[i+1]) >= 0:
			i++
			text.WriteByte(rest[i])
		default:
			text.WriteByte(ch)
		}
	}
	return part{}, 0, fmt.Errorf("the quote %c is not closed", quote)
}

// expressionPart reads "${…}" at the start of rest: braces nest, and those in
// CEL strings do not count.
func expressionPart(rest string, d *dialect, want wanted) (part, int, error) {
	depth := 0
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\'', '"':
			i = stringEnd(rest, i)
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				e, err := d.compile(rest[2:i], want)
				return part{source: rest[:i+1], expr: e}, i + 1, err
			}
		}
	}
	return part{}, 0, fmt.Errorf("${ is not closed")
}

// parseTemplate reads text with ${…} in it, without any quoting.
func parseTemplate(text string, d *dialect, want wanted) (template, error) {
	var t template
	for text != "" {
		i := strings.Index(text, "${")
		if i != 0 {
			if i < 0 {
				i = len(text)
			}
			t = append(t, part{text: text[:i], source: text[:i]})
			text = text[i:]
			continue
		}
		p, n, err := expressionPart(text, d, want)
		if err != nil {
			return nil, err
		}
		t = append(t, p)
		text = text[n:]
	}
	return t, nil
}

// constant gives the text of a template without expressions.
func (t template) constant() (string, bool) {
	var b strings.Builder
	for _, p := range t {
		if p.expr != nil {
			return "", false
		}
		b.WriteString(p.text)
	}
	return b.String(), true
}

// outline is the text to show where the values are not known: placeholders
// stand for them.
func (t template) outline() string {
	var b strings.Builder
	for _, p := range t {
		if p.expr != nil {
			b.WriteString(p.expr.placeholder())
			continue
		}
		b.WriteString(p.source)
	}
	return b.String()
}

// expand gives the value, and the text to show, which keeps its quotes.
func (t template) expand(in *input) (value, display string, err error) {
	var v, d strings.Builder
	for _, p := range t {
		if p.expr == nil {
			v.WriteString(p.text)
			d.WriteString(p.source)
			continue
		}
		text, err := p.expr.text(in)
		if err != nil {
			return "", "", fmt.Errorf("fill in %s: %w", p.source, err)
		}
		v.WriteString(text)
		d.WriteString(text)
	}
	return v.String(), d.String(), nil
}

// told gives the text of a question or a story. Values that would leave a hole
// in a command, such as 0, are told as they are.
func (t template) told(in *input) (string, error) {
	var b strings.Builder
	for _, p := range t {
		if p.expr == nil {
			b.WriteString(p.text)
			continue
		}
		text, err := p.expr.value(in)
		if err != nil {
			return "", fmt.Errorf("fill in %s: %w", p.source, err)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// prose gives the text of a story, where a value that is not there is told as "…".
func (t template) prose(in *input) string {
	var b strings.Builder
	for _, p := range t {
		text := p.text
		if p.expr != nil {
			var err error
			if text, err = p.expr.value(in); err != nil || text == "" {
				text = "…"
			}
		}
		b.WriteString(text)
	}
	return b.String()
}

// invoke expands the command. The file named by -f becomes standard input.
func (c command) invoke(in *input, files map[string]string) (Invocation, error) {
	values := make([]string, len(c.words))
	shown := make([]string, len(c.words))
	for i, word := range c.words {
		var err error
		if values[i], shown[i], err = word.expand(in); err != nil {
			return Invocation{}, err
		}
	}
	inv := Invocation{Display: strings.Join(shown, " "), Args: values[1:]}
	at, option, name, err := manifestArg(inv.Args)
	if err != nil || at < 0 {
		return inv, err
	}
	content, ok := files[strings.TrimPrefix(name, "./")]
	if !ok {
		return inv, fmt.Errorf("there is no file %q here%s", name, listing(slices.Sorted(maps.Keys(files))))
	}
	inv.Args[at] = option + "-"
	inv.Stdin = content
	return inv, nil
}

// manifestArg finds the argument that names the manifest file, and the option
// that is joined to it ("" when the file stands alone); at is -1 when there is
// none.
func manifestArg(args []string) (at int, option, name string, err error) {
	at = -1
	if len(args) > 0 && args[0] == "logs" { // there -f means --follow
		return at, "", "", nil
	}
	for i := 0; i < len(args); i++ {
		here, joined := i, ""
		switch arg := args[i]; {
		case arg == "--":
			return at, option, name, nil
		case arg == "-f" || arg == "--filename":
			if i++; i == len(args) {
				return -1, "", "", fmt.Errorf("%s needs a file", arg)
			}
			here = i
		case strings.HasPrefix(arg, "--filename="):
			joined = "--filename="
		case strings.HasPrefix(arg, "-f="):
			joined = "-f="
		case strings.HasPrefix(arg, "-f"):
			joined = "-f"
		default:
			continue
		}
		if at >= 0 {
			return -1, "", "", fmt.Errorf("only one -f at a time")
		}
		at, option, name = here, joined, strings.TrimPrefix(args[here], joined)
	}
	return at, option, name, nil
}

func listing(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ": there is " + strings.Join(names, ", ")
}
