package dns

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/log"
	"github.com/coredns/coredns/plugin/metrics"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/pkg/rcode"
	"github.com/coredns/coredns/plugin/pkg/replacer"
	"github.com/coredns/coredns/plugin/pkg/response"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// setupReady is plugin/ready's: ready [ADDRESS] { monitor until-ready|continuously }.
// Several CoreDNS of one program would share the list of that plugin.
func setupReady(c *caddy.Controller) error {
	s := serverOf(c)
	fail := func(err error) error { return plugin.Error("ready", err) }
	address, always, seen := ":8181", false, false
	for c.Next() {
		if seen {
			return fail(plugin.ErrOnce)
		}
		seen = true
		args := c.RemainingArgs()
		if len(args) > 1 {
			return fail(c.ArgErr())
		}
		if len(args) == 1 {
			address = args[0]
			if _, _, err := net.SplitHostPort(address); err != nil {
				return fail(err)
			}
		}
		for c.NextBlock() {
			if c.Val() != "monitor" {
				return fail(c.ArgErr())
			}
			switch args := c.RemainingArgs(); {
			case len(args) != 1:
				return fail(c.ArgErr())
			case args[0] == "continuously":
				always = true
			case args[0] != "until-ready":
				return fail(c.Errf("monitor type '%s' not supported", args[0]))
			}
		}
	}
	config := dnsserver.GetConfig(c)
	r := &readiness{always: always}
	c.OnStartup(func() error {
		for _, handler := range config.Handlers() {
			if asked, ok := handler.(interface{ Ready() bool }); ok {
				r.add(handler.Name(), asked.Ready)
			}
		}
		return nil
	})
	s.handle(address, "/ready", func(w http.ResponseWriter, _ *http.Request) {
		if waiting := r.waiting(); waiting != "" {
			s.logf("[INFO] plugin/ready: Plugins not ready: %q", waiting)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = fmt.Fprint(w, waiting)
			return
		}
		_, _ = fmt.Fprint(w, http.StatusText(http.StatusOK))
	})
	return nil
}

// readiness are the plugins that must be ready. Without always, each is asked
// until it was ready once.
type readiness struct {
	always bool

	mu    sync.Mutex
	names []string
	ask   []func() bool
}

func (r *readiness) add(name string, ask func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names, r.ask = append(r.names, name), append(r.ask, ask)
}

// waiting names the plugins that are not ready, separated by commas.
func (r *readiness) waiting() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var waiting []string
	for i, ask := range r.ask {
		switch {
		case ask == nil:
		case !ask():
			waiting = append(waiting, r.names[i])
		case !r.always:
			r.ask[i] = nil
		}
	}
	slices.Sort(waiting)
	return strings.Join(waiting, ",")
}

// counts are the metrics of one CoreDNS: those of its package are one for the
// whole program, whichever Pod answered.
type counts struct {
	requests, responses *prometheus.CounterVec
	duration            *prometheus.HistogramVec
	enabled             *prometheus.GaugeVec
}

func newCounts(registry *prometheus.Registry) *counts {
	const subsystem = "dns"
	k := &counts{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: plugin.Namespace, Subsystem: subsystem, Name: "requests_total",
			Help: "Counter of DNS requests made per zone, protocol and family.",
		}, []string{"server", "zone", "view", "proto", "family", "type"}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: plugin.Namespace, Subsystem: subsystem, Name: "responses_total",
			Help: "Counter of response status codes.",
		}, []string{"server", "zone", "view", "rcode", "plugin"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: plugin.Namespace, Subsystem: subsystem, Name: "request_duration_seconds",
			Buckets: plugin.TimeBuckets, Help: "Histogram of the time (in seconds) each request took per zone.",
		}, []string{"server", "zone", "view"}),
		enabled: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: plugin.Namespace, Name: "plugin_enabled",
			Help: "A metric that indicates whether a plugin is enabled on per server and zone basis.",
		}, []string{"server", "zone", "view", "name"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: plugin.Namespace, Name: "build_info",
		Help: "A metric with a constant '1' value labeled by version, revision, and goversion from which CoreDNS was built.",
	}, []string{"version", "revision", "goversion"})
	build.WithLabelValues(coremain.CoreVersion, coremain.GitCommit, runtime.Version()).Set(1)
	registry.MustRegister(k.requests, k.responses, k.duration, k.enabled, build)
	return k
}

// setupMetrics is plugin/metrics's: prometheus [ADDRESS].
func setupMetrics(c *caddy.Controller) error {
	s := serverOf(c)
	fail := func(err error) error { return plugin.Error("prometheus", err) }
	address, seen := "localhost:9153", false
	for c.Next() {
		if seen {
			return fail(plugin.ErrOnce)
		}
		seen = true
		args := c.RemainingArgs()
		if len(args) > 1 {
			return fail(c.ArgErr())
		}
		if len(args) == 1 {
			address = args[0]
			if _, _, err := net.SplitHostPort(address); err != nil {
				return fail(err)
			}
		}
		for c.NextBlock() {
			return fail(c.Errf("unknown option: %s", c.Val()))
		}
	}
	if s.counts == nil {
		s.counts = newCounts(s.registry)
	}
	s.handle(address, "/metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}).ServeHTTP)
	zones := plugin.OriginsFromArgsOrServerBlock(nil, c.ServerBlockKeys)
	config := dnsserver.GetConfig(c)
	c.OnStartup(func() error {
		for _, host := range config.ListenHosts {
			for _, handler := range config.Handlers() {
				s.counts.enabled.WithLabelValues(config.Transport+"://"+net.JoinHostPort(host, config.Port),
					config.Zone, config.ViewName, handler.Name()).Set(1)
			}
		}
		return nil
	})
	config.AddPlugin(func(next plugin.Handler) plugin.Handler {
		return stage{"prometheus", func(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
			return s.counts.serve(ctx, next, zones, w, r)
		}}
	})
	return nil
}

// serve counts as plugin/metrics does (handler.go, vars/report.go).
func (k *counts) serve(ctx context.Context, next plugin.Handler, zones []string, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	state := request.Request{W: w, Req: r}
	zone := plugin.Zones(zones).Matches(state.QName())
	if zone == "" {
		zone = "."
	}
	recorder := metrics.NewRecorder(w)
	status, err := plugin.NextOrFailure("prometheus", next, ctx, recorder, r)
	code := recorder.Rcode
	if !plugin.ClientWrite(status) {
		code = status
	}
	family := "1"
	if state.Family() == 2 {
		family = "2"
	}
	kind := "other"
	switch state.QType() {
	case dns.TypeAAAA, dns.TypeA, dns.TypeCNAME, dns.TypeDNSKEY, dns.TypeDS, dns.TypeMX, dns.TypeNSEC3, dns.TypeNSEC,
		dns.TypeNS, dns.TypePTR, dns.TypeRRSIG, dns.TypeSOA, dns.TypeSRV, dns.TypeTXT, dns.TypeHTTPS,
		dns.TypeIXFR, dns.TypeAXFR, dns.TypeANY:
		kind = dns.Type(state.QType()).String()
	}
	server, view := metrics.WithServer(ctx), metrics.WithView(ctx)
	k.requests.WithLabelValues(server, zone, view, state.Proto(), family, kind).Inc()
	k.responses.WithLabelValues(server, zone, view, rcode.ToString(code), recorder.Plugin).Inc()
	k.duration.WithLabelValues(server, zone, view).Observe(time.Since(recorder.Start).Seconds())
	return status, err
}

// setupErrors is plugin/errors's, whose log would go to this program's:
// errors [stdout]. What stacktrace and consolidate ask for is not done: each
// error is logged.
func setupErrors(c *caddy.Controller) error {
	s := serverOf(c)
	fail := func(err error) error { return plugin.Error("errors", err) }
	seen := false
	for c.Next() {
		if seen {
			return fail(plugin.ErrOnce)
		}
		seen = true
		switch args := c.RemainingArgs(); {
		case len(args) > 1:
			return fail(c.ArgErr())
		case len(args) == 1 && args[0] != "stdout":
			return fail(c.Errf("invalid log file: %s", args[0]))
		}
		for c.NextBlock() {
			if c.Val() != "stacktrace" && c.Val() != "consolidate" {
				return fail(c.SyntaxErr("consolidate or stacktrace"))
			}
			c.RemainingArgs()
		}
	}
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		return stage{"errors", func(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
			code, err := plugin.NextOrFailure("errors", next, ctx, w, r)
			if err != nil {
				state := request.Request{W: w, Req: r}
				s.logf("[ERROR] plugin/errors: %d %s %s: %v", code, state.Name(), state.Type(), err)
			}
			return code, err
		}}
	})
	return nil
}

// setupLog is plugin/log's, whose log would go to this program's:
// log [NAMES…] [FORMAT] { class CLASSES… }.
func setupLog(c *caddy.Controller) error {
	s := serverOf(c)
	var rules []log.Rule
	for c.Next() {
		names, format := c.RemainingArgs(), log.DefaultLogFormat
		if n := len(names); n > 1 && strings.Contains(names[n-1], "{") {
			format = strings.NewReplacer("{common}", log.CommonLogFormat, "{combined}", log.CombinedLogFormat).Replace(names[n-1])
			names = names[:n-1]
		}
		if len(names) == 0 {
			names = []string{"."}
		}
		classes := map[response.Class]struct{}{}
		for c.NextBlock() {
			if c.Val() != "class" {
				return plugin.Error("log", c.ArgErr())
			}
			args := c.RemainingArgs()
			if len(args) == 0 {
				return plugin.Error("log", c.ArgErr())
			}
			for _, arg := range args {
				class, err := response.ClassFromString(arg)
				if err != nil {
					return plugin.Error("log", err)
				}
				classes[class] = struct{}{}
			}
		}
		if len(classes) == 0 {
			classes[response.All] = struct{}{}
		}
		for _, name := range names {
			rules = append(rules, log.Rule{NameScope: plugin.Name(name).Normalize(), Format: format, Class: classes})
		}
	}
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		l := &queryLog{next: next, rules: rules, format: replacer.New(), write: func(line string) { s.logf("[INFO] %s", line) }}
		return stage{"log", l.serve}
	})
	return nil
}

// queryLog writes a line for each query that the first matching rule wants.
type queryLog struct {
	next   plugin.Handler
	rules  []log.Rule
	format replacer.Replacer
	write  func(line string)
}

func (l *queryLog) serve(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	state := request.Request{W: w, Req: r}
	at := slices.IndexFunc(l.rules, func(rule log.Rule) bool { return plugin.Name(rule.NameScope).Matches(state.Name()) })
	if at < 0 {
		return plugin.NextOrFailure("log", l.next, ctx, w, r)
	}
	rule := l.rules[at]
	recorder := dnstest.NewRecorder(w)
	code, err := plugin.NextOrFailure("log", l.next, ctx, recorder, r)
	if recorder.Msg == nil && !plugin.ClientWrite(code) {
		refusal := new(dns.Msg).SetRcode(r, code)
		recorder.Msg, recorder.Rcode, recorder.Len = refusal, code, refusal.Len()
	}
	kind, _ := response.Typify(recorder.Msg, time.Now().UTC())
	_, all := rule.Class[response.All]
	if _, wanted := rule.Class[response.Classify(kind)]; all || wanted {
		l.write(l.format.Replace(ctx, state, recorder, rule.Format))
	}
	return code, err
}
