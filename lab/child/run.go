// Package lab is the embedded cluster: a real Kubernetes control plane and
// nodes whose kubelets are ours, in one process of its own, without root,
// containers, or any network but loopback. A lab is reached like any cluster,
// through the kubeconfig that it writes.
//
// Start starts one as a child of this process, which ends with it; Run is what
// the child does. Everything that a lab needs or leaves is in one folder, and
// gone when it has ended.
package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"svctour/lab/child/controlplane"
	"svctour/lab/child/hostport"
	"svctour/lab/child/network"
	"svctour/lab/child/node"
	"svctour/model/path"
)

// ContextName names the context, the cluster and nothing else in a lab's
// kubeconfig.
const ContextName = "svctour-lab"

// Version is the Kubernetes release that the lab runs.
const Version = controlplane.Version

// DefaultNodes is how many nodes a lab has unless told otherwise; MaxNodes how
// many it may have.
const (
	DefaultNodes = 3
	MaxNodes     = controlplane.MaxNodes
)

// The files in a lab's folder.
const (
	lockFile       = "lock"
	statusFile     = "status.json"
	kubeconfigFile = "kubeconfig"
	logFile        = "lab.log"
	dataFolder     = "data"
)

// Options say where a lab lives and how big it is.
type Options struct {
	Dir   string // required: the lab's folder, made if need be
	Nodes int    // 0: DefaultNodes
	// ProxyMode is kube-proxy's: iptables or nftables; "" is iptables.
	ProxyMode string
	// Progress is told when a stage of the start begins and when it is done;
	// may be nil. Stages overlap.
	Progress func(Stage)
}

// Stage is a part of a lab's start, named for people.
type Stage struct {
	Name string `json:"name"`
	Done bool   `json:"done"`
}

func (o *Options) complete() error {
	if o.Nodes == 0 {
		o.Nodes = DefaultNodes
	}
	if o.Nodes < 1 || o.Nodes > MaxNodes {
		return fmt.Errorf("a lab has 1 to %d nodes, not %d", MaxNodes, o.Nodes)
	}
	if o.ProxyMode == "" {
		o.ProxyMode = path.ModeIPTables
	}
	if o.ProxyMode != path.ModeIPTables && o.ProxyMode != path.ModeNFTables {
		return fmt.Errorf("the lab's kube-proxy runs in mode %s or %s, not %q", path.ModeIPTables, path.ModeNFTables, o.ProxyMode)
	}
	if o.Progress == nil {
		o.Progress = func(Stage) {}
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return fmt.Errorf("find the lab's folder %q: %w", o.Dir, err)
	}
	o.Dir = dir
	return nil
}

// Run runs a lab in this process until ctx ends, and calls ready once its API
// server is ready and its nodes are Ready. It removes the lab's files, but
// leaves its log should it fail. A process can run one lab in its life: see
// controlplane.
func Run(ctx context.Context, options Options, ready func(Status)) (err error) {
	begun := time.Now()
	if err := options.complete(); err != nil {
		return err
	}
	held, err := acquire(ctx, options.Dir)
	if err != nil {
		return err
	}
	defer func() { held.release(err != nil) }()
	log, err := os.OpenFile(filepath.Join(options.Dir, logFile), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open the lab's log: %w", err)
	}
	defer log.Close()
	if err := debug.SetCrashOutput(log, debug.CrashOptions{}); err != nil {
		return fmt.Errorf("direct crashes into the lab's log: %w", err)
	}
	bootMemory()
	l := &running{options: options, log: log, dials: make(chan struct{})}
	defer l.stop()
	if err := l.boot(ctx); err != nil {
		if ctx.Err() != nil { // told to end while starting
			return nil
		}
		return err
	}
	if err := l.keepStatus(time.Since(begun)); err != nil {
		return err
	}
	steadyMemory()
	ready(l.status())
	select {
	case <-ctx.Done():
		return nil
	case err := <-l.plane.Done():
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("the API server ended by itself: %w", errors.Join(err, errors.New("see its log")))
	}
}

// running is a lab at work.
type running struct {
	options Options
	log     *os.File
	plane   *controlplane.ControlPlane
	network *network.Network
	nodes   *node.Nodes
	dials   chan struct{} // closed once nodes is set
	cancel  context.CancelFunc
	beside  sync.WaitGroup // what runs beside the nodes

	mu      sync.Mutex
	states  []node.State
	begun   time.Duration
	written bool // the status file exists: changes go into it

	hostPorts []hostport.State
}

// boot starts everything, what does not need each other side by side.
func (l *running) boot(ctx context.Context) error {
	// The lab ends when its context does, and its parts in order: nodes and
	// controllers before the API server, that before etcd. See stop.
	parts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.cancel = cancel
	stop := context.AfterFunc(ctx, cancel)
	defer stop()

	plane, err := controlplane.Start(parts, controlplane.Options{
		Dir:   filepath.Join(l.options.Dir, dataFolder),
		Log:   l.log,
		Dial:  l.dial,
		Stage: func(name string, done bool) { l.options.Progress(Stage{name, done}) },
	})
	if err != nil {
		return err
	}
	l.plane = plane
	steps := []func(context.Context) error{
		l.stage("scheduler and controllers", plane.StartControllers),
		l.stage(fmt.Sprintf("%d nodes", l.options.Nodes), l.startNodes),
		plane.WaitReady,
		l.writeObjects,
	}
	failed := make(chan error, len(steps))
	for _, step := range steps {
		go func() { failed <- step(parts) }()
	}
	for range steps {
		if stepErr := <-failed; stepErr != nil && err == nil {
			err = stepErr
			cancel()
		}
	}
	if err != nil {
		return err
	}
	if err := waitUsable(parts, plane.Config, l.options.Nodes); err != nil {
		return err
	}
	return writeKubeconfig(filepath.Join(l.options.Dir, kubeconfigFile), plane)
}

// stage is step with its beginning and its end told.
func (l *running) stage(name string, step func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		l.options.Progress(Stage{Name: name})
		err := step(ctx)
		if err == nil {
			l.options.Progress(Stage{name, true})
		}
		return err
	}
}

func (l *running) startNodes(ctx context.Context) error {
	specs := make([]node.Spec, l.options.Nodes)
	for i := range specs {
		specs[i] = node.Spec{
			Name: controlplane.NodeName(i), Address: controlplane.NodeAddress(i),
			Pods: controlplane.NodePodCIDR(i), Zone: "lab-" + string(rune('a'+i%3)),
		}
	}
	if err := l.startNetwork(ctx, specs); err != nil {
		return err
	}
	nodes, err := node.Start(ctx, node.Options{
		Config: l.plane.Config, Nodes: specs, TLS: l.plane.KubeletTLS, Version: Version, Changed: l.changed,
		Network: l.network, Images: l.images(),
		DNS: node.DNS{
			Servers: []netip.Addr{netip.MustParseAddr(controlplane.ClusterDNSAddress)},
			Domain:  controlplane.ClusterDomain, ResolvConf: l.resolvConf(),
		},
	})
	if err != nil {
		return err
	}
	l.nodes = nodes
	close(l.dials)
	if err := l.startPolicies(ctx); err != nil {
		return err
	}
	return l.startHostPorts(ctx)
}

// dial is how the API server reaches into the cluster.
func (l *running) dial(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-l.dials:
		return l.nodes.Dial(ctx, network, address)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// changed keeps what lab status says of the nodes up to date.
func (l *running) changed(states []node.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.states = states
	if l.written {
		// A status that cannot be written is one that is a little old.
		_ = writeStatus(l.options.Dir, l.statusLocked())
	}
}

func (l *running) keepStatus(took time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun, l.written = took, true
	return writeStatus(l.options.Dir, l.statusLocked())
}

func (l *running) status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.statusLocked()
}

func (l *running) statusLocked() Status {
	s := Status{}
	s.Running, s.Version, s.PID = true, Version, os.Getpid()
	s.Kubeconfig = filepath.Join(l.options.Dir, kubeconfigFile)
	s.StartedIn = Duration(l.begun)
	s.ResidentBytes = residentBytes(os.Getpid())
	s.HostPorts = l.hostPorts
	for _, state := range l.states {
		s.Nodes = append(s.Nodes, NodeStatus{state.Name, state.Ready})
	}
	return s
}

// stop ends the parts in the order that lets each end quietly.
func (l *running) stop() {
	l.mu.Lock()
	l.written = false
	l.mu.Unlock()
	if l.cancel != nil {
		l.cancel()
	}
	if l.nodes != nil {
		l.nodes.Wait()
	}
	l.beside.Wait()
	if l.network != nil {
		l.network.Close()
	}
	if l.plane != nil {
		l.plane.Stop()
	}
}

// While it starts, a lab makes garbage faster than anybody would want it
// collected: until it is ready, the collector only keeps the heap below a
// limit. Afterwards that would be a treadmill for a lab with many Pods; a
// small growth per cycle keeps the heap small.
const (
	bootLimit    = 200 << 20
	steadyGrowth = 50
)

func bootMemory() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(bootLimit)
}

func steadyMemory() {
	debug.SetGCPercent(steadyGrowth)
	debug.SetMemoryLimit(math.MaxInt64)
	debug.FreeOSMemory()
}
