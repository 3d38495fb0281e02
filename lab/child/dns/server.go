package dns

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin/pkg/transport"
	"github.com/prometheus/client_golang/prometheus"

	"svctour/lab/child/process"
)

// server is one CoreDNS with one Corefile.
type server struct {
	process  *process.Process
	out      *lines
	instance *caddy.Instance
	servers  []*dnsserver.Server
	corefile []byte
	sum      [sha512.Size]byte

	// What the directives ask for.
	web      map[string]*http.ServeMux // by address
	registry *prometheus.Registry
	counts   *counts       // of every block with prometheus; nil without
	reload   time.Duration // how often the Corefile is read again; 0: never
	lameduck time.Duration // how long it serves on, once asked to end

	life   context.Context
	end    context.CancelFunc
	wait   sync.WaitGroup
	closes []io.Closer
	broken chan error // a listener that ended on its own
}

// lines makes each Write of several goroutines one.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (s *server) logf(format string, args ...any) {
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// parsing guards what Caddy and CoreDNS keep in global variables while they
// read a Corefile, and parsed: the context of the one that is being read.
var (
	parsing sync.Mutex
	parsed  caddy.Context
)

// prepare reads a Corefile and sets its plugins up. Nothing listens yet.
//
// The instance has no server type of its own, and so Caddy finds the plugins
// that are registered for every type: ours (directives.go). The Corefile has
// the type dns, and so it is CoreDNS that parses it, orders its directives and
// makes its servers.
func prepare(p *process.Process, file string, corefile []byte) (*server, error) {
	s := &server{
		process: p, out: &lines{w: p.Stdout},
		instance: &caddy.Instance{Storage: map[any]any{}},
		corefile: corefile, sum: sha512.Sum512(corefile),
		web: map[string]*http.ServeMux{}, registry: prometheus.NewRegistry(),
		broken: make(chan error, 1),
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.instance.Storage[serverKey{}] = s
	servers, err := s.parse(file)
	if err != nil {
		s.stop(context.Background())
		return nil, err
	}
	for _, each := range servers {
		plain, ok := each.(*dnsserver.Server)
		if !ok {
			s.stop(context.Background())
			return nil, errors.New("only plain DNS is served here, neither DNS over TLS, HTTPS, QUIC nor gRPC")
		}
		s.servers = append(s.servers, plain)
	}
	return s, nil
}

func (s *server) parse(file string) ([]caddy.Server, error) {
	parsing.Lock()
	defer parsing.Unlock()
	parsed = nil
	input := caddy.CaddyfileInput{Filepath: file, Contents: s.corefile, ServerTypeName: "dns"}
	if err := caddy.ValidateAndExecuteDirectives(input, s.instance, false); err != nil {
		return nil, err
	}
	return parsed.MakeServers()
}

// start runs the plugins' start-up, then listens. After an error nothing is
// left running.
func (s *server) start(ctx context.Context) error {
	stop := context.AfterFunc(ctx, s.end)
	defer stop()
	err := s.listen()
	if err != nil {
		s.stop(ctx)
	}
	return err
}

func (s *server) listen() error {
	for _, start := range slices.Concat(s.instance.OnFirstStartup, s.instance.OnStartup) {
		if err := start(); err != nil {
			return err
		}
	}
	if err := s.life.Err(); err != nil {
		return err
	}
	for address, mux := range s.web {
		listener, err := s.process.Net.Listen(s.life, "tcp", numeric(address))
		if err != nil {
			return err
		}
		web := &http.Server{
			Handler: mux, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second,
		}
		s.closes = append(s.closes, web, listener)
		s.serve(func() error { return web.Serve(listener) })
	}
	for _, each := range s.servers {
		address := strings.TrimPrefix(each.Address(), transport.DNS+"://")
		listener, err := s.process.Net.Listen(s.life, "tcp", address)
		if err != nil {
			return err
		}
		s.closes = append(s.closes, listener)
		packets, err := s.process.Net.ListenPacket(s.life, "udp", address)
		if err != nil {
			return err
		}
		s.closes = append(s.closes, packets)
		s.serve(func() error { return each.Serve(listener) })
		s.serve(func() error { return each.ServePacket(packets) })
	}
	return nil
}

// serve runs a loop that ends when its listener is closed.
func (s *server) serve(loop func() error) {
	s.wait.Go(func() {
		if err := loop(); err != nil && s.life.Err() == nil {
			select {
			case s.broken <- err:
			default:
			}
		}
	})
}

// numeric gives localhost its number: the network knows no names.
func numeric(address string) string {
	if host, port, err := net.SplitHostPort(address); err == nil && host == "localhost" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return address
}

// shutdown is the end that was asked for: lameduck first.
func (s *server) shutdown(ctx context.Context) {
	if s.lameduck > 0 {
		s.logf("[INFO] plugin/health: Going into lameduck mode for %s", s.lameduck)
		select {
		case <-time.After(s.lameduck):
		case <-ctx.Done():
		}
	}
	s.stop(ctx)
}

// stop ends everything that was started. Queries at work are answered first,
// unless ctx has ended or ends.
func (s *server) stop(ctx context.Context) {
	for _, stop := range slices.Concat(s.instance.OnShutdown, s.instance.OnFinalShutdown) {
		_ = stop() // none of the plugins in use has an error that matters at the end
	}
	kill := context.AfterFunc(ctx, s.end)
	defer kill()
	var answering sync.WaitGroup
	for _, each := range s.servers {
		answering.Go(func() { _ = each.Stop() }) // what is left after its five seconds is cut off below
	}
	answering.Wait()
	s.end()
	for _, each := range s.closes {
		_ = each.Close()
	}
	s.wait.Wait()
}

// showZones prints what is served where, as CoreDNS does when it has started
// (core/dnsserver/onstartup.go).
func (s *server) showZones() {
	blocks, err := caddyfile.Parse("Corefile", bytes.NewReader(s.corefile), nil)
	if err != nil {
		return // it was parsed before: cannot be
	}
	var zones []string
	for _, block := range blocks {
		for _, key := range block.Keys {
			key = strings.TrimPrefix(key, transport.DNS+"://")
			zone, port, found := strings.Cut(key, ":")
			if !found {
				port = transport.Port
			}
			if !strings.HasSuffix(zone, ".") {
				zone += "."
			}
			zones = append(zones, zone+":"+port)
		}
	}
	slices.Sort(zones)
	for _, zone := range slices.Compact(zones) {
		_, _ = fmt.Fprintln(s.out, zone)
	}
}

// announce is the line of the reload plugin.
func (s *server) announce() {
	if s.reload > 0 {
		s.logf("[INFO] plugin/reload: Running configuration SHA512 = %x", s.sum)
	}
}
