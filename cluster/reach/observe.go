package reach

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"

	"svctour/cluster"
	"svctour/model/path"
)

// maxDump bounds what is read of a node's rules, in bytes: some 300 000 rules.
const maxDump = 64 << 20

// maxComplaint bounds what is kept of a failing program's stderr, in bytes.
const maxComplaint = 4 << 10

// atOnce is how many commands run on a node at the same time.
const atOnce = 4

// Observe lists rules of a node, with their counters where they have any, and
// hands over what each command prints, as it comes: take is called for one
// listing at a time, and reads it to its end. The commands (path.Ask.Commands)
// run in the node's kube-proxy Pod, which kubeadm labels k8s-app=kube-proxy,
// through the API server: one exec for each, because kube-proxy's image has no
// shell. They change nothing. The error is a sentence for people: why the node
// cannot be looked at. What was handed over before an error is incomplete.
func Observe(ctx context.Context, c *cluster.Connection, ask path.Ask, take func(path.Listing) error) error {
	pod, err := proxyPod(ctx, c, ask.Node)
	if err != nil {
		return err
	}
	o := &observing{c: c, pod: pod, ask: ask, take: take}
	var running sync.WaitGroup
	commands := ask.Commands()
	for at := range min(atOnce, len(commands)) {
		running.Go(func() {
			for ; at < len(commands); at += atOnce {
				o.run(ctx, commands[at])
			}
		})
	}
	running.Wait()
	return o.err
}

// observing is one call of Observe.
type observing struct {
	c   *cluster.Connection
	pod *corev1.Pod
	ask path.Ask

	mu   sync.Mutex // held while take reads
	take func(path.Listing) error
	err  error // the first
}

// run runs one command, unless another has failed. A command that runs when
// another fails is not stopped; what it still prints is dropped.
func (o *observing) run(ctx context.Context, command path.Command) {
	o.mu.Lock()
	failed := o.err != nil
	o.mu.Unlock()
	if failed {
		return
	}
	if err := o.list(ctx, command); err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.err == nil {
			o.err = fmt.Errorf("run %s in Pod %q: %w", command.Args[0], o.pod.Namespace+"/"+o.pod.Name, err)
		}
	}
}

// list hands over what a command prints.
func (o *observing) list(ctx context.Context, command path.Command) error {
	at := time.Now()
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, o.c, o.pod, command.Args, nil, &dump{to: writer})
		writer.CloseWithError(err)
		ended <- err
	}()
	defer func() {
		reader.Close()
		<-ended
	}()
	text := bufio.NewReader(reader)
	_, err := text.Peek(1)
	var failed *failure
	listing := command.Listing(o.ask, at, text)
	switch {
	case errors.As(err, &failed) && command.Absent(failed.complaint):
		listing = command.Listing(o.ask, at, nil)
	case errors.As(err, &failed) && command.Unclear(failed.complaint):
		return nil // the others may still be read
	case err != nil && err != io.EOF:
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.take(listing)
}

// proxyPod finds a kube-proxy Pod that runs on a node.
func proxyPod(ctx context.Context, c *cluster.Connection, node string) (*corev1.Pod, error) {
	pods, err := c.Client().CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{
		LabelSelector: "k8s-app=kube-proxy", FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String(),
	})
	if err != nil {
		return nil, cluster.ExplainError(c.FromServer(err))
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil && len(pod.Spec.Containers) > 0 {
			return pod, nil
		}
	}
	return nil, fmt.Errorf("no Pod labelled k8s-app=kube-proxy runs on node %q", node)
}

// run runs a command in the first container of a Pod and writes its stdout; a
// nil stdin is none. WebSocket comes first and SPDY after it, as in kubectl exec.
func run(ctx context.Context, c *cluster.Connection, pod *corev1.Pod, command []string, stdin io.Reader, stdout io.Writer) error {
	request := c.Client().CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: pod.Spec.Containers[0].Name, Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec)
	spdy, err := remotecommand.NewSPDYExecutor(c.REST(), "POST", request.URL())
	if err != nil {
		return err
	}
	agreed := make(chan struct{})
	config := rest.CopyConfig(c.REST())
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return upgrade{next, agreed} })
	socket, err := remotecommand.NewWebSocketExecutor(config, "GET", request.URL().String())
	if err != nil {
		return err
	}
	executor, err := remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return err
	}
	var stderr complaint
	spoken := &spoken{first: make(chan struct{})}
	late, cancel := afterUpgrade(ctx, agreed, spoken.first)
	defer cancel()
	err = executor.StreamWithContext(late, remotecommand.StreamOptions{Stdin: stdin, Stdout: spoken.of(stdout), Stderr: spoken.of(&stderr)})
	var code exec.ExitError
	var status *apierrors.StatusError
	switch {
	case errors.As(err, &status):
		return cluster.ExplainError(c.FromServer(err))
	case errors.As(err, &code) && stderr.String() != "":
		return &failure{code.ExitStatus(), stderr.String()}
	}
	return err
}

// upgrade says when the server has agreed to a WebSocket.
type upgrade struct {
	http.RoundTripper
	agreed chan<- struct{}
}

// RoundTrip implements http.RoundTripper; it is called once.
func (u upgrade) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := u.RoundTripper.RoundTrip(r)
	if err == nil {
		close(u.agreed)
	}
	return answer, err
}

// spoken says when a program has said the first word, on one of its streams.
type spoken struct {
	first chan struct{}
	once  sync.Once
}

func (s *spoken) of(w io.Writer) io.Writer { return spokenTo{s, w} }

type spokenTo struct {
	*spoken
	w io.Writer
}

// Write implements io.Writer.
func (s spokenTo) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.first) })
	return s.w.Write(p)
}

// upgradeTime is how long client-go gets to start reading a WebSocket that is of
// no use any more.
const upgradeTime = 5 * time.Second

// afterUpgrade gives a context that ends with ctx, but not while client-go is
// on its way to its first read: a connection that is closed then leaves
// goroutines behind for good (client-go/tools/remotecommand/websocket.go,
// readDemuxLoop returns without closing the streams). The first word of the
// program shows that it reads.
func afterUpgrade(ctx context.Context, agreed, spoken <-chan struct{}) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		defer cancel()
		enough := time.NewTimer(upgradeTime)
		defer enough.Stop()
		for _, then := range []<-chan struct{}{agreed, spoken} {
			select {
			case <-then:
			case <-late.Done():
				return
			case <-enough.C:
				return
			}
		}
	})
	return late, func() { stop(); cancel() }
}

// output is the stdout of a command that prints little; more than maxDump is an
// error.
func output(ctx context.Context, c *cluster.Connection, pod *corev1.Pod, command []string) (string, error) {
	var text bounded
	if err := run(ctx, c, pod, command, nil, &text); err != nil {
		return "", err
	}
	return text.String(), nil
}

// bounded takes maxDump bytes and refuses more.
type bounded struct{ bytes.Buffer }

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxDump {
		return 0, fmt.Errorf("more than %d MiB", maxDump>>20)
	}
	return b.Buffer.Write(p)
}

// failure is a program that ended with an exit code and a complaint.
type failure struct {
	code      int
	complaint string
}

func (f *failure) Error() string {
	return fmt.Sprintf("exit code %d: %s", f.code, cluster.Sentence(f.complaint))
}

// complaint keeps the first few lines that a program writes, and drops the rest.
type complaint struct{ bytes.Buffer }

// Write implements io.Writer; it never fails.
func (c *complaint) Write(p []byte) (int, error) {
	if c.Len() < maxComplaint {
		c.Buffer.Write(p[:min(len(p), maxComplaint-c.Len())])
	}
	return len(p), nil
}

// dump passes maxDump bytes on. What comes once the reader is closed is dropped.
type dump struct {
	to   *io.PipeWriter
	size int
}

// Write implements io.Writer; it never fails.
func (d *dump) Write(p []byte) (int, error) {
	if d.size += len(p); d.size > maxDump {
		d.to.CloseWithError(fmt.Errorf("more than %d MiB of rules", maxDump>>20))
	} else {
		d.to.Write(p)
	}
	return len(p), nil
}
