package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"

	"svctour/lab/child/process"
	"svctour/model"
)

// headerTimeout is how long a health check may take to say what it wants.
const headerTimeout = 10 * time.Second

// bindRetry is how long kube-proxy waits before it tries again to listen
// (cmd/kube-proxy/app/server.go, serveHealthz; bindAddressHardFail is off).
const bindRetry = 5 * time.Second

// serveHealth serves /healthz and /livez of kube-proxy on the node's network
// until ctx ends. The state is that of its own package, whose server would
// listen on this machine.
func (x *proxier) serveHealth(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		health, eligible := x.health.Health(), x.health.NodeEligible()
		health.NodeEligible = &eligible
		writeHealth(w, health, health.Healthy && eligible)
	})
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) {
		health := x.health.Health()
		writeHealth(w, health, health.Healthy)
	})
	x.keep(ctx, "Healthz", x.config.HealthzBindAddress, mux)
}

// serveMetrics serves of kube-proxy's metrics port what people ask by hand: the
// mode that it works in. It keeps no metrics.
func (x *proxier) serveMetrics(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("/proxyMode", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = fmt.Fprint(w, x.config.proxy.Mode)
	})
	x.keep(ctx, "Metrics", x.config.MetricsBindAddress, mux)
}

// keep serves on an address until ctx ends, and tries again when it cannot.
func (x *proxier) keep(ctx context.Context, name, address string, handler http.Handler) {
	for ctx.Err() == nil {
		listener, err := x.network.Listen(ctx, "tcp", address)
		if err == nil {
			err = serve(ctx, listener, handler)
		}
		if err != nil && ctx.Err() == nil {
			x.log.Error(err, name+" server failed", "address", address)
		}
		select {
		case <-ctx.Done():
		case <-time.After(bindRetry):
		}
	}
}

// writeHealth is pkg/proxy/healthcheck/proxy_health.go's answer.
func writeHealth(w http.ResponseWriter, health healthcheck.ProxyHealth, healthy bool) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if healthy {
		health.LastUpdated = time.Now()
	} else {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(health) // who asked may be gone
}

// serve answers on listener until ctx ends.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: headerTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		return err
	}
	return nil
}

// serviceChecks are the health check node ports of Services with
// externalTrafficPolicy Local (pkg/proxy/healthcheck/service_health.go).
type serviceChecks struct {
	network process.Network
	health  *healthcheck.ProxyHealthServer
	log     logr.Logger
	wait    sync.WaitGroup

	mu    sync.Mutex
	open  map[string]*serviceCheck // by namespace/name
	ended bool
}

type serviceCheck struct {
	namespace, name string
	port            uint16
	close           context.CancelFunc

	mu    sync.Mutex
	count int
}

func newServiceChecks(network process.Network, health *healthcheck.ProxyHealthServer, log logr.Logger) *serviceChecks {
	return &serviceChecks{network: network, health: health, log: log, open: map[string]*serviceCheck{}}
}

// healthPorts are the ports to serve, by Service.
func healthPorts(s *model.Snapshot) map[string]*model.Service {
	out := map[string]*model.Service{}
	for _, svc := range s.Services {
		if svc.Type == model.LoadBalancer && svc.ExternalTrafficPolicy == "Local" && svc.HealthCheckNodePort != 0 {
			out[svc.Key()] = svc
		}
	}
	return out
}

// localEndpoints counts the addresses of the ready endpoints on a node, by
// Service (pkg/proxy/endpointschangetracker.go, LocalReadyEndpoints).
func localEndpoints(s *model.Snapshot, node string) map[string]int {
	addresses := map[string]map[string]bool{}
	for _, slice := range s.Slices {
		if len(slice.Ports) == 0 || slice.AddressType != "IPv4" {
			continue
		}
		key := slice.Namespace + "/" + slice.Service()
		for i := range slice.Endpoints {
			if e := &slice.Endpoints[i]; e.Node == node && e.IsReady() && len(e.Addresses) > 0 {
				if addresses[key] == nil {
					addresses[key] = map[string]bool{}
				}
				addresses[key][e.Addresses[0]] = true
			}
		}
	}
	out := make(map[string]int, len(addresses))
	for key, each := range addresses {
		out[key] = len(each)
	}
	return out
}

// update opens and closes ports, and notes the endpoints.
func (c *serviceChecks) update(wanted map[string]*model.Service, endpoints map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	for key, check := range c.open {
		if svc := wanted[key]; svc == nil || uint16(svc.HealthCheckNodePort) != check.port {
			check.close()
			delete(c.open, key)
		}
	}
	for key, svc := range wanted {
		check := c.open[key]
		if check == nil {
			if check = c.start(svc); check == nil {
				continue
			}
			c.open[key] = check
		}
		check.mu.Lock()
		check.count = endpoints[key]
		check.mu.Unlock()
	}
}

// start listens for one Service; nil when that is impossible, which is tried
// again with the next update.
func (c *serviceChecks) start(svc *model.Service) *serviceCheck {
	check := &serviceCheck{namespace: svc.Namespace, name: svc.Name, port: uint16(svc.HealthCheckNodePort)}
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := c.network.Listen(ctx, "tcp", net.JoinHostPort("0.0.0.0", strconv.Itoa(int(check.port))))
	if err != nil {
		cancel()
		c.log.Error(err, "Failed to start healthcheck", "service", svc.Key(), "port", check.port)
		return nil
	}
	// Closed at once: the next Service may want the same port.
	check.close = func() { cancel(); _ = listener.Close() }
	c.wait.Go(func() {
		handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { check.answer(w, c.health.Health().Healthy) })
		if err := serve(ctx, listener, handler); err != nil {
			c.log.Error(err, "Healthcheck closed", "service", svc.Key())
		}
	})
	return check
}

func (c *serviceCheck) answer(w http.ResponseWriter, healthy bool) {
	c.mu.Lock()
	count := c.count
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("X-Load-Balancing-Endpoint-Weight", strconv.Itoa(count))
	if count == 0 || !healthy {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = fmt.Fprintf(w, "{\n\t\"service\": {\n\t\t\"namespace\": %q,\n\t\t\"name\": %q\n\t},\n\t\"localEndpoints\": %d,\n\t\"serviceProxyHealthy\": %v\n}",
		c.namespace, c.name, count, healthy)
}

// close closes every port and waits for their servers.
func (c *serviceChecks) close() {
	c.mu.Lock()
	c.ended = true
	for key, check := range c.open {
		check.close()
		delete(c.open, key)
	}
	c.mu.Unlock()
	c.wait.Wait()
}
