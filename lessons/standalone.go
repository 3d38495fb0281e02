package lessons

import (
	"errors"
	"fmt"
	"slices"

	"svctour/model"
)

// QuestionText is a question as YAML has it, for one that stands in no lesson.
// A struct that is read from YAML may embed it inline.
type QuestionText = questionBlock

// Beliefs are the IDs of the misconceptions that its choices show, sorted.
func (b questionBlock) Beliefs() []string {
	var ids []string
	for _, c := range b.Choices {
		if c.Belief.text != "" {
			ids = append(ids, c.Belief.text)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// CompileQuestion makes a question that stands in no lesson, with the values of
// its variables: integers and strings, which are names in all of its expressions.
// The error joins every Problem; their lines are those of the YAML.
func CompileQuestion(text QuestionText, variables map[string]any) (*Question, error) {
	var problems []error
	catalogue, err := Beliefs()
	if err != nil {
		return nil, err
	}
	r := &reader{file: "question", problems: &problems, beliefs: map[string]bool{}}
	for _, b := range catalogue {
		r.beliefs[b.ID] = true
	}
	r.dialect = dialectOf(r.variables(variables))
	q := (&stepParts{reader: r}).made(text, text.Question.line)
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return q, nil
}

// Fill fills a question in for a snapshot. It is an error when not exactly one
// choice is right.
func (q *Question) Fill(s *model.Snapshot, namespace string) (*Asked, error) {
	now := pictureOf(s, namespace)
	return q.ask(&input{namespace: namespace, snapshot: s, now: now, before: now})
}

// Expand fills ${…} in with expressions over variables alone.
func Expand(text string, variables map[string]any) (string, error) {
	values := make(map[string]any, len(variables))
	for name, value := range variables {
		known, ok := variableOf(value)
		if !ok {
			return "", fmt.Errorf("variable %q: want an integer or a string", name)
		}
		values[name] = known
	}
	t, err := parseTemplate(text, dialectOf(values), anyValue)
	if err != nil {
		return "", err
	}
	nothing := model.NewSnapshot(model.Snapshot{})
	return t.told(&input{snapshot: nothing, now: &Picture{}, before: &Picture{}})
}

// Content reads a file that stands beside the lessons of the program, such as
// the questions of the review.
func Content(name string) ([]byte, error) { return content.ReadFile("content/" + name) }
