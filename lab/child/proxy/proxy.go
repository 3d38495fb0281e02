// Package proxy is kube-proxy as a program of the lab, with what kubeadm
// installs for it. It reads its configuration and the API as kube-proxy does,
// and writes a node's rules with package path, which the rest of the house
// draws: the rules that move packets are those that are shown.
package proxy

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	"k8s.io/kubernetes/pkg/proxy/runner"

	"svctour/lab"
	"svctour/lab/child/incluster"
	"svctour/lab/child/network"
	"svctour/lab/child/process"
	"svctour/model"
	"svctour/model/path"
)

// Node is the kernel that a kube-proxy writes to.
type Node interface {
	Install(*path.Program)
	DeleteConnections(match func(network.Connection) bool) int
}

var _ Node = (*network.Node)(nil)

// fullSync is how often all rules are written again though nothing changed
// (pkg/proxy/util, FullSyncPeriod).
const fullSync = time.Hour

// Main gives /usr/local/bin/kube-proxy: it writes the rules of the node that it
// runs on, which nodes finds by its name, until it is killed. The rules stay
// when it has ended.
func Main(nodes func(name string) Node) process.Main {
	return func(ctx context.Context, p *process.Process) int {
		flags := flag.NewFlagSet("kube-proxy", flag.ContinueOnError)
		flags.SetOutput(p.Stderr)
		file := flags.String("config", "", "The path to the configuration file.")
		name := flags.String("hostname-override", "", "If non-empty, will be used as the name of the Node that kube-proxy is running on.")
		verbosity := flags.Int("v", 0, "number for the log level verbosity")
		if err := flags.Parse(p.Args[min(1, len(p.Args)):]); errors.Is(err, flag.ErrHelp) {
			return 0
		} else if err != nil {
			return 1
		}
		if *name == "" {
			*name = p.Machine.Node
		}
		log := textlogger.NewLogger(textlogger.NewConfig(textlogger.Output(&lines{w: p.Stderr}), textlogger.Verbosity(*verbosity)))
		fail := func(err error) int {
			log.Error(err, "Error running ProxyServer")
			return 1
		}
		node := nodes(p.Machine.Node)
		if node == nil {
			return fail(fmt.Errorf("no kernel to write rules to on node %q", p.Machine.Node))
		}
		configuration, err := readConfiguration(p.Files, *file)
		if err != nil {
			return fail(err)
		}
		config, err := incluster.FromKubeconfig(p, configuration.Client.Kubeconfig)
		if err != nil {
			return fail(err)
		}
		config.UserAgent = "kube-proxy/" + lab.Version
		config.ContentType = "application/vnd.kubernetes.protobuf"
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return fail(err)
		}
		x := newProxier(*name, node, configuration, p.Net, log)
		return x.run(ctx, client, p.Signals)
	}
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

// proxier is one running kube-proxy.
type proxier struct {
	name    string
	node    Node
	config  *configuration
	network process.Network
	log     logr.Logger

	watched *watched
	runner  *runner.BoundedFrequencyRunner
	health  *healthcheck.ProxyHealthServer
	checks  *serviceChecks
}

func newProxier(name string, node Node, config *configuration, network process.Network, log logr.Logger) *proxier {
	x := &proxier{name: name, node: node, config: config, network: network, log: log}
	minimum, period := config.periods()
	x.runner = runner.NewBoundedFrequencyRunner("sync-runner", x.sync, minimum, period, fullSync)
	x.health = healthcheck.NewProxyHealthServer("", 2*period, x)
	x.checks = newServiceChecks(network, x.health, log)
	return x
}

// run watches and writes until ctx ends or a signal comes.
func (x *proxier) run(ctx context.Context, client kubernetes.Interface, signals <-chan process.Signal) int {
	x.log.Info(fmt.Sprintf("Using %s Proxier", x.config.proxy.Mode))
	if len(x.config.proxy.NodePortAddresses) == 0 {
		x.log.Info("Kube-proxy configuration may be incomplete or incorrect", "err",
			"nodePortAddresses is unset; NodePort connections will be accepted on all local IPs. Consider using `--nodeport-addresses primary`")
	}
	life, end := context.WithCancel(klog.NewContext(ctx, x.log))
	factories := x.watch(client)
	var wait sync.WaitGroup
	wait.Go(func() { x.serveHealth(life) })
	wait.Go(func() { x.serveMetrics(life) })
	for _, factory := range factories {
		factory.StartWithContext(life)
	}
	wait.Go(func() {
		if cache.WaitForCacheSync(life.Done(), x.watched.synced) {
			x.changed()
		}
	})
	loop := make(chan struct{})
	var looping sync.WaitGroup
	looping.Go(func() { x.runner.Loop(loop) })

	code := 0
	select {
	case <-ctx.Done():
		code = 137
	case <-signals: // Go's own end, as process 1, on a signal that it does not handle
		code = 2
	}
	end()
	for _, factory := range factories {
		factory.Shutdown()
	}
	wait.Wait()
	close(loop) // only now that nothing asks for a run any more: a runner that ended must not be asked
	looping.Wait()
	x.checks.close()
	return code
}

// Node is the node as it was last seen, for the health server.
func (x *proxier) Node() *corev1.Node { return x.watched.nodeObject(x.name) }

// sync writes the rules for what is known, once everything was listed.
func (x *proxier) sync() error {
	if !x.watched.synced() {
		return nil
	}
	snapshot := x.watched.snapshot(&x.config.proxy)
	if snapshot.Node(x.name) == nil {
		return fmt.Errorf("node %q is not known yet", x.name)
	}
	x.node.Install(x.compile(snapshot))
	x.health.Updated(corev1.IPv4Protocol)
	x.checks.update(healthPorts(snapshot), localEndpoints(snapshot, x.name))
	stale := staleFlows(snapshot)
	x.node.DeleteConnections(stale.match)
	return nil
}

func (x *proxier) compile(snapshot *model.Snapshot) *path.Program {
	if x.config.proxy.Mode == path.ModeNFTables {
		return path.CompileNFTables(snapshot, x.name, path.IPv4)
	}
	return path.Compile(snapshot, x.name, path.IPv4)
}

// changed asks for a run: at once, or when the last is minSyncPeriod ago. What
// comes before everything was listed once is in the first run.
func (x *proxier) changed() {
	if !x.watched.synced() {
		return
	}
	x.health.QueuedUpdate(corev1.IPv4Protocol)
	x.runner.Run()
}
