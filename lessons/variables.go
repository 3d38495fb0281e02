package lessons

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// source is what a lesson was read from.
type source struct {
	file, text string
	files      map[string]string // the manifests of its folder
	beliefs    map[string]bool
}

// With gives the lesson for a place where some of its variables differ, such as
// the nodePort of each learner in a class. A value is an integer or a string, as
// the lesson's own is. It has the same steps.
func (l *Lesson) With(values map[string]any) (*Lesson, error) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		own, ok := l.Variables[name]
		if !ok {
			return nil, fmt.Errorf("lesson %q has no variable %q%s", l.ID, name, listing(slices.Sorted(maps.Keys(l.Variables))))
		}
		value, ok := variableOf(values[name])
		if _, isText := value.(string); !ok || isText != isString(own) {
			return nil, fmt.Errorf("lesson %q, variable %q: %v is not a value like %v", l.ID, name, values[name], own)
		}
	}
	var problems []error
	r := &reader{file: l.source.file, problems: &problems, beliefs: l.source.beliefs, values: values}
	made := r.read(l.source.text, l.source.files)
	if len(problems) > 0 {
		return nil, fmt.Errorf("lesson %q with other variables: %w", l.ID, errors.Join(problems...))
	}
	return made, nil
}

func isString(value any) bool { _, ok := value.(string); return ok }

// variableOf gives a value as expressions know it: an int64 or a string.
func variableOf(value any) (any, bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case int:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint64:
		return int64(v), v < 1<<62
	case float64: // of JSON
		return int64(v), v == float64(int64(v))
	}
	return nil, false
}

var variableName = regexp.MustCompile(`^[a-z][A-Za-z0-9]*$`)

// variables checks the lesson's variables and gives them with their values.
func (r *reader) variables(given map[string]any) map[string]any {
	list := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		value, ok := variableOf(given[name])
		if !ok {
			r.add(1, 0, "variable %q: want an integer or a string", name)
			continue
		}
		if other, ok := r.values[name]; ok {
			value, _ = variableOf(other)
		}
		_, taken := helpers[name]
		if _, err := plain().compile(name, anyThing); err == nil || taken || !variableName.MatchString(name) {
			r.add(1, 0, "variable %q: want a name of letters and digits that expressions do not have already", name)
			continue
		}
		one := map[string]any{name: value}
		if _, err := dialectOf(one).compile(name, anyValue); err != nil { // a word of CEL's own
			r.add(1, 0, "variable %q: %v", name, err)
			continue
		}
		list[name] = value
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

var placeOfVariable = regexp.MustCompile(`\$\{\s*([a-z][A-Za-z0-9]*)\s*\}`)

// fillIn puts the values of variables in place of ${name}. Other expressions
// stay.
func fillIn(text string, variables map[string]any) string {
	if len(variables) == 0 {
		return text
	}
	return placeOfVariable.ReplaceAllStringFunc(text, func(place string) string {
		if value, ok := variables[placeOfVariable.FindStringSubmatch(place)[1]]; ok {
			return fmt.Sprint(value)
		}
		return place
	})
}
