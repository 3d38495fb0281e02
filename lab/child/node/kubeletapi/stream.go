package kubeletapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/util/proxy"
	translator "k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
	"k8s.io/utils/exec"
)

const (
	// idleTimeout is the default of the kubelet's streamingConnectionIdleTimeout.
	idleTimeout     = 4 * time.Hour
	creationTimeout = remotecommand.DefaultStreamCreationTimeout
)

func (h *handler) exec(w http.ResponseWriter, r *http.Request) {
	c := container(r)
	h.command(w, r, c, func(w http.ResponseWriter, r *http.Request, options *remotecommand.Options) {
		remotecommand.ServeExec(w, r, commands{h.runtime, c, options}, c.Pod, c.UID, c.Name, r.URL.Query()["command"],
			options, idleTimeout, creationTimeout, remotecommand.SupportedStreamingProtocols)
	})
}

func (h *handler) attach(w http.ResponseWriter, r *http.Request) {
	c := container(r)
	h.command(w, r, c, func(w http.ResponseWriter, r *http.Request, options *remotecommand.Options) {
		remotecommand.ServeAttach(w, r, commands{h.runtime, c, options}, c.Pod, c.UID, c.Name,
			options, idleTimeout, creationTimeout, remotecommand.SupportedStreamingProtocols)
	})
}

// command is what exec and attach have in common.
func (h *handler) command(w http.ResponseWriter, r *http.Request, c Container,
	serve func(http.ResponseWriter, *http.Request, *remotecommand.Options)) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	if !h.joinable(w, r, c) {
		return
	}
	w, r, end := session(w, r)
	defer end()
	if !wsstream.IsWebSocketRequestWithStreamCloseProtocol(r) {
		serve(w, r, options)
		return
	}
	h.inside(r, func(location *url.URL, transport http.RoundTripper) http.Handler {
		return translator.NewStreamTranslatorHandler(location, transport, 0, translator.Options{
			Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr, Tty: options.TTY,
		})
	}).ServeHTTP(w, r)
}

func (h *handler) portForward(w http.ResponseWriter, r *http.Request) {
	tunnel := wsstream.IsWebSocketRequestWithTunnelingProtocol(r)
	options := &portforward.V4Options{}
	if !tunnel {
		var err error
		if options, err = portforward.NewV4Options(r); err != nil {
			fail(w, http.StatusBadRequest, err)
			return
		}
	}
	c := container(r)
	if !h.joinable(w, r, c) {
		return
	}
	w, r, end := session(w, r)
	defer end()
	if !tunnel {
		portforward.ServePortForward(w, r, forwards{h.runtime, c, r.Context()}, c.Pod, c.UID, options,
			idleTimeout, creationTimeout, portforward.SupportedProtocols)
		return
	}
	h.inside(r, func(location *url.URL, transport http.RoundTripper) http.Handler {
		return translator.NewTunnelingHandler(proxy.NewUpgradeAwareHandler(location, transport, false, true, refused{}))
	}).ServeHTTP(w, r)
}

// joinable answers with an error if there is nothing to stream with.
func (h *handler) joinable(w http.ResponseWriter, r *http.Request, c Container) bool {
	pod := h.runtime.Pod(c.Namespace, c.Pod)
	switch {
	case pod == nil:
		fail(w, http.StatusNotFound, errors.New("pod does not exist"))
		return false
	case c.Name == "" && c.UID != "" && string(pod.UID) != c.UID:
		fail(w, http.StatusNotFound, errors.New("pod not found"))
		return false
	}
	if err := h.runtime.Joinable(r.Context(), c); err != nil {
		fail(w, http.StatusInternalServerError, err)
		return false
	}
	return true
}

// refused answers when the inner request cannot be made.
type refused struct{}

func (refused) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusInternalServerError)
}

// inside is a handler that translates a WebSocket request into one for SPDY,
// which is sent to this API itself: through memory, where the kubelet goes
// through its container runtime's port on loopback.
func (h *handler) inside(outer *http.Request, translate func(*url.URL, http.RoundTripper) http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		listener := NewListener()
		server := &http.Server{
			Handler:           h.mux,
			ReadHeaderTimeout: creationTimeout,
			BaseContext:       func(net.Listener) context.Context { return r.Context() },
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			server.Serve(listener) // ends with ErrServerClosed and nothing else
		}()
		defer func() {
			server.Close()
			<-served
		}()
		location := &url.URL{Scheme: "http", Host: "kubelet", Path: outer.URL.Path, RawQuery: outer.URL.RawQuery}
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return listener.Dial(ctx)
		}}
		translate(location, transport).ServeHTTP(w, r)
	})
}

// commands lets cri-streaming call a Runtime. Its WebSocket streams exist even
// where the client did not ask for them: options say which count.
type commands struct {
	runtime   Runtime
	container Container
	options   *remotecommand.Options
}

func (c commands) streams(in io.Reader, out, err io.WriteCloser, tty bool, resize <-chan TerminalSize) Streams {
	s := Streams{TTY: tty, Resize: resize}
	if c.options.Stdin {
		s.In = in
	}
	if c.options.Stdout {
		s.Out = out
	}
	if c.options.Stderr {
		s.Err = err
	}
	return s
}

// ExecInContainer is called by ServeExec, which knows an exit code by the
// error's own type only.
func (c commands) ExecInContainer(ctx context.Context, _, _, _ string, command []string, in io.Reader, out, err io.WriteCloser,
	tty bool, resize <-chan TerminalSize, _ time.Duration) error {
	ended := c.runtime.Exec(ctx, c.container, command, c.streams(in, out, err, tty, resize))
	var exit exec.ExitError
	if errors.As(ended, &exit) {
		return exit
	}
	return ended
}

// AttachContainer is called by ServeAttach.
func (c commands) AttachContainer(ctx context.Context, _, _, _ string, in io.Reader, out, err io.WriteCloser,
	tty bool, resize <-chan TerminalSize) error {
	return c.runtime.Attach(ctx, c.container, c.streams(in, out, err, tty, resize))
}

// forwards does the same for ports. ServePortForward passes a context that
// never ends: the connection's is the one that counts.
type forwards struct {
	runtime   Runtime
	container Container
	session   context.Context
}

// PortForward is called by ServePortForward, for each connection.
func (f forwards) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	if err := f.runtime.PortForward(f.session, f.container, port, stream); err != nil && f.session.Err() == nil {
		return err
	}
	return nil
}

// session ties a request's context and the connection that is about to be
// hijacked from it to each other: net/http no longer watches such a connection.
// The context ends when the client is gone or end is called, the connection is
// closed when the context ends.
func session(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, func()) {
	ctx, cancel := context.WithCancel(r.Context())
	return &upgrade{ResponseWriter: w, ctx: ctx, cancel: cancel}, r.WithContext(ctx), cancel
}

// upgrade is a response whose connection can be hijacked. It does not unwrap:
// the connection must not be reached in another way.
type upgrade struct {
	http.ResponseWriter
	ctx    context.Context
	cancel context.CancelFunc
}

// Flush makes it an http.Flusher.
func (u *upgrade) Flush() { http.NewResponseController(u.ResponseWriter).Flush() }

// Hijack makes it an http.Hijacker.
func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("take over the connection: %w", err)
	}
	read, err := buffered.Reader.Peek(buffered.Reader.Buffered())
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("read what came with the request: %w", err)
	}
	watched := &watchedConn{Conn: conn, gone: u.cancel}
	watched.close = context.AfterFunc(u.ctx, func() { conn.Close() })
	reader := io.Reader(watched)
	if len(read) > 0 {
		reader = io.MultiReader(bytes.NewReader(bytes.Clone(read)), watched)
	}
	return watched, bufio.NewReadWriter(bufio.NewReader(reader), bufio.NewWriter(watched)), nil
}

// watchedConn tells when nothing more can be read.
type watchedConn struct {
	net.Conn
	gone  context.CancelFunc
	close func() bool // forgets to close at the end of the context
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.gone()
	}
	return n, err
}

func (c *watchedConn) Close() error {
	c.close()
	err := c.Conn.Close()
	c.gone()
	if errors.Is(err, net.ErrClosed) { // at the end of the context: else spdystream waits to be asked
		return nil
	}
	return err
}
