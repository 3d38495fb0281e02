package ui

import (
	"context"
	"testing"

	"svctour/model"
	"svctour/model/path"
	"svctour/ui/shell"
)

// silent is a session whose nodes never answer.
type silent struct {
	shell.Session
	asked chan struct{} // a look has begun
}

func (s silent) Observe(ctx context.Context, _ path.Ask, _ func(path.Listing) error) error {
	s.asked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

// A look that does not end is broken off by the next one, unless the person
// asked for it.
func TestANewerLookBreaksOneOff(t *testing.T) {
	e := newEye("node-1", path.IPv4)
	node := silent{asked: make(chan struct{}, 8)}
	begin := func(ctx context.Context, g glance) (news chan bool) {
		news = make(chan bool, 1)
		go func() {
			_, ok := e.look(ctx, node, g, model.NewSnapshot(model.Snapshot{}))
			news <- ok
		}()
		return news
	}
	first := begin(t.Context(), glance{})
	<-node.asked
	leaving, leave := context.WithCancel(t.Context())
	second := begin(leaving, glance{all: true})
	if <-first {
		t.Error("the first look says something, though a newer one broke it off")
	}
	<-node.asked
	third := begin(t.Context(), glance{})
	if len(node.asked)+len(second) > 0 {
		t.Error("the look that the person asked for does not go on alone")
	}
	leave()
	<-second
	<-node.asked
	if len(third) > 0 {
		t.Error("the third look ended by itself")
	}
}
