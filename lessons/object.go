package lessons

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"svctour/model"
)

// kinds are the values that CEL expressions may read, by their names there.
// Their fields have the model's JSON names and are checked when an expression
// is compiled. An absent field reads as its zero value, as in a protocol
// buffer; has() tells the difference.
var kinds = func() map[reflect.Type]*kind {
	all := map[reflect.Type]*kind{}
	for name, sample := range map[string]any{
		"Picture":       Picture{},
		"Reply":         model.Reply{},
		"Owner":         model.Owner{},
		"Service":       model.Service{},
		"ServicePort":   model.ServicePort{},
		"Ingress":       model.Ingress{},
		"EndpointSlice": model.EndpointSlice{},
		"EndpointPort":  model.EndpointPort{},
		"Endpoint":      model.Endpoint{},
		"Endpoints":     model.Endpoints{},
		"Subset":        model.EndpointSubset{},
		"Ref":           model.Ref{},
		"Pod":           model.Pod{},
		"PodDNS":        model.PodDNS{},
		"DNSOption":     model.DNSOption{},
		"Container":     model.Container{},
		"ContainerPort": model.ContainerPort{},
		"Condition":     model.Condition{},
		"Probe":         model.Probe{},
		"Node":          model.Node{},
		"NodeAddress":   model.NodeAddress{},
		"Deployment":    model.Deployment{},
		"ReplicaSet":    model.ReplicaSet{},
		"Workload":      model.Workload{},
		"NetworkPolicy": model.NetworkPolicy{},
		"PolicyRule":    model.PolicyRule{},
		"PolicyPeer":    model.PolicyPeer{},
		"PolicyPort":    model.PolicyPort{},
		"LabelSelector": model.LabelSelector{},
		"View":          view{},
		"Way":           way{},
		"Backend":       backend{},
		"Lookup":        lookup{},
		"Member":        member{},
	} {
		t := reflect.TypeOf(sample)
		all[t] = &kind{name: name, typ: types.NewObjectType(name), fields: map[string]*types.FieldType{}}
	}
	for t, k := range all {
		k.addFields(all, t, nil)
	}
	for t, fields := range computed {
		for name, f := range fields {
			all[t].fields[name] = f
		}
	}
	return all
}()

var kindsByName = func() map[string]*kind {
	byName := make(map[string]*kind, len(kinds))
	for _, k := range kinds {
		byName[k.name] = k
	}
	return byName
}()

// computed are fields that the model computes: it knows the API's defaults.
var computed = map[reflect.Type]map[string]*types.FieldType{
	reflect.TypeFor[model.Service](): {
		"clusterIP": computedField(types.StringType, func(s *model.Service) any { return s.ClusterIP() }),
		// The API's default is true (core/v1 ServiceSpec.AllocateLoadBalancerNodePorts).
		"allocateLoadBalancerNodePorts": computedField(types.BoolType, func(s *model.Service) any {
			return s.AllocateNodePorts == nil || *s.AllocateNodePorts
		}),
	},
	reflect.TypeFor[model.EndpointSlice](): {
		"service": computedField(types.StringType, func(s *model.EndpointSlice) any { return s.Service() }),
	},
	reflect.TypeFor[model.Endpoint](): {
		"ready":       computedField(types.BoolType, func(e *model.Endpoint) any { return e.IsReady() }),
		"serving":     computedField(types.BoolType, func(e *model.Endpoint) any { return e.IsServing() }),
		"terminating": computedField(types.BoolType, func(e *model.Endpoint) any { return e.IsTerminating() }),
	},
	reflect.TypeFor[model.Pod](): {
		"ip":          computedField(types.StringType, func(p *model.Pod) any { return p.IP() }),
		"ready":       computedField(types.BoolType, func(p *model.Pod) any { return p.Ready() }),
		"terminating": computedField(types.BoolType, func(p *model.Pod) any { return p.Terminating() }),
	},
	reflect.TypeFor[model.Node](): {
		"internalIP": computedField(types.StringType, func(n *model.Node) any { return n.InternalIP() }),
		"ready":      computedField(types.BoolType, func(n *model.Node) any { return n.Ready() }),
		"zone":       computedField(types.StringType, func(n *model.Node) any { return n.Zone() }),
	},
}

func computedField[T any](t *types.Type, get func(*T) any) *types.FieldType {
	return &types.FieldType{
		Type: t,
		IsSet: func(target any) bool {
			p, ok := target.(*T)
			return ok && !reflect.ValueOf(get(p)).IsZero()
		},
		GetFrom: func(target any) (any, error) {
			p, ok := target.(*T)
			if !ok {
				return nil, fmt.Errorf("a %T has no such field", target)
			}
			return get(p), nil
		},
	}
}

// kind is one type of value in CEL.
type kind struct {
	name   string
	typ    *types.Type
	fields map[string]*types.FieldType
}

// addFields adds the fields of the struct type t, found at index within the
// kind's own struct; embedded structs give theirs, as in JSON.
func (k *kind) addFields(all map[reflect.Type]*kind, t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(append([]int(nil), index...), i)
		if f.Anonymous {
			k.addFields(all, f.Type, at)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if celType := celTypeOf(all, f.Type); name != "" && name != "-" && celType != nil {
			k.fields[name] = &types.FieldType{
				Type:    celType,
				IsSet:   func(target any) bool { return isSet(target, at) },
				GetFrom: func(target any) (any, error) { return fieldOf(target, at) },
			}
		}
	}
}

var timeType = reflect.TypeFor[time.Time]()

// celTypeOf is the CEL type of a Go type; nil when it has none.
func celTypeOf(all map[reflect.Type]*kind, t reflect.Type) *types.Type {
	switch {
	case t == timeType:
		return types.TimestampType
	case t.Kind() == reflect.Pointer:
		return celTypeOf(all, t.Elem())
	case all[t] != nil:
		return all[t].typ
	}
	switch t.Kind() {
	case reflect.String:
		return types.StringType
	case reflect.Bool:
		return types.BoolType
	case reflect.Int, reflect.Int32, reflect.Int64:
		return types.IntType
	case reflect.Float64:
		return types.DoubleType
	case reflect.Slice:
		if element := celTypeOf(all, t.Elem()); element != nil {
			return types.NewListType(element)
		}
	case reflect.Map:
		if key, value := celTypeOf(all, t.Key()), celTypeOf(all, t.Elem()); key != nil && value != nil {
			return types.NewMapType(key, value)
		}
	}
	return nil
}

func reach(target any, index []int) (reflect.Value, error) {
	v := reflect.ValueOf(target)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return reflect.Value{}, fmt.Errorf("a %T has no fields", target)
	}
	return v.Elem().FieldByIndex(index), nil
}

func isSet(target any, index []int) bool {
	v, err := reach(target, index)
	return err == nil && !v.IsZero()
}

// fieldOf gives a field as a value that adapter.NativeToValue understands.
func fieldOf(target any, index []int) (any, error) {
	v, err := reach(target, index)
	if err != nil {
		return nil, err
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v = reflect.New(v.Type().Elem())
		}
		switch {
		case isStructs(v.Elem().Type()):
			return structs(v.Elem()), nil
		case v.Elem().Kind() != reflect.Struct:
			return v.Elem().Interface(), nil
		}
	case reflect.Slice:
		if isStructs(v.Type()) {
			return structs(v), nil
		}
	case reflect.Map:
		if v.IsNil() {
			v = reflect.MakeMap(v.Type())
		}
	}
	return v.Interface(), nil
}

func isStructs(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

// structs is a list of pointers to the elements of a list of structs.
func structs(v reflect.Value) ref.Val {
	elements := make([]ref.Val, v.Len())
	for i := range elements {
		elements[i] = adapter.NativeToValue(v.Index(i).Addr().Interface())
	}
	return types.NewRefValList(adapter, elements)
}

// object is a pointer to one of the kinds, as a CEL value.
type object struct {
	kind *kind
	ptr  any
}

// ConvertToNative implements ref.Val.
func (o object) ConvertToNative(t reflect.Type) (any, error) {
	if reflect.TypeOf(o.ptr).AssignableTo(t) {
		return o.ptr, nil
	}
	return nil, fmt.Errorf("a %s is no %v", o.kind.name, t)
}

// ConvertToType implements ref.Val.
func (o object) ConvertToType(t ref.Type) ref.Val {
	switch t.TypeName() {
	case o.kind.name:
		return o
	case types.TypeType.TypeName():
		return o.kind.typ
	}
	return types.NewErr("a %s is no %s", o.kind.name, t.TypeName())
}

// Equal implements ref.Val: deep equality.
func (o object) Equal(other ref.Val) ref.Val {
	return types.Bool(reflect.DeepEqual(o.ptr, other.Value()))
}

// Type implements ref.Val.
func (o object) Type() ref.Type { return o.kind.typ }

// Value implements ref.Val.
func (o object) Value() any { return o.ptr }

// Get implements traits.Indexer: fields of a value whose type was not known
// when the expression was compiled.
func (o object) Get(name ref.Val) ref.Val {
	f := o.kind.fields[fmt.Sprint(name.Value())]
	if f == nil {
		return types.NewErr("a %s has no field %q", o.kind.name, name.Value())
	}
	value, err := f.GetFrom(o.ptr)
	if err != nil {
		return types.WrapErr(err)
	}
	return adapter.NativeToValue(value)
}

// IsSet implements traits.FieldTester.
func (o object) IsSet(name ref.Val) ref.Val {
	f := o.kind.fields[fmt.Sprint(name.Value())]
	if f == nil {
		return types.NewErr("a %s has no field %q", o.kind.name, name.Value())
	}
	return types.Bool(f.IsSet(o.ptr))
}

// kindProvider adds the kinds to CEL's own types.
type kindProvider struct{ *types.Registry }

// FindStructType implements types.Provider.
func (p kindProvider) FindStructType(name string) (*types.Type, bool) {
	if k := kindsByName[name]; k != nil {
		return types.NewTypeTypeWithParam(k.typ), true
	}
	return p.Registry.FindStructType(name)
}

// FindStructFieldNames implements types.Provider.
func (p kindProvider) FindStructFieldNames(name string) ([]string, bool) {
	k := kindsByName[name]
	if k == nil {
		return p.Registry.FindStructFieldNames(name)
	}
	return slices.Sorted(maps.Keys(k.fields)), true
}

// FindStructFieldType implements types.Provider.
func (p kindProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if k := kindsByName[name]; k != nil {
		f, ok := k.fields[field]
		return f, ok
	}
	return p.Registry.FindStructFieldType(name, field)
}

// NewValue implements types.Provider: expressions read objects, never make them.
func (p kindProvider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if kindsByName[name] != nil {
		return types.NewErr("a %s cannot be made in a check", name)
	}
	return p.Registry.NewValue(name, fields)
}

// kindAdapter turns pointers to kinds into CEL values.
type kindAdapter struct{}

var adapter types.Adapter = kindAdapter{}

// NativeToValue implements types.Adapter.
func (kindAdapter) NativeToValue(value any) ref.Val {
	if t := reflect.TypeOf(value); t != nil && t.Kind() == reflect.Pointer {
		if k := kinds[t.Elem()]; k != nil {
			return object{kind: k, ptr: value}
		}
	}
	if t := reflect.TypeOf(value); t != nil && isStructs(t) {
		return structs(reflect.ValueOf(value))
	}
	if t := reflect.TypeOf(value); t != nil && t.Kind() == reflect.Slice {
		return types.NewDynamicList(adapter, value)
	}
	return types.DefaultTypeAdapter.NativeToValue(value)
}
