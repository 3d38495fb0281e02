package server

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"svctour/lab/child/process"
)

// echoVersion is the newest http-echo that is known here.
const echoVersion = "1.0.0"

// HTTPEcho answers everything with one text (hashicorp/http-echo, main.go and
// handlers.go of v1.0.0).
func HTTPEcho(ctx context.Context, p *process.Process) int {
	const stamp = "2006/01/02 15:04:05"
	text, address := flagValue(p.Args, p.Getenv("ECHO_TEXT"), "text"), flagValue(p.Args, ":5678", "listen")
	if text == "" {
		fmt.Fprintln(p.Stderr, "Missing -text option or ECHO_TEXT env var!")
		return 127
	}
	status := port(flagValue(p.Args, "", "status-code"), http.StatusOK)
	fmt.Fprintf(p.Stderr, "%s [INFO] server is listening on %s\n", time.Now().UTC().Format(stamp), address)
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"status":"ok"}`) })
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-App-Name", "http-echo")
		w.Header().Set("X-App-Version", echoVersion)
		w.WriteHeader(status)
		fmt.Fprintln(w, text)
	})
	return serve(ctx, p, "http-echo", address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, response := time.Now(), &recorder{ResponseWriter: w}
		mux.ServeHTTP(response, r)
		if r.URL.Path != "/health" {
			fmt.Fprintf(p.Stdout, "%s %s %s \"%s %s %s\" %d %d \"%s\" %v\n", time.Now().UTC().Format(stamp), r.Host, r.RemoteAddr,
				r.Method, r.URL.Path, r.Proto, response.status, response.size, r.UserAgent(), time.Since(began))
		}
	}))
}

// HelloApp is version 1.0.0 or 2.0.0 of the sample hello-app.
func HelloApp(version string) process.Main {
	return func(ctx context.Context, p *process.Process) int {
		number := p.Getenv("PORT")
		if number == "" {
			number = "8080"
		}
		logger := log.New(p.Stderr, "", log.LstdFlags)
		logger.Printf("Server listening on port %s", number)
		return serve(ctx, p, "hello-app", ":"+number, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			logger.Printf("Serving request: %s", r.URL.Path)
			fmt.Fprintf(w, "Hello, world!\nVersion: %s\nHostname: %s\n", version, p.Machine.Hostname)
		}))
	}
}
