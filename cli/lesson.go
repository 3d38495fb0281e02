package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"svctour/cluster"
	"svctour/cluster/kubectl"
	"svctour/desk"
	"svctour/lessons"
	"svctour/model"
)

// autoNamespace is where lessons are proved, so that no one's tour is disturbed.
const autoNamespace = "svctour-auto"

// lessonFlags are the flags of svctour lesson.
type lessonFlags struct {
	auto    bool
	yes     bool
	step    int
	timeout time.Duration
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
			"On a cluster that is not the lab it asks first.",
		Args: oneLesson,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lessonOf(args[0])
			if err != nil {
				return err
			}
			switch {
			case flags.auto:
				return runLessonAuto(cmd.Context(), g, l, flags)
			case isPath(args[0]):
				return usageError(errors.New("a lesson from a folder can only be played with --auto"))
			case cmd.Flags().Changed("step") || cmd.Flags().Changed("timeout") || flags.yes:
				return usageError(errors.New("--step, --timeout and --yes go with --auto"))
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
	return cmd
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

func runLessonAuto(ctx context.Context, g *globals, l *lessons.Lesson, flags lessonFlags) error {
	if flags.step < 0 || flags.step > len(l.Steps) {
		return usageError(fmt.Errorf("--step=%d: lesson %q has steps 1 to %d", flags.step, l.ID, len(l.Steps)))
	}
	connection, err := connect(ctx, g)
	if err != nil {
		return err
	}
	defer connection.Close()
	candidate := g.Namespace
	if candidate == "" {
		candidate = autoNamespace
	}
	if err := agreeToLesson(ctx, g, l, connection.Cluster(), candidate, flags.yes); err != nil {
		return err
	}
	namespace, err := connection.EnsureNamespace(ctx, candidate)
	if err != nil {
		return explained(err)
	}
	options, err := deskOptions(g)
	if err != nil {
		return err
	}
	return lessons.Auto(ctx, l, autoCluster{connection, desk.New(options).Kubectl(connection), namespace}, lessons.AutoOptions{
		Namespace: namespace, Out: g.Out, Timeout: flags.timeout, Step: flags.step,
	})
}

// agreeToLesson asks whether a lesson may write to a cluster: nil for a yes. To
// a lab, which is ours, it may.
func agreeToLesson(ctx context.Context, g *globals, l *lessons.Lesson, at model.Cluster, namespace string, yes bool) error {
	if yes || at.Lab {
		return nil
	}
	what := model.Printable(fmt.Sprintf("lesson %q makes Pods and Services in namespace %q on %q (%s)", l.ID, namespace, at.Context, at.Server))
	if asTerminal(g.In) == nil {
		return usageError(fmt.Errorf("%s: say --yes, there is no terminal to ask on", what))
	}
	agreed, err := ask(ctx, g, "svctour: "+what+". Play it? [y/N] ")
	if err == nil && !agreed {
		err = usageError(errors.New("nothing was made, and nothing proved"))
	}
	return err
}

// autoCluster runs a lesson's commands in one namespace.
type autoCluster struct {
	*cluster.Connection
	kubectl   kubectl.Runner
	namespace string
}

// Kubectl implements lessons.Cluster.
func (c autoCluster) Kubectl(ctx context.Context, args []string, stdin string) model.Reply {
	return c.kubectl.Run(ctx, c.namespace, args, stdin)
}
