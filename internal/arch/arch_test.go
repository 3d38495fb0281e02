// Package arch keeps the import directions and size limits of the house. It
// reads the source; nothing of the program is run.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const module = "svctour"

// may lists, for each part of the house, what else of the house it may import.
// The longest matching prefix counts; a part may always import itself.
var may = map[string][]string{
	"":                  {"cli"},
	"cli":               {"desk", "ui/shell", "ui/still", "lab", "lab/child", "cluster", "cluster/kubectl", "cluster/reach", "cluster/files", "lessons", "model"},
	"desk":              {"ui", "lab", "cluster", "cluster/kubectl", "cluster/reach", "cluster/whatif", "lessons", "model"},
	"ui":                {"lessons", "model"},
	"ui/frame":          {"model"},
	"ui/theme":          {"ui/frame", "model"},
	"ui/layout":         {"ui/frame"},
	"ui/shell":          {"ui/frame", "ui/theme", "lessons", "model"},
	"ui/stage":          {"ui/frame", "ui/theme", "model"},
	"ui/live":           {"ui/shell", "ui/frame", "ui/theme", "ui/stage", "lessons", "model"},
	"ui/question":       {"ui/live", "ui/shell", "ui/frame", "ui/theme"},
	"ui/list":           {},
	"ui/editor":         {"ui/shell", "ui/frame", "ui/theme", "ui/live", "model"},
	"ui/prompt":         {"ui/frame", "ui/theme", "model"},
	"ui/picker":         leaves,
	"ui/boot":           leaves,
	"ui/contents":       leaves,
	"ui/lesson":         leaves,
	"ui/review":         leaves,
	"ui/sandbox":        leaves,
	"ui/still":          {"ui", "lessons", "model"},
	"lessons":           {"model"},
	"cluster":           {"cluster/convert", "model"},
	"cluster/convert":   {"model"},
	"cluster/kubectl":   {"cluster", "model"},
	"cluster/reach":     {"cluster", "cluster/convert", "model"},
	"cluster/files":     {"cluster/convert", "model"},
	"cluster/whatif":    {"cluster/convert", "model"},
	"lab":               {"model"},
	"lab/child":         {"lab", "model", "cluster/convert"},
	"lab/child/process": {},
	"lab/child/network": {"lab/child/process", "model"},
	"lab/child/program": {"lab/child/process", "model"},
	"lab/child/image":   {"lab/child/process", "lab/child/program", "model"},
	"model":             {},
	"model/endpoints":   {"model"},
	"model/path":        {"model"},
	"model/dns":         {"model"},
	"model/policy":      {"model"},
	"model/diagnose":    {"model"},
	"model/scene":       {"model"},
	"model/meter":       {"model"},
	"model/router":      {"model"},
}

// alone are parts of which the parts below have to be named one by one.
var alone = map[string]bool{"cluster": true, "lab": true}

// leaves is what screens share; screens never import screens.
var leaves = []string{"ui/shell", "ui/frame", "ui/theme", "ui/layout", "ui/list", "ui/live", "ui/question", "lessons", "model"}

// foreign lists imports from outside the house that only some parts may have.
var foreign = map[string][]string{
	"k8s.io/":                              {"cli", "cluster", "desk", "lab", "test"},
	"k8s.io/kubernetes":                    {"cluster/files", "cluster/whatif", "lab/child", "test"},
	"sigs.k8s.io/":                         {"cli", "cluster", "lab", "test"},
	"go.etcd.io/":                          {"lab/child"},
	"charm.land/":                          {"ui", "desk"},
	"github.com/charmbracelet/ultraviolet": {"ui/frame"},
	"charm.land/lipgloss/v2/compat":        {}, // asks the terminal when the package is loaded
	"github.com/google/cel-go/":            {"lessons"},
	"github.com/spf13/cobra":               {"cli"},
	"gvisor.dev/":                          {"lab/child/network"},
	"mvdan.cc/sh/":                         {"lab/child/program/shell"},
	"github.com/coredns/":                  {"lab/child/dns", "test"},
	"github.com/miekg/dns":                 {"lab/child/dns", "lab/child/program", "test"},
}

const (
	fileLimit     = 600 // lines of a file
	functionLimit = 100 // lines of a function in ui
	updateLimit   = 80  // lines of a function called Update
)

type source struct {
	path string // slash-separated, from the top
	dir  string
	set  *token.FileSet
	file *ast.File
}

func sources(t *testing.T) []source {
	t.Helper()
	top := filepath.Join("..", "..")
	var out []source
	err := filepath.WalkDir(top, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != top || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(top, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		dir := path.Dir(relative)
		if dir == "." {
			dir = ""
		}
		out = append(out, source{relative, dir, set, file})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 40 {
		t.Fatalf("only %d source files found: is the top still two folders up?", len(out))
	}
	return out
}

func within(dir, part string) bool {
	return dir == part || part != "" && strings.HasPrefix(dir, part+"/")
}

// partOf is the longest entry of may that holds dir.
func partOf(dir string) (string, bool) {
	best, found := "", dir == ""
	for part := range may {
		if within(dir, part) && (!found || len(part) > len(best)) {
			best, found = part, true
		}
	}
	return best, found
}

// holds says whether dir belongs to a part as may names it.
func holds(part, dir string) bool {
	if alone[part] {
		own, _ := partOf(dir)
		return own == part
	}
	return within(dir, part)
}

func TestImportsPointOneWay(t *testing.T) {
	for _, s := range sources(t) {
		if within(s.dir, "test") || within(s.dir, "internal") {
			continue
		}
		part, known := partOf(s.dir)
		if !known {
			t.Errorf("%s: package %q has no place in the house", s.path, s.dir)
			continue
		}
		for _, spec := range s.file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if problem := forbidden(s.dir, part, name); problem != "" {
				t.Errorf("%s imports %s: %s", s.path, name, problem)
			}
		}
	}
}

func forbidden(dir, part, name string) string {
	if inner, ours := strings.CutPrefix(name, module+"/"); ours {
		if part != "" && holds(part, inner) {
			return ""
		}
		for _, allowed := range may[part] {
			if holds(allowed, inner) {
				return ""
			}
		}
		return "imports point one way, see the architecture"
	}
	if within(dir, "model") && strings.Contains(strings.SplitN(name, "/", 2)[0], ".") {
		return "model has the standard library and nothing else"
	}
	if within(dir, "model") && (name == "os" || name == "net/http" || name == "io/ioutil") {
		return "model does no I/O"
	}
	best, allowed := "", []string(nil)
	for prefix, parts := range foreign {
		if strings.HasPrefix(name, prefix) && len(prefix) > len(best) {
			best, allowed = prefix, parts
		}
	}
	if best == "" {
		return ""
	}
	for _, p := range allowed {
		if within(dir, p) {
			return ""
		}
	}
	return "only " + strings.Join(allowed, ", ") + " may"
}

func TestSizes(t *testing.T) {
	for _, s := range sources(t) {
		if lines := s.set.Position(s.file.End()).Line; lines > fileLimit {
			t.Errorf("%s has %d lines, more than %d", s.path, lines, fileLimit)
		}
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := s.set.Position(function.End()).Line - s.set.Position(function.Pos()).Line + 1
			if function.Name.Name == "Update" && lines > updateLimit {
				t.Errorf("%s: Update has %d lines, more than %d", s.path, lines, updateLimit)
			}
			if within(s.dir, "ui") && lines > functionLimit {
				t.Errorf("%s: %s has %d lines, more than %d", s.path, function.Name.Name, lines, functionLimit)
			}
		}
	}
}

// origin is what a source of truth looks like: an API type's version, a KEP, an
// RFC, a manual's page, an address, a file of source, a document of ours, or the
// Source that each of the doctor's rules names.
var origin = regexp.MustCompile(`/v1\b|k8s\.io/|KEP-\d|RFC \d|\(\d\)|https://|\.(go|c|md)\b|pkg/|ECMA-48|\bSource\b`)

// wordings are files of the model that write and compare words, and decide by no
// rule of Kubernetes'.
var wordings = map[string]bool{"model/words.go": true, "model/planned.go": true}

// TestModelNamesItsSources: people believe the model over their own
// understanding, so every public function of it that decides by
// a rule of Kubernetes' says whom it believes.
func TestModelNamesItsSources(t *testing.T) {
	functions := 0
	for _, s := range sources(t) {
		if !within(s.dir, "model") {
			continue
		}
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok || !function.Name.IsExported() || !onExported(function) {
				continue
			}
			if wordings[s.path] || function.Recv != nil && function.Type.Params.NumFields() == 0 {
				continue // it decides nothing: it words, or gives what is there
			}
			functions++
			if text := strings.Join(strings.Fields(function.Doc.Text()), " "); !origin.MatchString(text) {
				t.Errorf("%s: %s names no source: %q", s.set.Position(function.Pos()), function.Name.Name, text)
			}
		}
	}
	if functions < 50 {
		t.Errorf("only %d public functions found", functions)
	}
}

// onExported says whether a function has no receiver, or one that others see.
func onExported(function *ast.FuncDecl) bool {
	if function.Recv == nil {
		return true
	}
	receiver := function.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	name, ok := receiver.(*ast.Ident)
	return !ok || name.IsExported()
}

// TestTheRulesBite shows that the rules can fail.
func TestTheRulesBite(t *testing.T) {
	for _, c := range []struct{ dir, name string }{
		{"model/path", "k8s.io/api/core/v1"},
		{"model", "svctour/ui"},
		{"model", "os"},
		{"ui/picker", "svctour/ui/lesson"},
		{"ui/live", "github.com/charmbracelet/ultraviolet"},
		{"ui", "svctour/cluster"},
		{"lessons", "svctour/lab"},
		{"cluster", "svctour/lab"},
		{"cluster", "svctour/cluster/kubectl"},
		{"cluster", "svctour/cluster/reach"},
		{"cluster", "svctour/cluster/files"},
		{"cluster", "svctour/cluster/whatif"},
		{"cli", "svctour/cluster/whatif"},
		{"ui", "svctour/cluster/whatif"},
		{"cluster", "k8s.io/kubernetes/pkg/apis/core"},
		{"cluster/kubectl", "svctour/cluster/reach"},
		{"cluster/files", "svctour/cluster"},
		{"lab/child/node", "svctour/ui"},
		{"lab", "svctour/lab/child"},
		{"lab/hostport", "svctour/lab/child/hostport"},
		{"ui", "svctour/lab/child"},
		{"lab", "k8s.io/kubernetes/cmd/kube-apiserver/app"},
		{"ui", "k8s.io/client-go/kubernetes"},
	} {
		part, known := partOf(c.dir)
		if !known || forbidden(c.dir, part, c.name) == "" {
			t.Errorf("%s may import %s", c.dir, c.name)
		}
	}
	if _, err := os.Stat(filepath.Join("..", "..", "go.mod")); err != nil {
		t.Error(err)
	}
}
