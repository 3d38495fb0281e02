package lessons

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"sync"
)

// beliefsFile is the catalogue of misconceptions beside the lessons' folders.
const beliefsFile = "misconceptions.yaml"

// Belief is a misconception: what many hold of Services, and what is so.
type Belief struct {
	ID     string   `json:"id" yaml:"id"` // M01
	Belief string   `json:"belief" yaml:"belief"`
	Truth  string   `json:"truth" yaml:"truth"`
	Source []string `json:"source" yaml:"source"`                   // where people were seen to hold it
	Since  string   `json:"since,omitempty" yaml:"since,omitempty"` // from which version the truth is so, where versions differ
}

var beliefPattern = regexp.MustCompile(`^M[0-9]{2,3}$`)

var catalogue = sync.OnceValues(func() ([]Belief, error) {
	root, err := fs.Sub(content, "content")
	if err != nil {
		return nil, err
	}
	list, problems := readBeliefs(root)
	return list, errors.Join(problems...)
})

// Beliefs gives the catalogue of misconceptions that is part of the program.
func Beliefs() ([]Belief, error) { return catalogue() }

// FindBelief gives the misconception of an ID.
func FindBelief(list []Belief, id string) (Belief, bool) {
	for _, b := range list {
		if b.ID == id {
			return b, true
		}
	}
	return Belief{}, false
}

// readBeliefs reads the catalogue of a folder; nothing where there is none.
func readBeliefs(root fs.FS) ([]Belief, []error) {
	if _, err := fs.Stat(root, beliefsFile); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	text, err := readFile(root, beliefsFile)
	if err != nil {
		return nil, []error{err}
	}
	var problems []error
	var list []Belief
	r := &reader{file: beliefsFile, problems: &problems}
	r.yaml(text, 1, &list)
	known := map[string]bool{}
	for _, b := range list {
		switch {
		case !beliefPattern.MatchString(b.ID):
			r.add(0, 0, "id %q: want M and two or three digits", b.ID)
		case known[b.ID]:
			r.add(0, 0, "%s: a second misconception of this id", b.ID)
		case b.Belief == "" || b.Truth == "" || len(b.Source) == 0:
			r.add(0, 0, "%s: want a belief, a truth and at least one source", b.ID)
		}
		for _, source := range b.Source {
			if source == "" {
				r.add(0, 0, "%s: an empty source", b.ID)
			}
		}
		known[b.ID] = true
	}
	return list, problems
}

// beliefIDs are those of the program's catalogue and of a folder's own.
func beliefIDs(root fs.FS) (map[string]bool, []error) {
	own, problems := readBeliefs(root)
	builtin, err := Beliefs()
	if err != nil && len(problems) == 0 {
		problems = append(problems, fmt.Errorf("the program's misconceptions: %w", err))
	}
	ids := map[string]bool{}
	for _, b := range append(own, builtin...) {
		ids[b.ID] = true
	}
	return ids, problems
}
