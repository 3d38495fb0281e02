package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"svctour/model/path"
)

// traceOptions are what svctour trace is asked.
type traceOptions struct {
	Target string
	From   string
	Mode   string // "auto" or a kube-proxy mode
	One    bool   // follow one packet
}

func newTrace(g *globals) *cobra.Command {
	var o traceOptions
	cmd := &cobra.Command{
		Use:   "trace TARGET",
		Short: "Show the way of a packet to a Service, and where it ends",
		Long: `Show every way that the first packet of a connection to TARGET may go, by the
rules kube-proxy writes for the cluster's Services and endpoints as they are now,
and where it ends: at a Pod, refused or dropped by a rule or by NetworkPolicies, at
a name that does not resolve, outside the cluster.

TARGET is what a client would use: web, web:80, web:portname, web.namespace,
db-0.db, 10.96.1.2:80, NODE-IP:30080, localhost:8080, node/NAME:30080; a final /udp
or /sctp chooses the protocol. A name is looked up as the client does, in the
namespace of the Pod that --from names; svc/web is the Service itself. With -v each rule is shown as iptables-save or nft prints
it, with the rules that were passed by and why, and the conntrack entry.`,
		Example: `  svctour trace web
  svctour trace web:http -n shop --from pod/client
  svctour trace node/node-a:30080 --from outside -o json
  svctour trace web --one -v --proxy-mode nftables`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(errors.New("trace needs one target, for example a Service: svctour trace web"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Target = args[0]
			return runTrace(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "who sends: pod/NAME, pod/NAMESPACE/NAME, node/NAME, outside or outside/IP")
	cmd.Flags().StringVar(&o.Mode, "proxy-mode", "auto", "kube-proxy mode: auto, iptables, nftables or ipvs")
	cmd.Flags().BoolVar(&o.One, "one", false, "follow one packet, drawn as the rules draw")
	return cmd
}

// runTrace prints the trace of o on the chosen cluster as it is now.
func runTrace(ctx context.Context, g *globals, o traceOptions) error {
	if err := checkOutput(g.Output); err != nil {
		return err
	}
	if _, err := path.ParseTarget(o.Target, ""); err != nil {
		return usageError(err)
	}
	switch o.Mode {
	case "auto", path.ModeIPTables, path.ModeNFTables, path.ModeIPVS:
	default:
		return usageError(fmt.Errorf("--proxy-mode %q: want auto, iptables, nftables or ipvs", o.Mode))
	}
	snapshot, namespace, err := readCluster(ctx, g, true)
	if err != nil {
		return err
	}
	trace, err := path.Do(snapshot, path.Request{
		Namespace: namespace, Target: o.Target, From: o.From, Mode: o.Mode, Explain: g.Verbose,
	})
	if err != nil {
		return err
	}
	if o.One {
		trace = trace.Sample(rand.Float64())
	}
	if g.Output != "text" {
		return writeDocument(g.Out, g.Output, "Trace", trace)
	}
	_, err = fmt.Fprint(g.Out, traceText(trace, textWidth, g.Verbose))
	return err
}
