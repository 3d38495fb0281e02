package reach

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/exec"

	"svctour/cluster"
	"svctour/model/diagnose"
	"svctour/model/meter"
)

const (
	// beat is how often it is looked whether a request is due: at MaxRate one
	// each time.
	beat = time.Second / meter.MaxRate
	// batchTime is the least time between two batches.
	batchTime = 100 * time.Millisecond
	// listTime is the least time between two looks at where the node leads the
	// client's connections.
	listTime = 2 * time.Second
	// drainTime is how long requests under way may take to end once the stream
	// is stopped; by then curl and wget have given up.
	drainTime = 6 * time.Second
	// lostTime is when a request that nothing was heard of does not count as
	// under way any more.
	lostTime = 10 * time.Second
	// maxLine bounds a line of the client, in bytes.
	maxLine = 4 << 10
)

// Stream sends requests from the first container of a Pod, by one exec for all
// of them, as many a second as rate says at that moment; it makes no object.
// Every request is told once, in a batch; take is called for one batch at a
// time, and while it blocks no further request is sent. Once rate is 0 no more
// are begun, and Stream returns when those under way have ended. When ctx ends
// it returns at once: the client's shell then reads the end of its input and ends
// too.
//
// The error is meter.ErrClientGone, meter.ErrNoProgram, meter.ErrNoExec or that
// of ctx, wrapped.
func Stream(ctx context.Context, c *cluster.Connection, namespace string, spec meter.Spec, rate func() int, take func(meter.Batch)) error {
	if err := spec.Check(); err != nil {
		return err
	}
	pod, err := c.Client().CoreV1().Pods(namespace).Get(ctx, spec.Pod, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && pod.Status.Phase != corev1.PodRunning:
		return meter.ErrClientGone
	case err != nil:
		return fmt.Errorf("%w: %w", meter.ErrNoExec, cluster.ExplainError(c.FromServer(err)))
	}
	s := &stream{c: c, pod: pod, spec: spec, mark: "svctour-" + rand.Text(), begun: map[int]time.Time{}, ports: map[uint16]int{}}
	return s.run(ctx, rate, take)
}

// stream is one call of Stream.
type stream struct {
	c    *cluster.Connection
	pod  *corev1.Pod
	spec meter.Spec
	mark string

	mu    sync.Mutex
	rest  []byte            // the beginning of a line
	batch meter.Batch       // that is not handed on yet
	begun map[int]time.Time // the requests under way, and when the client was told
	ports map[uint16]int    // of connections of which it was not seen where they lead, and their requests
	none  bool              // the container has no program that could send
	ended bool              // the client has told its last count
	news  bool              // there is something in the batch that was not handed on
}

// run runs the client and tells it when to send.
func (s *stream) run(ctx context.Context, rate func() int, take func(meter.Batch)) error {
	running, end := context.WithCancel(ctx)
	defer end()
	reader, writer := io.Pipe()
	ticks := make(chan int, meter.AtOnce)
	var group sync.WaitGroup
	defer group.Wait()
	defer writer.Close()
	group.Go(func() {
		defer writer.Close() // the end of the client's input
		for n := range ticks {
			if _, err := io.WriteString(writer, strconv.Itoa(n)+"\n"); err != nil {
				return
			}
		}
	})
	ended := make(chan error, 1)
	group.Go(func() { ended <- run(running, s.c, s.pod, s.spec.Command(s.mark), reader, s) })
	quit, watched := make(chan struct{}), make(chan struct{})
	group.Go(func() {
		defer close(watched)
		s.watch(ctx, quit)
	})

	timer := time.NewTicker(beat)
	defer timer.Stop()
	var err error
	p := &pacer{stream: s, rate: rate, ticks: ticks}
	for flushed, done := time.Now(), false; !done; {
		select {
		case err = <-ended:
			done = true
		case <-running.Done():
			done, err = true, running.Err()
		case now := <-timer.C:
			if p.beat(now) {
				end() // the client does not end
			}
			if now.Sub(flushed) >= batchTime {
				flushed = now
				s.hand(now, take)
			}
		}
	}
	p.stop()
	end()
	close(quit)
	<-watched
	if ctx.Err() == nil {
		s.list(ctx)
	}
	s.mu.Lock()
	s.batch.Ended, s.news = s.ended, true
	s.mu.Unlock()
	s.hand(time.Now(), take)
	return s.outcome(ctx, err)
}

// outcome says why a stream ended; nil when it was stopped and is told whole.
func (s *stream) outcome(ctx context.Context, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed *failure
	var code exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case s.none, err != nil && noShell(err.Error()):
		return meter.ErrNoProgram
	case s.ended:
		return nil
	case err == nil, errors.As(err, &failed), errors.As(err, &code), errors.Is(err, io.EOF), errors.Is(err, context.Canceled):
		return meter.ErrClientGone
	}
	return fmt.Errorf("%w: %w", meter.ErrNoExec, err)
}

// pacer tells the client when to send.
type pacer struct {
	stream  *stream
	rate    func() int
	ticks   chan int
	sent    int
	due     float64   // requests that are due
	stopped time.Time // zero while it goes on
}

// beat sends what is due. over says that the stream was stopped so long ago that
// the client should have ended.
func (p *pacer) beat(now time.Time) (over bool) {
	rate := min(p.rate(), meter.MaxRate)
	switch {
	case !p.stopped.IsZero():
		return now.Sub(p.stopped) > drainTime
	case rate <= 0:
		p.stop()
		return false
	}
	// What was due while nothing could be sent is not made up for.
	share := float64(rate) / meter.MaxRate
	p.due = min(p.due+share, 1+share)
	if p.due < 1 || len(p.ticks) == cap(p.ticks) || !p.stream.begin(p.sent+1, now) {
		return false
	}
	p.sent++
	p.due--
	p.ticks <- p.sent
	return false
}

// stop ends the client's input.
func (p *pacer) stop() {
	if p.stopped.IsZero() {
		p.stopped = time.Now()
		close(p.ticks)
	}
}

// begin says whether another request may be under way, and notes it.
func (s *stream) begin(number int, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.begun) >= meter.AtOnce {
		for n, at := range s.begun {
			if now.Sub(at) > lostTime {
				delete(s.begun, n)
			}
		}
	}
	if len(s.begun) >= meter.AtOnce {
		return false
	}
	s.begun[number] = now
	return true
}

// Write implements io.Writer: it takes in what the client writes, and never
// fails.
func (s *stream) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(text)
	for len(text) > 0 {
		line, more, whole := bytes.Cut(text, []byte("\n"))
		if room := maxLine - len(s.rest); room > 0 {
			s.rest = append(s.rest, line[:min(len(line), room)]...)
		}
		if whole {
			s.read(string(s.rest))
			s.rest = s.rest[:0]
		}
		text = more
	}
	return n, nil
}

// read takes in a line of the client.
func (s *stream) read(text string) {
	line, ok := meter.Read(s.mark, text)
	if !ok {
		return
	}
	s.none, s.news = s.none || line.None, true
	s.batch.Sent, s.ended = max(s.batch.Sent, line.Sent), s.ended || line.End
	if line.Sample == nil {
		return
	}
	sample := *line.Sample
	sample.Start = s.begun[sample.Number]
	delete(s.begun, sample.Number)
	s.batch.Samples = append(s.batch.Samples, sample)
	switch _, twice := s.ports[sample.Port]; {
	case sample.Port == 0 || len(s.ports) >= 4*meter.AtOnce:
	case twice: // which of the two it is would be a guess
		s.ports[sample.Port] = 0
	default:
		s.ports[sample.Port] = sample.Number
	}
}

// hand hands on what was heard.
func (s *stream) hand(now time.Time, take func(meter.Batch)) {
	s.mu.Lock()
	batch, news := s.batch, s.news
	s.batch, s.news = meter.Batch{Sent: batch.Sent, Blind: batch.Blind}, false
	s.mu.Unlock()
	if batch.At = now; news {
		take(batch)
	}
}

// watch looks again and again at where the client's node leads its connections;
// a look under way is not broken off by quit.
func (s *stream) watch(ctx context.Context, quit <-chan struct{}) {
	timer := time.NewTicker(listTime)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-quit:
			return
		case <-timer.C:
			s.list(ctx)
		}
	}
}

// list looks once at where the client's node leads the connections that are not
// told yet, unless that failed before.
func (s *stream) list(ctx context.Context) {
	s.mu.Lock()
	wanted, blind := s.ports, s.batch.Blind != ""
	s.ports = map[uint16]int{}
	s.mu.Unlock()
	if len(wanted) == 0 || blind {
		return
	}
	_, connections, err := Connections(ctx, s.c, s.pod.Spec.NodeName, s.pod.Status.PodIP)
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.news = true; err != nil {
		s.batch.Blind = err.Error()
		return
	}
	s.batch.Led = append(s.batch.Led, led(connections, s.pod.Status.PodIP, s.spec.Port, wanted)...)
}

// led picks the connections to a port that a client made for requests; wanted are
// its own ports, and the requests.
func led(list []diagnose.Connection, client string, port uint16, wanted map[uint16]int) []meter.Led {
	var out []meter.Led
	from, err := netip.ParseAddr(client)
	if err != nil {
		return nil
	}
	for _, c := range list {
		number := wanted[c.Client.Port()] // they count from 1
		if number > 0 && c.Protocol == "TCP" && c.Client.Addr() == from && c.Asked.Port() == port {
			out = append(out, meter.Led{Number: number, To: c.Answers, Asked: c.Asked.Addr()})
		}
	}
	return out
}
