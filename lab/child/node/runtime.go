package node

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/kubelet/images"
	utilexec "k8s.io/utils/exec"

	"svctour/lab/child/node/kubeletapi"
	"svctour/lab/child/process"
)

// seen is a container as it is seen from outside of the syncs.
type seen struct {
	spec    corev1.Container
	attempt *attempt // nil before the first
	running bool
	status  corev1.ContainerStatus
	logs    map[string]*logbook // of the attempts that are kept, by the container IDs of the status
}

// find is a container of a Pod of the lab, or with no name for it the Pod.
func (n *Nodes) find(c kubeletapi.Container) (*pod, seen, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, p := range n.running {
		if key.Namespace != c.Namespace || key.Name != c.Pod || c.UID != "" && string(key.UID) != c.UID {
			continue
		}
		if c.Name == "" {
			return p, seen{}, nil
		}
		if s, has := p.visible[c.Name]; has {
			return p, s, nil
		}
		break
	}
	return nil, seen{}, fmt.Errorf("container not found (%q)", c.Name)
}

// show makes what is known of the Pod's containers visible to find, at the end
// of every sync.
func (p *pod) show() {
	visible := map[string]seen{}
	for _, c := range p.containers() {
		s := seen{spec: *c.spec(), attempt: c.attempt, running: c.running(), status: c.status(), logs: map[string]*logbook{}}
		if c.previous != nil {
			s.logs[c.previousID] = c.previous
		}
		if c.attempt != nil {
			s.logs[s.status.ContainerID] = c.attempt.log
		}
		visible[s.spec.Name] = s
	}
	p.mu.Lock()
	p.visible, p.reach = visible, p.network
	p.mu.Unlock()
}

// Pods are the Pods of all nodes, as last written to the API server.
func (n *Nodes) Pods() []*corev1.Pod {
	var out []*corev1.Pod
	for _, object := range n.pods.List() {
		if p := object.(*corev1.Pod); n.hosts[p.Spec.NodeName] != nil {
			out = append(out, p)
		}
	}
	return out
}

// Pod is one of Pods, nil if there is none of that name.
func (n *Nodes) Pod(namespace, name string) *corev1.Pod {
	object, exists, err := n.pods.GetByKey(namespace + "/" + name)
	if err != nil || !exists {
		return nil
	}
	return object.(*corev1.Pod)
}

// Joinable is nil if a container, or a Pod's network, can be entered.
func (n *Nodes) Joinable(_ context.Context, c kubeletapi.Container) error {
	p, s, err := n.find(c)
	switch {
	case err != nil:
		return err
	case c.Name != "" && (!s.running || s.attempt == nil):
		return fmt.Errorf("container not found (%q)", c.Name)
	case c.Name == "":
		n.mu.Lock()
		defer n.mu.Unlock()
		if p.reach == nil {
			return fmt.Errorf("sandbox of pod %q is not ready", c.Pod)
		}
	}
	return nil
}

// logID is the ID of the container whose log is asked for. Choice and errors
// are the kubelet's (validateContainerLogStatus in its kubelet_pods.go).
func (s *seen) logID(pod, name string, previous bool) (string, error) {
	state, last := s.status.State, s.status.LastTerminationState.Terminated
	switch {
	case previous && last == nil:
		return "", fmt.Errorf("previous terminated container %q in pod %q not found", name, pod)
	case previous:
		return last.ContainerID, nil
	case state.Running != nil:
		return s.status.ContainerID, nil
	case state.Terminated != nil && state.Terminated.ContainerID != "":
		return state.Terminated.ContainerID, nil
	case last != nil:
		return last.ContainerID, nil
	case state.Terminated != nil:
		return "", fmt.Errorf("container %q in pod %q is terminated", name, pod)
	}
	reason := state.Waiting.Reason // of the three states this one is left
	switch reason {
	case images.ErrImagePull.Error():
		reason = "image can't be pulled"
	case images.ErrImagePullBackOff.Error():
		reason = "trying and failing to pull image"
	}
	return "", fmt.Errorf("container %q in pod %q is waiting to start: %s", name, pod, reason)
}

// Logs writes a container's log.
func (n *Nodes) Logs(ctx context.Context, c kubeletapi.Container, options *corev1.PodLogOptions, out, errout io.Writer) error {
	_, s, err := n.find(c)
	if err != nil {
		return fmt.Errorf("container %q in pod %q is not available", c.Name, c.Pod)
	}
	id, err := s.logID(c.Pod, c.Name, options.Previous)
	if err != nil {
		return err
	}
	log := s.logs[id]
	if log == nil {
		return fmt.Errorf("unable to retrieve container logs for %s", id)
	}
	return (&reader{log: log, options: options, out: out, err: errout, now: n.clock.Now}).run(ctx)
}

// reader writes a log as one request wants it.
type reader struct {
	log      *logbook
	options  *corev1.PodLogOptions
	out, err io.Writer
	now      func() time.Time
	written  int64
}

// since is the time before which entries are not wanted.
func (r *reader) since() time.Time {
	switch {
	case r.options.SinceSeconds != nil:
		return r.now().Add(-time.Duration(*r.options.SinceSeconds) * time.Second)
	case r.options.SinceTime != nil:
		return r.options.SinceTime.Time
	}
	return time.Time{}
}

func (r *reader) run(ctx context.Context) error {
	since := r.since()
	entries, next, closed, changed := r.log.since(0)
	for len(entries) > 0 && entries[0].at.Before(since) {
		entries = entries[1:]
	}
	if tail := r.options.TailLines; tail != nil && int64(len(entries)) > *tail {
		entries = entries[int64(len(entries))-*tail:]
	}
	if r.out != nil { // the client sees that the log exists
		if _, err := r.out.Write(nil); err != nil {
			return err
		}
	}
	for {
		for _, e := range entries {
			if more, err := r.write(e); err != nil || !more {
				return err
			}
		}
		if !r.options.Follow || closed {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		entries, next, closed, changed = r.log.since(next)
	}
}

// write writes one entry and says whether more may follow.
func (r *reader) write(e entry) (bool, error) {
	out := r.out
	if e.stream == "stderr" {
		out = r.err
	}
	if out == nil {
		return true, nil
	}
	var line bytes.Buffer
	if r.options.Timestamps {
		line.WriteString(e.at.UTC().Format(time.RFC3339Nano) + " ")
	}
	line.Write(e.text)
	if e.newline {
		line.WriteByte('\n')
	}
	text := line.Bytes()
	if limit := r.options.LimitBytes; limit != nil && r.written+int64(len(text)) >= *limit {
		_, err := out.Write(text[:*limit-r.written])
		return false, err
	}
	r.written += int64(len(text))
	_, err := out.Write(text)
	return true, err
}

// Exec runs a command in a container.
func (n *Nodes) Exec(ctx context.Context, c kubeletapi.Container, command []string, streams kubeletapi.Streams) error {
	_, s, err := n.find(c)
	if err != nil {
		return err
	}
	if !s.running || s.attempt == nil {
		return fmt.Errorf("container not found (%q)", c.Name)
	}
	status, err := s.attempt.run(ctx, command, func(p *process.Process) {
		if streams.In != nil {
			p.Stdin = streams.In
		}
		if streams.Out != nil {
			p.Stdout = streams.Out
		}
		if streams.Err != nil {
			p.Stderr = streams.Err
		}
		if streams.TTY {
			terminal := process.NewTerminal(p.Stdin, p.Stdout, process.Size{Columns: 80, Rows: 24})
			terminal.Connect(p)
			go follow(ctx, terminal, streams)
		}
	})
	if err != nil {
		return err
	}
	if status != 0 {
		return utilexec.CodeExitError{Err: fmt.Errorf("command terminated with exit code %d", status), Code: status}
	}
	return nil
}

// follow gives a terminal the sizes of the other end's window.
func follow(ctx context.Context, terminal *process.Terminal, streams kubeletapi.Streams) {
	for {
		select {
		case <-ctx.Done():
			return
		case size, more := <-streams.Resize:
			if !more {
				return
			}
			terminal.Resize(process.Size{Columns: int(size.Width), Rows: int(size.Height)})
		}
	}
}

// Attach connects to a container's own program.
func (n *Nodes) Attach(ctx context.Context, c kubeletapi.Container, streams kubeletapi.Streams) error {
	_, s, err := n.find(c)
	if err != nil {
		return err
	}
	a := s.attempt
	if !s.running || a == nil {
		return fmt.Errorf("container not found (%q)", c.Name)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer a.log.attach(streams.Out, streams.Err)()
	if a.terminal != nil {
		go follow(ctx, a.terminal, streams)
	}
	if streams.In != nil && a.input != nil {
		go func() {
			_, _ = io.Copy(a.input, streams.In)
			if a.once {
				a.input.Close()
			}
		}()
	}
	select {
	case <-a.ended:
	case <-ctx.Done():
	}
	return nil
}

// PortForward connects a stream to a port of the Pod's own loopback, as
// containerd does.
func (n *Nodes) PortForward(ctx context.Context, c kubeletapi.Container, port int32, stream io.ReadWriteCloser) error {
	p, _, err := n.find(c)
	if err != nil {
		return err
	}
	n.mu.Lock()
	stack := p.reach
	n.mu.Unlock()
	if stack == nil {
		return fmt.Errorf("sandbox of pod %q is not ready", c.Pod)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	conn, err := stack.DialContext(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("failed to connect to localhost:%d inside namespace %q: %w", port, p.key.UID, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(stream, conn)
		stream.Close()
	}()
	_, _ = io.Copy(conn, stream)
	if half, can := conn.(interface{ CloseWrite() error }); can {
		_ = half.CloseWrite()
	}
	<-done
	return nil
}
