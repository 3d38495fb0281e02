package lessons

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// What a set of lessons that is learned as a whole keeps.
const (
	taughtUpTo    = 8 // the lessons whose misconceptions are asked for twice
	repeatedWords = 6 // of a sentence that may stand only once
)

// LintBuiltin gives every problem of the lessons that are part of the program:
// those of Lint, and of the lessons as a set.
func LintBuiltin() []error {
	root, err := fs.Sub(content, "content")
	if err != nil {
		return []error{err}
	}
	list, problems := read(root)
	return append(problems, lintSet(list)...)
}

// lintSet gives the problems of lessons that are learned one after the other:
// nothing is explained twice, and a misconception that is asked for is asked for
// again on another surface.
func lintSet(list []*Lesson) []error {
	return append(repeated(list), askedOnce(list)...)
}

func repeated(list []*Lesson) []error {
	type place struct {
		file string
		line int
	}
	var problems []error
	first := map[string]place{}
	for _, l := range list {
		file := path.Join(l.ID, lessonFile)
		for _, s := range l.sentences {
			if len(strings.Fields(s.text)) < repeatedWords {
				continue
			}
			key := strings.ToLower(strings.Join(strings.Fields(s.text), " "))
			if at, twice := first[key]; twice {
				problems = append(problems, &Problem{File: file, Line: s.line,
					Message: fmt.Sprintf("this sentence stands in %s:%d, too: %q", at.file, at.line, s.text)})
				continue
			}
			first[key] = place{file, s.line}
		}
	}
	return problems
}

// askedOnce gives the misconceptions of the first lessons that fewer than two
// questions ask for. Questions of the same words are one.
func askedOnce(list []*Lesson) []error {
	questions := map[string]map[string]bool{} // their texts, by the misconception's ID
	used := map[string]string{}               // where the first lessons use it
	var ids []string
	for _, l := range list {
		for _, q := range questionsOf(l) {
			for _, c := range q.Choices {
				if c.Belief == "" {
					continue
				}
				if questions[c.Belief] == nil {
					questions[c.Belief] = map[string]bool{}
				}
				questions[c.Belief][q.Text] = true
				if l.Kind == KindLesson && l.Number <= taughtUpTo && used[c.Belief] == "" {
					used[c.Belief] = l.ID
					ids = append(ids, c.Belief)
				}
			}
		}
	}
	var problems []error
	for _, id := range ids {
		if len(questions[id]) < 2 {
			problems = append(problems, &Problem{File: path.Join(used[id], lessonFile),
				Message: fmt.Sprintf("belief %s stands in one question only: ask for it again, with other numbers, names or in another mode", id)})
		}
	}
	return problems
}
