package behaviour

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"svctour/cluster"
	"svctour/model"
	"svctour/model/path"
)

// predictable says whether the path of a request can be held against what its
// client sees: an HTTP request in a lab that is as it should be.
func (w *world) predictable(s scenario, step step) bool {
	return w.Lab != nil && !s.Alone && step.HTTP != "" && !step.Unsettle
}

// predict gives the path of a request, by the objects of this moment.
func (w *world) predict(ctx context.Context, step step) (*path.Trace, *model.Snapshot, error) {
	text, err := w.expand(ctx, step.HTTP)
	if err != nil {
		return nil, nil, err
	}
	where, err := url.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	target := where.Host
	if where.Port() == "" {
		target = net.JoinHostPort(where.Hostname(), "80")
	}
	from := step.From
	if from != "outside" {
		namespace, pod, err := w.client(ctx, step.From)
		if err != nil {
			return nil, nil, err
		}
		from = "pod/" + namespace + "/" + pod
	}
	s, err := w.snapshot(ctx)
	if err != nil {
		return nil, nil, err
	}
	trace, err := path.Do(s, path.Request{Namespace: w.namespace, Target: target, From: from})
	return trace, s, err
}

// snapshot reads the cluster anew.
func (w *world) snapshot(ctx context.Context) (*model.Snapshot, error) {
	connection, err := cluster.Connect(ctx, cluster.Options{Kubeconfig: w.Kubeconfig, Lab: true, Policies: true})
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	for seen := uint64(0); ; {
		s, err := connection.Next(ctx, seen)
		if err != nil || s.Sync.Synced {
			return s, err
		}
		seen = s.Sequence
	}
}

// compare holds what a client saw, as world.ask says it, against the path of its
// requests. Ends of which the path says that they are not known count as such.
func (w *world) compare(ctx context.Context, t *testing.T, step step, got string) {
	t.Helper()
	count := &w.ends
	trace, s, err := w.predict(ctx, step)
	if err != nil {
		count.add("no path")
		t.Logf("%s: no path: %v", step.request(), err)
		return
	}
	var ends, may []string
	for _, o := range trace.Outcomes {
		results := resultsOf(s, &o)
		ends, may = append(ends, fmt.Sprintf("%s %s (%s)", o.End.Kind, o.End.Pod, o.End.Evidence)), append(may, results...)
		count.add(string(o.End.Kind))
	}
	if slices.Contains(may, "") {
		count.add("unknown")
		return
	}
	for _, result := range strings.Split(got, " / ") {
		words := strings.Fields(result + " -")
		if words[0] == "ok" {
			words[0] = "ok " + words[1]
		}
		if !slices.Contains(may, words[0]) && !slices.Contains(may, result) {
			t.Errorf("%s\n  gives %q\n  its path ends as %q", step.request(), got, ends)
		}
	}
	count.add("compared")
}

// tally counts ends.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[what]++
}

// enough fails unless paths of every kind of end were compared, when all
// scenarios ran.
func (c *tally) enough(t *testing.T) {
	t.Helper()
	t.Logf("paths and requests: %v", c.counts)
	if run := flag.Lookup("test.run").Value.String(); strings.Contains(run, "/") {
		return
	}
	for _, kind := range []path.EndKind{path.EndArrives, path.EndRejected, path.EndDropped, path.EndDenied, path.EndNoName, path.EndNoData, path.EndClosed} {
		if c.counts[string(kind)] == 0 {
			t.Errorf("no path ended as %s", kind)
		}
	}
}

// resultsOf are the results of world.ask that an outcome may have; "" is any.
func resultsOf(s *model.Snapshot, o *path.Outcome) []string {
	if o.End.Evidence == model.Unknown {
		return []string{""}
	}
	switch o.End.Kind {
	case path.EndArrives:
		namespace, name, _ := strings.Cut(o.End.Pod, "/")
		if pod := s.Pod(namespace, name); pod == nil || pod.HostNetwork { // that one has its node's name
			return []string{""}
		}
		return []string{"ok " + name}
	case path.EndRejected, path.EndClosed:
		return []string{"refused"}
	case path.EndDropped, path.EndDenied, path.EndLost:
		return []string{"timeout", "unreachable", "no answer"}
	case path.EndNoName, path.EndNoData, path.EndUnresolved:
		return []string{"unresolved"}
	}
	return []string{""}
}
