package cluster

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-logr/logr"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/connrotation"
	"k8s.io/klog/v2"

	"svctour/model"
)

// defaultInterval paces snapshots: an event waits no longer than a frame.
const defaultInterval = 16 * time.Millisecond

// dialTime is how long a server may take to accept, and the pace of TCP's
// keep-alive, as client-go has them.
const dialTime = 30 * time.Second

// buildShare bounds the time spent on building snapshots of a large cluster:
// the pause between two is at least so many times what the last one took.
const buildShare = 3

// Connection is a link to one cluster. Watching starts with the first Next;
// a Connection that only acts costs no watch. All methods may be called from
// any goroutine.
type Connection struct {
	options   Options
	context   string
	namespace string
	base      *url.URL
	http      *http.Client
	dialer    *connrotation.Dialer
	client    kubernetes.Interface
	rest      *rest.Config
	stores    stores
	watched   []resource

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup
	start  sync.Once

	feed    *feed
	kick    chan struct{} // one slot: check at once whether the server answers
	restart chan struct{} // one slot: list everything again

	mu       sync.Mutex
	version  string
	err      string    // trouble with the connection; "" when live
	since    time.Time // when err began
	broken   bool      // since then a connection broke or was refused
	statuses map[string]status
}

// status is what went wrong with one resource.
type status struct {
	missing string    // cannot be read: the server's words
	problem string    // could not be read just now
	since   time.Time // when problem began

	listed    bool
	narrow    bool // asked for in the connection's namespace alone
	scoped    bool // listed there alone
	unwatched bool // may not be watched
}

// Connect prepares a link to the cluster that the options choose. It reads the
// kubeconfig and returns at once without contacting the server: whether it
// answers is part of every snapshot (Sync), or ask Probe first. The connection
// lasts until Close or the end of ctx. Errors: those of the kubeconfig, see
// Explain.
func Connect(ctx context.Context, o Options) (*Connection, error) {
	t, err := o.resolve()
	if err != nil {
		return nil, err
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	// A connection's sockets are its own, and none outlives it: client-go would
	// share them among all connections with the same credentials.
	dialer := connrotation.NewDialer((&net.Dialer{Timeout: dialTime, KeepAlive: dialTime}).DialContext)
	t.rest.Dial = dialer.DialContext
	httpClient, err := rest.HTTPClientFor(t.rest)
	if err != nil {
		return nil, &MalformedError{Err: fmt.Errorf("context %q: %w", t.context, err)}
	}
	client, err := kubernetes.NewForConfigAndClient(t.rest, httpClient)
	if err != nil {
		return nil, &MalformedError{Err: fmt.Errorf("context %q: %w", t.context, err)}
	}
	c := &Connection{
		options:   o,
		context:   t.context,
		namespace: t.namespace,
		base:      t.base,
		http:      httpClient,
		dialer:    dialer,
		client:    client,
		rest:      t.rest,
		kick:      make(chan struct{}, 1),
		restart:   make(chan struct{}, 1),
		statuses:  map[string]status{},
	}
	c.ctx, c.cancel = context.WithCancel(quiet(ctx))
	c.feed = newFeed(o.Interval, c.ctx.Done(), c.build)
	c.stores = newStores(c.changed)
	c.watched = c.resources()
	return c, nil
}

// quiet drops what client-go logs, unless the context has a logger for it.
func quiet(ctx context.Context) context.Context {
	if _, err := logr.FromContext(ctx); err == nil {
		return ctx
	}
	return klog.NewContext(ctx, logr.Discard())
}

// Namespace is where commands act when they name none: Options.Namespace, the
// context's, or "default".
func (c *Connection) Namespace() string { return c.namespace }

// Client is the typed client of the connection.
func (c *Connection) Client() kubernetes.Interface { return c.client }

// REST is how the connection reaches the server, for what opens streams of its
// own. Its reader leaves it as it is.
func (c *Connection) REST() *rest.Config { return c.rest }

// Kubeconfig is the path of the options; "" means kubectl's own rules.
func (c *Connection) Kubeconfig() string { return c.options.Kubeconfig }

// Cluster names the cluster. Version is "" until the server told it.
func (c *Connection) Cluster() model.Cluster {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cluster()
}

// cluster needs mu.
func (c *Connection) cluster() model.Cluster {
	out := model.Cluster{Context: c.context, Server: c.base.String(), Version: c.version, Lab: c.options.Lab}
	for _, s := range c.statuses {
		if s.scoped {
			out.Namespace = c.namespace
		}
	}
	return out
}

// Close ends the connection and everything it started, and waits for it.
func (c *Connection) Close() {
	c.cancel()
	c.start.Do(func() {}) // nothing starts any more
	c.work.Wait()
	utilnet.CloseIdleConnectionsFor(c.http.Transport)
	c.dialer.CloseAll() // also what a request that was just cancelled still holds
}

// begin starts watching, once.
func (c *Connection) begin() {
	c.start.Do(func() {
		c.feed.changed() // the first snapshot comes at once, however empty
		c.work.Go(func() { c.heartbeat(c.ctx) })
		c.work.Go(func() { c.watch(c.ctx) })
	})
}

// changed is called for every event and every list of a store.
func (c *Connection) changed(e Event) {
	if e.Key == "" {
		c.setStatus(e.Resource, func(s *status) { *s = status{listed: true, narrow: s.narrow, scoped: s.narrow, unwatched: s.unwatched} })
	} else if c.options.OnEvent != nil {
		e.Time = time.Now()
		c.options.OnEvent(e)
	}
	c.feed.changed()
}

func (c *Connection) setStatus(resource string, change func(*status)) {
	c.mu.Lock()
	before := c.statuses[resource]
	after := before
	change(&after)
	c.statuses[resource] = after
	c.mu.Unlock()
	if after != before {
		c.feed.changed()
	}
}

// signal puts the token into a one-slot channel unless it is there already.
func signal(token chan<- struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}

// pause waits, and says whether ctx is still on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
