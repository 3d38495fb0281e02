package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"svctour/lab"
	"svctour/lab/hostport"
	"svctour/model"
)

// exposeTimeout is how long a lab may take to open a port.
const exposeTimeout = 15 * time.Second

const statusPoll = 20 * time.Millisecond

func newLabExpose(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "expose [HOSTPORT:][ADDRESS:]PORT…",
		Short: "Forward ports of this machine's loopback into the lab",
		Long: `Forward TCP ports of 127.0.0.1 into the lab, for a browser or curl on this
machine: as the extraPortMappings of kind do, but while the lab runs. Nodes and
Pods see a client outside the cluster, ` + lab.GatewayAddress + `.

  30080                  port 30080 here to port 30080 (a NodePort) of the first node
  8080:30080             port 8080 here to port 30080 of the first node
  8080:172.18.0.200:80   port 8080 here to port 80 of an address in the lab,
                         as of a load balancer`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(fmt.Errorf("%q: which port?", c.CommandPath()))
			}
			mappings, err := parseHostPorts(args)
			if err != nil {
				return err
			}
			dir, err := g.Env.LabDir()
			if err != nil {
				return err
			}
			if err := checkHostPorts(c.Context(), dir, mappings); err != nil {
				return err
			}
			return exposePorts(c.Context(), dir, mappings)
		},
	}
}

func newLabUnexpose(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "unexpose HOSTPORT…",
		Short: "Forward ports into the lab no more",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError(fmt.Errorf("%q: which port?", c.CommandPath()))
			}
			var ports []uint16
			for _, text := range args {
				port, err := strconv.ParseUint(text, 10, 16)
				if err != nil || port == 0 {
					return usageError(fmt.Errorf("%q is not a port of this machine, 1 to 65535", text))
				}
				ports = append(ports, uint16(port))
			}
			client, err := labClient(g)
			if err != nil {
				return err
			}
			for _, port := range ports {
				had, err := hostport.Unexpose(c.Context(), client, port)
				if err != nil {
					return err
				}
				if !had {
					fmt.Fprintf(g.Out, "Port %d was not exposed.\n", port) // what was asked for is so
				}
			}
			return nil
		},
	}
}

// labClient is a client for the lab that runs.
func labClient(g *globals) (kubernetes.Interface, error) {
	dir, err := g.Env.LabDir()
	if err != nil {
		return nil, err
	}
	return labClientIn(dir)
}

func labClientIn(dir string) (kubernetes.Interface, error) {
	content, err := lab.Kubeconfig(dir)
	if errors.Is(err, lab.ErrNotRunning) {
		return nil, fmt.Errorf("%w; %q starts one", err, "svctour lab up")
	}
	if err != nil {
		return nil, err
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(content)
	if err != nil {
		return nil, fmt.Errorf("read the lab's kubeconfig: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the lab: %w", err)
	}
	return client, nil
}

// parseHostPorts reads what --host-port and lab expose are given.
func parseHostPorts(texts []string) ([]hostport.Mapping, error) {
	var mappings []hostport.Mapping
	for _, text := range texts {
		m, err := hostport.Parse(text, lab.NodeAddress(0))
		if err != nil {
			return nil, usageError(err)
		}
		for _, other := range mappings {
			if other.Port == m.Port {
				return nil, usageError(fmt.Errorf("port %d of this machine is given twice", m.Port))
			}
		}
		mappings = append(mappings, m)
	}
	return mappings, nil
}

// checkHostPorts refuses a port that another program has before anything is
// changed. The lab in dir may have it: it gets another use then.
func checkHostPorts(ctx context.Context, dir string, mappings []hostport.Mapping) error {
	status, err := lab.ReadStatus(dir)
	if err != nil {
		return err
	}
	ours := map[string]bool{}
	for _, port := range status.HostPorts {
		ours[port.Listen] = port.Problem == ""
	}
	for _, m := range mappings {
		if ours[m.Listen().String()] {
			continue
		}
		if err := hostport.Check(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// exposePorts has the lab in dir open ports and waits until it has.
func exposePorts(ctx context.Context, dir string, mappings []hostport.Mapping) error {
	if len(mappings) == 0 {
		return nil
	}
	client, err := labClientIn(dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, exposeTimeout)
	defer cancel()
	if err := hostport.Expose(ctx, client, mappings...); err != nil {
		return err
	}
	for _, m := range mappings {
		if err := waitExposed(ctx, dir, m); err != nil {
			undoing, cancel := context.WithTimeout(context.WithoutCancel(ctx), exposeTimeout)
			defer cancel()
			_, undone := hostport.Unexpose(undoing, client, m.Port)
			return errors.Join(err, undone)
		}
	}
	return nil
}

func waitExposed(ctx context.Context, dir string, m hostport.Mapping) error {
	ticker := time.NewTicker(statusPoll)
	defer ticker.Stop()
	for {
		status, err := lab.ReadStatus(dir)
		if err != nil {
			return err
		}
		for _, port := range status.HostPorts {
			if port.Listen != m.Listen().String() || port.To != m.To.String() {
				continue
			}
			if port.Problem != "" {
				return errors.New(port.Problem)
			}
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the lab did not open port %d of this machine within %s", m.Port, exposeTimeout)
		}
	}
}

// hostPortText is a host port in one line.
func hostPortText(s hostport.State) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s to %s", model.Printable(s.Listen), model.Printable(s.To))
	if s.Problem != "" {
		fmt.Fprintf(&b, ": %s", model.Printable(s.Problem))
	}
	return b.String()
}
