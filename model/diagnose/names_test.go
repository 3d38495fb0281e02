package diagnose

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestNames: a rule's variable is its id without hyphens, and its file, which
// holds no other rule, has the name of its lane and its id.
func TestNames(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for variable, id := range rulesIn(t, file) {
			found++
			rule := RuleByID(id)
			if rule == nil {
				t.Errorf("%s: rule %q is not in Rules", file, id)
				continue
			}
			if want := strings.ReplaceAll(id, "-", ""); !strings.EqualFold(variable, want) {
				t.Errorf("%s: the variable of rule %q is %s", file, id, variable)
			}
			if want := string(rule.Lane) + "_" + strings.ReplaceAll(id, "-", "_") + ".go"; file != want {
				t.Errorf("rule %q is in %s, not in %s", id, file, want)
			}
		}
	}
	if found != len(Rules) {
		t.Errorf("%d variables are rules, and Rules has %d", found, len(Rules))
	}
}

// rulesIn gives the ids of a file's variables that are rules.
func rulesIn(t *testing.T, file string) map[string]string {
	t.Helper()
	tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	ast.Inspect(tree, func(n ast.Node) bool {
		spec, is := n.(*ast.ValueSpec)
		if !is || len(spec.Values) != 1 {
			return true
		}
		literal, is := spec.Values[0].(*ast.CompositeLit)
		if !is {
			return true
		}
		if name, is := literal.Type.(*ast.Ident); !is || name.Name != "Rule" {
			return true
		}
		for _, element := range literal.Elts {
			field := element.(*ast.KeyValueExpr)
			if field.Key.(*ast.Ident).Name == "ID" {
				out[spec.Names[0].Name] = strings.Trim(field.Value.(*ast.BasicLit).Value, `"`)
			}
		}
		return false
	})
	return out
}
