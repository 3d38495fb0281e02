package dns

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredns/caddy/caddyfile"
	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// loaded is what Caddy's parser makes of a Corefile: keys and words, spelt out.
func loaded(t *testing.T, p *process.Process, file string) (string, error) {
	t.Helper()
	text, err := load(p, file)
	if err != nil {
		return "", err
	}
	blocks, err := caddyfile.Parse(file, bytes.NewReader(text), nil)
	if err != nil {
		return "", err
	}
	var out []string
	for _, block := range blocks {
		out = append(out, strings.Join(block.Keys, ","))
		for _, tokens := range block.Tokens {
			for _, token := range tokens {
				out = append(out, token.Text)
			}
		}
	}
	return strings.Join(out, " "), nil
}

// pod is a program with a Corefile and some files beside it.
func pod(t *testing.T, corefile string, files map[string]string, env ...string) *process.Process {
	t.Helper()
	p := &process.Process{Files: afero.NewMemMapFs(), Env: env}
	for name, content := range files {
		if err := afero.WriteFile(p.Files, name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := afero.WriteFile(p.Files, "/etc/coredns/Corefile", []byte(corefile), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestLoad(t *testing.T) {
	files := map[string]string{
		"/etc/coredns/extra/a.conf": "log a\n", "/etc/coredns/extra/b.conf": "import /shared\n", "/shared": "log shared",
		"/blocks": "(inner) {\n log inner\n}\nb.test {\n import inner\n}\n",
	}
	for text, want := range map[string]string{
		".:53 {\n log\n}\n": ".:53 log",
		"a.test, b.test {\n log x {\n  y \"z w\"\n }\n}": "a.test,b.test log x { y z w }",
		"a.test\nlog":                                                         "a.test log",
		". {\n import extra/*.conf\n log\n}\n":                                ". log a log shared log",
		". {\n import none/*.conf\n log\n}":                                   ". log",
		". { import extra/a.conf\n}":                                          ". log a",
		". { \"import\" \"extra/a.conf\"\n}":                                  ". log a",
		"import /blocks":                                                      "b.test log inner",
		"(s) {\n log s\n}\n. {\n import s\n log t\n}":                         ". log s log t",
		"(s) {\n log s\n}\n(t) {\n import s\n}\n. {\n k {\n  import t\n }\n}": ". k { log s }",
		"{$ZONE} {\n log {$NAME}{%NAME%} {$NONE} {$} {%%} {$\n}":              "z.test log aa  {$} {%%} {$",
		". {\n log {$NESTED}\n}":                                              ". log a",
		". {\n log import x\n}":                                               ". log import x",
		". {\n log \"a \\\" b\" # comment {$HOME}\n}":                         ". log a \" b",
		". {\n rewrite name regex (.*)\\.a {1}.b\n}":                          `. rewrite name regex (.*)\.a {1}.b`,
		". {\n {$IMPORT} extra/a.conf\n}":                                     ". log a",
		"# (/shared) {\n. {\n import /shared\n}":                              ". log shared",
	} {
		got, err := loaded(t, pod(t, text, files, "ZONE=z.test", "NAME=a", "NESTED={$NAME}", "IMPORT=import"), "/etc/coredns/Corefile")
		if err != nil || got != want {
			t.Errorf("%s\n got %q, %v\nwant %q", text, got, err, want)
		}
	}
}

// Whatever a Corefile says, nothing of this machine is in what Caddy reads.
func TestLoadReadsNothingOfTheMachine(t *testing.T) {
	const secret = "the-machines-secret"
	t.Setenv("LAB_SECRET", secret)
	t.Setenv("LOOP", secret)
	folder := t.TempDir()
	file := filepath.Join(folder, "Corefile")
	if err := os.WriteFile(file, []byte(secret+" {\n log\n}\n"+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"import FILE":                                   "File to import not found",
		". {\n import FILE\n}":                          "File to import not found",
		". { import FILE\n}":                            "File to import not found",
		". {\n log {\n import FILE\n }\n}":              "File to import not found",
		"\"import\" \"FILE\"":                           "File to import not found",
		". {\n \"import\"  FILE # x\n}":                 "File to import not found",
		". {\n import FILE FILE\n}":                     "only one argument",
		". { import FILE }":                             "only one argument",
		". {\n import\n}":                               "Wrong argument count",
		"import":                                        "Wrong argument count",
		". {\n import \"\"\n}":                          "non-empty",
		"import FILE\n(FILE) {\n log\n}":                "File to import not found",
		". {\n import FILE\n}\n(FILE) {\n log\n}":       "File to import not found",
		"(a) {\n import FILE\n}\n. {\n import a\n}":     "File to import not found",
		"(a) { import FILE\n}\n. {\n import a\n}":       "File to import not found",
		". {\n log \"\n(FILE) {\n\"\n import FILE\n}":   "File to import not found",
		". {\n log \"\\\n\" \n import FILE\n}":          "File to import not found",
		". {\n import {$F}\n}":                          "File to import not found",
		". {\n {$I} FILE\n}":                            "File to import not found",
		"{$I} FILE":                                     "File to import not found",
		". {\n import {%F%}\n}":                         "File to import not found",
		". {\n log {$LOOP}\n}":                          "environment variables",
		". {\n import FOLDER/*/*\n}":                    "Glob pattern",
		". {\n import FOLDER/*\n}":                      "",
		". {\n log {$LAB_SECRET} {%LAB_SECRET%}\n}":     "",
		"{$LAB_SECRET} {\n log\n}":                      "",
		". {\n log {{$NOTHING}$LAB_SECRET} {${$LAB}\n}": "",
		". {\n log {$A}LAB_SECRET}\n}":                  "",
		". {\n log \"{$LAB_\nSECRET}\"\n}":              "",
		". {\n log {$B}\n}":                             "",
		". {\n import self\n}":                          "maximum snippet import depth",
		"(a) {\n import a\n}\n. {\n import a\n}":        "maximum snippet import depth",
		"(a) {\n log\n}\n(a) {\n log\n}":                "redeclaration",
		"(a) {\n log":                                   "expecting '}'",
	} {
		text := strings.NewReplacer("FILE", file, "FOLDER", folder).Replace(text)
		p := pod(t, text, map[string]string{"/etc/coredns/self": "import self\n"}, "F="+file, "I=import", "LOOP={$LOOP}", "A={$", "B={%LAB_SECRET%}", "LAB=LAB_SECRET")
		got, err := loaded(t, p, "/etc/coredns/Corefile")
		if strings.Contains(got, secret) {
			t.Errorf("%s\nread %q", text, got)
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %q, %v, want %q", text, got, err, want)
		}
	}
}

func FuzzCorefile(f *testing.F) {
	for _, text := range []string{
		"import FILE", ". { import FILE\n}", "(FILE) {\n log\n}\nimport FILE", ". {\n log \"\\\n\" \n import FILE\n}", "{$I} {$F}", "{%A%}{$A}{$LOOP}",
		"(s) {\n log s\n}\n. {\n import s\n}", "\"a\\\"b\" {\n log # x\n}\n", ". {\n log {$A}LAB_SECRET}\n}",
	} {
		f.Add(text)
	}
	const secret = "the-machines-secret"
	folder := f.TempDir()
	file := filepath.Join(folder, "Corefile")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		f.Fatal(err)
	}
	f.Setenv("LAB_SECRET", secret)
	f.Setenv("LOOP", secret)
	f.Setenv("A", secret)
	f.Fuzz(func(t *testing.T, text string) {
		text = strings.ReplaceAll(text, "FILE", file)
		p := pod(t, text, nil, "F="+file, "I=import", "LOOP={$LOOP}", "A={$")
		if got, err := loaded(t, p, "/etc/coredns/Corefile"); err == nil && strings.Contains(got, secret) {
			t.Errorf("%q\nread %q", text, got)
		}
	})
}
