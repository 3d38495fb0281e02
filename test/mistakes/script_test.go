package mistakes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script is what one learner does. testdata/README.md describes the files.
type script struct {
	learner  string
	mistakes []mistake
}

// mistake is a wrong action: where it begins, what is done, what has to be said,
// and the way back.
type mistake struct {
	at   string // file:line
	name string
	dos  []do
}

// do is one line of a script.
type do struct {
	at         string
	verb, text string
	block      string // the lines that stand further in below it
}

func (m *mistake) count(verb string) (n int) {
	for _, d := range m.dos {
		if d.verb == verb {
			n++
		}
	}
	return n
}

// read reads all scripts.
func read(t *testing.T) (all []script) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := parse(file, string(text))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

func parse(file, text string) (script, error) {
	s := script{learner: strings.TrimSuffix(filepath.Base(file), ".txt")}
	for i, line := range strings.Split(text, "\n") {
		at := fmt.Sprintf("%s:%d", file, i+1)
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case line[0] != ' ':
			s.mistakes = append(s.mistakes, mistake{at: at, name: line})
		case len(s.mistakes) == 0:
			return s, fmt.Errorf("%s: no mistake has begun yet", at)
		case strings.HasPrefix(line, "    "):
			m := &s.mistakes[len(s.mistakes)-1]
			if len(m.dos) == 0 {
				return s, fmt.Errorf("%s: this belongs to nothing", at)
			}
			m.dos[len(m.dos)-1].block += line[4:] + "\n"
		default:
			verb, text, _ := strings.Cut(strings.TrimSpace(line), " ")
			if _, ok := verbs[verb]; !ok {
				return s, fmt.Errorf("%s: there is no %q", at, verb)
			}
			m := &s.mistakes[len(s.mistakes)-1]
			m.dos = append(m.dos, do{at: at, verb: verb, text: text})
		}
	}
	return s, nil
}
