package cluster

import (
	"context"
	"sync"
	"time"

	"svctour/model"
)

// Next gives a snapshot newer than the one of sequence after; 0 stands for none,
// and the first comes at once, before anything was listed (Sync.Synced is false
// then). Otherwise Next blocks until something changed, and no two snapshots
// come closer than Options.Interval. Any number of readers may ask, each at its
// own pace: every snapshot is built once, and one that is behind gets the newest.
// Intermediate states may be skipped, the last one never is.
//
// Errors: ctx's own, and ErrClosed after Close. Trouble with the server is no
// error but part of the snapshot (Sync.Err); watching goes on by itself.
func (c *Connection) Next(ctx context.Context, after uint64) (*model.Snapshot, error) {
	c.begin()
	return c.feed.next(ctx, after)
}

// feed hands snapshots to any number of readers. Each is built once, by
// whichever reader is first to wait for it, and kept for the others: nothing is
// built while no reader waits.
type feed struct {
	build    func(sequence uint64, now time.Time) *model.Snapshot
	interval time.Duration   // the least time between two snapshots
	closed   <-chan struct{} // no snapshot comes any more

	dirty chan struct{} // one slot: something changed since the newest snapshot was begun
	turn  chan struct{} // one slot: held by the reader that waits for a change and builds

	mu     sync.Mutex
	newest *model.Snapshot // nil before the first
	came   chan struct{}   // closed when a snapshot newer than newest is there
	due    time.Time       // before it no other snapshot is begun
}

func newFeed(interval time.Duration, closed <-chan struct{}, build func(uint64, time.Time) *model.Snapshot) *feed {
	return &feed{
		build: build, interval: interval, closed: closed,
		dirty: make(chan struct{}, 1), turn: make(chan struct{}, 1), came: make(chan struct{}),
	}
}

// changed says that the next snapshot will differ from the newest.
func (f *feed) changed() { signal(f.dirty) }

// next gives a snapshot newer than after, see Connection.Next.
func (f *feed) next(ctx context.Context, after uint64) (*model.Snapshot, error) {
	for fresh := true; ; fresh = false {
		ready, came := f.ready(after, fresh)
		select {
		case <-f.closed: // what is kept is of a cluster that is not watched any more
			return nil, ErrClosed
		default:
		}
		if ready != nil {
			return ready, nil
		}
		select {
		case <-came:
		case f.turn <- struct{}{}:
			snapshot, err := f.lead(ctx, after, fresh)
			<-f.turn
			return snapshot, err
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.closed:
			return nil, ErrClosed
		}
	}
}

// ready gives the newest snapshot when it is newer than after; with fresh only if
// no newer one may be built at once, so that a reader that comes after a long
// silence does not get what was true before it. Otherwise came says when to ask
// again.
func (f *feed) ready(after uint64, fresh bool) (snapshot *model.Snapshot, came <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stale := fresh && len(f.dirty) > 0 && !time.Now().Before(f.due)
	if f.newest == nil || f.newest.Sequence <= after || stale {
		return nil, f.came
	}
	return f.newest, nil
}

// lead waits for a change and for its time, and builds. It is called by the
// reader whose turn it is; when that one gives up, another takes the turn.
func (f *feed) lead(ctx context.Context, after uint64, fresh bool) (*model.Snapshot, error) {
	for ; ; fresh = false {
		if ready, _ := f.ready(after, fresh); ready != nil { // it came just before the turn
			return ready, nil
		}
		select {
		case <-f.dirty:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.closed:
			return nil, ErrClosed
		}
		if err := f.pace(ctx); err != nil {
			f.changed() // not built: keep the change for the next
			return nil, err
		}
		f.publish()
	}
}

// pace waits until a snapshot is due.
func (f *feed) pace(ctx context.Context) error {
	f.mu.Lock()
	wait := time.Until(f.due)
	f.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-f.closed:
		return ErrClosed
	}
}

// publish builds a snapshot and hands it to all who wait.
func (f *feed) publish() {
	select {
	case <-f.dirty: // came while waiting: already in what is built now
	default:
	}
	sequence := uint64(1)
	if f.newest != nil { // only changed here, so that no lock is needed to read it
		sequence += f.newest.Sequence
	}
	began := time.Now()
	snapshot := f.build(sequence, began)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.newest = snapshot
	f.due = began.Add(max(f.interval, (buildShare+1)*time.Since(began)))
	close(f.came)
	f.came = make(chan struct{})
}
