package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"svctour/lab/addon"
	"svctour/model"
)

// addonText tells what the one addon is, for help and for addon list.
const addonText = "addresses for Services of type LoadBalancer"

func newLabAddon(g *globals) *cobra.Command {
	command := &cobra.Command{
		Use:   "addon",
		Short: "Add to the lab what a cluster does not have by itself",
		Long: `Add to the lab what a cluster does not have by itself.

  ` + addon.Name + `   ` + addonText + `: a Deployment in
                  kube-system that hands them out and announces them from the
                  nodes. Without it such Services stay <pending>.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	command.AddCommand(newAddonEnable(g), newAddonDisable(g), newAddonList(g))
	return command
}

// anAddon checks that args are the name of one.
func anAddon(c *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return usageError(fmt.Errorf("%q: which addon? There is %q", c.CommandPath(), addon.Name))
	case len(args) > 1:
		return usageError(fmt.Errorf("%q takes one argument, got %q", c.CommandPath(), args))
	case args[0] != addon.Name:
		return usageError(fmt.Errorf("no addon is called %q; there is %q", args[0], addon.Name))
	}
	return nil
}

func newAddonEnable(g *globals) *cobra.Command {
	var pool string
	command := &cobra.Command{
		Use:   "enable NAME",
		Short: "Add an addon to the lab",
		Args:  anAddon,
		RunE: func(c *cobra.Command, _ []string) error {
			if _, err := addon.ParseRange(pool); err != nil {
				return usageError(err)
			}
			client, err := labClient(g)
			if err != nil {
				return err
			}
			if err := addon.Enable(c.Context(), client, pool); err != nil {
				return err
			}
			fmt.Fprintf(g.Out, "Services of type LoadBalancer get an address from %s.\n", pool)
			return nil
		},
	}
	command.Flags().StringVar(&pool, "pool", addon.DefaultPool, "the addresses that "+addon.Name+" hands out")
	return command
}

func newAddonDisable(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "disable NAME",
		Short: "Take an addon away from the lab",
		Args:  anAddon,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := labClient(g)
			if err != nil {
				return err
			}
			found, err := addon.Disable(c.Context(), client)
			if err != nil {
				return err
			}
			if !found {
				fmt.Fprintf(g.Out, "%s was not enabled.\n", addon.Name) // what was asked for is so
				return nil
			}
			fmt.Fprintln(g.Out, "Addresses that Services have stay in their status, but nobody announces them any more.")
			return nil
		},
	}
}

// addonStatus is one addon, in text and JSON.
type addonStatus struct {
	Name        string `json:"name"`
	Enabled     bool   `json:"enabled"`
	Pool        string `json:"pool,omitempty"` // of addresses
	Description string `json:"description"`
}

func newAddonList(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the addons and whether the lab has them",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkOutput(g.Output); err != nil {
				return err
			}
			client, err := labClient(g)
			if err != nil {
				return err
			}
			addons, err := listAddons(c.Context(), client)
			if err != nil {
				return err
			}
			if g.Output != "text" {
				return writeDocument(g.Out, g.Output, "LabAddonList", struct {
					Items []addonStatus `json:"items"`
				}{addons})
			}
			for _, a := range addons {
				state := "disabled"
				if a.Enabled {
					state = strings.TrimSuffix("enabled "+model.Printable(a.Pool), " ")
				}
				fmt.Fprintf(g.Out, "%s  %s  %s\n", a.Name, a.Description, state)
			}
			return nil
		},
	}
}

func listAddons(ctx context.Context, client kubernetes.Interface) ([]addonStatus, error) {
	pool, enabled, err := addon.Enabled(ctx, client)
	if err != nil {
		return nil, err
	}
	return []addonStatus{{addon.Name, enabled, pool, addonText}}, nil
}
