package lessons

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"svctour/model"
)

// costLimit bounds one evaluation, in CEL's cost units: far more than a check
// on 100 Pods needs, and reached within about 50 ms.
const costLimit = 200_000

// Names of the variables of an expression.
const (
	varNow       = "now"
	varBefore    = "before"
	varNodes     = "nodes"
	varReplies   = "replies"
	varNamespace = "ns"
)

// lists are the variables that are also fields of now and before, with the
// resource that each is read from.
var lists = map[string]struct {
	element  string
	resource string
	get      func(*Picture) any
}{
	"services":    {"Service", "services", func(p *Picture) any { return p.Services }},
	"slices":      {"EndpointSlice", "endpointslices", func(p *Picture) any { return p.Slices }},
	"endpoints":   {"Endpoints", "endpoints", func(p *Picture) any { return p.Endpoints }},
	"pods":        {"Pod", "pods", func(p *Picture) any { return p.Pods }},
	"deployments": {"Deployment", "deployments", func(p *Picture) any { return p.Deployments }},
	"replicasets": {"ReplicaSet", "replicasets", func(p *Picture) any { return p.ReplicaSets }},
}

// helper is a function of now or before; called without either it means now.
type helper struct {
	argument *types.Type
	result   *types.Type
	reads    []string // resources
	call     func(p *Picture, argument ref.Val) (any, error)
}

var helpers = map[string]helper{
	"service": {types.StringType, kindsByName["Service"].typ, []string{"services"},
		named(func(p *Picture, name string) any { return p.service(name) })},
	"deployment": {types.StringType, kindsByName["Deployment"].typ, []string{"deployments"},
		named(func(p *Picture, name string) any { return p.deployment(name) })},
	"pod": {types.StringType, kindsByName["Pod"].typ, []string{"pods"},
		named(func(p *Picture, name string) any { return p.pod(name) })},
	"gone": {types.StringType, types.BoolType, []string{"pods"},
		named(func(p *Picture, uid string) any { return p.gone(uid) })},
	"readyEndpoints": {types.StringType, types.NewListType(types.StringType), []string{"services", "endpointslices"},
		named(func(p *Picture, name string) any { return p.readyEndpoints(name) })},
	"selected": {types.NewMapType(types.StringType, types.StringType), types.NewListType(kindsByName["Pod"].typ), []string{"pods"},
		func(p *Picture, argument ref.Val) (any, error) {
			native, err := argument.ConvertToNative(reflect.TypeFor[map[string]string]())
			if err != nil {
				return nil, err
			}
			return p.selected(native.(map[string]string)), nil
		}},
}

func named(get func(*Picture, string) any) func(*Picture, ref.Val) (any, error) {
	return func(p *Picture, argument ref.Val) (any, error) {
		name, ok := argument.Value().(string)
		if !ok {
			return nil, fmt.Errorf("want a name, not a %s", argument.Type().TypeName())
		}
		return get(p, name), nil
	}
}

// environment is CEL's standard library, the kinds, the variables and the helpers.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	picture := kindsByName["Picture"].typ
	options := []cel.EnvOption{
		cel.CustomTypeAdapter(adapter),
		cel.CustomTypeProvider(kindProvider{registry}),
		cel.Variable(varNow, picture),
		cel.Variable(varBefore, picture),
		cel.Variable(varNamespace, cel.StringType),
		cel.Variable(varNodes, cel.ListType(kindsByName["Node"].typ)),
		cel.Variable(varReplies, cel.ListType(kindsByName["Reply"].typ)),
	}
	for name, l := range lists {
		options = append(options, cel.Variable(name, cel.ListType(kindsByName[l.element].typ)))
	}
	for name, h := range helpers {
		options = append(options,
			cel.Macros(cel.GlobalMacro(name, 1, func(f cel.MacroExprFactory, _ celast.Expr, args []celast.Expr) (celast.Expr, *cel.Error) {
				return f.NewMemberCall(name, f.NewIdent(varNow), args...), nil
			})),
			cel.Function(name, cel.MemberOverload(name, []*cel.Type{picture, h.argument}, h.result,
				cel.BinaryBinding(func(target, argument ref.Val) ref.Val {
					p, ok := target.Value().(*Picture)
					if !ok {
						return types.MaybeNoSuchOverloadErr(target)
					}
					value, err := h.call(p, argument)
					if err != nil {
						return types.WrapErr(err)
					}
					return adapter.NativeToValue(value)
				}))))
	}
	return cel.NewEnv(options...)
})

// expression is a compiled CEL expression.
type expression struct {
	source  string
	program cel.Program
	reads   []string // resources it needs, sorted
	replies bool     // it looks at replies
}

// wanted is the result type an expression must have.
type wanted int

const (
	aBool wanted = iota
	anyText
)

// compileError is a problem at a place within an expression.
type compileError struct {
	line, column int // from 1
	message      string
}

func (e *compileError) Error() string { return e.message }

// compile checks an expression's syntax and types. Its error is a
// *compileError for the first problem.
func compile(source string, want wanted) (*expression, error) {
	env, err := environment()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, firstIssue(issues)
	}
	result := ast.OutputType()
	if want == aBool && !result.IsExactType(cel.BoolType) {
		return nil, &compileError{1, 1, fmt.Sprintf("a check must be true or false, this is a %s", result)}
	}
	if want == anyText && !slices.ContainsFunc(texts, result.IsExactType) {
		return nil, &compileError{1, 1, fmt.Sprintf("the value must be a string or a number, this is a %s", result)}
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, &compileError{1, 1, err.Error()}
	}
	e := &expression{source: source, program: program}
	e.findReads(ast)
	return e, nil
}

var texts = []*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType}

func firstIssue(issues *cel.Issues) error {
	all := issues.Errors()
	if len(all) == 0 {
		return &compileError{1, 1, issues.Err().Error()}
	}
	first := slices.MinFunc(all, func(a, b *common.Error) int {
		if d := a.Location.Line() - b.Location.Line(); d != 0 {
			return d
		}
		return a.Location.Column() - b.Location.Column()
	})
	return &compileError{max(first.Location.Line(), 1), max(first.Location.Column(), 0) + 1, first.Message}
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
		case name == varReplies:
			e.replies = true
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
	replies   []model.Reply
}

// ResolveName implements cel.Activation.
func (in *input) ResolveName(name string) (any, bool) {
	switch name {
	case varNow:
		return object{kindsByName["Picture"], in.now}, true
	case varBefore:
		return object{kindsByName["Picture"], in.before}, true
	case varNamespace:
		return in.namespace, true
	case varNodes:
		return adapter.NativeToValue(in.snapshot.Nodes), true
	case varReplies:
		replies := make([]ref.Val, len(in.replies))
		for i := range in.replies {
			replies[i] = adapter.NativeToValue(&in.replies[i])
		}
		return types.NewRefValList(adapter, replies), true
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

// text evaluates an expression in a command.
func (e *expression) text(in *input) (string, error) {
	value, err := e.eval(in)
	if err != nil {
		return "", err
	}
	switch v := value.Value().(type) {
	case string:
		if v == "" {
			return "", errNothing
		}
		return v, nil
	case int64:
		if v == 0 { // a port that is not set
			return "", errNothing
		}
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	}
	return "", fmt.Errorf("evaluate %q: got a %s", e.source, value.Type().TypeName())
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
		part, err := compile(source, aBool)
		if err != nil { // not a condition by itself
			return []*expression{e}
		}
		list = append(list, part)
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
