package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"svctour/model"
	"svctour/model/dns"
)

// dnsOptions are what svctour dns is asked.
type dnsOptions struct {
	Name string
	From string
	Type string // "" asks for A and AAAA, as an application does
	Libc string // glibc or musl
}

func newDNS(g *globals) *cobra.Command {
	var o dnsOptions
	cmd := &cobra.Command{
		Use:   "dns NAME",
		Short: "Show how a Pod resolves a name",
		Long: `Show each query that a Pod's resolver sends for NAME, in order, and what the
cluster's DNS server answers, by the Services and endpoints as they are now.

Nothing is sent: the Pod's resolv.conf is derived from its dnsPolicy, the
queries from the search algorithm of a C library, the answers from CoreDNS'
rules. Which C library a Pod's image has is in no API object: glibc is assumed,
and the notes say where musl (Alpine) would do something else.`,
		Example: `  svctour dns web
  svctour dns web.shop --from pod/client
  svctour dns a.b.c.d.e.example.com --libc musl
  svctour dns _http._tcp.web --type SRV -o json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError(errors.New("dns needs one name, for example a Service: svctour dns web"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name = args[0]
			return runDNS(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "the Pod that asks: pod/NAME or pod/NAMESPACE/NAME")
	cmd.Flags().StringVar(&o.Type, "type", "", "ask for one record type as dig does: A, AAAA, CNAME, SRV, PTR, TXT")
	cmd.Flags().StringVar(&o.Libc, "libc", string(dns.Glibc), "the C library of the Pod's program: glibc or musl")
	return cmd
}

// runDNS prints the resolution of o on the chosen cluster as it is now.
func runDNS(ctx context.Context, g *globals, o dnsOptions) error {
	if err := checkOutput(g.Output); err != nil {
		return err
	}
	snapshot, namespace, err := readCluster(ctx, g, false)
	if err != nil {
		return err
	}
	resolution, err := dns.Resolve(snapshot, dns.Request{
		From: o.From, Name: o.Name, Namespace: namespace, Type: o.Type, Libc: dns.Libc(o.Libc),
	})
	if err != nil {
		return err
	}
	if g.Output != "text" {
		return writeDocument(g.Out, g.Output, "Resolution", resolution)
	}
	_, err = fmt.Fprint(g.Out, resolutionText(resolution, textWidth))
	return err
}

// resolutionText draws a resolution for a terminal.
func resolutionText(r *dns.Resolution, width int) string {
	p := &page{width: width}
	p.title(r.From+" looks up "+r.Name, resolutionEvidence(r).String())
	conf := r.ResolvConf
	p.resolvConf("nameserver", conf.Nameservers)
	p.resolvConf("search", conf.Search)
	p.resolvConf("options", conf.Options)
	if r.Libc != "" {
		p.line("  resolver " + string(r.Libc) + " (the image's is not known)")
	}

	asked := 0
	name := ""
	for _, q := range r.Queries {
		if q.Name != name {
			name = q.Name
			asked++
			p.blank()
			p.paragraph(fmt.Sprintf("%d  ", asked), "   ", q.Name)
			if q.Why != "" {
				p.paragraph("   ", "   ", q.Why)
			}
		}
		p.line(strings.TrimRight(fmt.Sprintf("     %-5s %-9s %-8s %s", q.Type, rcodeText(&q), q.Evidence, q.Server), " "))
		for _, a := range q.Answers {
			p.record("           ", a)
		}
	}
	p.blank()
	if len(r.Answers) == 0 {
		p.line("Answer: " + emptyAnswer(r))
	} else {
		p.line("Answer")
		for _, a := range r.Answers {
			p.record("  ", a)
		}
	}
	p.notes(r.Notes)
	return p.String()
}

func (p *page) resolvConf(key string, values []string) {
	if len(values) > 0 {
		p.paragraph("  "+key+" ", "    ", strings.Join(values, " "))
	}
}

func (p *page) record(indent string, r dns.Record) {
	text := fmt.Sprintf("%-5s %s", r.Type, r.Data)
	if r.TTL > 0 {
		text += fmt.Sprintf("  (%d s)", r.TTL)
	}
	p.line(indent + text)
}

// rcodeText is the rcode, with NODATA for a name that exists without records
// of the type.
func rcodeText(q *dns.Query) string {
	switch {
	case q.Rcode == "":
		return "?"
	case q.Rcode == "NOERROR" && len(q.Answers) == 0:
		return "NODATA"
	}
	return q.Rcode
}

// emptyAnswer says whether nothing was found, or nothing can be told.
func emptyAnswer(r *dns.Resolution) string {
	for _, q := range r.Queries {
		if q.Rcode == "" {
			return "not predictable"
		}
	}
	if len(r.Queries) == 0 {
		return "none"
	}
	return "none: the name does not resolve"
}

// resolutionEvidence is the weakest evidence of any query.
func resolutionEvidence(r *dns.Resolution) model.Evidence {
	weakest := r.ResolvConf.Evidence
	for _, q := range r.Queries {
		weakest = min(weakest, q.Evidence)
	}
	return weakest
}
