package uitest

import (
	"embed"
	"io/fs"

	"svctour/lessons"
)

//go:embed testdata/lessons
var content embed.FS

// Lessons are lessons of the tests' own, so that those that people see can change:
// "clusterip", "nodeport", "asking", which has each kind of question, and the challenge "silent".
func Lessons() ([]*lessons.Lesson, error) {
	root, err := fs.Sub(content, "testdata/lessons")
	if err != nil {
		return nil, err
	}
	return lessons.Load(root)
}
