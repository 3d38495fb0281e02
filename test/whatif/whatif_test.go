// Package whatif works out what edits would change, makes them on a lab, and
// compares: endpoints, paths and answers, and the objects they come from. What
// the prediction leaves open is compared as open.
package whatif

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"svctour/cluster"
	"svctour/cluster/whatif"
	"svctour/model"
	"svctour/test/drive"
)

var (
	count = flag.Int("edits", 25, "how many edits are made")
	seed  = flag.Uint64("seed", 1, "of the edits")
)

// patience bounds every wait for a condition on a slow, shared machine.
const patience = 90 * time.Second

// atOnce is how many namespaces are worked in side by side.
const atOnce = 5

func TestWhatIf(t *testing.T) {
	if testing.Short() {
		t.Skip("edits are made on a whole cluster")
	}
	lab, err := drive.Up(t.Context(), "--nodes=3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Lab.Down(); err != nil {
			t.Error(err)
		}
	})
	watched := spy(t, lab)
	connection, err := cluster.Connect(context.WithoutCancel(t.Context()), cluster.Options{Kubeconfig: watched.kubeconfig, Lab: true, Diagnose: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connection.Close)
	began, tally := time.Now(), &tally{kinds: map[string]int{}}
	t.Run("edits", func(t *testing.T) {
		for n := range atOnce {
			share := *count / atOnce
			if n < *count%atOnce {
				share++
			}
			t.Run(fmt.Sprintf("namespace-%d", n), func(t *testing.T) {
				t.Parallel()
				w := &world{Cluster: lab, connection: connection, namespace: fmt.Sprintf("whatif-%d", n), random: rand.New(rand.NewPCG(*seed, uint64(n)))}
				w.make(t)
				for i := range share {
					w.edit(t, i, tally)
				}
			})
		}
	})
	tally.log(t, time.Since(began))
	watched.check(t)
}

// world is a namespace of the lab in which edits are made.
type world struct {
	*drive.Cluster
	connection *cluster.Connection
	namespace  string
	random     *rand.Rand
	made       int // names that were given
	canary     int // replicas of the canary
}

// edit works out one edit, makes it and compares.
func (w *world) edit(t *testing.T, n int, tally *tally) {
	t.Helper()
	before := w.await(t, "a cluster at rest", func(s *model.Snapshot) error { return w.rest(s) })
	e := w.draw(before)
	planned, refusal := whatif.Do(t.Context(), w.connection.Client(), before, w.namespace, e.Edit)
	made := w.apply(t, e)
	title := fmt.Sprintf("edit %d, %s: %s", n, e.kind, e)
	if refusal != nil || made != nil {
		if err := alike(refusal, made); err != nil {
			t.Fatalf("%s\n%v", title, err)
		}
		tally.add(e.kind+", refused", nil, 0)
		return
	}
	w.barrier(t)
	var compared int
	w.await(t, title, func(after *model.Snapshot) error {
		if err := w.rest(after); err != nil {
			return err
		}
		if err := w.restarted(planned, after); err != nil {
			return err
		}
		var err error
		compared, err = w.compare(planned, after)
		return err
	})
	tally.add(e.kind, planned, compared)
}

// await takes snapshots until one has no complaint.
func (w *world) await(t *testing.T, what string, check func(*model.Snapshot) error) *model.Snapshot {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	complaint := errors.New("no snapshot came")
	for seen := uint64(0); ; {
		s, err := w.connection.Next(ctx, seen)
		if err != nil {
			t.Fatalf("%s: %v\n%v", what, err, complaint)
		}
		if seen = s.Sequence; !s.Sync.Synced {
			continue
		}
		if complaint = check(s); complaint == nil && len(s.Sync.Missing) > 0 {
			complaint = fmt.Errorf("cannot be read: %v", s.Sync.Missing)
		}
		if complaint == nil {
			return s
		}
	}
}

// alike compares how an edit was refused.
func alike(predicted, made error) error {
	switch {
	case predicted == nil:
		return fmt.Errorf("the server refuses it, and the prediction does not: %w", made)
	case made == nil:
		return fmt.Errorf("the server takes it, and the prediction says %w", predicted)
	}
	is, said := plain(made.Error()), plain(predicted.Error())
	if len(said) > 200 { // what follows may be a difference of objects, with spaces that differ from process to process
		said = said[:200]
	}
	if !strings.Contains(is, said) {
		return fmt.Errorf("the server says\n%s\nthe prediction\n%s", is, said)
	}
	return nil
}

// plain is a refusal without kubectl's layout.
func plain(text string) string {
	text = strings.NewReplacer("\n", " ", "* ", "", "[", "", "]", "", ", spec", " spec", "The ", "", `"`, "").Replace(text)
	return strings.Join(strings.Fields(text), " ")
}

// tally counts what was compared.
type tally struct {
	mu       sync.Mutex
	edits    int
	compared int
	open     int
	moment   int // edits of which it is open which Pods go
	kinds    map[string]int
}

func (y *tally) add(kind string, planned *model.Planned, compared int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.edits++
	y.compared += compared
	y.kinds[kind]++
	if planned != nil {
		y.open += len(planned.Open)
		if slices.ContainsFunc(planned.Open, func(o model.Open) bool { return o.Object.Kind == "ReplicaSet" && o.Field == "spec.replicas" }) {
			y.moment++
		}
	}
}

func (y *tally) log(t *testing.T, took time.Duration) {
	t.Helper()
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(y.kinds)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", y.kinds[kind], kind))
	}
	t.Logf("%d of %d edits are as predicted, in %v: %d endpoints, paths, answers and objects equal, %d values left open, and of %d edits which Pods go; %s",
		y.edits, *count, took.Round(time.Second), y.compared, y.open, y.moment, strings.Join(kinds, ", "))
}
