package lessons

import (
	"fmt"
	"reflect"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	celast "github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// Names of the variables of an expression.
const (
	varNow       = "now"
	varBefore    = "before"
	varCluster   = "cluster" // what path, lookup and members ask; checks call these without it
	varNodes     = "nodes"
	varReplies   = "replies"
	varLast      = "last"
	varNamespace = "ns"
	varMode      = "mode"
	varAnswered  = "answered"
)

// lists are the variables that are also fields of now and before, with the
// resource that each is read from.
var lists = map[string]struct {
	element  string
	resource string
	get      func(*Picture) any
}{
	"services":     {"Service", "services", func(p *Picture) any { return p.Services }},
	"slices":       {"EndpointSlice", "endpointslices", func(p *Picture) any { return p.Slices }},
	"endpoints":    {"Endpoints", "endpoints", func(p *Picture) any { return p.Endpoints }},
	"pods":         {"Pod", "pods", func(p *Picture) any { return p.Pods }},
	"deployments":  {"Deployment", "deployments", func(p *Picture) any { return p.Deployments }},
	"replicasets":  {"ReplicaSet", "replicasets", func(p *Picture) any { return p.ReplicaSets }},
	"statefulsets": {"Workload", "statefulsets", func(p *Picture) any { return p.StatefulSets }},
	"policies":     {"NetworkPolicy", "networkpolicies", func(p *Picture) any { return p.Policies }},
}

// helper is a function of a variable of an expression. Checks call it without
// the variable: service('web') means now.service('web').
type helper struct {
	on        string // the variable
	arguments []*types.Type
	result    *types.Type
	reads     []string // resources
	call      func(on any, arguments []ref.Val) (any, error)
}

var stringType = types.StringType

var helpers = map[string]helper{
	"service":     ofPicture("Service", "services", func(p *Picture, name string) any { return p.service(name) }),
	"deployment":  ofPicture("Deployment", "deployments", func(p *Picture, name string) any { return p.deployment(name) }),
	"statefulset": ofPicture("Workload", "statefulsets", func(p *Picture, name string) any { return p.statefulSet(name) }),
	"pod":         ofPicture("Pod", "pods", func(p *Picture, name string) any { return p.pod(name) }),
	"gone": {varNow, []*types.Type{stringType}, types.BoolType, []string{"pods"},
		named(func(p *Picture, uid string) any { return p.gone(uid) })},
	"readyEndpoints": {varNow, []*types.Type{stringType}, types.NewListType(stringType), []string{"services", "endpointslices"},
		named(func(p *Picture, name string) any { return p.readyEndpoints(name) })},
	"selected": {varNow, []*types.Type{types.NewMapType(stringType, stringType)}, types.NewListType(kindsByName["Pod"].typ), []string{"pods"},
		func(on any, arguments []ref.Val) (any, error) {
			native, err := arguments[0].ConvertToNative(reflect.TypeFor[map[string]string]())
			p, ok := on.(*Picture)
			if err != nil || !ok {
				return nil, fmt.Errorf("selected wants labels: %w", err)
			}
			return p.selected(native.(map[string]string)), nil
		}},
	"path": {varCluster, []*types.Type{stringType, stringType}, kindsByName["Way"].typ, []string{"services", "endpointslices", "pods", "nodes"},
		asked(func(c *view, from, target string) (any, error) { return c.path(from, target) })},
	"lookup": {varCluster, []*types.Type{stringType, stringType}, kindsByName["Lookup"].typ, []string{"services", "endpointslices", "pods"},
		asked(func(c *view, from, name string) (any, error) { return c.lookup(from, name) })},
	"members": {varCluster, []*types.Type{stringType}, types.NewListType(kindsByName["Member"].typ), []string{"services", "pods"},
		func(on any, arguments []ref.Val) (any, error) {
			c, ok := on.(*view)
			service, isName := arguments[0].Value().(string)
			if !ok || !isName {
				return nil, fmt.Errorf("members wants the name of a Service")
			}
			return c.members(service), nil
		}},
}

// ofPicture is a function that gives one object by its name.
func ofPicture(kind, resource string, get func(*Picture, string) any) helper {
	return helper{varNow, []*types.Type{stringType}, kindsByName[kind].typ, []string{resource}, named(get)}
}

func named(get func(*Picture, string) any) func(any, []ref.Val) (any, error) {
	return func(on any, arguments []ref.Val) (any, error) {
		p, ok := on.(*Picture)
		name, isName := arguments[0].Value().(string)
		if !ok || !isName {
			return nil, fmt.Errorf("want a name, not a %s", arguments[0].Type().TypeName())
		}
		return get(p, name), nil
	}
}

func asked(get func(c *view, from, what string) (any, error)) func(any, []ref.Val) (any, error) {
	return func(on any, arguments []ref.Val) (any, error) {
		c, ok := on.(*view)
		from, isClient := arguments[0].Value().(string)
		what, isText := arguments[1].Value().(string)
		if !ok || !isClient || !isText {
			return nil, fmt.Errorf("want a client and what it asks for, both in quotes")
		}
		return get(c, from, what)
	}
}

// environment is CEL's standard library, the kinds, the variables and the helpers.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	picture := kindsByName["Picture"].typ
	reply := kindsByName["Reply"].typ
	options := []cel.EnvOption{
		cel.CustomTypeAdapter(adapter),
		cel.CustomTypeProvider(kindProvider{registry}),
		cel.Variable(varNow, picture),
		cel.Variable(varBefore, picture),
		cel.Variable(varCluster, kindsByName["View"].typ),
		cel.Variable(varNamespace, cel.StringType),
		cel.Variable(varMode, cel.StringType),
		cel.Variable(varAnswered, cel.BoolType),
		cel.Variable(varNodes, cel.ListType(kindsByName["Node"].typ)),
		cel.Variable(varReplies, cel.ListType(reply)),
		cel.Variable(varLast, reply),
	}
	for name, l := range lists {
		options = append(options, cel.Variable(name, cel.ListType(kindsByName[l.element].typ)))
	}
	for name, h := range helpers {
		options = append(options, h.macro(name), h.function(name))
	}
	return cel.NewEnv(options...)
})

// macro makes service('web') of now.service('web').
func (h helper) macro(name string) cel.EnvOption {
	return cel.Macros(cel.GlobalMacro(name, len(h.arguments), func(f cel.MacroExprFactory, _ celast.Expr, args []celast.Expr) (celast.Expr, *cel.Error) {
		return f.NewMemberCall(name, f.NewIdent(h.on), args...), nil
	}))
}

func (h helper) function(name string) cel.EnvOption {
	on := kindsByName["Picture"].typ
	if h.on == varCluster {
		on = kindsByName["View"].typ
	}
	return cel.Function(name, cel.MemberOverload(name, append([]*cel.Type{on}, h.arguments...), h.result,
		cel.FunctionBinding(func(args ...ref.Val) ref.Val {
			value, err := h.call(args[0].Value(), args[1:])
			if err != nil {
				return types.WrapErr(err)
			}
			return adapter.NativeToValue(value)
		})))
}

// dialect compiles expressions that may name a lesson's variables besides what
// all expressions know.
type dialect struct {
	env func() (*cel.Env, error)
}

// plain knows no variables of a lesson.
func plain() *dialect { return &dialect{env: environment} }

// dialectOf knows variables: integers and strings.
func dialectOf(variables map[string]any) *dialect {
	if len(variables) == 0 {
		return plain()
	}
	return &dialect{env: sync.OnceValues(func() (*cel.Env, error) {
		env, err := environment()
		if err != nil {
			return nil, err
		}
		var options []cel.EnvOption
		for name, value := range variables {
			v := types.DefaultTypeAdapter.NativeToValue(value)
			t := cel.IntType
			if _, isText := value.(string); isText {
				t = cel.StringType
			}
			options = append(options, cel.Constant(name, t, v))
		}
		return env.Extend(options...)
	})}
}

// compile checks an expression's syntax and types. Its error is a
// *compileError for the first problem.
func (d *dialect) compile(source string, want wanted) (*expression, error) {
	env, err := d.env()
	if err != nil {
		return nil, fmt.Errorf("prepare CEL: %w", err)
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, firstIssue(issues)
	}
	result := ast.OutputType()
	if complaint := want.complaint(result); complaint != "" {
		return nil, &compileError{1, 1, complaint}
	}
	program, err := env.Program(ast, cel.CostLimit(costLimit))
	if err != nil {
		return nil, &compileError{1, 1, err.Error()}
	}
	e := &expression{source: source, program: program, result: result, dialect: d}
	e.findReads(ast)
	return e, nil
}

// wanted is the result type an expression must have.
type wanted int

const (
	aBool    wanted = iota
	anyText         // fills in a command: a string or a number
	anyValue        // is compared with others, or told in a text: a string, a number or a bool
	anyThing
)

// complaint says why a result is not what is wanted; "" when it is.
func (w wanted) complaint(result *cel.Type) string {
	isText := false
	for _, t := range []*cel.Type{cel.StringType, cel.IntType, cel.UintType, cel.DoubleType} {
		isText = isText || result.IsExactType(t)
	}
	isBool := result.IsExactType(cel.BoolType)
	switch {
	case w == aBool && !isBool:
		return fmt.Sprintf("a check must be true or false, this is a %s", result)
	case w == anyText && !isText:
		return fmt.Sprintf("the value must be a string or a number, this is a %s", result)
	case w == anyValue && !isText && !isBool:
		return fmt.Sprintf("the value must be a string, a number or a bool, this is a %s", result)
	}
	return ""
}

// alike says whether values of the two types can be equal.
func alike(a, b *cel.Type) bool {
	return a.IsExactType(b) || isNumber(a) && isNumber(b)
}

func isNumber(t *cel.Type) bool {
	return t.IsExactType(cel.IntType) || t.IsExactType(cel.UintType) || t.IsExactType(cel.DoubleType)
}

// compileError is a problem at a place within an expression.
type compileError struct {
	line, column int // from 1
	message      string
}

// Error implements error.
func (e *compileError) Error() string { return e.message }

func firstIssue(issues *cel.Issues) error {
	all := issues.Errors()
	if len(all) == 0 {
		return &compileError{1, 1, issues.Err().Error()}
	}
	first := all[0]
	for _, e := range all[1:] {
		if before(e, first) {
			first = e
		}
	}
	return &compileError{max(first.Location.Line(), 1), max(first.Location.Column(), 0) + 1, first.Message}
}

func before(a, b *common.Error) bool {
	if a.Location.Line() != b.Location.Line() {
		return a.Location.Line() < b.Location.Line()
	}
	return a.Location.Column() < b.Location.Column()
}
