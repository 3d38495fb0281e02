package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"svctour/lessons"
)

func newLessons(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lessons",
		Short: "List, show and check lessons",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return runLessonsList(g) },
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the lessons", Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error { return runLessonsList(g) },
		},
		&cobra.Command{
			Use: "show ID", Short: "Print one lesson: its texts, manifests and commands", Args: oneLesson,
			RunE: func(_ *cobra.Command, args []string) error { return runLessonsShow(g, args[0]) },
		},
		&cobra.Command{
			Use: "lint [DIR]", Short: "Check lessons: the built-in ones, or those in DIR", Args: atMostOneDir,
			Long: "Check lessons: the built-in ones, or those in DIR, which holds a lesson.md or folders with one each.\n" +
				"Every problem is told as file:line:column. The exit code is 1 when there is any.\n" +
				"`svctour lesson ID --auto` proves a lesson on a live cluster.",
			RunE: func(_ *cobra.Command, args []string) error { return runLessonsLint(g, args) },
		},
	)
	return cmd
}

func oneLesson(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usageError(errors.New("name one lesson; `svctour lessons` lists them"))
	}
	return nil
}

func atMostOneDir(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usageError(errors.New("name one folder at most"))
	}
	return nil
}

// lessonLine is a lesson in LessonList.
type lessonLine struct {
	ID      string         `json:"id"`
	Number  int            `json:"number"`
	Kind    lessons.Kind   `json:"kind"`
	Title   string         `json:"title"`
	Summary string         `json:"summary"`
	Minutes int            `json:"minutes"`
	Steps   int            `json:"steps"`
	Needs   []lessons.Need `json:"needs"`
}

func runLessonsList(g *globals) error {
	list, err := lessons.Builtin()
	if err != nil {
		return err
	}
	items := make([]lessonLine, len(list))
	for i, l := range list {
		items[i] = lessonLine{l.ID, l.Number, l.Kind, l.Title, l.Summary, l.Minutes, len(l.Steps), needsOf(l)}
	}
	return writeLessons(g, "LessonList", struct {
		Items []lessonLine `json:"items"`
	}{items}, func(w io.Writer) error {
		table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		fmt.Fprintln(table, "ID\tTITLE\tSTEPS\tMINUTES\tABOUT")
		for _, l := range items {
			fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", l.ID, l.Title, l.Steps, l.Minutes, l.Summary)
		}
		return table.Flush()
	})
}

// needsOf gives what a lesson needs, with what its steps need besides, each once.
func needsOf(l *lessons.Lesson) []lessons.Need {
	needs := []lessons.Need{}
	add := func(list []lessons.Need) {
		for _, n := range list {
			if !slices.Contains(needs, n) {
				needs = append(needs, n)
			}
		}
	}
	add(l.Needs)
	for _, step := range l.Steps {
		add(step.Needs)
	}
	return needs
}

func runLessonsShow(g *globals, id string) error {
	list, err := lessons.Builtin()
	if err != nil {
		return err
	}
	l, err := lessons.Find(list, id)
	if err != nil {
		return usageError(err)
	}
	kind := "Lesson"
	if l.Kind == lessons.KindChallenge {
		kind = "Challenge"
	}
	return writeLessons(g, kind, l, func(w io.Writer) error {
		fmt.Fprintf(w, "# %s\n\n%s\n", l.Title, l.Summary)
		for i, s := range l.Steps {
			fmt.Fprintf(w, "\n## %d. %s\n\n%s\n", i+1, s.Title, s.Story)
			if s.File != nil {
				fmt.Fprintf(w, "\n%s:\n\n%s", s.File.Name, indent(s.File.Content))
			}
			showQuestion(w, s.Predict)
			if s.Command != "" {
				fmt.Fprintf(w, "\n$ %s\n", s.Command)
			}
			showQuestion(w, s.ReadBack)
		}
		return nil
	})
}

func showQuestion(w io.Writer, q *lessons.Question) {
	if q == nil {
		return
	}
	fmt.Fprintf(w, "\n? %s\n", q.Text)
	for i, choice := range q.Choices {
		fmt.Fprintf(w, "    %d %s\n", i+1, choice.Say)
	}
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// lintProblem is one problem in LessonLint.
type lintProblem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
}

func runLessonsLint(g *globals, args []string) error {
	dir := ""
	problems := []lintProblem{}
	var errs []error
	if len(args) == 0 {
		errs = lessons.LintBuiltin()
	} else {
		dir = args[0]
		if info, err := os.Stat(dir); err != nil {
			return usageError(fmt.Errorf("lint %q: %w", dir, err))
		} else if !info.IsDir() {
			return usageError(fmt.Errorf("lint %q: want the folder that holds lesson.md", dir))
		}
		errs = lessons.Lint(os.DirFS(dir))
	}
	for _, err := range errs {
		var p *lessons.Problem
		if errors.As(err, &p) {
			problems = append(problems, lintProblem{filepath.Join(dir, filepath.FromSlash(p.File)), p.Line, p.Column, p.Message})
		} else {
			problems = append(problems, lintProblem{Message: err.Error()})
		}
	}
	err := writeLessons(g, "LessonLint", struct {
		Problems []lintProblem `json:"problems"`
	}{problems}, func(w io.Writer) error {
		for _, p := range problems {
			place := lessons.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message}
			text := place.Error()
			if p.File == "" {
				text = p.Message
			}
			fmt.Fprintln(w, printableLines(text))
		}
		if len(problems) == 0 {
			fmt.Fprintln(w, "No problems.")
		}
		return nil
	})
	if err == nil && len(problems) > 0 {
		return &exitError{Code: exitFailure}
	}
	return err
}

// writeLessons writes value as -o asks: text by its function, or a document.
func writeLessons(g *globals, kind string, value any, text func(io.Writer) error) error {
	if err := checkOutput(g.Output); err != nil {
		return err
	}
	if g.Output == "text" {
		return text(g.Out)
	}
	return writeDocument(g.Out, g.Output, kind, value)
}
