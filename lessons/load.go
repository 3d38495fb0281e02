package lessons

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed content
var content embed.FS

// lessonFile is the name of a lesson's text in its folder.
const lessonFile = "lesson.md"

// maxFile bounds the size in bytes of any file that is read.
const maxFile = 256 << 10

// Problem is something wrong with a lesson, at a place. It is an error.
type Problem struct {
	File    string // path within the file system that was read
	Line    int    // from 1; 0 when it is about the whole file
	Column  int    // from 1; 0 when it is about the whole line
	Message string
}

// Error gives "file:line:column: message".
func (p *Problem) Error() string {
	switch {
	case p.Line == 0:
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	case p.Column == 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

var builtin = sync.OnceValues(func() ([]*Lesson, error) {
	root, err := fs.Sub(content, "content")
	if err != nil {
		return nil, err
	}
	return Load(root)
})

// Builtin gives the lessons that are part of the program, in order.
func Builtin() ([]*Lesson, error) { return builtin() }

// Find gives the lesson of an ID, or an error that lists the IDs there are.
func Find(list []*Lesson, id string) (*Lesson, error) {
	ids := make([]string, len(list))
	for i, l := range list {
		if l.ID == id {
			return l, nil
		}
		ids[i] = l.ID
	}
	return nil, fmt.Errorf("there is no lesson %q%s", id, listing(ids))
}

// Load reads every lesson in a file system: one folder a lesson, with the text
// in lesson.md, or a single lesson.md at the root. The lessons come in order
// of their numbers, then the challenges by level and number. The error joins every
// Problem.
func Load(root fs.FS) ([]*Lesson, error) {
	list, problems := read(root)
	if len(problems) > 0 {
		return nil, fmt.Errorf("load lessons: %w", errors.Join(problems...))
	}
	return list, nil
}

// Lint gives every problem of the lessons in a file system, each a *Problem
// unless reading failed.
func Lint(root fs.FS) []error {
	_, problems := read(root)
	return problems
}

func read(root fs.FS) ([]*Lesson, []error) {
	dirs := []string{"."}
	if _, err := fs.Stat(root, lessonFile); err != nil {
		entries, err := fs.ReadDir(root, ".")
		if err != nil {
			return nil, []error{err}
		}
		dirs = nil
		for _, e := range entries {
			if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				dirs = append(dirs, e.Name())
			}
		}
		if len(dirs) == 0 {
			return nil, []error{&Problem{File: lessonFile, Message: "there is no lesson here: want " + lessonFile + ", or folders that hold one each"}}
		}
	}
	var list []*Lesson
	beliefs, problems := beliefIDs(root)
	for _, dir := range dirs {
		l, errs := readLesson(root, dir, beliefs)
		problems = append(problems, errs...)
		if l != nil {
			list = append(list, l)
			problems = append(problems, clashes(list, path.Join(dir, lessonFile))...)
		}
	}
	slices.SortFunc(list, func(a, b *Lesson) int {
		return cmp.Or(strings.Compare(string(b.Kind), string(a.Kind)), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Number, b.Number))
	})
	return list, problems
}

// clashes compares the last lesson of a list with those before it.
func clashes(list []*Lesson, file string) []error {
	var problems []error
	last := list[len(list)-1]
	for _, l := range list[:len(list)-1] {
		if l.ID == last.ID {
			problems = append(problems, &Problem{File: file, Line: 1, Message: fmt.Sprintf("another lesson has the id %q", l.ID)})
		}
		if l.Number == last.Number && l.Kind == last.Kind {
			problems = append(problems, &Problem{File: file, Line: 1, Message: fmt.Sprintf("%s %q has the number %d too", l.Kind, l.ID, l.Number)})
		}
	}
	return problems
}

func readLesson(root fs.FS, dir string, beliefs map[string]bool) (*Lesson, []error) {
	file := path.Join(dir, lessonFile)
	text, err := readFile(root, file)
	if err != nil {
		return nil, []error{err}
	}
	entries, err := fs.ReadDir(root, dir)
	if err != nil {
		return nil, []error{err}
	}
	var problems []error
	files := map[string]string{}
	for _, e := range entries {
		if e.IsDir() || !isManifest(e.Name()) || e.Name() == beliefsFile {
			continue
		}
		name := path.Join(dir, e.Name())
		manifest, err := readFile(root, name)
		if err != nil {
			return nil, []error{err}
		}
		files[e.Name()] = manifest
	}
	l := (&reader{file: file, problems: &problems, beliefs: beliefs}).read(text, files)
	return l, problems
}

func readFile(root fs.FS, name string) (string, error) {
	info, err := fs.Stat(root, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", &Problem{File: name, Message: "there is no such file"}
		}
		return "", err
	}
	if info.Size() > maxFile {
		return "", &Problem{File: name, Message: fmt.Sprintf("%d bytes: at most %d are read", info.Size(), maxFile)}
	}
	text, err := fs.ReadFile(root, name)
	return strings.ReplaceAll(string(text), "\r\n", "\n"), err
}

func isManifest(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}
