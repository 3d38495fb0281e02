package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"svctour/cluster/files"
	"svctour/desk"
	"svctour/model"
	"svctour/model/diagnose"
)

// gcPercent is how much the heap may grow between two collections, in percent,
// and gcPercentFiles what it is while files are read: those are over sooner
// than a cluster is listed, and make more garbage.
const (
	gcPercent      = 20
	gcPercentFiles = 60
)

// doctorOptions are what svctour doctor is asked.
type doctorOptions struct {
	Services []string
	From     string
	Files    []string
	All      bool
	Watch    bool
	Probe    bool
	Image    string // of a client that is made for a probe
	Yes      bool
}

func newDoctor(g *globals) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor [SERVICE...]",
		Short: "Say why a Service does not work",
		Long: `Walk the way that a client's connection takes, from its Pod over the name, the
Service, its selector, the Pods, the endpoints and their ports to the policies,
kube-proxy and the world outside, and name the first place where it breaks,
with evidence and a fix.

SERVICE is web, web:PORT, web.NAMESPACE or svc/web; without one all Services of
the namespace are examined. Nothing in the cluster is changed.

With --probe, what looks well is connected to: the Pods, through the API server,
and then the Service as a client does. With --from the client is that Pod, by
exec of its shell with curl, nc or wget; if it has none, an ephemeral container in
it. Without, it is a Pod made for it in a namespace of its own, and removed.
Both ask first, but for a lab. Then the client's node is asked, by exec in its
kube-proxy Pod, for connections that still go to what is no endpoint.

Exit code 0: nothing worse than a hint was found; 1: problems were found; 2:
nothing could be checked, for there is no Service, or it could not be read.`,
		Example: `  svctour doctor web
  svctour doctor web:8080 -n shop --from pod/client
  svctour doctor -A -o json
  svctour doctor -f web.yaml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Services = args
			return runDoctor(cmd.Context(), g, o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "the client: pod/NAME or pod/NAMESPACE/NAME")
	cmd.Flags().StringSliceVarP(&o.Files, "filename", "f", nil, "examine files or a dump (kubectl get -o yaml) instead of a cluster; - is standard input")
	cmd.Flags().BoolVarP(&o.All, "all-namespaces", "A", false, "all Services of all namespaces, grouped by cause")
	cmd.Flags().BoolVar(&o.Watch, "watch", false, "keep looking, and tell what changes")
	cmd.Flags().BoolVar(&o.Probe, "probe", false, "also connect, to what looks well: to the Pods through the API server, and to the Service as a client")
	cmd.Flags().StringVar(&o.Image, "probe-image", "docker.io/library/busybox:1.37", "with a shell and wget or curl, for a client made by --probe")
	cmd.Flags().BoolVarP(&o.Yes, "yes", "y", false, "do not ask before --probe makes a Pod or an ephemeral container")
	return cmd
}

func newExplain(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RULE]",
		Short: "Explain one of the doctor's rules, or list them",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, rule := range slices.Concat(diagnose.Rules, diagnose.ProbeRules) {
					fmt.Fprintf(g.Out, "%-10s %-30s %s\n", rule.Lane, rule.ID, rule.Title)
				}
				return nil
			}
			rule := diagnose.RuleByID(args[0])
			if rule == nil {
				return usageError(fmt.Errorf("there is no rule %q; svctour explain lists them", args[0]))
			}
			p := &page{width: textWidth}
			p.title(rule.ID, string(rule.Lane))
			p.paragraph("", "", rule.Title+".")
			p.blank()
			p.paragraph("", "", rule.Explain)
			p.blank()
			p.paragraph("Source: ", "  ", rule.Source)
			_, err := io.WriteString(g.Out, p.String())
			return err
		},
	}
}

// runDoctor examines what o names on the chosen cluster, or in files.
func runDoctor(ctx context.Context, g *globals, o doctorOptions) error {
	if err := checkOutput(g.Output); err != nil {
		return err
	}
	if o.All && (len(o.Services) > 0 || g.Namespace != "") {
		return usageError(errors.New("-A examines every Service; leave the names and -n away"))
	}
	// A big cluster is read once and looked at once: memory matters more than
	// the collector's time.
	debug.SetGCPercent(gcPercent)
	if len(o.Files) > 0 {
		debug.SetGCPercent(gcPercentFiles)
		if o.Watch || o.Probe {
			return usageError(errors.New("-f examines files: there is nothing to watch or to probe"))
		}
		snapshot, refused, err := files.Read(g.In, o.Files, g.Namespace)
		if err != nil {
			return &exitError{Code: exitUsage, Err: err}
		}
		namespace := g.Namespace
		if namespace == "" {
			namespace = "default"
			o.All = len(o.Services) == 0
		}
		report, err := desk.Examine(snapshot, o.question(namespace))
		if err != nil {
			return asked(err)
		}
		addRefused(report, refused)
		desk.Doubt(report)
		return g.printReport(snapshot, report, namespace, o)
	}
	if o.Watch && o.Probe {
		return usageError(errors.New("--watch looks at what the API server tells; ask for --probe without it"))
	}
	options := clusterOptions(g)
	options.Diagnose = true
	connection, err := connectTo(ctx, options)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	defer connection.Close()
	snapshot, err := desk.Synced(ctx, connection)
	if err != nil {
		return &exitError{Code: exitUsage, Err: err}
	}
	if only := snapshot.Cluster.Namespace; o.All && only != "" {
		g.say("-A: not everything in namespaces other than %q may be read", only)
	}
	doctor := desk.Doctor{
		Connection: connection, Question: o.question(connection.Namespace()), Image: o.Image,
		Say: func(text string) { g.say("%s", text) }, Agree: agreeTo(g, o.Yes),
	}
	report, err := doctor.Look(ctx, snapshot)
	if err != nil {
		return asked(err)
	}
	if o.Probe {
		if err := doctor.Probe(ctx, report); err != nil {
			return asked(err)
		}
	}
	if o.Watch {
		w := &watch{g: g, o: o, namespace: connection.Namespace()}
		return w.run(ctx, connection, doctor.Snapshot())
	}
	return g.printReport(doctor.Snapshot(), report, connection.Namespace(), o)
}

// question is what the doctor is asked; namespace is that of names without one.
func (o *doctorOptions) question(namespace string) desk.Question {
	return desk.Question{Namespace: namespace, Services: o.Services, All: o.All, From: o.From}
}

// asked makes a question that cannot be answered a usage error.
func asked(err error) error {
	var wrong *desk.QuestionError
	if errors.As(err, &wrong) {
		return usageError(err)
	}
	return err
}

// agreeTo asks on the terminal whether an object may be made, unless yes says so.
func agreeTo(g *globals, yes bool) func(context.Context, string) error {
	return func(ctx context.Context, question string) error {
		if yes {
			return nil
		}
		if asTerminal(g.In) == nil {
			return errors.New("an object would have to be made, and there is no terminal to ask on; say --yes")
		}
		agreed, err := ask(ctx, g, model.Printable("svctour: "+question)+" [y/N] ")
		if err == nil && !agreed {
			err = errors.New("not wanted")
		}
		return err
	}
}

// addRefused puts what the API server would refuse before everything else, and
// what only some would before what else is worth knowing.
func addRefused(report *diagnose.Report, refused []files.Refusal) {
	for _, r := range refused {
		finding := diagnose.Finding{
			Rule: "refused", Severity: diagnose.Error, Lane: diagnose.LaneService, Confidence: diagnose.Certain,
			Headline: "The API server refuses this " + r.Kind + ": " + r.Message,
			Cause:    "The object is never created.",
			Evidence: []diagnose.Fact{{Object: r.Kind + " " + r.Namespace + "/" + r.Name, Field: r.Field, Value: r.Message, Kind: model.Derived}},
			Fix:      diagnose.Fix{Explain: "Correct " + r.Field + "; " + r.Hint},
		}
		if r.Unless != "" { // files do not tell
			finding.Severity, finding.Confidence = diagnose.Info, diagnose.Possible
			finding.Headline = "The API server refuses this " + r.Kind + " unless " + r.Unless + ": " + r.Message
		}
		found := false
		for i := range report.Services {
			s := &report.Services[i]
			switch {
			case s.Namespace != r.Namespace || r.Kind == "Service" && s.Name != r.Name:
			case r.Unless != "":
				at := slices.IndexFunc(s.Findings, func(f diagnose.Finding) bool { return f.Severity == diagnose.Info })
				if at < 0 {
					at = len(s.Findings)
				}
				s.Findings, found = slices.Insert(s.Findings, at, finding), true
			default:
				s.Findings = append([]diagnose.Finding{finding}, s.Findings...)
				s.Healthy, s.Broken, found = false, finding.Lane, true
			}
		}
		if !found && r.Unless == "" {
			report.Services = append(report.Services, diagnose.ServiceReport{
				Namespace: r.Namespace, Name: r.Name, Findings: []diagnose.Finding{finding}, NotChecked: []diagnose.Unchecked{}, Summary: r.Kind, Broken: finding.Lane,
			})
		}
	}
}

// printReport prints a report; the error carries the exit code.
func (g *globals) printReport(snapshot *model.Snapshot, report *diagnose.Report, namespace string, o doctorOptions) error {
	if g.Output != "text" {
		if err := writeDocument(g.Out, g.Output, "DoctorReport", report); err != nil {
			return err
		}
	} else if _, err := io.WriteString(g.Out, reportText(report, textWidth, o.All)); err != nil {
		return err
	}
	return verdict(snapshot, report, namespace, o)
}

// verdict is what a report comes to: nil, or an error with the exit code.
func verdict(snapshot *model.Snapshot, report *diagnose.Report, namespace string, o doctorOptions) error {
	switch {
	case !report.Healthy():
		return &exitError{Code: exitFailure}
	case len(report.Services) == 0:
		return &exitError{Code: exitUsage, Err: errors.New(none(snapshot, namespace, o))}
	case !report.Checked():
		return &exitError{Code: exitUsage, Err: errors.New("nothing could be checked")}
	}
	return nil
}

// none says that there is no Service where o looks, and why that may be.
func none(snapshot *model.Snapshot, namespace string, o doctorOptions) string {
	only := snapshot.Cluster.Namespace
	switch {
	case len(o.Files) > 0 && o.All:
		return "there is no Service in the files"
	case len(o.Files) > 0:
		return fmt.Sprintf("there is no Service of namespace %q in the files", namespace)
	case o.All && only == "":
		return "there is no Service in any namespace"
	case o.All:
		namespace = only
	case snapshot.Sync.Missing["namespaces"] == "" && snapshot.Namespace(namespace) == nil:
		return fmt.Sprintf("there is no namespace %q", namespace)
	}
	return fmt.Sprintf("there is no Service in namespace %q", namespace)
}
