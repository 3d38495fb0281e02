package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
	"svctour/lab/child/program/nettool"
)

// agnhostCommands are the subcommands of agnhost
// (test/images/agnhost of k8s.io/kubernetes).
var agnhostCommands map[string]process.Main

func init() { // the table names a function that reads it
	agnhostCommands = map[string]process.Main{
		"netexec": netexec, "pause": agnhostPause, "connect": connect, "serve-hostname": serveHostname,
		"dns-suffix": resolvField("search"), "dns-server-list": resolvField("nameserver"), "etc-hosts": etcHosts,
		"porter": porter, "liveness": liveness, "entrypoint-tester": entrypointTester, "test-webserver": testWebserver,
	}
}

// Agnhost is the test image's one program with many subcommands.
func Agnhost(ctx context.Context, p *process.Process) int {
	if len(p.Args) < 2 {
		fmt.Fprintln(p.Stdout, "Usage:\n  app [command]")
		return 0
	}
	command, has := agnhostCommands[p.Args[1]]
	if !has {
		fmt.Fprintf(p.Stderr, "Error: unknown command %q for \"app\"\nRun 'app --help' for usage.\n", p.Args[1])
		return 1
	}
	next := *p
	next.Args = p.Args[1:]
	return command(ctx, &next)
}

func agnhostPause(ctx context.Context, p *process.Process) int {
	fmt.Fprintln(p.Stdout, "Paused")
	select {
	case <-p.Signals:
	case <-ctx.Done():
	}
	return 0
}

// netexec serves HTTP and UDP and tells about itself.
func netexec(ctx context.Context, p *process.Process) int {
	httpPort, udpPort := port(flagValue(p.Args, "", "http-port"), 8080), port(flagValue(p.Args, "", "udp-port"), 8081)
	if flagValue(p.Args, "", "sctp-port") != "" {
		fmt.Fprintln(p.Stderr, "sctp: protocol not supported")
		return 1
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	packets, err := p.Net.ListenPacket(ctx, "udp", ":"+strconv.Itoa(udpPort))
	if err == nil {
		done := make(chan struct{})
		p.Go(func() {
			defer close(done)
			netexecUDP(p, packets)
		})
		defer func() {
			packets.Close()
			<-done
		}()
		fmt.Fprintf(p.Stderr, "Started UDP server on port  %d\n", udpPort)
	}
	status := make(chan int, 1)
	one := *p
	one.Signals = nil
	p.Go(func() {
		select {
		case <-p.Signals: // agnhost ends at once
			cancel()
		case <-ctx.Done():
		}
	})
	fmt.Fprintf(p.Stderr, "Started HTTP server on port %d\n", httpPort)
	ended := serve(ctx, &one, "netexec", ":"+strconv.Itoa(httpPort), netexecRoutes(p, httpPort, func(code int) {
		status <- code
		cancel()
	}))
	select {
	case code := <-status:
		return code
	default:
	}
	if ctx.Err() != nil {
		return 0
	}
	return ended
}

func netexecRoutes(p *process.Process, httpPort int, exit func(int)) http.Handler {
	mux := http.NewServeMux()
	logged := func(text string, r *http.Request) { fmt.Fprintf(p.Stderr, "%s GET %s\n", r.RemoteAddr, text) }
	hostname := func(w http.ResponseWriter, r *http.Request) {
		logged("/hostname", r)
		fmt.Fprint(w, p.Machine.Hostname)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		logged("/", r)
		fmt.Fprintf(w, "NOW: %v", time.Now())
	})
	mux.HandleFunc("/hostname", hostname)
	mux.HandleFunc("/hostName", hostname)
	mux.HandleFunc("/clientip", func(w http.ResponseWriter, r *http.Request) {
		logged("/clientip", r)
		fmt.Fprint(w, r.RemoteAddr)
	})
	mux.HandleFunc("/server_port", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, httpPort) })
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("/header", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get(r.FormValue("key")))
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		logged("/echo?msg="+r.FormValue("msg"), r)
		if text := r.FormValue("code"); text != "" {
			code, err := strconv.Atoi(text)
			if err != nil || code < 100 || code > 999 {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, "argument 'code' must be an integer or empty, got %q\n", text)
				return
			}
			w.WriteHeader(code)
		}
		fmt.Fprint(w, r.FormValue("msg"))
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) {
		code, err := strconv.Atoi(r.FormValue("code"))
		if err != nil || code < 300 || code > 399 {
			code = http.StatusFound
		}
		http.Redirect(w, r, r.FormValue("location"), code)
	})
	mux.HandleFunc("/exit", func(_ http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.FormValue("code"))
		exit(code)
	})
	mux.HandleFunc("/shutdown", func(http.ResponseWriter, *http.Request) { exit(0) })
	mux.HandleFunc("/shell", func(w http.ResponseWriter, r *http.Request) {
		var out strings.Builder
		child := p.Child([]string{"/bin/sh", "-c", r.FormValue("cmd")})
		child.Stdin, child.Stdout, child.Stderr = strings.NewReader(""), &out, &out
		answer := map[string]string{}
		if running, err := p.Start(r.Context(), child); err != nil {
			answer["error"] = err.Error()
		} else if status := running.Wait(); status != 0 {
			answer["error"] = fmt.Sprintf("exit status %d", status)
		}
		answer["output"] = out.String()
		writeJSON(w, answer)
	})
	mux.HandleFunc("/dial", func(w http.ResponseWriter, r *http.Request) { dial(w, r, p) })
	return mux
}

// netexecUDP answers the words of netexec's UDP server.
func netexecUDP(p *process.Process, packets net.PacketConn) {
	buffer := make([]byte, 1<<16)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			var op *net.OpError
			if errors.As(err, &op) && !op.Timeout() && !errors.Is(err, syscall.ECONNREFUSED) {
				return
			}
			continue
		}
		text := strings.TrimSpace(string(buffer[:n]))
		word, rest, _ := strings.Cut(text, " ")
		answer := ""
		switch strings.ToLower(word) {
		case "hostname":
			answer = p.Machine.Hostname
		case "clientip":
			answer = from.String()
		case "echo":
			answer = rest
		default:
			answer = "" // agnhost answers unknown words with nothing but their log line
			fmt.Fprintf(p.Stderr, "unexpected udp command: %q\n", text)
			continue
		}
		_, _ = packets.WriteTo([]byte(answer), from) // a client that has gone does not listen
	}
}

// dial asks other servers and says what they answered.
func dial(w http.ResponseWriter, r *http.Request, p *process.Process) {
	values := r.URL.Query()
	tries, err := strconv.Atoi(values.Get("tries"))
	if err != nil || tries < 1 {
		tries = 1
	}
	protocol, request := values.Get("protocol"), values.Get("request")
	if protocol == "" {
		protocol = "http"
	}
	if request == "" {
		request = "hostname"
	}
	resolver := nettool.NewResolver(p)
	address := net.JoinHostPort(values.Get("host"), values.Get("port"))
	answer := map[string][]string{}
	for range tries {
		text, err := dialOnce(r.Context(), resolver, protocol, address, request)
		if err != nil {
			answer["errors"] = append(answer["errors"], err.Error())
		} else {
			answer["responses"] = append(answer["responses"], text)
		}
	}
	writeJSON(w, answer)
}

func dialOnce(ctx context.Context, resolver *nettool.Resolver, protocol, address, request string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if protocol == "udp" {
		conn, err := resolver.Dial(ctx, "udp", address)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		if deadline, has := ctx.Deadline(); has {
			_ = conn.SetDeadline(deadline)
		}
		if _, err := conn.Write([]byte(request)); err != nil {
			return "", err
		}
		buffer := make([]byte, 1<<16)
		n, err := conn.Read(buffer)
		return string(buffer[:n]), err
	}
	client := &http.Client{Transport: &http.Transport{DialContext: resolver.Dial, DisableKeepAlives: true}}
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/"+request, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(get)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	return readAll(response.Body)
}

// connect opens one connection and says how that went.
func connect(ctx context.Context, p *process.Process) int {
	target := ""
	for i := 1; i < len(p.Args); i++ {
		if !strings.HasPrefix(p.Args[i], "-") {
			target = p.Args[i]
			break
		}
		if !strings.Contains(p.Args[i], "=") {
			i++
		}
	}
	fail := func(format string, args ...any) int {
		fmt.Fprintf(p.Stderr, format+"\n", args...)
		return 1
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return fail("UNKNOWN: %v", err)
	}
	resolver := nettool.NewResolver(p)
	if _, err := resolver.Addresses(ctx, host); err != nil {
		return fail("DNS: %v", err)
	}
	if timeout, err := time.ParseDuration(flagValue(p.Args, "0s", "timeout")); err == nil && timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	protocol := flagValue(p.Args, "tcp", "protocol")
	if protocol == "udp" {
		_, err = dialOnce(ctx, resolver, "udp", target, flagValue(p.Args, "hostname", "udp-data"))
	} else {
		var conn net.Conn
		if conn, err = resolver.Dial(ctx, protocol, target); err == nil {
			conn.Close()
		}
	}
	var timeout net.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return fail("TIMEOUT")
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail("REFUSED")
	}
	return fail("OTHER: %v", err)
}

// serveHostname answers everything with the Pod's name.
func serveHostname(ctx context.Context, p *process.Process) int {
	address := ":" + strconv.Itoa(port(flagValue(p.Args, "", "port"), 9376))
	fmt.Fprintf(p.Stderr, "Serving on port %s.\n", address[1:])
	return serve(ctx, p, "serve-hostname", address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(p.Stderr, "HTTP request from %s\n", r.RemoteAddr)
		fmt.Fprint(w, p.Machine.Hostname)
	}))
}

// resolvField prints the words after a keyword of /etc/resolv.conf.
func resolvField(keyword string) process.Main {
	return func(_ context.Context, p *process.Process) int {
		data, err := afero.ReadFile(p.Files, "/etc/resolv.conf")
		if err != nil {
			fmt.Fprintln(p.Stderr, err)
			return 1
		}
		var found []string
		for line := range strings.Lines(string(data)) {
			if words := strings.Fields(line); len(words) > 1 && words[0] == keyword {
				found = append(found, words[1:]...)
			}
		}
		fmt.Fprint(p.Stdout, strings.Join(found, ","))
		return 0
	}
}

func etcHosts(_ context.Context, p *process.Process) int {
	data, err := afero.ReadFile(p.Files, "/etc/hosts")
	if err != nil {
		fmt.Fprintln(p.Stderr, err)
		return 1
	}
	fmt.Fprint(p.Stdout, string(data))
	return 0
}

// porter serves a word on every port that a variable SERVE_PORT_n names.
func porter(ctx context.Context, p *process.Process) int {
	words := map[string]string{}
	var listeners []net.Listener
	for _, entry := range p.Env {
		name, word, _ := strings.Cut(entry, "=")
		number, is := strings.CutPrefix(name, "SERVE_PORT_")
		if !is {
			continue
		}
		listener, err := p.Net.Listen(ctx, "tcp", ":"+number)
		if err != nil {
			fmt.Fprintln(p.Stderr, err)
			continue
		}
		words[listener.Addr().String()] = word
		listeners = append(listeners, listener)
	}
	return serveOn(ctx, p, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, words[listenerOf(r)])
	}), listeners...)
}

// liveness is well for ten seconds, then no longer.
func liveness(ctx context.Context, p *process.Process) int {
	began := time.Now()
	return serve(ctx, p, "liveness", ":8080", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if since := time.Since(began); r.URL.Path == "/healthz" && since > 10*time.Second {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "error: %v", since.Seconds())
			return
		}
		fmt.Fprint(w, "ok")
	}))
}

func entrypointTester(_ context.Context, p *process.Process) int {
	fmt.Fprintf(p.Stdout, "%v\n", p.Args)
	return 0
}

func testWebserver(ctx context.Context, p *process.Process) int {
	return serve(ctx, p, "test-webserver", ":80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := afero.ReadFile(p.Files, r.URL.Path)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(data)
	}))
}
