package kubeletapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	clientexec "k8s.io/client-go/util/exec"
	//lint:ignore SA1019 the type that client-go has in its own signatures
	"k8s.io/apimachinery/pkg/util/httpstream"
	"k8s.io/utils/exec"
)

const patience = time.Minute

// fake is a Runtime with one Pod; what a test does not set is not expected.
type fake struct {
	joinable error
	logs     func(ctx context.Context, options *corev1.PodLogOptions, stdout, stderr io.Writer) error
	exec     func(ctx context.Context, c Container, command []string, s Streams) error
	attach   func(ctx context.Context, c Container, s Streams) error
	forward  func(ctx context.Context, c Container, port int32, stream io.ReadWriteCloser) error
}

var thePod = &corev1.Pod{
	ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "1234"},
	Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
}

func (f *fake) Pods() []*corev1.Pod { return []*corev1.Pod{thePod} }
func (f *fake) Pod(namespace, name string) *corev1.Pod {
	if namespace == thePod.Namespace && name == thePod.Name {
		return thePod
	}
	return nil
}
func (f *fake) Joinable(context.Context, Container) error { return f.joinable }
func (f *fake) Logs(ctx context.Context, _ Container, o *corev1.PodLogOptions, stdout, stderr io.Writer) error {
	return f.logs(ctx, o, stdout, stderr)
}
func (f *fake) Exec(ctx context.Context, c Container, command []string, s Streams) error {
	return f.exec(ctx, c, command, s)
}
func (f *fake) Attach(ctx context.Context, c Container, s Streams) error { return f.attach(ctx, c, s) }
func (f *fake) PortForward(ctx context.Context, c Container, port int32, stream io.ReadWriteCloser) error {
	return f.forward(ctx, c, port, stream)
}

// serve is f's API at an address, gone with all its connections when the test
// has ended.
func serve(t *testing.T, f *fake) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewUnstartedServer(Handler(f))
	server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	before := goleak.IgnoreCurrent()
	server.Start()
	t.Cleanup(func() {
		cancel()
		server.Close()
		goleak.VerifyNone(t, before,
			// It offers an error of the client's end for a second.
			goleak.IgnoreAnyFunction("github.com/moby/spdystream.(*Connection).shutdown"),
			// client-go's end of a WebSocket that is given up outlives it.
			goleak.IgnoreAnyFunction("k8s.io/client-go/tools/remotecommand.(*heartbeat).start"),
			goleak.IgnoreAnyFunction("k8s.io/client-go/tools/remotecommand.(*wsStreamExecutor).StreamWithContext.func1"),
			goleak.IgnoreAnyFunction("k8s.io/client-go/tools/remotecommand.watchErrorStream.func1"),
			goleak.IgnoreAnyFunction("k8s.io/client-go/tools/remotecommand.(*streamProtocolV2).copyStdout.func1"))
	})
	return server.URL
}

// executors are the ways in which kubectl and the API server reach a kubelet.
var executors = map[string]func(location string) (remotecommand.Executor, error){
	"SPDY": func(location string) (remotecommand.Executor, error) {
		u, err := url.Parse(location)
		if err != nil {
			return nil, err
		}
		return remotecommand.NewSPDYExecutor(&rest.Config{}, http.MethodPost, u)
	},
	"WebSocket": func(location string) (remotecommand.Executor, error) {
		return remotecommand.NewWebSocketExecutor(&rest.Config{}, http.MethodGet, location)
	},
}

// eachWay runs a test once per executor.
func eachWay(t *testing.T, test func(t *testing.T, open func(location string) remotecommand.Executor)) {
	for name, newExecutor := range executors {
		t.Run(name, func(t *testing.T) {
			test(t, func(location string) remotecommand.Executor {
				executor, err := newExecutor(location)
				if err != nil {
					t.Fatal(err)
				}
				return executor
			})
		})
	}
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestExecPassesStreamsCommandAndStatus(t *testing.T) {
	eachWay(t, func(t *testing.T, open func(string) remotecommand.Executor) {
		address := serve(t, &fake{exec: func(_ context.Context, c Container, command []string, s Streams) error {
			in, err := io.ReadAll(s.In)
			if err != nil {
				return err
			}
			fmt.Fprintf(s.Out, "%s got %q", strings.Join(command, " "), in)
			fmt.Fprintf(s.Err, "%s/%s/%s %s", c.Namespace, c.Pod, c.Name, c.UID)
			return fmt.Errorf("run: %w", exec.CodeExitError{Err: errors.New("exit status 7"), Code: 7})
		}})
		var stdout, stderr bytes.Buffer
		err := open(address+"/exec/default/web/1234/app?command=cat&command=-&input=1&output=1&error=1").StreamWithContext(patient(t),
			remotecommand.StreamOptions{Stdin: strings.NewReader("hello"), Stdout: &stdout, Stderr: &stderr})
		var exit clientexec.CodeExitError
		if !errors.As(err, &exit) || exit.Code != 7 {
			t.Errorf("got error %v, want exit code 7", err)
		}
		if got, want := stdout.String(), `cat - got "hello"`; got != want {
			t.Errorf("stdout %q, want %q", got, want)
		}
		if got, want := stderr.String(), "default/web/app 1234"; got != want {
			t.Errorf("stderr %q, want %q", got, want)
		}
	})
}

func TestExecWithoutStatusSucceedsAndOtherErrorsAreTold(t *testing.T) {
	eachWay(t, func(t *testing.T, open func(string) remotecommand.Executor) {
		var result error
		address := serve(t, &fake{exec: func(_ context.Context, _ Container, _ []string, s Streams) error {
			if s.In != nil || s.Err != nil {
				return errors.New("streams that were not asked for")
			}
			return result
		}})
		run := func() error {
			return open(address+"/exec/default/web/app?command=true&output=1").StreamWithContext(patient(t),
				remotecommand.StreamOptions{Stdout: io.Discard})
		}
		if err := run(); err != nil {
			t.Error(err)
		}
		result = errors.New(`exec: "x": executable file not found in $PATH`)
		if err := run(); err == nil || !strings.Contains(err.Error(), result.Error()) {
			t.Errorf("got %v, want %v", err, result)
		}
	})
}

// sizes is a terminal whose size is set by a test.
type sizes chan remotecommand.TerminalSize

func (s sizes) Next() *remotecommand.TerminalSize {
	if size, ok := <-s; ok {
		return &size
	}
	return nil
}

func TestTerminalSizesArrive(t *testing.T) {
	eachWay(t, func(t *testing.T, open func(string) remotecommand.Executor) {
		address := serve(t, &fake{attach: func(ctx context.Context, _ Container, s Streams) error {
			if !s.TTY || s.Err != nil {
				return errors.New("not a terminal")
			}
			for range 2 {
				select {
				case size := <-s.Resize:
					fmt.Fprintf(s.Out, "%dx%d\n", size.Width, size.Height)
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		}})
		queue := make(sizes, 2)
		defer close(queue)
		queue <- remotecommand.TerminalSize{Width: 80, Height: 24}
		queue <- remotecommand.TerminalSize{Width: 132, Height: 43}
		in, typed := io.Pipe()
		defer typed.Close()
		var stdout bytes.Buffer
		err := open(address+"/attach/default/web/app?input=1&output=1&tty=1").StreamWithContext(patient(t),
			remotecommand.StreamOptions{Stdin: in, Stdout: &stdout, Tty: true, TerminalSizeQueue: queue})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := stdout.String(), "80x24\n132x43\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestExecEndsWithItsClient(t *testing.T) {
	eachWay(t, func(t *testing.T, open func(string) remotecommand.Executor) {
		begun, ended := make(chan struct{}), make(chan struct{})
		address := serve(t, &fake{exec: func(ctx context.Context, _ Container, _ []string, _ Streams) error {
			close(begun)
			<-ctx.Done()
			close(ended)
			return ctx.Err()
		}})
		ctx, cancel := context.WithCancel(patient(t))
		go func() {
			<-begun
			cancel()
		}()
		if err := open(address+"/exec/default/web/app?command=sleep&output=1").StreamWithContext(ctx,
			remotecommand.StreamOptions{Stdout: io.Discard}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the command goes on without its client")
		}
	})
}

func TestStreamsEndWithTheServer(t *testing.T) {
	eachWay(t, func(t *testing.T, open func(string) remotecommand.Executor) {
		begun := make(chan struct{})
		runtime := &fake{exec: func(ctx context.Context, _ Container, _ []string, _ Streams) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		}}
		base, end := context.WithCancel(t.Context())
		server := httptest.NewUnstartedServer(Handler(runtime))
		server.Config.BaseContext = func(net.Listener) context.Context { return base }
		server.Start()
		defer server.Close()
		go func() {
			<-begun
			end()
		}()
		// Whether the client takes this for an end or an error is up to it.
		_ = open(server.URL+"/exec/default/web/app?command=sleep&output=1").StreamWithContext(patient(t),
			remotecommand.StreamOptions{Stdout: io.Discard})
		if base.Err() == nil {
			t.Error("the stream ended before the server")
		}
	})
}

func TestRefusalsBeforeTheUpgrade(t *testing.T) {
	address := serve(t, &fake{joinable: errors.New(`container not found ("app")`)})
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"POST", "/exec/default/web/app?command=x", 400, "you must specify at least 1 of stdin, stdout, stderr"},
		{"POST", "/exec/default/api/app?output=1", 404, "pod does not exist"},
		{"POST", "/exec/default/web/app?output=1", 500, `container not found ("app")`},
		{"GET", "/attach/other/web/app?output=1", 404, "pod does not exist"},
		{"POST", "/portForward/default/web/9999", 404, "pod not found"},
		{"PUT", "/exec/default/web/app?output=1", 405, "Method Not Allowed\n"},
		{"POST", "/containerLogs/default/web/app", 405, "Method Not Allowed\n"},
		{"GET", "/containerLogs/default/api/app", 404, `pod "api" does not exist`},
		{"GET", "/containerLogs/default/web/db", 404, `container "db" not found in pod "web"`},
		{"GET", "/containerLogs/default/web/app?sinceSeconds=0", 422, `{"message": "Invalid request."}`},
		{"GET", "/containerLogs/default/web/app?tailLines=-1", 422, `{"message": "Invalid request."}`},
		{"GET", "/containerLogs/default/web/app?stream=Stdin", 422, `{"message": "Invalid request."}`},
		{"GET", "/containerLogs/default/web/app?tailLines=x", 400, `{"message": "Unable to decode query."}`},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/stats", 404, "404 page not found\n"},
	} {
		status, body := ask(t, c.method, address+c.path)
		if status != c.status || body != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, status, body, c.status, c.body)
		}
	}
}

func ask(t *testing.T, method, location string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(patient(t), method, location, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestPodsIsAList(t *testing.T) {
	status, body := ask(t, "GET", serve(t, &fake{})+"/pods")
	var list corev1.PodList
	if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 {
		t.Fatalf("%d %q: %v", status, body, err)
	}
	if list.Kind != "PodList" || len(list.Items) != 1 || list.Items[0].UID != thePod.UID {
		t.Errorf("got %s", body)
	}
}

func TestLogOptions(t *testing.T) {
	var got *corev1.PodLogOptions
	address := serve(t, &fake{logs: func(_ context.Context, o *corev1.PodLogOptions, stdout, stderr io.Writer) error {
		got = o
		for name, w := range map[string]io.Writer{"stdout": stdout, "stderr": stderr} {
			if w != nil {
				io.WriteString(w, name+" ")
			}
		}
		return nil
	}})
	for query, want := range map[string]func(o *corev1.PodLogOptions, body string) bool{
		"": func(o *corev1.PodLogOptions, body string) bool {
			return !o.Follow && !o.Previous && o.TailLines == nil && len(body) == len("stdout stderr ")
		},
		"follow=true&previous=true&timestamps=true": func(o *corev1.PodLogOptions, _ string) bool {
			return o.Follow && o.Previous && o.Timestamps
		},
		"tailLines=3&limitBytes=10":      func(o *corev1.PodLogOptions, _ string) bool { return *o.TailLines == 3 && *o.LimitBytes == 10 },
		"tail=4":                         func(o *corev1.PodLogOptions, _ string) bool { return *o.TailLines == 4 },
		"tail=all&tailLines=4":           func(o *corev1.PodLogOptions, _ string) bool { return o.TailLines == nil },
		"sinceSeconds=60":                func(o *corev1.PodLogOptions, _ string) bool { return *o.SinceSeconds == 60 },
		"sinceTime=2026-11-23T10:00:00Z": func(o *corev1.PodLogOptions, _ string) bool { return o.SinceTime.UTC().Hour() == 10 },
		"stream=Stdout":                  func(_ *corev1.PodLogOptions, body string) bool { return body == "stdout " },
		"stream=Stderr":                  func(_ *corev1.PodLogOptions, body string) bool { return body == "stderr " },
	} {
		status, body := ask(t, "GET", address+"/containerLogs/default/web/app?"+query)
		if status != 200 || !want(got, body) {
			t.Errorf("%q: %d %q, options %+v", query, status, body, got)
		}
	}
}

func TestLogErrors(t *testing.T) {
	refused := errors.New(`container "app" in pod "web" is waiting to start: ContainerCreating`)
	begun := ""
	address := serve(t, &fake{logs: func(_ context.Context, _ *corev1.PodLogOptions, stdout, _ io.Writer) error {
		if begun != "" {
			io.WriteString(stdout, begun)
		}
		return refused
	}})
	if status, body := ask(t, "GET", address+"/containerLogs/default/web/app"); status != 400 || body != refused.Error() {
		t.Errorf("got %d %q", status, body)
	}
	begun = "a line\n"
	if status, body := ask(t, "GET", address+"/containerLogs/default/web/app"); status != 200 || body != begun+refused.Error() {
		t.Errorf("got %d %q", status, body)
	}
}

func TestLogsArriveWhileFollowing(t *testing.T) {
	lines, ended := make(chan string), make(chan struct{})
	address := serve(t, &fake{logs: func(ctx context.Context, _ *corev1.PodLogOptions, stdout, _ io.Writer) error {
		defer close(ended)
		stdout.Write(nil)
		for {
			select {
			case line := <-lines:
				io.WriteString(stdout, line)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}})
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", address+"/containerLogs/default/web/app?follow=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request) // returns before there is a line
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for _, line := range []string{"one\n", "two\n"} {
		lines <- line
		got := make([]byte, len(line))
		if _, err := io.ReadFull(response.Body, got); err != nil || string(got) != line {
			t.Errorf("got %q, %v, want %q", got, err, line)
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("no client follows the log")
	}
}

func TestPortForward(t *testing.T) {
	dialers := map[string]func(*url.URL) (httpstream.Dialer, error){
		"SPDY": func(u *url.URL) (httpstream.Dialer, error) {
			transport, upgrader, err := spdy.RoundTripperFor(&rest.Config{})
			if err != nil {
				return nil, err
			}
			return spdy.NewDialer(upgrader, &http.Client{Transport: transport}, "POST", u), nil
		},
		"WebSocket": func(u *url.URL) (httpstream.Dialer, error) {
			return portforward.NewSPDYOverWebsocketDialer(u, &rest.Config{})
		},
	}
	for name, newDialer := range dialers {
		t.Run(name, func(t *testing.T) {
			address := serve(t, &fake{forward: func(_ context.Context, c Container, port int32, stream io.ReadWriteCloser) error {
				if port != 80 {
					if _, err := io.ReadAll(stream); err != nil { // the client has made both streams
						return err
					}
					return fmt.Errorf("failed to connect to localhost:%d inside namespace %q: connection refused", port, c.Namespace)
				}
				line := make([]byte, 4)
				if _, err := io.ReadFull(stream, line); err != nil {
					return err
				}
				_, err := fmt.Fprintf(stream, "%s:%d %s", c.Pod, port, line)
				return err
			}})
			u, err := url.Parse(address + "/portForward/default/web")
			if err != nil {
				t.Fatal(err)
			}
			dialer, err := newDialer(u)
			if err != nil {
				t.Fatal(err)
			}
			stop, ready := make(chan struct{}), make(chan struct{})
			forwarder, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, []string{"0:80"}, stop, ready, io.Discard, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- forwarder.ForwardPorts() }()
			select {
			case <-ready:
			case err := <-done:
				t.Fatal(err)
			}
			ports, err := forwarder.GetPorts()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // one after the other over the same connection
				if got, want := talk(t, ports[0].Local), "web:80 ping"; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			close(stop)
			<-done // whether a stop is an error differs between the ways
			want := `error forwarding port 81 to pod web, uid : failed to connect to localhost:81 inside namespace "default": connection refused`
			// ServePortForward resets the stream right after it has written: the
			// text may be gone, that there was an error never is.
			if got, err := errorOf(t, dialer, "81"); got != want && err == nil {
				t.Errorf("the client is told %q, want %q", got, want)
			}
		})
	}
}

// errorOf is what the error stream of one forwarded connection says.
func errorOf(t *testing.T, dialer httpstream.Dialer, port string) (string, error) {
	t.Helper()
	conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	headers := http.Header{}
	headers.Set(corev1.PortHeader, port)
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	problems, err := conn.CreateStream(headers)
	if err != nil {
		t.Fatal(err)
	}
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := conn.CreateStream(headers)
	if err != nil {
		t.Fatal(err)
	}
	if err := data.Close(); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(problems)
	return string(said), err
}

// talk sends ping to a forwarded port and returns what it answers.
func talk(t *testing.T, port uint16) string {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}
