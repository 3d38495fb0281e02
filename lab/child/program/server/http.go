// Package server is the servers of the lab's images. They answer and log in the
// words of the programs whose names they have.
package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"time"

	"svctour/lab/child/process"
)

// drain is how long a server that was told to end waits for what it is
// answering.
const drain = 5 * time.Second

// serve serves HTTP on address until the program is told to end, and gives its
// exit status.
func serve(ctx context.Context, p *process.Process, name, address string, handler http.Handler) int {
	listener, err := p.Net.Listen(ctx, "tcp", address)
	if err != nil {
		fmt.Fprintf(p.Stderr, "%s: %v\n", name, err)
		return 1
	}
	return serveOn(ctx, p, handler, listener)
}

// serveOn is serve on listeners that are there.
func serveOn(ctx context.Context, p *process.Process, handler http.Handler, listeners ...net.Listener) int {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(l net.Listener) context.Context { return context.WithValue(ctx, listenerKey{}, l.Addr().String()) },
	}
	ended := make(chan error, len(listeners))
	for _, listener := range listeners {
		p.Go(func() {
			err := errors.New("crashed")
			defer func() { ended <- err }()
			err = server.Serve(listener)
		})
	}
	status := 0
	select {
	case <-p.Signals:
		graceful, cancel := context.WithTimeout(ctx, drain)
		if err := server.Shutdown(graceful); err != nil && !errors.Is(err, context.Canceled) {
			status = 1
		}
		cancel()
	case <-ctx.Done():
		status = 137
	case err := <-ended:
		fmt.Fprintln(p.Stderr, err)
		ended <- err
		status = 1
	}
	server.Close()
	for range listeners {
		<-ended
	}
	return status
}

type listenerKey struct{}

// listenerOf is the address of the listener that a request came by.
func listenerOf(r *http.Request) string {
	address, _ := r.Context().Value(listenerKey{}).(string)
	return address
}

// peer is the client's address without its port.
func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// recorder is a response whose status and size are known afterwards.
type recorder struct {
	http.ResponseWriter
	status int
	size   int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.size += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// flagValue is the value of the last of a program's flags that has one of the
// names, given as -name=value or -name value.
func flagValue(args []string, value string, names ...string) string {
	for i := 1; i < len(args); i++ {
		for _, name := range names {
			for _, dashes := range []string{"-", "--"} {
				switch given := args[i]; {
				case given == dashes+name && i+1 < len(args):
					value = args[i+1]
				case len(given) > len(dashes+name) && given[:len(dashes+name)+1] == dashes+name+"=":
					value = given[len(dashes+name)+1:]
				}
			}
		}
	}
	return value
}

// port is a port number given as text, or fallback.
func port(text string, fallback int) int {
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 65536 {
		return n
	}
	return fallback
}

// Pause does nothing until it is told to end (registry.k8s.io/pause).
func Pause(ctx context.Context, p *process.Process) int {
	select {
	case <-p.Signals:
		fmt.Fprintln(p.Stdout, "Shutting down, got signal: Terminated")
	case <-ctx.Done():
	}
	return 0
}

func readAll(from io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(from, 1<<20))
	return string(data), err
}

func writeJSON(w http.ResponseWriter, value any) {
	_ = json.NewEncoder(w).Encode(value) // a client that has gone does not read
}
