// Package cli is svctour's command line: one file a command, each a
// Run(ctx, streams, …) error, wired together here.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"svctour/desk"
	"svctour/model"
)

// Streams are a command's input and outputs.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// globals are the flags every command understands.
type globals struct {
	Streams
	Env        desk.Environment
	Kubeconfig string
	Context    string
	Namespace  string
	Output     string // text, json, yaml
	NoColor    bool
	NoMotion   bool
	Verbose    bool
}

// Exit codes: see DESIGN, Command line. 0 is success.
const (
	exitFailure = 1 // the command failed, or what it checked is unhealthy
	exitUsage   = 2 // wrong arguments, or nothing could be checked

	exitInterrupted = 130 // as shells have it of SIGINT, so that it is no verdict
)

// exitError carries an exit code of its own. A nil Err prints nothing.
type exitError struct {
	Code int
	Err  error
}

func (e *exitError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *exitError) Unwrap() error { return e.Err }

// usageError marks err as wrong arguments: exit code 2.
func usageError(err error) error { return &exitError{Code: exitUsage, Err: err} }

// Main runs the command line args[1:] and gives the process's exit code.
// Called as kubectl-svctour it is a kubectl plugin and behaves the same.
func Main(ctx context.Context, streams Streams, args []string) int {
	root := newRoot(&globals{Streams: streams, Env: os.Environ()}, strings.TrimSuffix(filepath.Base(args[0]), ".exe"))
	root.SetArgs(args[1:])
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitFailure
	var coded *exitError
	if errors.As(err, &coded) {
		code = coded.Code
		if coded.Err == nil {
			return code
		}
	}
	text := err.Error()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		code, text = exitInterrupted, strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	}
	fmt.Fprintf(streams.Err, "svctour: %s\n", printableLines(text))
	return code
}

// printableLines is model.Printable line by line.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = model.Printable(lines[i])
	}
	return strings.Join(lines, "\n")
}

// noCommand refuses words that are no command, and suggests the nearest.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return usageError(fmt.Errorf("%s\nSee %q", text, cmd.CommandPath()+" --help"))
}

func newRoot(g *globals, name string) *cobra.Command {
	use := "svctour"
	if name == "kubectl-svctour" {
		use = "kubectl svctour"
	}
	var labOnly bool
	root := &cobra.Command{
		Use:           use,
		Short:         "Kubernetes Services, made visible on a live cluster",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error {
			choice, err := tourChoice(g, labOnly)
			if err != nil {
				return err
			}
			return runTour(cmd.Context(), g, choice, "")
		},
	}
	root.Flags().BoolVar(&labOnly, "lab", false, "open the lab without asking which cluster")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError(fmt.Errorf("%w\nSee %q", err, cmd.CommandPath()+" --help"))
	})
	flags := root.PersistentFlags()
	flags.StringVar(&g.Kubeconfig, "kubeconfig", "", "path to the kubeconfig file")
	flags.StringVar(&g.Context, "context", "", "kubeconfig context to use")
	flags.StringVarP(&g.Namespace, "namespace", "n", "", "namespace")
	flags.StringVarP(&g.Output, "output", "o", "text", "output format: text, json or yaml")
	flags.BoolVar(&g.NoColor, "no-color", false, "no colours (NO_COLOR does the same)")
	flags.BoolVar(&g.NoMotion, "no-motion", false, "no animation: a packet is shown where its way ends")
	flags.BoolVarP(&g.Verbose, "verbose", "v", false, "say more on stderr")
	root.AddCommand(
		// one line a command, each in its own file
		newLab(g),
		newLessons(g),
		newTrace(g),
		newDNS(g),
		newDoctor(g),
		newExplain(g),
		newKubectl(g),
		newClean(g),
		newLesson(g),
		newReview(g),
		newSandbox(g),
		newPicture(g),
	)
	return root
}
