package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"time"
)

// A frozen server keeps its connections open and says nothing, and a watch
// that is silent looks like a quiet cluster. A cheap question every second
// tells them apart: a silent server is noticed within
// beatEvery + beatTimeout = 2.5 s. It shares the watches' HTTP/2 connection,
// so it fails when they do.
const (
	beatEvery   = time.Second
	beatTimeout = 1500 * time.Millisecond
	beatAgain   = 300 * time.Millisecond // while there is trouble
)

// heartbeat asks whether the server answers until ctx ends.
func (c *Connection) heartbeat(ctx context.Context) {
	answered := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-c.kick:
		}
		began := time.Now()
		asking, cancel := context.WithTimeout(ctx, beatTimeout)
		version, err := askVersion(asking, c.http, c.base)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			answered = time.Now()
			c.alive(version)
		} else {
			c.silent(err, began, answered)
		}
		every := beatEvery
		if err != nil {
			every = beatAgain
		}
		timer.Reset(max(0, every-time.Since(began)))
	}
}

// alive records that the server answered. After its connections had broken,
// everything is listed again: another server, with other objects and
// resourceVersions, may answer at the same address now. After mere silence the
// watches are still the same connections and go on by themselves.
func (c *Connection) alive(version string) {
	c.mu.Lock()
	recovered, broken := c.err != "", c.broken
	told := version != "" && version != c.version
	if told {
		c.version = version
	}
	c.err, c.since, c.broken = "", time.Time{}, false
	c.mu.Unlock()
	if broken {
		signal(c.restart)
	}
	if recovered || told {
		c.feed.changed()
	}
}

// silent records that a question asked at began was not answered; the last
// answer came at answered.
func (c *Connection) silent(err error, began, answered time.Time) {
	sentence, since := Explain(err), began
	var timeout net.Error
	mute := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
	if mute {
		since = answered
		sentence = fmt.Sprintf("The API server at %s has not answered for %.0f s.",
			c.base, math.Round(time.Since(answered).Seconds()))
	}
	c.mu.Lock()
	changed := c.err != sentence
	if c.err == "" {
		c.since = since
	}
	c.err = sentence
	c.broken = c.broken || !mute
	c.mu.Unlock()
	if changed {
		c.feed.changed()
	}
}
