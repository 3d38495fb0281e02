package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"svctour/cluster"
	"svctour/desk"
	"svctour/lessons"
	"svctour/ui/shell"
)

// runTour opens the app. choice skips the picker, lessonID opens a lesson, or the
// sandbox by its ID.
func runTour(ctx context.Context, g *globals, choice *shell.Choice, lessonID string) error {
	if asTerminal(g.In) == nil || asTerminal(g.Out) == nil {
		return usageError(errors.New("the tour needs a terminal. In a script use `svctour trace`, `svctour dns` or `svctour lesson ID --auto`"))
	}
	list, err := lessons.Builtin()
	if err != nil {
		return err
	}
	if lessonID != "" && lessonID != lessons.SandboxID {
		if _, err := lessons.Find(list, lessonID); err != nil {
			return usageError(err)
		}
	}
	state, err := g.Env.StateDir()
	if err != nil {
		return err
	}
	log, restore, err := quiet(state)
	if err != nil {
		return err
	}
	defer restore()
	options, err := deskOptions(g)
	if err != nil {
		return err
	}
	options.Log = log
	return tourEnd(desk.New(options).Run(ctx, desk.Tour{Lessons: list, Choice: choice, Lesson: lessonID}), log.Name())
}

// deskOptions is the place of the person at this terminal.
func deskOptions(g *globals) (desk.Options, error) {
	state, err := g.Env.StateDir()
	if err != nil {
		return desk.Options{}, err
	}
	dir, err := g.Env.LabDir()
	if err != nil {
		return desk.Options{}, err
	}
	executable, err := os.Executable()
	if err != nil {
		return desk.Options{}, fmt.Errorf("find this program, to start the lab and kubectl: %w", err)
	}
	return desk.Options{
		In: g.In, Out: g.Out, Err: g.Err, Environment: g.Env, ASCII: g.Env.ASCII(), NoColor: g.NoColor, NoMotion: g.NoMotion,
		Kubeconfig: g.Kubeconfig, Namespace: g.Namespace, Executable: executable, LabDir: dir,
		Progress: desk.NewFileProgress(state), Rights: desk.Everything(),
	}, nil
}

// tourEnd adds where more is written to the end of the app.
func tourEnd(err error, log string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, desk.ErrCrashed):
		return fmt.Errorf("%w; where is written in %s", err, log)
	}
	return fmt.Errorf("%w (more may be in %s)", err, log)
}

// tourChoice is the cluster that flags name; nil leaves it to the picker.
func tourChoice(g *globals, useLab bool) (*shell.Choice, error) {
	switch {
	case useLab && (g.Context != "" || g.Kubeconfig != ""):
		return nil, usageError(errors.New("--lab and --context (or --kubeconfig) exclude each other"))
	case useLab:
		return &shell.Choice{Lab: true}, nil
	case g.Context == "" && g.Kubeconfig == "":
		return nil, nil
	}
	contexts, err := cluster.Contexts(g.kubeconfig())
	if err != nil {
		return nil, usageError(cluster.ExplainError(err))
	}
	if g.Context == "" {
		return nil, nil
	}
	var names []string
	for _, c := range contexts {
		if c.Name == g.Context {
			return &shell.Choice{Context: c.Name, Server: c.Server, Namespace: c.Namespace, Current: c.Current}, nil
		}
		names = append(names, fmt.Sprintf("%q", c.Name))
	}
	return nil, usageError(fmt.Errorf("there is no context %q in the kubeconfig; it has %s", g.Context, strings.Join(names, ", ")))
}

// asTerminal gives the file behind a stream if it is a terminal.
func asTerminal(stream any) *os.File {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return file
}
