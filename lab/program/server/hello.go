package server

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"svctour/lab/process"
)

// HTTPEcho answers everything with one text (hashicorp/http-echo).
func HTTPEcho(ctx context.Context, p *process.Process) int {
	text, address := flagValue(p.Args, p.Getenv("ECHO_TEXT"), "text"), flagValue(p.Args, ":5678", "listen")
	if text == "" {
		fmt.Fprintln(p.Stderr, "Missing -text option or ECHO_TEXT env var!")
		return 127
	}
	status := port(flagValue(p.Args, "", "status-code"), http.StatusOK)
	fmt.Fprintf(p.Stdout, "%s [INFO] server is listening on %s\n", time.Now().UTC().Format("2006/01/02 15:04:05"), address)
	return serve(ctx, p, "http-echo", address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-App-Name", "http-echo")
		w.WriteHeader(status)
		fmt.Fprintln(w, text)
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
