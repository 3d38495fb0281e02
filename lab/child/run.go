// Package child is the lab's process: the control plane, the nodes and their
// network, in the process that lab.Start has started. Only the command line
// imports it.
package child

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

	"svctour/lab"
	"svctour/lab/child/controlplane"
	"svctour/lab/child/network"
	"svctour/lab/child/node"
	"svctour/lab/folder"
	"svctour/lab/hostport"
)

// Run runs a lab in this process until ctx ends, and calls ready once its API
// server is ready and its nodes are Ready. It removes the lab's files, but
// leaves its log should it fail. A process can run one lab in its life: see
// controlplane.
func Run(ctx context.Context, options lab.Options, ready func(lab.Status)) (err error) {
	begun := time.Now()
	if err := options.Complete(); err != nil {
		return err
	}
	held, err := folder.Acquire(ctx, options.Dir)
	if err != nil {
		return err
	}
	defer func() { held.Release(err != nil) }()
	log, err := os.OpenFile(filepath.Join(options.Dir, folder.Log), os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
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
	options lab.Options
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
		Dir:   filepath.Join(l.options.Dir, folder.Data),
		Log:   l.log,
		Dial:  l.dial,
		Stage: func(name string, done bool) { l.options.Progress(lab.Stage{Name: name, Done: done}) },
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
	return writeKubeconfig(filepath.Join(l.options.Dir, folder.Kubeconfig), plane)
}

// stage is step with its beginning and its end told.
func (l *running) stage(name string, step func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		l.options.Progress(lab.Stage{Name: name})
		err := step(ctx)
		if err == nil {
			l.options.Progress(lab.Stage{Name: name, Done: true})
		}
		return err
	}
}

func (l *running) startNodes(ctx context.Context) error {
	specs := make([]node.Spec, l.options.Nodes)
	for i := range specs {
		specs[i] = node.Spec{
			Name: lab.NodeName(i), Address: lab.NodeAddress(i),
			Pods: lab.NodePodCIDR(i), Zone: "lab-" + string(rune('a'+i%3)),
		}
	}
	if err := l.startNetwork(ctx, specs); err != nil {
		return err
	}
	nodes, err := node.Start(ctx, node.Options{
		Config: l.plane.Config, Nodes: specs, TLS: l.plane.KubeletTLS, Version: lab.Version, Changed: l.changed,
		Network: l.network, Images: l.images(),
		DNS: node.DNS{
			Servers: []netip.Addr{netip.MustParseAddr(lab.ClusterDNSAddress)},
			Domain:  lab.ClusterDomain, ResolvConf: l.resolvConf(),
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
		_ = l.statusLocked().Write(l.options.Dir)
	}
}

func (l *running) keepStatus(took time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.begun, l.written = took, true
	return l.statusLocked().Write(l.options.Dir)
}

func (l *running) status() lab.Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.statusLocked()
}

func (l *running) statusLocked() lab.Status {
	s := lab.Status{}
	s.Running, s.Version, s.PID = true, lab.Version, os.Getpid()
	s.Kubeconfig = filepath.Join(l.options.Dir, folder.Kubeconfig)
	s.StartedIn = lab.Duration(l.begun)
	s.ResidentBytes = lab.ResidentBytes(os.Getpid())
	s.HostPorts = l.hostPorts
	for _, state := range l.states {
		s.Nodes = append(s.Nodes, lab.NodeStatus{Name: state.Name, Ready: state.Ready})
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

// While it starts, a lab makes garbage faster than is worth collecting:
// until it is ready, the collector only keeps the heap below a limit. Afterwards that would be a treadmill for a lab with many Pods; a
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
