package dns

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/coredns/caddy/caddyfile"
	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

const (
	// maxImports is how often a Corefile may import (Caddy's
	// maxSnippetExpansions): a circle is an error.
	maxImports = 10000
	// maxCorefile is how long one may become by what it imports, in bytes.
	maxCorefile = 4 << 20
	// maxReferences is how many environment variables one word may name.
	maxReferences = 1000
)

// corefile is a Corefile while it is read. Caddy's parser opens the files that a
// Corefile imports, and looks up the environment variables in it, on the machine
// that it runs on. Therefore both are put in before Caddy sees the text, from the
// Pod's files and environment, and no import and no variable is left in it.
//
// The rules are those of github.com/coredns/caddy/caddyfile, parse.go. Every word
// that Caddy may take for an import is one here: one that begins a line or
// follows an opening brace.
type corefile struct {
	process         *process.Process
	snippets        map[string][]caddyfile.Token
	out             []caddyfile.Token
	imported, depth int
	size            int
}

// load reads a Corefile, with what it imports and the environment variables in
// it.
func load(p *process.Process, file string) ([]byte, error) {
	content, err := afero.ReadFile(p.Files, file)
	if err != nil {
		//lint:ignore ST1005 CoreDNS's words
		return nil, fmt.Errorf("Error during parsing: %w", err)
	}
	c := &corefile{process: p, snippets: map[string][]caddyfile.Token{}}
	tokens, err := c.tokens(file, content)
	if err != nil {
		return nil, err
	}
	if err := c.expand(tokens, true); err != nil {
		return nil, err
	}
	return c.text()
}

func fault(at caddyfile.Token, format string, args ...any) error {
	return fmt.Errorf("%s:%d - Error during parsing: %s", at.File, at.Line, fmt.Sprintf(format, args...))
}

// tokens are the words of a file, with the values of environment variables.
func (c *corefile) tokens(file string, content []byte) ([]caddyfile.Token, error) {
	var tokens []caddyfile.Token
	for d := caddyfile.NewDispenser(file, bytes.NewReader(content)); d.Next(); {
		token := caddyfile.Token{File: file, Line: d.Line(), Text: d.Val()}
		var err error
		if token.Text, err = c.variables(token.Text); err != nil {
			return nil, fault(token, "%v", err)
		}
		tokens = append(tokens, token)
	}
	return tokens, nil
}

// variables puts in the values of environment variables, in both spellings,
// until Caddy would find none.
func (c *corefile) variables(text string) (string, error) {
	for range maxReferences {
		windows, unix := false, false
		text, windows = c.variable(text, "{%", "%}")
		text, unix = c.variable(text, "{$", "}")
		switch {
		case !windows && !unix:
			return text, nil
		case len(text) > maxCorefile:
			return "", errors.New("environment variables are too long")
		}
	}
	return "", errors.New("too many environment variables in one word")
}

// variable puts in the value of the first variable that is spelt in one way, and
// says whether there was one.
func (c *corefile) variable(text, opening, closing string) (string, bool) {
	start := strings.Index(text, opening)
	if start < 0 {
		return text, false
	}
	length := strings.Index(text[start:], closing)
	if length <= len(opening) {
		return text, false // Caddy leaves {$} and what has no end
	}
	name := text[start+len(opening) : start+length]
	return text[:start] + c.process.Getenv(name) + text[start+length+len(closing):], true
}

// newline says whether the token at i begins a line.
func newline(tokens []caddyfile.Token, i int) bool {
	return i == 0 || tokens[i-1].File != tokens[i].File ||
		tokens[i-1].Line+strings.Count(tokens[i-1].Text, "\n") < tokens[i].Line
}

// expand adds tokens to the output: without snippets, which only the outermost
// level of a file can define, and with what is imported.
func (c *corefile) expand(tokens []caddyfile.Token, outermost bool) error {
	depth := 0
	for i := 0; i < len(tokens); i++ {
		token := tokens[i]
		begins := newline(tokens, i)
		switch {
		case outermost && depth == 0 && isSnippet(tokens, i):
			end, err := c.define(tokens, i)
			if err != nil {
				return err
			}
			i = end
			continue
		case token.Text == "import" && (begins || tokens[i-1].Text == "{"):
			if i+1 == len(tokens) || newline(tokens, i+1) {
				return fault(token, "Wrong argument count or unexpected line ending after 'import'")
			}
			if i+2 < len(tokens) && !newline(tokens, i+2) {
				return fault(token, "Import takes only one argument (glob pattern or file)")
			}
			if err := c.imports(tokens[i+1], outermost && depth == 0); err != nil {
				return err
			}
			i++
			continue
		case token.Text == "{":
			depth++
		case token.Text == "}":
			depth--
		}
		if c.size += len(token.Text) + 1; c.size > maxCorefile {
			return fault(token, "too long with what it imports")
		}
		c.out = append(c.out, token)
	}
	return nil
}

// isSnippet says whether (NAME) { stands at i, alone before its brace.
func isSnippet(tokens []caddyfile.Token, i int) bool {
	text := tokens[i].Text
	return strings.HasPrefix(text, "(") && strings.HasSuffix(text, ")") && i+1 < len(tokens) && tokens[i+1].Text == "{" &&
		(newline(tokens, i) || tokens[i-1].Text == "}")
}

// define keeps the snippet that begins at i and gives the place of its end.
func (c *corefile) define(tokens []caddyfile.Token, i int) (int, error) {
	name := strings.TrimSuffix(tokens[i].Text[1:], ")")
	if _, twice := c.snippets[name]; twice {
		return 0, fault(tokens[i], "redeclaration of previously declared snippet %s", name)
	}
	depth := 1
	for end := i + 2; end < len(tokens); end++ {
		switch tokens[end].Text {
		case "{":
			depth++
		case "}":
			depth--
		}
		if depth == 0 {
			c.snippets[name] = tokens[i+2 : end]
			return end, nil
		}
	}
	return 0, fault(tokens[len(tokens)-1], "Syntax error: Unexpected token '%s', expecting '}'", tokens[len(tokens)-1].Text)
}

// imports adds a snippet, or the files that a pattern finds. A pattern that
// finds nothing is an error only without wildcards.
func (c *corefile) imports(pattern caddyfile.Token, outermost bool) error {
	if pattern.Text == "" {
		return fault(pattern, "Import requires a non-empty filepath")
	}
	if c.imported++; c.imported > maxImports {
		return fault(pattern, "maximum snippet import depth (%d) exceeded", maxImports)
	}
	if snippet, is := c.snippets[pattern.Text]; is {
		return c.nested(pattern, func() error { return c.expand(snippet, false) })
	}
	full := pattern.Text
	if !path.IsAbs(full) {
		full = path.Join(path.Dir(pattern.File), full)
	}
	if strings.Count(full, "*") > 1 || strings.Count(full, "?") > 1 || strings.Contains(full, "[") && strings.Contains(full, "]") {
		return fault(pattern, "Glob pattern may only contain one wildcard (*), but has others: %s", full)
	}
	found, err := afero.Glob(c.process.Files, full)
	if err != nil {
		return fault(pattern, "Failed to use import pattern %s: %v", pattern.Text, err)
	}
	if len(found) == 0 && !strings.ContainsAny(full, "*?[]") {
		return fault(pattern, "File to import not found: %s", pattern.Text)
	}
	for _, name := range found {
		content, err := afero.ReadFile(c.process.Files, name)
		if err != nil {
			return fault(pattern, "Could not import %s: %v", name, err)
		}
		tokens, err := c.tokens(name, content)
		if err != nil {
			return err
		}
		if err := c.nested(pattern, func() error { return c.expand(tokens, outermost) }); err != nil {
			return err
		}
	}
	return nil
}

// nested runs one level of imports: more than a hundred are a circle.
func (c *corefile) nested(at caddyfile.Token, level func() error) error {
	const most = 100
	if c.depth++; c.depth > most {
		return fault(at, "maximum snippet import depth (%d) exceeded", most)
	}
	defer func() { c.depth-- }()
	return level()
}

// text is the output for Caddy to parse, each word on its own line as far as
// imports leave room for it. What Caddy would read in it is the output again.
func (c *corefile) text() ([]byte, error) {
	var text bytes.Buffer
	line := 1
	for i, token := range c.out {
		if i > 0 {
			text.WriteByte(' ')
			if newline(c.out, i) || c.out[i-1].Line > token.Line {
				text.WriteByte('\n')
				line++
			}
		}
		for ; i == 0 && line < token.Line || i > 0 && newline(c.out, i) && line < token.Line; line++ {
			text.WriteByte('\n')
		}
		text.WriteString(quoted(token.Text))
		line += strings.Count(token.Text, "\n")
	}
	text.WriteByte('\n')
	read, err := (&corefile{process: &process.Process{}}).tokens("", text.Bytes())
	if err != nil {
		return nil, err
	}
	for i, token := range read {
		if i >= len(c.out) || token.Text != c.out[i].Text || token.Text == "import" && (newline(read, i) || read[i-1].Text == "{") {
			return nil, fault(token, "the lab's CoreDNS cannot read %q here", token.Text)
		}
	}
	if len(read) != len(c.out) {
		return nil, errors.New("the lab's CoreDNS cannot read the end of the Corefile")
	}
	return text.Bytes(), nil
}

// quoted is a word as Caddy's lexer takes it from a text.
func quoted(word string) string {
	plain := word != "" && word[0] != '"' && !slices.ContainsFunc([]rune(word), func(r rune) bool { return unicode.IsSpace(r) || r == '#' || r == '\uFEFF' })
	if plain {
		return word
	}
	return `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`
}
