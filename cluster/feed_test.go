package cluster

// The clock of these tests is synctest's: a sleep is how long something takes or
// rests in the picture, and passes as soon as every goroutine waits.

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"svctour/model"
)

// count is what a test knows of the snapshots of a feed.
type count struct {
	mu    sync.Mutex
	built map[uint64]*model.Snapshot
	began []time.Time
}

// around notes what build makes.
func (n *count) around(t *testing.T, build func(uint64, time.Time) *model.Snapshot) func(uint64, time.Time) *model.Snapshot {
	n.built = map[uint64]*model.Snapshot{}
	return func(sequence uint64, now time.Time) *model.Snapshot {
		snapshot := build(sequence, now)
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.built[sequence] != nil || snapshot.Sequence != sequence {
			t.Errorf("snapshot %d is built as %d, a second time: %t", sequence, snapshot.Sequence, n.built[sequence] != nil)
		}
		n.built[sequence] = snapshot
		n.began = append(n.began, now)
		return snapshot
	}
}

func (n *count) of(sequence uint64) *model.Snapshot {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.built[sequence]
}

func (n *count) all() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.built)
}

// counted gives a feed whose build takes as long as told.
func counted(t *testing.T, ctx context.Context, interval, takes time.Duration) (*feed, *count) {
	n := &count{}
	return newFeed(interval, ctx.Done(), n.around(t, func(sequence uint64, now time.Time) *model.Snapshot {
		time.Sleep(takes) // on synctest's clock
		return &model.Snapshot{Sequence: sequence, Time: now}
	})), n
}

// Forty readers of different speed, some of which give up again and again, while
// 10,000 changes come: each ends with the last state, and each snapshot is built
// once.
func TestFortyReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const readers, changes = 40, 10_000
		c := unwatched(t, Options{})
		var n count
		c.feed.build = n.around(t, c.feed.build)
		began := time.Now()
		var all sync.WaitGroup
		got := make([]int, readers)
		for r := range readers {
			all.Go(func() { got[r] = follow(t, c, &n, r, strconv.Itoa(changes)) })
		}
		for i := range changes {
			if err := c.stores.services.Add(service("n", fmt.Sprintf("s%02d", i%100), i+1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond) // on synctest's clock
		}
		all.Wait()
		most := int(changes*time.Millisecond/defaultInterval) + 2
		if built := n.all(); built > most || built < most/2 {
			t.Errorf("%d snapshots of %d changes in %s, want at most %d and not much less", built, changes, time.Since(began), most)
		}
		for i := 1; i < len(n.began); i++ {
			if pause := n.began[i].Sub(n.began[i-1]); pause < defaultInterval {
				t.Errorf("snapshot %d comes %s after the one before", i+1, pause)
			}
		}
		if slow, fast := got[readers-1], got[0]; slow*4 > fast {
			t.Errorf("the fastest reader took %d snapshots, the slowest %d", fast, slow)
		}
	})
}

// follow takes snapshots, and rests after each for as long as its number says,
// until it has the last revision. It gives how many it took.
func follow(t *testing.T, c *Connection, n *count, number int, last string) int {
	taken, seen := 0, uint64(0)
	for {
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if number%4 == 1 { // impatient
			ctx, cancel = context.WithTimeout(ctx, time.Duration(number)*time.Millisecond)
		}
		s, err := c.Next(ctx, seen)
		cancel()
		switch {
		case number%4 == 1 && errors.Is(err, context.DeadlineExceeded):
			continue
		case err != nil:
			t.Errorf("reader %d: %v", number, err)
			return taken
		case s.Sequence <= seen:
			t.Errorf("reader %d has %d and gets %d", number, seen, s.Sequence)
			return taken
		case n.of(s.Sequence) != s:
			t.Errorf("reader %d gets a snapshot %d of its own", number, s.Sequence)
		}
		taken, seen = taken+1, s.Sequence
		if s.Revision == last {
			return taken
		}
		time.Sleep(time.Duration(number) * 5 * time.Millisecond) // on synctest's clock
	}
}

// Nothing is built while no reader waits, and one that comes after a long silence
// gets what is true then, not the last that was built.
func TestNothingIsBuiltUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := counted(t, t.Context(), time.Second, 0)
		f.changed()
		first, err := f.next(t.Context(), 0)
		if err != nil || first.Sequence != 1 {
			t.Fatalf("got %+v, %v", first, err)
		}
		for range 5 {
			f.changed()
			time.Sleep(time.Hour) // on synctest's clock
		}
		if n.all() != 1 {
			t.Errorf("%d snapshots were built for one reader that asked once", n.all())
		}
		late, err := f.next(t.Context(), 0)
		if err != nil || late.Sequence != 2 || late.Time != time.Now() {
			t.Errorf("a late reader got %+v, %v at %s", late, err, time.Now())
		}
		again, err := f.next(t.Context(), 1)
		if again != late || err != nil || n.all() != 2 {
			t.Errorf("a reader that is behind got %+v, %v, and %d were built", again, err, n.all())
		}
	})
}

// A reader that gives up, waiting for a change or for the time to build, takes
// nothing from the others.
func TestReaderThatGivesUpLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := counted(t, t.Context(), time.Hour, 0)
		f.changed()
		if _, err := f.next(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		type answer struct {
			snapshot *model.Snapshot
			err      error
		}
		ask := func(ctx context.Context) <-chan answer {
			out := make(chan answer, 1)
			go func() {
				snapshot, err := f.next(ctx, 1)
				out <- answer{snapshot, err}
			}()
			synctest.Wait()
			return out
		}
		idle, giveUp := context.WithCancel(t.Context())
		first := ask(idle) // has the turn
		pacing, giveUpToo := context.WithCancel(t.Context())
		second := ask(pacing)
		third := ask(t.Context())
		giveUp()
		if a := <-first; !errors.Is(a.err, context.Canceled) {
			t.Errorf("the first: %+v", a)
		}
		synctest.Wait()
		f.changed()
		synctest.Wait()
		giveUpToo()
		if a := <-second; !errors.Is(a.err, context.Canceled) {
			t.Errorf("the second: %+v", a)
		}
		if a := <-third; a.err != nil || a.snapshot.Sequence != 2 || n.all() != 2 {
			t.Errorf("the third: %+v, %d built", a, n.all())
		}
		alone, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		f.changed()
		if _, err := f.next(alone, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v before the interval was over", err)
		}
		if s, err := f.next(t.Context(), 2); err != nil || s.Sequence != 3 {
			t.Errorf("the change is lost: %+v, %v", s, err)
		}
	})
}

// A large cluster's snapshots take long to build: the pause between two is three
// times as long.
func TestSlowBuildsComeSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, n := counted(t, t.Context(), defaultInterval, 100*time.Millisecond)
		for seen := range uint64(3) {
			f.changed()
			if s, err := f.next(t.Context(), seen); err != nil || s.Sequence != seen+1 {
				t.Fatalf("got %+v, %v", s, err)
			}
		}
		for i := 1; i < len(n.began); i++ {
			if pause := n.began[i].Sub(n.began[i-1]); pause != 400*time.Millisecond {
				t.Errorf("snapshot %d is begun %s after the one before", i+1, pause)
			}
		}
	})
}

func TestCloseWakesEveryReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := unwatched(t, Options{})
		c.feed.changed()
		if _, err := c.Next(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		var readers sync.WaitGroup
		for range 5 {
			readers.Go(func() {
				if _, err := c.Next(t.Context(), 1); !errors.Is(err, ErrClosed) {
					t.Errorf("after Close: %v", err)
				}
			})
		}
		synctest.Wait()
		c.Close()
		readers.Wait()
		if s, err := c.Next(t.Context(), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("a reader that is behind gets %+v, %v after Close", s, err)
		}
	})
}
