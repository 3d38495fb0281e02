package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"svctour/model"
	"svctour/model/diagnose"
)

// mutated is how many applications are broken side by side, each in a
// namespace of its own.
const mutated = 4

// TestMutations takes a healthy application, ten Services of all kinds, and
// breaks one thing in it at a time, more than a hundred: the doctor has to name
// it first and must not flag another Service: neither then, nor in any snapshot
// on the way. (On the way it may say that the EndpointSlice controller lags
// behind: for some milliseconds after the change before it does.)
// Nothing here is computed by us: every change is applied to the lab, and what
// Kubernetes' own controllers, the scheduler and the kubelets make of it is what
// is diagnosed. After each the application is put right again and has to be
// found healthy.
func TestMutations(t *testing.T) {
	needLab(t)
	app, err := read("testdata/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(app.services()); n != 10 {
		t.Fatalf("the application has %d Services", n)
	}
	all := breakages()
	queue := make(chan breakage, len(all))
	for _, b := range all {
		queue <- b
	}
	close(queue)
	var mu sync.Mutex
	var misses, flagged []string
	var workers sync.WaitGroup
	began := time.Now()
	for i := range mutated {
		workers.Go(func() {
			place, err := newPlace(t.Context(), fmt.Sprintf("mutation-%d", i))
			if err != nil {
				t.Error(err)
				return
			}
			defer place.remove()
			for b := range queue {
				miss, others, err := place.try(t.Context(), app, b)
				if err != nil {
					t.Errorf("%s: %v", b.name, err)
					return
				}
				mu.Lock()
				if miss != nil {
					misses = append(misses, b.name+": "+miss.Error())
				}
				for _, o := range others {
					flagged = append(flagged, b.name+": "+o)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	for _, miss := range misses {
		t.Log("not named first: " + miss)
	}
	for _, other := range flagged {
		t.Error("flagged, though not broken: " + other)
	}
	named := len(all) - len(misses)
	t.Logf("%d of %d breakages are named first, in %s", named, len(all), time.Since(began).Round(time.Second))
	if len(all) < 100 || named*100 < 97*len(all) {
		t.Errorf("%d of %d breakages are named first, want 97 of 100", named, len(all))
	}
}

// try breaks the application, waits for the verdict and puts it right.
func (p *place) try(ctx context.Context, app manifest, b breakage) (miss error, others []string, err error) {
	if err := p.apply(ctx, app.copied()); err != nil {
		return nil, nil, err
	}
	if err := live.until(ctx, p.healthy); err != nil {
		return nil, nil, fmt.Errorf("before it: %w", err)
	}
	broken := app.copied()
	b.change(&broken)
	if err := p.apply(ctx, broken); err != nil {
		return nil, nil, err
	}
	wanted := strings.Fields(b.rules)
	miss = live.until(ctx, func(s *model.Snapshot) error {
		d := diagnose.New(s)
		var lagging error
		for _, name := range app.services() {
			r := d.Service(p.namespace, name, diagnose.Options{})
			switch said := name + ": " + first(r); {
			case name == b.service || b.all || r.Healthy:
			case r.Findings[0].Lags():
				lagging = errors.New(said)
			case !slices.Contains(others, said):
				others = append(others, said)
			}
		}
		options := diagnose.Options{Port: b.port}
		if b.from != "" {
			if options.Client = s.Pod(p.namespace, b.from); options.Client == nil || options.Client.Phase != "Running" || options.Client.Terminating() {
				return fmt.Errorf("the client does not run")
			}
		}
		if r := d.Service(p.namespace, b.service, options); len(r.Findings) == 0 || !slices.Contains(wanted, r.Findings[0].Rule) {
			return fmt.Errorf("the first finding is %s, want %s", first(r), b.rules)
		}
		return lagging
	})
	return miss, others, nil
}
