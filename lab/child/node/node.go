// Package node is the lab's nodes: Node objects that stay Ready, and a kubelet
// for each, which runs Pods as the real one does: the same conditions, states,
// back-offs and events, in the same order.
//
// It is a sync loop of its own rather than virtual-kubelet's PodController:
// that one reports its own events (ProviderCreateSuccess) beside the
// kubelet's, leaves restarts, back-offs, probes, init containers and the
// stages of termination to its provider, and runs one informer a node. What
// the kubelet exports is used: the status package makes the conditions, the
// events package names the events.
package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/afero"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	listersv1 "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"

	"svctour/lab/child/image"
	"svctour/lab/child/network"
	"svctour/lab/child/node/kubeletapi"
)

// Spec is one node to run.
type Spec struct {
	Name    string
	Address netip.Addr   // its InternalIP
	Pods    netip.Prefix // its podCIDR
	Zone    string       // its topology.kubernetes.io/zone
}

// State is what a node reports of itself.
type State struct {
	Name  string
	Ready bool
}

// Options say which nodes to run and against which API server.
type Options struct {
	Config  *rest.Config     // required
	Nodes   []Spec           // required
	TLS     *tls.Config      // required: what the kubelets serve with
	Version string           // required: the kubelets' version
	Network *network.Network // required: has the same nodes
	Images  *image.Registry  // required: what there is to pull
	DNS     DNS              // required
	// Changed is told every node's state whenever one changes, may be nil.
	Changed func([]State)
}

// DNS is what the kubelets' configuration says of it.
type DNS struct {
	Servers []netip.Addr // clusterDNS
	Domain  string       // clusterDomain
	// ResolvConf is the nodes' own /etc/resolv.conf, a file of this machine.
	ResolvConf string
}

// Nodes are the running nodes.
type Nodes struct {
	client  kubernetes.Interface
	version string
	hosts   map[string]*host
	order   []string
	clock   clock.Clock
	since   metav1.Time // when the nodes became Ready

	life     context.Context // of Start: nothing of any Pod outlives it
	images   *image.Registry
	dns      DNS
	factory  informers.SharedInformerFactory
	pods     cache.Indexer
	services listersv1.ServiceLister
	queue    workqueue.TypedRateLimitingInterface[podKey]

	// pullBackOff and crashBackOff are the kubelet's: 10 s, doubling, at most
	// 5 minutes; the latter is forgotten after 10 minutes without a crash.
	pullBackOff, crashBackOff *flowcontrol.Backoff

	mu      sync.Mutex // guards what follows and every host's pool
	running map[podKey]*pod

	server *server
	wait   sync.WaitGroup
}

// host is one node and its kubelet.
type host struct {
	Spec
	version  string
	network  *network.Node
	disk     afero.Fs // what hostPath volumes show of it
	pool     *pool    // guarded by Nodes.mu
	recorder record.EventRecorderLogger
	uid      types.UID // of its Node object
	leased   bool      // its lease exists
	started  time.Time
}

const (
	initialBackOff = 10 * time.Second
	maxBackOff     = 5 * time.Minute
	syncWorkers    = 6
)

// Start registers the nodes and runs their kubelets until ctx ends; then Wait
// returns. The nodes are Ready, and free of their not-ready taint, when Start
// returns.
func Start(ctx context.Context, options Options) (*Nodes, error) {
	config := rest.CopyConfig(options.Config)
	config.UserAgent = "kubelet/" + options.Version
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make the kubelets' client: %w", err)
	}
	n := &Nodes{
		client: client, version: options.Version, hosts: map[string]*host{}, clock: clock.RealClock{},
		queue:        workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[podKey]()),
		pullBackOff:  flowcontrol.NewBackOff(initialBackOff, maxBackOff),
		crashBackOff: flowcontrol.NewBackOff(initialBackOff, maxBackOff),
		running:      map[podKey]*pod{},
		life:         ctx,
		images:       options.Images,
		dns:          options.DNS,
	}
	n.server = newServer(options.TLS, kubeletapi.Handler(n))
	n.since = metav1.NewTime(n.clock.Now())
	broadcasters := make([]record.EventBroadcaster, 0, len(options.Nodes))
	for _, spec := range options.Nodes {
		broadcaster := record.NewBroadcaster(record.WithContext(ctx))
		broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events("")})
		broadcasters = append(broadcasters, broadcaster)
		n.hosts[spec.Name] = &host{
			Spec: spec, version: options.Version, pool: newPool(spec.Pods),
			network: options.Network.Node(spec.Name), disk: newDisk(spec.Name), started: time.Now(),
			recorder: broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: spec.Name}),
		}
		n.order = append(n.order, spec.Name)
	}
	n.factory = informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim))
	if err := n.watch(options.Changed); err != nil {
		return nil, err
	}
	if err := n.register(ctx); err != nil {
		return nil, err
	}
	n.factory.StartWithContext(ctx)
	n.factory.WaitForCacheSyncWithContext(ctx)
	n.wait.Go(func() { n.heartbeat(ctx) })
	n.wait.Go(func() { n.server.serve(ctx) })
	for range syncWorkers {
		n.wait.Go(func() { n.work(ctx) })
	}
	n.wait.Go(func() {
		<-ctx.Done()
		n.queue.ShutDown()
		n.factory.Shutdown()
		for _, broadcaster := range broadcasters {
			broadcaster.Shutdown()
		}
	})
	return n, nil
}

// Wait returns when everything that Start started has ended.
func (n *Nodes) Wait() { n.wait.Wait() }

// Dial connects as the API server does: to the kubelets for logs, exec and
// port-forward, and to Pods, Services and nodes when it is their proxy. There
// it stands where kubeadm puts it, on the first node.
func (n *Nodes) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err == nil && port == strconv.Itoa(KubeletPort) {
		for _, h := range n.hosts {
			if h.Name == name || h.Address.String() == name {
				return n.server.dial(ctx)
			}
		}
	}
	return n.hosts[n.order[0]].network.Stack().DialContext(ctx, network, address)
}

// trim drops what no kubelet reads before it is cached.
func trim(object any) (any, error) {
	if meta, ok := object.(metav1.Object); ok {
		meta.SetManagedFields(nil)
	}
	return object, nil
}

// watch feeds the queue from the Pods and changed from the Nodes.
func (n *Nodes) watch(changed func([]State)) error {
	pods := n.factory.Core().V1().Pods().Informer()
	n.pods = pods.GetIndexer()
	enqueue := func(object any) {
		if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = tombstone.Obj
		}
		if p, ok := object.(*corev1.Pod); ok && n.hosts[p.Spec.NodeName] != nil {
			n.queue.Add(keyOf(p))
		}
	}
	if _, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, DeleteFunc: enqueue,
		UpdateFunc: func(old, new any) {
			if old.(*corev1.Pod).UID != new.(*corev1.Pod).UID {
				enqueue(old)
			}
			enqueue(new)
		},
	}); err != nil {
		return fmt.Errorf("watch Pods: %w", err)
	}
	services := n.factory.Core().V1().Services()
	n.services = services.Lister()
	services.Informer()
	if err := n.watchShown(); err != nil {
		return err
	}
	if changed == nil {
		return nil
	}
	nodes := n.factory.Core().V1().Nodes()
	tell := func(any) {
		states := make([]State, 0, len(n.order))
		for _, name := range n.order {
			object, err := nodes.Lister().Get(name)
			states = append(states, State{name, err == nil && isReady(object)})
		}
		changed(states)
	}
	if _, err := nodes.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: tell, DeleteFunc: tell,
		UpdateFunc: func(old, new any) {
			if isReady(old.(*corev1.Node)) != isReady(new.(*corev1.Node)) {
				tell(new)
			}
		},
	}); err != nil {
		return fmt.Errorf("watch Nodes: %w", err)
	}
	return nil
}

// watchShown lets volumes show their ConfigMaps and Secrets as they are now,
// also those that are created later or again.
func (n *Nodes) watchShown() error {
	changed := func(object any) {
		if tombstone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = tombstone.Obj
		}
		var namespace, configMap, secret string
		switch object := object.(type) {
		case *corev1.ConfigMap:
			namespace, configMap = object.Namespace, object.Name
		case *corev1.Secret:
			namespace, secret = object.Namespace, object.Name
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		for key, p := range n.running {
			if key.Namespace == namespace && shows(p.spec, configMap, secret) {
				p.stale.Store(true)
				n.queue.Add(key)
			}
		}
	}
	handler := cache.ResourceEventHandlerFuncs{AddFunc: changed, UpdateFunc: func(_, new any) { changed(new) }, DeleteFunc: changed}
	if _, err := n.factory.Core().V1().ConfigMaps().Informer().AddEventHandler(handler); err != nil {
		return fmt.Errorf("watch ConfigMaps: %w", err)
	}
	if _, err := n.factory.Core().V1().Secrets().Informer().AddEventHandler(handler); err != nil {
		return fmt.Errorf("watch Secrets: %w", err)
	}
	return nil
}

func isReady(object *corev1.Node) bool {
	ready := conditionOf(object, corev1.NodeReady)
	return ready != nil && ready.Status == corev1.ConditionTrue
}

func conditionOf(object *corev1.Node, kind corev1.NodeConditionType) *corev1.NodeCondition {
	for i := range object.Status.Conditions {
		if object.Status.Conditions[i].Type == kind {
			return &object.Status.Conditions[i]
		}
	}
	return nil
}

// work syncs Pods from the queue, each by one worker at a time.
func (n *Nodes) work(ctx context.Context) {
	for {
		key, quit := n.queue.Get()
		if quit {
			return
		}
		again, err := n.sync(ctx, key)
		switch {
		case err != nil && ctx.Err() == nil:
			n.queue.AddRateLimited(key)
		default:
			n.queue.Forget(key)
			if again > 0 {
				n.queue.AddAfter(key, again)
			}
		}
		n.queue.Done(key)
	}
}
