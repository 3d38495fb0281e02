package dns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

const (
	readTimeout    = 2 * time.Second // plugin/forward's for one upstream
	forwardTimeout = 5 * time.Second // and for all of a query
)

var errNoHealthy = errors.New("no healthy proxies")

// forward sends queries to other servers, as plugin/forward does, through a
// program's network. It keeps no connections and checks no health: each query
// asks the servers in the order of the policy until one of them answers.
type forward struct {
	next       plugin.Handler
	life       context.Context // of the server: no query outlives it
	network    process.Network
	from       string
	except     []string
	servers    []string // address and port
	policy     string   // random, round_robin, sequential
	tcp        bool
	concurrent int64 // 0: any number

	turn, working atomic.Int64
}

// setupForward is plugin/forward's: forward FROM TO… { … }. A TO is an address
// or a file in the form of resolv.conf(5).
func setupForward(c *caddy.Controller) error {
	for c.Next() {
		f := &forward{life: serverOf(c).life, network: serverOf(c).process.Net, policy: "random"}
		if err := f.parse(c, serverOf(c).process.Files); err != nil {
			return plugin.Error("forward", err)
		}
		dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
			f.next = next
			return f
		})
	}
	return nil
}

func (f *forward) parse(c *caddy.Controller, files afero.Fs) error {
	if !c.NextArg() {
		return c.ArgErr()
	}
	zones := plugin.Host(c.Val()).NormalizeExact()
	if len(zones) == 0 {
		return fmt.Errorf("unable to normalize '%s'", c.Val())
	}
	f.from = zones[0]
	to := c.RemainingArgs()
	if len(to) == 0 {
		return c.ArgErr()
	}
	for _, each := range to {
		servers, err := upstreams(files, each)
		if err != nil {
			return err
		}
		f.servers = append(f.servers, servers...)
	}
	for c.NextBlock() {
		if err := f.option(c); err != nil {
			return err
		}
	}
	return nil
}

// option reads one line of the block. What concerns health checks, and
// connections that are kept, has nothing to change here.
func (f *forward) option(c *caddy.Controller) error {
	name, args := c.Val(), c.RemainingArgs()
	switch name {
	case "except":
		if len(args) == 0 {
			return c.ArgErr()
		}
		for _, each := range args {
			f.except = append(f.except, plugin.Host(each).NormalizeExact()...)
		}
	case "force_tcp":
		f.tcp = true
	case "policy":
		if len(args) != 1 {
			return c.ArgErr()
		}
		if !slices.Contains([]string{"random", "round_robin", "sequential"}, args[0]) {
			return c.Errf("unknown policy '%s'", args[0])
		}
		f.policy = args[0]
	case "max_concurrent":
		if len(args) != 1 {
			return c.ArgErr()
		}
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		if n < 0 {
			return fmt.Errorf("max_concurrent can't be negative: %d", n)
		}
		f.concurrent = int64(n)
	case "prefer_udp", "max_fails", "expire", "max_idle_conns", "health_check", "failfast_all_unhealthy_upstreams", "max_connect_attempts":
	case "tls", "tls_servername":
		return c.Errf("'%s': DNS over TLS is not supported here", name)
	default:
		return c.Errf("unknown property '%s'", name)
	}
	return nil
}

// upstreams reads a TO (plugin/pkg/parse, HostPortOrFile): an address with or
// without port 53, or a file with nameserver lines.
func upstreams(files afero.Fs, to string) ([]string, error) {
	to = strings.TrimPrefix(to, "dns://")
	if strings.Contains(to, "://") {
		return nil, fmt.Errorf("%q: only plain DNS is supported here", to)
	}
	if ip, err := netip.ParseAddr(strings.Trim(to, "[]")); err == nil {
		return []string{net.JoinHostPort(ip.String(), "53")}, nil
	}
	if server, err := netip.ParseAddrPort(to); err == nil {
		return []string{server.String()}, nil
	}
	content, err := afero.ReadFile(files, to)
	if err != nil {
		return nil, fmt.Errorf("not an IP address or file: %q", to)
	}
	config, err := dns.ClientConfigFromReader(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", to, err)
	}
	if len(config.Servers) == 0 {
		return nil, errors.New("no nameservers found")
	}
	var out []string
	for _, server := range config.Servers {
		out = append(out, net.JoinHostPort(server, config.Port))
	}
	return out, nil
}

func (f *forward) Name() string { return "forward" }

func (f *forward) matches(state *request.Request) bool {
	if !plugin.Name(f.from).Matches(state.Name()) {
		return false
	}
	return !slices.ContainsFunc(f.except, func(zone string) bool { return plugin.Name(zone).Matches(state.Name()) })
}

// ServeDNS answers with what an upstream says. When none answers in time it is
// SERVFAIL, with the last one's error.
func (f *forward) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	state := request.Request{W: w, Req: r}
	if !f.matches(&state) {
		return plugin.NextOrFailure(f.Name(), f.next, ctx, w, r)
	}
	if f.concurrent > 0 {
		defer f.working.Add(-1)
		if f.working.Add(1) > f.concurrent {
			return dns.RcodeRefused, fmt.Errorf("concurrent queries exceeded maximum %d", f.concurrent)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	defer context.AfterFunc(f.life, cancel)()
	failure := errNoHealthy
	for _, server := range f.order() {
		if ctx.Err() != nil {
			break
		}
		answer, err := f.ask(ctx, server, state.Proto(), r)
		if err != nil {
			failure = err
			continue
		}
		if !state.Match(answer) { // another question's answer: RFC 5452
			return 0, w.WriteMsg(new(dns.Msg).SetRcode(r, dns.RcodeFormatError))
		}
		return 0, w.WriteMsg(answer)
	}
	return dns.RcodeServerFailure, failure
}

// order is the servers in the order in which they are asked.
func (f *forward) order() []string {
	servers := slices.Clone(f.servers)
	switch f.policy {
	case "random":
		rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	case "round_robin":
		at := int(f.turn.Add(1)-1) % len(servers)
		servers = append(servers[at:], servers[:at]...)
	}
	return servers
}

// ask sends a query on as it came, by the protocol that it came by.
func (f *forward) ask(ctx context.Context, server, protocol string, r *dns.Msg) (*dns.Msg, error) {
	if f.tcp {
		protocol = "tcp"
	}
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	conn, err := f.network.DialContext(ctx, protocol, server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	client := dns.Client{Net: protocol, Timeout: readTimeout, UDPSize: dns.MaxMsgSize}
	answer, _, err := client.ExchangeWithConnContext(ctx, r, &dns.Conn{Conn: conn, UDPSize: dns.MaxMsgSize})
	return answer, err
}
