// Package stream holds the stream of requests against a lab: what the meter
// counts is what the client and the servers count, what fails is told apart, and
// nothing stays behind in a container.
package stream

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"svctour/cli"
	"svctour/cluster"
	"svctour/cluster/kubectl"
	"svctour/cluster/reach"
	"svctour/lab"
	"svctour/model"
	"svctour/model/meter"
	"svctour/ui/live"
	"svctour/ui/shell"
)

var requests = flag.Int("requests", 200, "how many requests the shares are compared over")

// patience is how long a condition may take on a slow, shared machine.
const patience = 3 * time.Minute

// The lab of all tests, and the namespace of what they make.
var (
	connection *cluster.Connection
	client     kubernetes.Interface
	runner     kubectl.Runner
)

const namespace = "tour"

// streamerEnv is a kubeconfig: the test binary sends a stream until it is killed.
const streamerEnv = "STREAM_KUBECONFIG"

// TestMain lets this test binary be svctour, for the lab's process and kubectl.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && (os.Args[1] == "lab" || os.Args[1] == "kubectl"):
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		code := cli.Main(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args)
		stop()
		os.Exit(code)
	case os.Getenv(streamerEnv) != "":
		fmt.Println(send(os.Getenv(streamerEnv)))
		os.Exit(1)
	}
	code, err := withLab(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// send sends a stream without an end, and says when it has begun.
func send(kubeconfig string) error {
	c, err := cluster.Connect(context.Background(), cluster.Options{Kubeconfig: kubeconfig})
	if err != nil {
		return err
	}
	said := sync.OnceFunc(func() { fmt.Println("begun") })
	return reach.Stream(context.Background(), c, namespace, meter.Spec{Pod: "tmp", Host: "named", Port: 80}, steady(meter.MaxRate), func(b meter.Batch) {
		if len(b.Samples) > 0 {
			said()
		}
	})
}

func steady(rate int) func() int { return func() int { return rate } }

func withLab(run func() int) (code int, err error) {
	dir, err := os.MkdirTemp("", "svc-stream-*")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	executable, err := os.Executable()
	if err != nil {
		return 1, err
	}
	ctx := context.Background()
	process, err := lab.Start(ctx, lab.StartOptions{Executable: executable, Dir: filepath.Join(dir, "lab")})
	if err != nil {
		return 1, err
	}
	defer process.Stop(ctx) //nolint:errcheck // the lab ends with this process in any case
	kubeconfig := process.Status().Kubeconfig
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return 1, err
	}
	config.QPS = -1
	if client, err = kubernetes.NewForConfig(config); err != nil {
		return 1, err
	}
	if connection, err = cluster.Connect(ctx, cluster.Options{Kubeconfig: kubeconfig, Diagnose: true}); err != nil {
		return 1, err
	}
	defer connection.Close()
	if _, err = connection.EnsureNamespace(ctx, namespace); err != nil {
		return 1, err
	}
	runner = kubectl.Runner{Connection: connection, Program: executable, Environment: os.Environ()}
	return run(), nil
}

// command runs kubectl, which has to succeed.
func command(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	reply := runner.Run(t.Context(), namespace, args, stdin)
	if reply.Exit != 0 {
		t.Fatalf("%s: exit code %d\n%s%s", reply.Command, reply.Exit, reply.Stdout, reply.Stderr)
	}
	return reply.Stdout
}

// await waits for a picture of the cluster.
func await(ctx context.Context, pleases func(*model.Snapshot) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for seen := uint64(0); ; {
		s, err := connection.Next(ctx, seen)
		if err != nil {
			return err
		}
		if seen = s.Sequence; s.Sync.Synced && pleases(s) {
			return nil
		}
	}
}

// until is await for a test.
func until(t *testing.T, what string, pleases func(*model.Snapshot) bool) {
	t.Helper()
	if err := await(context.WithoutCancel(t.Context()), pleases); err != nil {
		t.Fatalf("wait for %s: %v", what, err)
	}
}

// endpoints says whether a Service has so many ready endpoints whose Pods are
// there: a slice may still have one that is gone.
func endpoints(service string, n int) func(*model.Snapshot) bool {
	return func(s *model.Snapshot) bool {
		ready := 0
		for _, slice := range s.ServiceSlices(namespace, service) {
			for i := range slice.Endpoints {
				if e := &slice.Endpoints[i]; e.IsReady() && e.Target != nil && s.Pod(namespace, e.Target.Name) != nil {
					ready++
				}
			}
		}
		return ready == n && s.Service(namespace, service) != nil
	}
}

// running says whether a Pod is ready.
func running(pod string) func(*model.Snapshot) bool {
	return func(s *model.Snapshot) bool {
		p := s.Pod(namespace, pod)
		return p != nil && p.Ready() && !p.Terminating()
	}
}

// streaming is a stream as the app has it: the panes on one goroutine, the
// cluster and the client's Pod on others.
type streaming struct {
	panes *live.Panes
	focus live.Focus
	world *model.Snapshot
	err   error // that it ended with

	settle time.Duration
}

// stream sends a stream until enough says so, of the meter or by itself, and
// gives the meter once all is known. The stream has to be told whole. settle is
// for how long news of what happened may still come.
func stream(t *testing.T, from, service, name string, rate int, settle time.Duration, enough func(*meter.Tally) bool) *meter.Tally {
	t.Helper()
	s := &streaming{settle: settle, panes: live.New(namespace, 1), focus: live.Focus{
		Namespace: namespace, Service: service, Client: "pod/" + from, Target: service, Name: name,
	}}
	tally := s.run(t, rate, enough)
	if s.err != nil {
		t.Fatalf("the stream to %s: %v", service, s.err)
	}
	if tally == nil || !tally.Ended || tally.Lost() != 0 || tally.Told != tally.Answered()+tally.Unanswered() || tally.Open != 0 {
		t.Fatalf("the meter's sum is not the client's count: %+v", tally)
	}
	return tally
}

// run is one stream, and what time settles after it.
func (s *streaming) run(t *testing.T, rate int, enough func(*meter.Tally) bool) *meter.Tally {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience+time.Duration(*requests)*time.Second/10)
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	worlds, heard := make(chan *model.Snapshot), make(chan shell.Streamed)
	group.Go(func() {
		for seen := uint64(0); ; {
			next, err := connection.Next(ctx, seen)
			if err != nil {
				return
			}
			seen = next.Sequence
			select {
			case worlds <- next:
			case <-ctx.Done():
				return
			}
		}
	})
	var begun shell.Stream
	var mu sync.Mutex
	pace := rate
	settled := time.NewTicker(time.Second)
	defer settled.Stop()
	for done := false; !done; {
		select {
		case s.world = <-worlds:
			s.take()
			if intent, ok := s.panes.Stream().(shell.Stream); ok && begun.Serial == 0 {
				begun = intent
				group.Go(func() {
					hand := func(m shell.Streamed) {
						select {
						case heard <- m:
						case <-ctx.Done():
						}
					}
					err := reach.Stream(ctx, connection, namespace, begun.Spec, func() int {
						mu.Lock()
						defer mu.Unlock()
						return pace
					}, func(b meter.Batch) { hand(shell.Streamed{Serial: begun.Serial, Batch: b}) })
					hand(shell.Streamed{Serial: begun.Serial, Done: true, Err: err})
				})
			}
		case m := <-heard:
			s.panes.Handle(m)
			s.take()
			if m.Done {
				s.err, done = m.Err, true
				break
			}
			if tally := s.panes.State().Meter; tally != nil && enough(tally) {
				mu.Lock()
				pace = 0
				mu.Unlock()
			}
		case <-ctx.Done():
			t.Fatalf("the stream does not end: %+v", s.panes.State())
		}
	}
	for end := time.Now(); time.Since(end) < s.settle; {
		select {
		case s.world = <-worlds:
		case now := <-settled.C:
			later := *s.world
			later.Time = now
			s.world = model.NewSnapshot(later)
		case <-ctx.Done():
			t.Fatal("the meter does not settle")
		}
		s.take()
	}
	return s.panes.State().Meter
}

// settleTime is more than it takes until all is known of a request.
const settleTime = 6 * time.Second

// take lets the panes compute the present state.
func (s *streaming) take() {
	s.panes.Take(s.panes.Work()(s.world, s.focus))
}

func after(n int) func(*meter.Tally) bool {
	return func(m *meter.Tally) bool { return m.Told >= n }
}
