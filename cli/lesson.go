package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"svctour/lessons"
)

// autoNamespace is where lessons are proved, so that no one's tour is disturbed.
const autoNamespace = "svctour-auto"

// lessonFlags are the flags of svctour lesson.
type lessonFlags struct {
	auto    bool
	yes     bool
	step    int
	timeout time.Duration
	here    bool
	values  map[string]string // of the lesson's variables
}

func newLesson(g *globals) *cobra.Command {
	var flags lessonFlags
	cmd := &cobra.Command{
		Use:   "lesson ID | DIR",
		Short: "Open the app at a lesson, or prove one with --auto",
		Long: "Open the app at a lesson. With --auto it is played without a learner and proved: each check must be false\n" +
			"at its step's start and after every listed mistake, and the step's command must make it true. The exit code\n" +
			"is 1 when it is not so. DIR, written with a slash, is a folder with a lesson.md of your own, for --auto.\n" +
			"It is played in namespace " + autoNamespace + ", or the one of -n; `svctour clean` removes what was made.\n" +
			"On a cluster that is not the lab it asks first.\n" +
			"What a step needs and the lab does not have is brought about: an add-on there, another number of nodes or\n" +
			"another mode of kube-proxy in a lab of its own. Elsewhere, and with --here, such steps are left out by name.",
		Args: oneLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lessonOf(args[0])
			if err != nil {
				return err
			}
			switch {
			case flags.auto:
				if l, err = withValues(l, flags.values); err != nil {
					return err
				}
				return runLessonAuto(cmd.Context(), g, l, flags)
			case isPath(args[0]):
				return usageError(errors.New("a lesson from a folder can only be played with --auto"))
			case cmd.Flags().Changed("step") || cmd.Flags().Changed("timeout") || flags.yes || flags.here || len(flags.values) > 0:
				return usageError(errors.New("--step, --timeout, --yes, --here and --set go with --auto"))
			}
			choice, err := tourChoice(g, false)
			if err != nil {
				return err
			}
			return runTour(cmd.Context(), g, choice, l.ID)
		},
	}
	cmd.Flags().BoolVar(&flags.auto, "auto", false, "play it without a learner and prove it")
	cmd.Flags().IntVar(&flags.step, "step", 0, "with --auto: play only this step")
	cmd.Flags().DurationVar(&flags.timeout, "timeout", time.Minute, "with --auto: how long each thing is waited for")
	cmd.Flags().BoolVarP(&flags.yes, "yes", "y", false, "with --auto: do not ask before it writes to a cluster that is not the lab")
	cmd.Flags().StringToStringVar(&flags.values, "set", nil, "with --auto: values for the lesson's variables, as nodePort=31080")
	cmd.Flags().BoolVar(&flags.here, "here", false, "with --auto: start no other lab for what needs one")
	return cmd
}

// withValues gives the lesson with other values of its variables.
func withValues(l *lessons.Lesson, texts map[string]string) (*lessons.Lesson, error) {
	if len(texts) == 0 {
		return l, nil
	}
	values := map[string]any{}
	for name, text := range texts {
		values[name] = text
		if n, err := strconv.Atoi(text); err == nil {
			if _, isText := l.Variables[name].(string); !isText {
				values[name] = n
			}
		}
	}
	other, err := l.With(values)
	if err != nil {
		return nil, usageError(err)
	}
	return other, nil
}

func isPath(arg string) bool {
	return strings.ContainsRune(arg, '/') || strings.ContainsRune(arg, os.PathSeparator)
}

// lessonOf finds a built-in lesson by its ID, or reads one from a folder.
func lessonOf(arg string) (*lessons.Lesson, error) {
	if !isPath(arg) {
		list, err := lessons.Builtin()
		if err != nil {
			return nil, err
		}
		l, err := lessons.Find(list, arg)
		if err != nil {
			return nil, usageError(err)
		}
		return l, nil
	}
	list, err := lessons.Load(os.DirFS(arg))
	switch {
	case err != nil:
		return nil, fmt.Errorf("folder %q: %w", arg, err)
	case len(list) != 1:
		return nil, usageError(fmt.Errorf("folder %q holds %d lessons: name the folder of one", arg, len(list)))
	}
	return list[0], nil
}
