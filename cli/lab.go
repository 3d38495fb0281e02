package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"svctour/lab"
	"svctour/lab/child"
	"svctour/lab/hostport"
	"svctour/model"
	"svctour/model/path"
)

// stopTimeout is how long a lab may take to end.
const stopTimeout = 15 * time.Second

func newLab(g *globals) *cobra.Command {
	command := &cobra.Command{
		Use:   "lab",
		Short: "Run the embedded cluster by itself",
		Long: `The lab is a real Kubernetes ` + lab.Version + ` control plane with nodes of its own, in one process
of this program: no root, no containers, nothing but loopback. It can be used
with any tool that takes a kubeconfig.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	command.AddCommand(newLabUp(g), newLabDown(g), newLabStatus(g), newLabKubeconfig(g),
		newLabExpose(g), newLabUnexpose(g), newLabAddon(g))
	return command
}

func newLabUp(g *globals) *cobra.Command {
	var (
		nodes  int
		keep   bool
		folder string
		mode   string
		ports  []string
	)
	command := &cobra.Command{
		Use:   "up",
		Short: "Start the lab; it runs until Ctrl-C, or with --detach until lab down",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if nodes < 1 || nodes > lab.MaxNodes {
				return usageError(fmt.Errorf("--nodes %d: want 1 to %d", nodes, lab.MaxNodes))
			}
			if mode != path.ModeIPTables && mode != path.ModeNFTables {
				return usageError(fmt.Errorf("--proxy-mode %q: want %s or %s", mode, path.ModeIPTables, path.ModeNFTables))
			}
			if folder != "" {
				err := child.RunChild(c.Context(), os.Stdin, os.Stdout, lab.Options{Dir: folder, Nodes: nodes, ProxyMode: mode})
				if err != nil { // it has been reported to the parent
					return &exitError{Code: exitFailure}
				}
				return nil
			}
			mappings, err := parseHostPorts(ports)
			if err != nil {
				return err
			}
			return runLabUp(c.Context(), g, lab.StartOptions{Nodes: nodes, ProxyMode: mode}, keep, mappings)
		},
	}
	command.Flags().IntVar(&nodes, "nodes", lab.DefaultNodes, "how many nodes")
	command.Flags().StringVar(&mode, "proxy-mode", path.ModeIPTables, "kube-proxy's mode: iptables or nftables")
	command.Flags().BoolVar(&keep, "detach", false, "return once the lab is ready and let it run")
	command.Flags().StringArrayVar(&ports, "host-port", nil, "forward a port of this machine's loopback, as lab expose does; may be given more than once")
	command.Flags().StringVar(&folder, lab.ChildFlag, "", "")
	if err := command.Flags().MarkHidden(lab.ChildFlag); err != nil {
		panic(err) // the flag is made in the line above
	}
	return command
}

// noArguments is cobra.NoArgs with exit code 2.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(fmt.Errorf("%q takes no arguments, got %q", c.CommandPath(), args))
	}
	return nil
}

func runLabUp(ctx context.Context, g *globals, options lab.StartOptions, keep bool, ports []hostport.Mapping) error {
	dir, err := g.Env.LabDir()
	if err != nil {
		return err
	}
	if err := checkHostPorts(ctx, dir, ports); err != nil {
		return err
	}
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start the lab: %w", err)
	}
	options.Executable, options.Dir = executable, dir
	if g.Verbose {
		begun := time.Now()
		options.Progress = func(s lab.Stage) {
			word := "starting"
			if s.Done {
				word = "started"
			}
			fmt.Fprintf(g.Err, "%5.2fs %s %s\n", time.Since(begun).Seconds(), word, s.Name)
		}
	}
	process, err := lab.Start(ctx, options)
	if err != nil {
		if ctx.Err() != nil {
			return &exitError{Code: exitFailure, Err: errors.New("interrupted: the lab was not started")}
		}
		return err
	}
	if err := exposePorts(ctx, dir, ports); err != nil {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return errors.Join(err, process.Stop(stopping))
	}
	if keep {
		if err := process.Keep(); err != nil {
			return err
		}
		printLab(g.Out, process.Status(), "svctour lab down")
		return nil
	}
	printLab(g.Out, process.Status(), "Ctrl-C")
	select {
	case <-ctx.Done():
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return process.Stop(stopping)
	case <-process.Done():
		if err := process.Err(); !errors.Is(err, lab.ErrEnded) {
			return err
		}
		fmt.Fprintln(g.Err, lab.ErrEnded) // by svctour lab down
		return nil
	}
}

// printLab says what a person needs to use a lab that is ready.
func printLab(w io.Writer, s lab.Status, end string) {
	fmt.Fprintf(w, `Kubernetes %s is ready after %s: %s.

  export KUBECONFIG=%s
  kubectl get nodes

svctour's own commands use it by themselves. %s ends it.
`, s.Version, s.StartedIn, model.Count(len(s.Nodes), "node"), model.ShellWord(s.Kubeconfig), end)
}

func newLabDown(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "End the lab, with everything in it",
		Args:  noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := g.Env.LabDir()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), stopTimeout)
			defer cancel()
			if err := lab.Down(ctx, dir); errors.Is(err, lab.ErrNotRunning) {
				fmt.Fprintln(g.Out, "No lab is running.") // what was asked for is so
				return nil
			} else if err != nil {
				return err
			}
			fmt.Fprintln(g.Out, "The lab has ended.")
			return nil
		},
	}
}

func newLabStatus(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Say whether the lab runs; exit code 1 if it does not",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(g.Output); err != nil {
				return err
			}
			dir, err := g.Env.LabDir()
			if err != nil {
				return err
			}
			status, err := lab.ReadStatus(dir)
			if err != nil {
				return err
			}
			if g.Output == "text" {
				printLabStatus(g.Out, status)
			} else if err := writeDocument(g.Out, g.Output, "LabStatus", status); err != nil {
				return err
			}
			if !status.Running {
				return &exitError{Code: exitFailure}
			}
			return nil
		},
	}
}

func printLabStatus(w io.Writer, s lab.Status) {
	switch {
	case !s.Running && s.PID != 0:
		fmt.Fprintf(w, "The lab is starting (process %d).\n", s.PID)
		return
	case !s.Running:
		fmt.Fprintln(w, `No lab is running; "svctour lab up" starts one.`)
		return
	}
	ready := 0
	for _, node := range s.Nodes {
		if node.Ready {
			ready++
		}
	}
	fmt.Fprintf(w, "running     Kubernetes %s, process %d\n", s.Version, s.PID)
	fmt.Fprintf(w, "nodes       %d of %d Ready\n", ready, len(s.Nodes))
	fmt.Fprintf(w, "kubeconfig  %s\n", s.Kubeconfig)
	if s.ResidentBytes > 0 {
		fmt.Fprintf(w, "memory      %d MB resident\n", s.ResidentBytes/1_000_000)
	}
	fmt.Fprintf(w, "started in  %s\n", s.StartedIn)
	for _, port := range s.HostPorts {
		fmt.Fprintf(w, "host port   %s\n", hostPortText(port))
	}
}

func newLabKubeconfig(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print the lab's kubeconfig",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			dir, err := g.Env.LabDir()
			if err != nil {
				return err
			}
			content, err := lab.Kubeconfig(dir)
			if errors.Is(err, lab.ErrNotRunning) {
				return fmt.Errorf("%w; %q starts one", err, "svctour lab up")
			}
			if err != nil {
				return err
			}
			_, err = g.Out.Write(content)
			return err
		},
	}
}
