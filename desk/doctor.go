package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"svctour/cluster"
	"svctour/model"
	"svctour/model/diagnose"
	"svctour/model/path"
)

// Question is what the doctor is asked.
type Question struct {
	Namespace string   // of Services that name none; "" with All
	Services  []string // as a client would name them; none: all of Namespace
	All       bool     // all Services of all namespaces
	From      string   // the client: pod/NAME or pod/NAMESPACE/NAME; "" for any
}

// QuestionError says what is wrong with a question: it names no Service, or a
// client that is not there.
type QuestionError struct{ Err error }

func (e *QuestionError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *QuestionError) Unwrap() error { return e.Err }

// Doctor examines the Services of one cluster. The app and the command line ask
// the same one, so that their verdicts are the same.
type Doctor struct {
	Connection *cluster.Connection
	Question   Question
	// Say is told what the doctor does before it does it; nil: no one is told.
	Say func(text string)
	// Agree is asked before an object is created. If it gives an error, the object
	// is not created, and the error is the reason.
	Agree func(ctx context.Context, question string) error
	// Image is that of a client made for a probe, with a shell and wget or curl.
	Image string

	snapshot *model.Snapshot
	client   *model.Pod       // that Question.From names; nil without
	agreed   map[string]error // by question: nil for a yes
}

func (d *Doctor) say(format string, args ...any) {
	if d.Say != nil {
		d.Say(fmt.Sprintf(format, args...))
	}
}

// Snapshot is what was examined last.
func (d *Doctor) Snapshot() *model.Snapshot { return d.snapshot }

// settleTime is how long controllers are given to catch up with a change.
const settleTime = 3 * time.Second

// Look examines a snapshot. While a headline may come from a change that is still
// under way it looks again, so that it reports problems that last.
func (d *Doctor) Look(ctx context.Context, snapshot *model.Snapshot) (*diagnose.Report, error) {
	d.snapshot = snapshot
	report, err := Examine(snapshot, d.Question)
	if err != nil {
		return nil, err
	}
	moment, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for report.Lags() {
		next, err := d.Connection.Next(moment, d.snapshot.Sequence)
		if moment.Err() != nil {
			return report, ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		d.snapshot = next
		if report, err = Examine(next, d.Question); err != nil {
			return nil, err
		}
	}
	return report, nil
}

// Examine diagnoses what a question names in a snapshot. Errors: *QuestionError.
func Examine(snapshot *model.Snapshot, q Question) (*diagnose.Report, error) {
	doctor := diagnose.New(snapshot)
	report := &diagnose.Report{Cluster: snapshot.Cluster, Services: []diagnose.ServiceReport{}, NotChecked: Unread(snapshot)}
	client, err := clientOf(snapshot, q)
	if err != nil {
		return nil, err
	}
	if len(q.Services) == 0 {
		namespace := q.Namespace
		if q.All {
			namespace = ""
		}
		report.Services = doctor.All(namespace, diagnose.Options{Client: client})
		return report, nil
	}
	for _, text := range q.Services {
		target, err := path.ParseTarget(text, snapshot.DNS.Domain)
		if err != nil {
			return nil, &QuestionError{err}
		}
		if target.Service == "" {
			return nil, &QuestionError{fmt.Errorf("%q is no Service's name", text)}
		}
		namespace := q.Namespace
		if target.Namespace != "" {
			namespace = target.Namespace
		}
		report.Services = append(report.Services, doctor.Service(namespace, target.Service, diagnose.Options{Client: client, Port: target.Port}))
	}
	return report, nil
}

// clientOf is the Pod that From names, nil without.
func clientOf(snapshot *model.Snapshot, q Question) (*model.Pod, error) {
	if q.From == "" {
		return nil, nil
	}
	named, err := model.ParseClient(q.From, q.Namespace)
	if err != nil || named.Kind != model.ClientPod {
		return nil, &QuestionError{fmt.Errorf("--from %s: want pod/NAME or pod/NAMESPACE/NAME", q.From)}
	}
	client := snapshot.Pod(named.Namespace, named.Name)
	if client == nil {
		return nil, &QuestionError{fmt.Errorf("--from %s: there is no Pod %q in namespace %q", q.From, named.Name, named.Namespace)}
	}
	return client, nil
}

// Doubt lowers the confidence of findings that may come from a change under way:
// files cannot be looked at again, and the lists of a dump were not read at one
// moment.
func Doubt(report *diagnose.Report) {
	for i := range report.Services {
		s := &report.Services[i]
		lags := false
		for j := range s.Findings {
			if f := &s.Findings[j]; f.Lags() {
				f.Confidence, lags = diagnose.Possible, true
			}
		}
		if lags {
			s.NotChecked = append(s.NotChecked, diagnose.Unchecked{
				What: "whether it lasts: a dump that is taken while Pods change shows the same", How: "take another dump, or ask the cluster: svctour doctor " + s.Name + " -n " + s.Namespace,
			})
		}
	}
}

// Unread lists what could not be read: resources, with the server's words, and
// the objects of other namespaces.
func Unread(snapshot *model.Snapshot) []diagnose.Unchecked {
	out := []diagnose.Unchecked{}
	for resource, why := range snapshot.Sync.Missing {
		out = append(out, diagnose.Unchecked{What: resource + ": " + why, How: fmt.Sprintf("kubectl auth can-i list %s", resource)})
	}
	if only := snapshot.Cluster.Namespace; only != "" {
		out = append(out, diagnose.Unchecked{What: fmt.Sprintf("namespaces other than %q: not everything in them may be listed", only), How: "kubectl auth can-i list services -A"})
	}
	slices.SortFunc(out, func(a, b diagnose.Unchecked) int { return strings.Compare(a.What, b.What) })
	return out
}

// syncTimeout is how long a cluster may take until everything that may be read
// has been listed.
const syncTimeout = 30 * time.Second

// Synced gives the first snapshot that holds everything that this person may
// read. It is an error when not even Services may be read.
func Synced(ctx context.Context, c *cluster.Connection) (*model.Snapshot, error) {
	waiting, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	trouble, seen := "", uint64(0)
	for {
		snapshot, err := c.Next(waiting, seen)
		switch {
		case err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			return nil, fmt.Errorf("read the cluster: not complete after %s. %s", syncTimeout, trouble)
		case err != nil:
			return nil, fmt.Errorf("read the cluster: %w", err)
		case !snapshot.Sync.Synced:
			trouble, seen = snapshot.Sync.Err, snapshot.Sequence
		case snapshot.Sync.Missing["services"] != "":
			return nil, fmt.Errorf("read the cluster's Services: %s", snapshot.Sync.Missing["services"])
		default:
			return snapshot, nil
		}
	}
}
