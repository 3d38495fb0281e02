package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/spf13/afero"

	"svctour/lab/child/network"
	"svctour/lab/child/process"
)

// journal is what a program writes.
type journal struct {
	sync.Mutex
	bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.Lock()
	defer j.Unlock()
	return j.Buffer.Write(p)
}

func (j *journal) String() string {
	j.Lock()
	defer j.Unlock()
	return j.Buffer.String()
}

// running is a program in a Pod's network, and a client beside it.
type running struct {
	*testing.T
	client      *network.Stack
	out, errors *journal
}

const podAddress = "10.244.0.5"

// start runs main in a Pod until the test ends.
func start(t *testing.T, main process.Main, files map[string]string, env []string, args ...string) *running {
	t.Helper()
	net, err := network.New(network.Options{
		Gateway: netip.MustParseAddr("172.18.0.1"),
		Nodes:   []network.NodeSpec{{Name: "node-1", Address: netip.MustParseAddr("172.18.0.2"), Pods: netip.MustParsePrefix("10.244.0.0/24")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	pod, err := net.Node("node-1").Attach(netip.MustParseAddr(podAddress), "shop/web")
	if err != nil {
		t.Fatal(err)
	}
	fs := afero.NewMemMapFs()
	for name, text := range files {
		if err := afero.WriteFile(fs, name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := &running{T: t, client: net.Node("node-1").Stack(), out: &journal{}, errors: &journal{}}
	signals := make(chan process.Signal, 1)
	p := &process.Process{
		Args: args, Env: env, Files: fs, Stdin: strings.NewReader(""), Stdout: r.out, Stderr: r.errors,
		Net: pod, Signals: signals, Machine: &process.Machine{Hostname: "web-1"},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { main(ctx, p); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended; net.Close() })
	return r
}

// get asks the program, as soon as it listens.
func (r *running) get(path string) (int, http.Header, string) {
	r.Helper()
	transport := &http.Transport{DialContext: r.client.DialContext, DisableKeepAlives: true}
	for {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "http://"+podAddress+path, nil)
		if err != nil {
			r.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			if r.Context().Err() != nil || !strings.Contains(err.Error(), "refused") {
				r.Fatalf("GET %s: %v", path, err)
			}
			continue // it does not listen yet
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			r.Fatal(err)
		}
		return response.StatusCode, response.Header, string(body)
	}
}

// shows asks, and wants status and body as they are given.
func (r *running) shows(path string, status int, pattern string) {
	r.Helper()
	got, _, body := r.get(path)
	if got != status || !regexp.MustCompile(`\A(?s:`+pattern+`)\z`).MatchString(body) {
		r.Errorf("GET %s: %d %q, want %d %s", path, got, body, status, pattern)
	}
}

func TestWhoami(t *testing.T) {
	r := start(t, Whoami, nil, []string{"WHOAMI_NAME=me"}, "/whoami", "--port=8000")
	r.shows(":8000/x", 200, `Name: me\nHostname: web-1\nIP: 127\.0\.0\.1\nIP: 10\.244\.0\.5\nRemoteAddr: \S+\nGET /x HTTP/1\.1\r\nHost: 10\.244\.0\.5:8000\r\nUser-Agent: Go-http-client/1\.1\r\n.*`)
	r.shows(":8000/bench", 200, "1")
	r.shows(":8000/health", 200, "")
	r.shows(":8000/api", 200, `\{"hostname":"web-1","ip":\["127\.0\.0\.1","10\.244\.0\.5"\].*"method":"GET","name":"me","remoteAddr":"\S+"\}\n`)
	if !strings.Contains(r.errors.String(), "Starting up on port 8000\n") {
		t.Errorf("it says %q", r.errors)
	}
}

func TestHTTPEcho(t *testing.T) {
	r := start(t, HTTPEcho, nil, nil, "/http-echo", "-text=hello", "-listen=:5678", "-status-code", "202")
	r.shows(":5678/any", 202, "hello\n")
	r.shows(":5678/health", 200, `\{"status":"ok"\}\n`)
	_, header, _ := r.get(":5678/")
	if header.Get("X-App-Name") != "http-echo" || header.Get("X-App-Version") != echoVersion {
		t.Errorf("headers %v", header)
	}
	if want := regexp.MustCompile(`^\S+ \S+ 10\.244\.0\.5:5678 \S+ "GET /any HTTP/1\.1" 202 6 "Go-http-client/1\.1" \S+\n`); !want.MatchString(r.out.String()) {
		t.Errorf("it logs %q", r.out)
	}
	if !strings.Contains(r.errors.String(), "[INFO] server is listening on :5678\n") {
		t.Errorf("it says %q", r.errors)
	}
}

func TestHelloApp(t *testing.T) {
	r := start(t, HelloApp("2.0.0"), nil, []string{"PORT=8081"}, "/hello-app")
	r.shows(":8081/", 200, `Hello, world!\nVersion: 2\.0\.0\nHostname: web-1\n`)
}

func TestNginx(t *testing.T) {
	files := map[string]string{
		"/usr/share/nginx/html/index.html": NginxPage, "/etc/nginx/conf.d/default.conf": NginxConfig,
	}
	r := start(t, Nginx, files, nil, "nginx", "-g", "daemon off;")
	r.shows("/", 200, regexp.QuoteMeta(NginxPage))
	r.shows("/missing", 404, `.*<center>nginx/`+regexp.QuoteMeta(NginxVersion)+`</center>.*`)
	if want := regexp.MustCompile(`(?m)^\S+ - - \[[^\]]+\] "GET / HTTP/1\.1" 200 615 "-" "Go-http-client/1\.1" "-"$`); !want.MatchString(r.out.String()) {
		t.Errorf("it logs %q", r.out)
	}
}

func TestAgnhostNetexec(t *testing.T) {
	r := start(t, Agnhost, nil, nil, "/agnhost", "netexec", "--http-port=8080", "--udp-port=8081")
	r.shows(":8080/hostname", 200, "web-1")
	r.shows(":8080/echo?msg=hi", 200, "hi")
	r.shows(":8080/clientip", 200, `10\.244\.0\.1:\d+`)
}
