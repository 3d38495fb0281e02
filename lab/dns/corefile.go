package dns

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/afero"

	"svctour/lab/process"
)

// variable is how a Corefile names an environment variable (Caddy's
// caddyfile/parse.go, replaceEnvVars).
var variable = regexp.MustCompile(`\{\$([^{}\s]+)\}|\{%([^{}%\s]+)%\}`)

// snippet is the head of a reusable block: (NAME) {.
var snippet = regexp.MustCompile(`(?m)^\s*\(([^()\s]+)\)\s*\{`)

// maxImports is how deep files may import files: a circle is an error.
const maxImports = 10

// load reads a Corefile with what it imports and the environment variables in
// it. Caddy would take both from this machine.
func load(p *process.Process, file string) ([]byte, error) {
	content, err := afero.ReadFile(p.Files, file)
	if err != nil {
		//lint:ignore ST1005 CoreDNS's words
		return nil, fmt.Errorf("Error during parsing: %w", err)
	}
	environment := map[string]string{}
	for _, entry := range p.Env {
		key, value, _ := strings.Cut(entry, "=")
		environment[key] = value
	}
	content, err = imports(p.Files, file, content, 0)
	if err != nil {
		return nil, err
	}
	return variable.ReplaceAllFunc(content, func(match []byte) []byte {
		return []byte(environment[strings.Trim(string(match), "{}$%")])
	}), nil
}

// imports puts files in the place of the lines that import them. An import of a
// snippet is left to Caddy. A pattern that finds nothing is an error only
// without wildcards, as in Caddy.
func imports(files afero.Fs, file string, content []byte, depth int) ([]byte, error) {
	if depth > maxImports {
		return nil, fmt.Errorf("%s - Error during parsing: maximum import depth exceeded", file)
	}
	var snippets []string
	for _, match := range snippet.FindAllSubmatch(content, -1) {
		snippets = append(snippets, string(match[1]))
	}
	var out bytes.Buffer
	number := 0
	for line := range bytes.Lines(content) {
		number++
		words := strings.Fields(string(line))
		if len(words) != 2 || words[0] != "import" || slices.Contains(snippets, words[1]) {
			out.Write(line)
			continue
		}
		pattern := words[1]
		if !path.IsAbs(pattern) {
			pattern = path.Join(path.Dir(file), pattern)
		}
		found, err := afero.Glob(files, pattern)
		if err != nil {
			return nil, fmt.Errorf("%s:%d - Error during parsing: Failed to use import pattern %s: %v", file, number, words[1], err)
		}
		if len(found) == 0 && !strings.ContainsAny(words[1], "*?[]") {
			return nil, fmt.Errorf("%s:%d - Error during parsing: File to import not found: %s", file, number, words[1])
		}
		for _, name := range found {
			imported, err := afero.ReadFile(files, name)
			if err != nil {
				return nil, fmt.Errorf("%s:%d - Error during parsing: Could not import %s: %v", file, number, name, err)
			}
			if imported, err = imports(files, name, imported, depth+1); err != nil {
				return nil, err
			}
			out.Write(imported)
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), nil
}
