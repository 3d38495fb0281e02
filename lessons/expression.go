package lessons

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/cel-go/cel"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"svctour/model"
)

// costLimit bounds one evaluation, in CEL's cost units: far more than a check
// on 100 Pods needs, and reached within about 50 ms.
const costLimit = 200_000

// expression is a compiled CEL expression.
type expression struct {
	source   string
	program  cel.Program
	result   *cel.Type
	dialect  *dialect
	reads    []string // resources it needs, sorted
	replies  bool     // it looks at what commands printed
	answered bool     // it looks at what became of the step's own command
}

func (e *expression) findReads(ast *cel.Ast) {
	found := map[string]bool{}
	celast.PostOrderVisit(ast.NativeRep().Expr(), celast.NewExprVisitor(func(x celast.Expr) {
		name := ""
		switch x.Kind() {
		case celast.IdentKind:
			name = x.AsIdent()
		case celast.SelectKind:
			if on := x.AsSelect().Operand(); on.Kind() == celast.IdentKind && (on.AsIdent() == varNow || on.AsIdent() == varBefore) {
				name = x.AsSelect().FieldName()
			}
		case celast.CallKind:
			if x.AsCall().IsMemberFunction() {
				for _, resource := range helpers[x.AsCall().FunctionName()].reads {
					found[resource] = true
				}
			}
		}
		switch l, ok := lists[name]; {
		case ok:
			found[l.resource] = true
		case name == varNodes:
			found["nodes"] = true
		case name == varReplies || name == varLast:
			e.replies = true
		case name == varAnswered:
			e.replies, e.answered = true, true
		}
	}))
	e.reads = slices.Sorted(maps.Keys(found))
}

// input is what an expression is evaluated over.
type input struct {
	namespace string
	snapshot  *model.Snapshot
	now       *Picture
	before    *Picture
	replies   []reply
	answered  func() bool // nil: nothing was asked
}

// ResolveName implements cel.Activation.
func (in *input) ResolveName(name string) (any, bool) {
	switch name {
	case varNow:
		return object{kindsByName["Picture"], in.now}, true
	case varBefore:
		return object{kindsByName["Picture"], in.before}, true
	case varCluster:
		return object{kindsByName["View"], &view{snapshot: in.snapshot, namespace: in.namespace}}, true
	case varNamespace:
		return in.namespace, true
	case varMode:
		return in.snapshot.Proxy.Mode, true
	case varAnswered:
		return in.answered != nil && in.answered(), true
	case varNodes:
		return adapter.NativeToValue(in.snapshot.Nodes), true
	case varReplies:
		replies := make([]ref.Val, len(in.replies))
		for i := range in.replies {
			replies[i] = adapter.NativeToValue(&in.replies[i].Reply)
		}
		return types.NewRefValList(adapter, replies), true
	case varLast:
		if n := len(in.replies); n > 0 {
			return adapter.NativeToValue(&in.replies[n-1].Reply), true
		}
		return adapter.NativeToValue(&model.Reply{}), true
	}
	if l, ok := lists[name]; ok {
		return adapter.NativeToValue(l.get(in.now)), true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (in *input) Parent() cel.Activation { return nil }

func (e *expression) eval(in *input) (value ref.Val, err error) {
	for _, resource := range e.reads {
		if why, missing := in.snapshot.Sync.Missing[resource]; missing {
			return nil, fmt.Errorf("this step looks at %s, which cannot be read: %s", resource, why)
		}
	}
	defer func() { // a defect of a binding must not take the screen down
		if r := recover(); r != nil {
			err = fmt.Errorf("evaluate %q: %v", e.source, r)
		}
	}()
	value, _, err = e.program.Eval(in)
	if err != nil {
		return nil, fmt.Errorf("evaluate %q: %w", e.source, err)
	}
	return value, nil
}

// holds evaluates a check.
func (e *expression) holds(in *input) (bool, error) {
	value, err := e.eval(in)
	if err != nil {
		return false, err
	}
	answer, ok := value.Value().(bool)
	if !ok {
		return false, fmt.Errorf("evaluate %q: got a %s, not true or false", e.source, value.Type().TypeName())
	}
	return answer, nil
}

// value evaluates an expression whose result is compared or told, as text.
func (e *expression) value(in *input) (string, error) {
	value, err := e.eval(in)
	if err != nil {
		return "", err
	}
	switch v := value.Value().(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', 6, 64), nil
	}
	return "", fmt.Errorf("evaluate %q: got a %s", e.source, value.Type().TypeName())
}

// text evaluates an expression in a command. What is empty, or a port that is
// not set, is an error: a command with a hole in it would do something else
// than meant.
func (e *expression) text(in *input) (string, error) {
	text, err := e.value(in)
	if err == nil && (text == "" || text == "0" && isNumber(e.result)) {
		err = errNothing
	}
	return text, err
}

// placeholder stands for the value where it is not known, as in kubectl's own
// help: POD for a Pod's name, CLUSTERIP for the field clusterIP.
func (e *expression) placeholder() string {
	field := strings.TrimSpace(e.source[strings.LastIndexByte(e.source, '.')+1:])
	switch {
	case field == "name" && len(e.reads) > 0:
		return strings.ToUpper(strings.TrimSuffix(e.reads[0], "s"))
	case strings.ContainsFunc(field, func(r rune) bool { return !unicode.IsLetter(r) }):
		return "VALUE"
	}
	return strings.ToUpper(field)
}

// conditions are the parts of an expression between "&&", each by itself; the
// expression alone if it is not a row of such.
func (e *expression) conditions() []*expression {
	var list []*expression
	for _, source := range cutConditions(e.source) {
		part, err := e.dialect.compile(source, aBool)
		if err != nil { // not a condition by itself
			return []*expression{e}
		}
		list = append(list, part)
	}
	return list
}

// unmet gives those conditions that do not hold, as the lesson writes them.
func unmet(conditions []*expression, in *input) []string {
	var list []string
	for _, e := range conditions {
		if met, err := e.holds(in); err != nil || !met {
			list = append(list, strings.Join(strings.Fields(e.source), " "))
		}
	}
	return list
}

// stringEnd is where the CEL string ends whose quote stands at i.
func stringEnd(source string, i int) int {
	quote := source[i]
	for i++; i < len(source) && source[i] != quote; i++ {
		if source[i] == '\\' {
			i++
		}
	}
	return i
}

// cutConditions cuts an expression at its outermost "&&". One that is not a row
// of conditions stays whole.
func cutConditions(source string) []string {
	var parts []string
	depth, from := 0, 0
	for i := 0; i < len(source); i++ {
		switch ch := source[i]; {
		case ch == '\'' || ch == '"':
			i = stringEnd(source, i)
		case strings.IndexByte("([{", ch) >= 0:
			depth++
		case strings.IndexByte(")]}", ch) >= 0:
			depth--
		case depth == 0 && (ch == '?' || ch == '|'):
			return []string{source}
		case depth == 0 && strings.HasPrefix(source[i:], "&&"):
			parts = append(parts, source[from:i])
			i++
			from = i + 1
		}
	}
	return append(parts, source[from:])
}

// errNothing: a command with a hole in it would do something else than meant.
var errNothing = errors.New("the cluster has nothing to fill in here yet")
