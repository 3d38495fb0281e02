package server

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"svctour/lab/child/process"
)

// Whoami tells about itself and about the request (app.go of traefik/whoami
// v1.11: /, /api, /bench and /health).
func Whoami(ctx context.Context, p *process.Process) int {
	number, name := orElse(p.Getenv("WHOAMI_PORT_NUMBER"), "80"), p.Getenv("WHOAMI_NAME")
	number, name = flagValue(p.Args, number, "port"), flagValue(p.Args, name, "name")
	verbose := slices.Contains(p.Args, "-verbose") || slices.Contains(p.Args, "--verbose")
	logger := log.New(p.Stderr, "", log.LstdFlags)
	logger.Printf("Starting up on port %s", number)

	addresses := func() (all []string) {
		for _, i := range p.Net.Interfaces() {
			for _, address := range i.Addresses {
				all = append(all, address.Addr().String())
			}
		}
		return all
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/bench", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "1")
	})
	var health atomic.Int32
	health.Store(http.StatusOK)
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			text, _ := readAll(r.Body)
			status, err := strconv.Atoi(text)
			if err != nil || status < 100 || status > 999 {
				http.Error(w, fmt.Sprintf("strconv.Atoi: parsing %q: invalid syntax", text), http.StatusBadRequest)
				return
			}
			health.Store(int32(status))
			return
		}
		w.WriteHeader(int(health.Load()))
	})
	mux.HandleFunc("/api", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(struct { // in this order
			Hostname   string      `json:"hostname,omitempty"`
			IP         []string    `json:"ip,omitempty"`
			Headers    http.Header `json:"headers,omitempty"`
			URL        string      `json:"url,omitempty"`
			Host       string      `json:"host,omitempty"`
			Method     string      `json:"method,omitempty"`
			Name       string      `json:"name,omitempty"`
			RemoteAddr string      `json:"remoteAddr,omitempty"`
		}{p.Machine.Hostname, addresses(), r.Header, r.URL.RequestURI(), r.Host, r.Method, name, r.RemoteAddr})
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if wait, err := time.ParseDuration(r.URL.Query().Get("wait")); err == nil {
			select {
			case <-time.After(wait):
			case <-r.Context().Done():
			}
		}
		if name != "" {
			fmt.Fprintln(w, "Name:", name)
		}
		fmt.Fprintln(w, "Hostname:", p.Machine.Hostname)
		for _, address := range addresses() {
			fmt.Fprintln(w, "IP:", address)
		}
		fmt.Fprintln(w, "RemoteAddr:", r.RemoteAddr)
		_ = r.Write(w) // a client that has gone does not read
	})
	handler := http.Handler(mux)
	if verbose {
		handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mux.ServeHTTP(w, r)
			logger.Printf("%s - - [%s] \"%s %s %s\" - -", r.RemoteAddr, time.Now().Format("02/Jan/2006:15:04:05 -0700"), r.Method, r.URL.Path, r.Proto)
		})
	}
	return serve(ctx, p, "whoami", ":"+number, handler)
}

func orElse(text, other string) string {
	if text != "" {
		return text
	}
	return other
}
