package node

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/kubelet/events"

	"svctour/lab/child/process"
)

// minimumGrace is what a program has to end in after its preStop hook took all
// the time there was (the kubelet's minimumGracePeriodInSeconds).
const minimumGrace = 2 * time.Second

// ending is a container on its way to its end: preStop, its stop signal, and
// when the grace period is over, SIGKILL.
type ending struct {
	attempt *attempt

	mu       sync.Mutex
	deadline time.Time
	timer    *time.Timer
	hooked   context.CancelFunc // ends the preStop hook
	signaled bool
}

// kill tells the program to end, once; a second time may only shorten its
// grace. Message is the event's, "" for the usual one.
func (c *container) kill(message string, grace time.Duration) {
	if c.attempt == nil {
		return
	}
	deadline := c.pod.now.Add(grace)
	if c.end != nil {
		c.end.shorten(deadline, grace)
		return
	}
	if message == "" {
		message = "Stopping container " + c.spec().Name
	}
	c.pod.event(c, corev1.EventTypeNormal, events.KillingContainer, message)
	hooked, cancel := context.WithCancel(c.attempt.life)
	e := &ending{attempt: c.attempt, deadline: deadline, hooked: cancel}
	c.end = e
	e.mu.Lock()
	e.timer = time.AfterFunc(max(grace, 0), e.expire)
	e.mu.Unlock()
	context.AfterFunc(c.attempt.life, func() { e.timer.Stop() })
	lifecycle := c.spec().Lifecycle
	if lifecycle == nil || lifecycle.PreStop == nil || grace <= 0 {
		e.signal()
		return
	}
	hook, target := lifecycle.PreStop, c.target()
	go func() {
		defer cancel()
		if err := target.handle(hooked, hook); err != nil && hooked.Err() == nil {
			c.pod.report(target, corev1.EventTypeWarning, events.FailedPreStopHook, "PreStopHook failed")
		}
		e.signal()
	}()
}

// shorten gives less grace than before.
func (e *ending) shorten(deadline time.Time, grace time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if deadline.Before(e.deadline) {
		e.deadline = deadline
		e.timer.Reset(max(grace, 0))
	}
}

// signal sends the image's stop signal, once.
func (e *ending) signal() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.signaled {
		e.signaled = true
		e.attempt.main.Signal(e.attempt.stop)
	}
}

// expire is the end of the grace period.
func (e *ending) expire() {
	e.mu.Lock()
	late := !e.signaled // the hook has taken it all
	if late {
		e.timer.Reset(minimumGrace)
	}
	e.mu.Unlock()
	if late {
		e.hooked()
		e.signal()
		return
	}
	e.attempt.kill()
}

// target is what hooks and probes need of a container; it does not change
// while an attempt lives, so that they may run beside the syncs.
type target struct {
	pod     *corev1.Pod
	spec    *corev1.Container
	field   string // of the Pod's object that the container is, for events
	attempt *attempt
	address string
	host    *host
}

func (c *container) target() *target {
	return &target{
		pod: c.pod.object, spec: c.spec(), field: c.fieldPath(), attempt: c.attempt,
		address: c.pod.address.String(), host: c.pod.host,
	}
}

// handle runs a lifecycle hook to its end.
func (t *target) handle(ctx context.Context, hook *corev1.LifecycleHandler) error {
	switch {
	case hook.Exec != nil:
		var out bytes.Buffer
		status, err := t.attempt.run(ctx, hook.Exec.Command, func(p *process.Process) { p.Stdout, p.Stderr = &out, &out })
		if err == nil && status != 0 {
			err = fmt.Errorf("command %q exited with %d: %s", hook.Exec.Command, status, out.String())
		}
		return err
	case hook.HTTPGet != nil:
		request, err := t.request(hook.HTTPGet)
		if err != nil {
			return err
		}
		response, err := t.client(0).Do(request.WithContext(ctx))
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("the hook answered %s", response.Status)
		}
		return nil
	case hook.TCPSocket != nil:
		port, err := t.port(hook.TCPSocket.Port)
		if err != nil {
			return err
		}
		conn, err := t.dial(ctx, "tcp", net.JoinHostPort(t.address, strconv.Itoa(port)))
		if err == nil {
			conn.Close()
		}
		return err
	case hook.Sleep != nil:
		timer := time.NewTimer(time.Duration(hook.Sleep.Seconds) * time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// postStart runs the container's hook beside it; until it is done, the
// container counts as being created.
func (c *container) postStart() {
	lifecycle := c.spec().Lifecycle
	if lifecycle == nil || lifecycle.PostStart == nil {
		return
	}
	a, t, key, n := c.attempt, c.target(), c.pod.key, c.pod.Nodes
	a.hook = hookRuns
	go func() {
		err := t.handle(a.life, lifecycle.PostStart)
		a.mu.Lock()
		a.hook = hookPassed
		if err != nil {
			a.hook, a.problem = hookFailed, err.Error()
		}
		a.mu.Unlock()
		n.queue.Add(key)
	}()
}

// hooking says whether the container's postStart hook is still at work.
func (c *container) hooking() bool {
	if c.attempt == nil {
		return false
	}
	c.attempt.mu.Lock()
	defer c.attempt.mu.Unlock()
	return c.attempt.hook == hookRuns
}

// settleHook kills a container whose hook has failed.
func (c *container) settleHook() {
	c.attempt.mu.Lock()
	failed, problem := c.attempt.hook == hookFailed, c.attempt.problem
	if failed {
		c.attempt.hook = hookPassed
	}
	c.attempt.mu.Unlock()
	if failed {
		c.pod.event(c, corev1.EventTypeWarning, events.FailedPostStartHook, "PostStartHook failed: "+problem)
		c.kill("FailedPostStartHook", c.pod.grace())
	}
}
