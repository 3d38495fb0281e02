package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"svctour/cluster"
	"svctour/model"
)

func newClean(g *globals) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Remove every object that svctour made",
		Long: "Remove every namespace that svctour made on the cluster (label " + cluster.OwnerLabel + "=" + cluster.OwnerName + "),\n" +
			"with all that is in it. Everything svctour makes lives in such a namespace.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runClean(cmd.Context(), g, yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// runClean removes svctour's namespaces, after asking unless yes is set, and
// returns when they are gone.
func runClean(ctx context.Context, g *globals, yes bool) error {
	connection, err := connect(ctx, g)
	if err != nil {
		return err
	}
	defer connection.Close()
	names, err := connection.Owned(ctx)
	if err != nil {
		return explained(err)
	}
	at := connection.Cluster()
	where := model.Printable(at.Context)
	if where == "" {
		where = model.Printable(at.Server)
	}
	if len(names) == 0 {
		fmt.Fprintf(g.Out, "Nothing of svctour's on %s.\n", where)
		return nil
	}
	if !yes {
		if asTerminal(g.In) == nil {
			return usageError(fmt.Errorf("remove namespaces %s on %s: say --yes, there is no terminal to ask on", strings.Join(names, ", "), where))
		}
		agreed, err := ask(ctx, g, fmt.Sprintf("Remove from %s, with all that is in it: namespace %s? [y/N] ", where, strings.Join(names, ", ")))
		if err != nil {
			return err
		}
		if !agreed {
			fmt.Fprintln(g.Out, "Nothing was removed.")
			return nil
		}
	}
	fmt.Fprintf(g.Err, "svctour: waiting until %s gone…\n", map[bool]string{true: "it is", false: "they are"}[len(names) == 1])
	removed, err := connection.Clean(ctx, names, true) // these were agreed to, and no others
	if err != nil {
		return explained(err)
	}
	for _, name := range removed {
		fmt.Fprintf(g.Out, "namespace %q removed\n", name)
	}
	return nil
}

// ask puts a yes-or-no question on stderr; anything but yes is no.
func ask(ctx context.Context, g *globals, question string) (bool, error) {
	fmt.Fprint(g.Err, question)
	type line struct {
		text string
		err  error
	}
	answer := make(chan line, 1)
	go func() { // ends with the process at the latest: a terminal cannot be interrupted
		text, err := bufio.NewReader(g.In).ReadString('\n')
		answer <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(g.Err)
		return false, ctx.Err()
	case got := <-answer:
		if got.err != nil && !errors.Is(got.err, io.EOF) {
			return false, fmt.Errorf("read the answer: %w", got.err)
		}
		word := strings.ToLower(strings.TrimSpace(got.text))
		return word == "y" || word == "yes", nil
	}
}
