package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	_ "github.com/coredns/coredns/plugin/any" // plugins register themselves
	_ "github.com/coredns/coredns/plugin/autopath"
	_ "github.com/coredns/coredns/plugin/bufsize"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/erratic"
	_ "github.com/coredns/coredns/plugin/header"
	_ "github.com/coredns/coredns/plugin/hosts"
	"github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/local"
	_ "github.com/coredns/coredns/plugin/minimal"
	_ "github.com/coredns/coredns/plugin/rewrite"
	_ "github.com/coredns/coredns/plugin/whoami"
	"github.com/miekg/dns"
	"github.com/spf13/afero"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"svctour/lab/child/incluster"
)

// serverKey is where an instance's storage has its *server.
type serverKey struct{}

func serverOf(c *caddy.Controller) *server { return c.Get(serverKey{}).(*server) }

// own are CoreDNS's plugins that are CoreDNS's own code as they are: they touch
// nothing of this machine.
var own = []string{
	"metadata", "any", "autopath", "bufsize", "cache", "erratic", "header", "local",
	"minimal", "rewrite", "transfer", "whoami",
}

// Caddy asks for the plugins of an instance's server type first, then for those
// of every type. An instance of prepare has no type.
func init() {
	for _, name := range own {
		action, err := caddy.DirectiveAction("dns", name)
		if err != nil {
			panic(err) // an import is missing above
		}
		register(name, action)
	}
	register("debug", skip) // it would end this program on a panic in a query
	register("loop", skip)
	register("errors", setupErrors)
	register("forward", setupForward)
	register("health", setupHealth)
	register("hosts", setupHosts)
	register("kubernetes", setupKubernetes)
	register("loadbalance", setupLoadbalance)
	register("log", setupLog)
	register("prometheus", setupMetrics)
	register("ready", setupReady)
	register("reload", setupReload)
	caddy.RegisterParsingCallback("", dnsserver.Directives[0], func(c caddy.Context) error {
		parsed = c
		return nil
	})
}

func register(name string, action caddy.SetupFunc) {
	caddy.RegisterPlugin(name, caddy.Plugin{Action: action})
}

// stage is a plugin that is a function.
type stage struct {
	name  string
	serve func(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error)
}

func (s stage) Name() string { return s.name }

func (s stage) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	return s.serve(ctx, w, r)
}

// skip accepts a directive without arguments that has nothing to do here.
func skip(c *caddy.Controller) error {
	for c.Next() {
		if c.NextArg() {
			return plugin.Error(c.Val(), c.ArgErr())
		}
	}
	return nil
}

// setupReload is plugin/reload's: reload [INTERVAL] [JITTER].
func setupReload(c *caddy.Controller) error {
	interval, jitter := 30*time.Second, 15*time.Second
	fail := func(err error) error { return plugin.Error("reload", err) }
	for c.Next() {
		args := c.RemainingArgs()
		if len(args) > 2 {
			return fail(c.ArgErr())
		}
		for i, into := range []*time.Duration{&interval, &jitter}[:len(args)] {
			d, err := time.ParseDuration(args[i])
			if err != nil {
				return fail(err)
			}
			*into = d
		}
		if len(args) == 1 && jitter > interval/2 {
			jitter = interval / 2
		}
	}
	if interval < 2*time.Second {
		return fail(errors.New("interval value must be greater or equal to 2s"))
	}
	if jitter < time.Second {
		return fail(errors.New("jitter value must be greater or equal to 1s"))
	}
	if jitter > interval/2 {
		return fail(errors.New("jitter value must be less or equal to half of the interval"))
	}
	serverOf(c).reload = interval
	return nil
}

// fixedConfig is a client configuration that is known.
type fixedConfig struct{ config *rest.Config }

func (f fixedConfig) RawConfig() (clientcmdapi.Config, error) { return clientcmdapi.Config{}, nil }
func (f fixedConfig) ClientConfig() (*rest.Config, error)     { return f.config, nil }
func (f fixedConfig) Namespace() (string, bool, error)        { return "", false, nil }
func (f fixedConfig) ConfigAccess() clientcmd.ConfigAccess    { return nil }

// setupKubernetes is plugin/kubernetes/setup.go with the API server found as
// any program in a Pod finds it, by the Pod's files, environment and network.
func setupKubernetes(c *caddy.Controller) error {
	const name = "kubernetes"
	fail := func(err error) error { return plugin.Error(name, err) }
	s := serverOf(c)
	patience := startupTimeout(c.Dispenser)
	var k *kubernetes.Kubernetes
	for c.Next() {
		if k != nil {
			return fail(plugin.ErrOnce)
		}
		var err error
		if k, err = kubernetes.ParseStanza(c); err != nil {
			return fail(err)
		}
	}
	if k.ClientConfig != nil || len(k.APIServerList) > 0 {
		return fail(errors.New("endpoint and kubeconfig are not supported here: the API server is that of the cluster"))
	}
	config, err := incluster.Config(s.process)
	if err != nil {
		return fail(err)
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	k.ClientConfig = fixedConfig{config}
	_, stop, err := k.InitKubeCache(s.life)
	if err != nil {
		return fail(err)
	}
	c.OnStartup(func() error {
		s.wait.Go(k.APIConn.Run)
		s.awaitAPI(k, patience)
		return nil
	})
	c.OnShutdown(stop)
	dnsserver.GetConfig(c).AddPlugin(func(next plugin.Handler) plugin.Handler {
		k.Next = next
		return k
	})
	return nil
}

// startupTimeout finds the option of the kubernetes plugin, which keeps it to
// itself; its form is checked by the plugin.
func startupTimeout(d caddyfile.Dispenser) time.Duration {
	for d.Next() {
		if d.Val() == "startup_timeout" && d.NextArg() {
			if t, err := time.ParseDuration(d.Val()); err == nil {
				return t
			}
		}
	}
	return 5 * time.Second
}

// awaitAPI is the wait of InitKubeCache's start-up, that can be interrupted.
func (s *server) awaitAPI(k *kubernetes.Kubernetes, patience time.Duration) {
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	check := time.NewTicker(100 * time.Millisecond)
	defer check.Stop()
	for i := 1; ; i++ {
		select {
		case <-s.life.Done():
			return
		case <-timeout.C:
			s.logf("[WARNING] plugin/kubernetes: starting server with unsynced Kubernetes API")
			return
		case <-check.C:
			if k.APIConn.HasSynced() {
				return
			}
			if i%5 == 0 {
				s.logf("[INFO] plugin/kubernetes: waiting for Kubernetes API before starting server")
			}
		}
	}
}

// setupLoadbalance is plugin/loadbalance's, without the policy that reads its
// weights from a file of this machine.
func setupLoadbalance(c *caddy.Controller) error {
	for d := c.Dispenser; d.Next(); {
		if d.Val() == "loadbalance" && d.NextArg() && d.Val() == "weighted" {
			return plugin.Error("loadbalance", c.Err("the policy weighted is not supported here"))
		}
	}
	action, err := caddy.DirectiveAction("dns", "loadbalance")
	if err != nil {
		return err
	}
	return action(c)
}

// setupHosts gives plugin/hosts the program's own file instead of this
// machine's: its lines go before those of the block.
func setupHosts(c *caddy.Controller) error {
	s := serverOf(c)
	if !c.Next() {
		return plugin.Error("hosts", c.ArgErr())
	}
	token := func(text string, line int) caddyfile.Token {
		return caddyfile.Token{File: c.File(), Line: line, Text: text}
	}
	file, zones := "/etc/hosts", []string{}
	if args := c.RemainingArgs(); len(args) > 0 {
		file, zones = args[0], args[1:]
	}
	// The empty path is the one that no machine has.
	tokens := []caddyfile.Token{token("hosts", 1), token("", 1)}
	for _, zone := range zones {
		tokens = append(tokens, token(zone, 1))
	}
	line := 2
	tokens = append(tokens, token("{", 1))
	add := func(words []string) {
		for _, word := range words {
			tokens = append(tokens, token(word, line))
		}
		line++
	}
	content, err := afero.ReadFile(s.process.Files, file)
	if err != nil {
		s.logf("[WARNING] plugin/hosts: File does not exist: %s", file)
	}
	for text := range strings.Lines(string(content)) {
		text, _, _ = strings.Cut(text, "#")
		if words := strings.Fields(text); len(words) > 0 {
			add(words)
		}
	}
	for c.NextBlock() {
		add(append([]string{c.Val()}, c.RemainingArgs()...))
	}
	tokens = append(tokens, token("}", line))
	if c.Next() {
		return plugin.Error("hosts", plugin.ErrOnce)
	}
	action, err := caddy.DirectiveAction("dns", "hosts")
	if err != nil {
		return err
	}
	c.Dispenser = caddyfile.NewDispenserTokens(c.File(), tokens)
	return action(c)
}

// setupHealth is plugin/health's: health [ADDRESS] { lameduck DURATION }.
func setupHealth(c *caddy.Controller) error {
	s := serverOf(c)
	fail := func(err error) error { return plugin.Error("health", err) }
	address := ""
	for c.Next() {
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
			if c.Val() != "lameduck" {
				return fail(c.Errf("unknown property '%s'", c.Val()))
			}
			args := c.RemainingArgs()
			if len(args) != 1 {
				return fail(c.ArgErr())
			}
			d, err := time.ParseDuration(args[0])
			if err != nil {
				return fail(fmt.Errorf("unable to parse lameduck duration value: '%v' : %v", args[0], err))
			}
			s.lameduck = max(s.lameduck, d)
		}
	}
	if address == "" {
		address = ":8080"
	}
	s.handle(address, "/health", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, http.StatusText(http.StatusOK))
	})
	return nil
}

// handle adds a page to the web server of an address. A second block that names
// the same page shares it, as with CoreDNS.
func (s *server) handle(address, page string, handler http.HandlerFunc) {
	mux := s.web[address]
	if mux == nil {
		mux = http.NewServeMux()
		s.web[address] = mux
	}
	if _, pattern := mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: page}}); pattern == "" {
		mux.HandleFunc(page, handler)
	}
}
