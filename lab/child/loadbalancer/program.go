package loadbalancer

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/cloud-provider/controllers/service"
	"k8s.io/component-base/featuregate"
	controllersmetrics "k8s.io/component-base/metrics/prometheus/controllers"

	"svctour/lab/addon"
	"svctour/lab/child/incluster"
	"svctour/lab/child/process"
)

// Announcer makes the hosts beside the nodes send packets for an address to a
// node, as answering ARP for it does.
type Announcer interface {
	// Announce lets a node have an address, instead of any that had it before.
	Announce(address netip.Addr, node string) error
	// Withdraw takes the address away from the node that has it.
	Withdraw(address netip.Addr)
}

// Routes announces through the lab's network. node finds a node by name, nil if
// there is none; route sends an address's packets to a node, or with nil to none
// (Node and Route of network.Network).
func Routes[Node any](node func(name string) *Node, route func(netip.Addr, *Node)) Announcer {
	return routes[Node]{node, route}
}

type routes[Node any] struct {
	node  func(string) *Node
	route func(netip.Addr, *Node)
}

func (r routes[Node]) Announce(address netip.Addr, name string) error {
	node := r.node(name)
	if node == nil {
		return fmt.Errorf("the network has no node %q", name)
	}
	r.route(address, node)
	return nil
}

func (r routes[Node]) Withdraw(address netip.Addr) { r.route(address, nil) }

// services is how many of them the controller works on at once
// (--concurrent-service-syncs of cloud-controller-manager).
const services = 1

// resync is how often informers repeat what they know, unless the service
// controller wants it more often (--min-resync-period).
const resync = 12 * time.Hour

// Main is the program of the load balancer's Pod:
//
//	load-balancer [--pool=FIRST-LAST]
func Main(announcer Announcer) process.Main {
	return func(ctx context.Context, p *process.Process) int {
		flags := flag.NewFlagSet("load-balancer", flag.ContinueOnError)
		flags.SetOutput(p.Stderr)
		text := flags.String("pool", addon.DefaultPool, "the addresses to hand out")
		if err := flags.Parse(p.Args[1:]); err != nil {
			return 2
		}
		pool, err := ParsePool(*text)
		if err != nil {
			fmt.Fprintln(p.Stderr, "load-balancer:", err)
			return 2
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			for {
				select {
				case signal := <-p.Signals:
					if signal == process.Terminate || signal == process.Interrupt {
						cancel()
						return
					}
				case <-ctx.Done():
					return
				}
			}
		}()
		if err := run(ctx, p, pool, announcer); err != nil {
			say(p.Stderr, "%v", err)
			return 1
		}
		return 0
	}
}

// run hands out and announces addresses until ctx ends.
func run(ctx context.Context, p *process.Process, pool *Pool, announcer Announcer) error {
	config, err := incluster.Config(p)
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make a client for the API server: %w", err)
	}
	return serve(ctx, client, pool, announcer, p.Stdout)
}

// serve is run with a client.
func serve(ctx context.Context, client kubernetes.Interface, pool *Pool, announcer Announcer, log io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	factory := informers.NewSharedInformerFactory(client, resync)
	defer factory.Shutdown()
	defer cancel()

	serviceInformer, nodeInformer := factory.Core().V1().Services(), factory.Core().V1().Nodes()
	if err := serviceInformer.Informer().SetTransform(ours); err != nil {
		return fmt.Errorf("watch Services: %w", err)
	}
	a := &announcements{
		pool: pool, announcer: announcer, log: log, changed: make(chan struct{}, 1),
		services: serviceInformer.Lister(), nodes: nodeInformer.Lister(), slices: factory.Discovery().V1().EndpointSlices().Lister(),
	}
	for _, informer := range []cache.SharedIndexInformer{
		serviceInformer.Informer(), nodeInformer.Informer(), factory.Discovery().V1().EndpointSlices().Informer(),
	} {
		if _, err := informer.AddEventHandler(a.handler()); err != nil {
			return fmt.Errorf("watch the cluster: %w", err)
		}
	}
	controller, err := service.New(&cloud{pool: pool, log: log}, client, serviceInformer, nodeInformer, "lab", featuregate.NewFeatureGate())
	if err != nil {
		return fmt.Errorf("make the service controller: %w", err)
	}
	say(log, "addresses %s", pool)
	factory.StartWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), serviceInformer.Informer().HasSynced, nodeInformer.Informer().HasSynced,
		factory.Discovery().V1().EndpointSlices().Informer().HasSynced) {
		return nil // told to end
	}
	existing, err := serviceInformer.Lister().List(labels.Everything())
	if err != nil {
		return fmt.Errorf("list Services: %w", err)
	}
	restore(pool, existing, log)
	var working sync.WaitGroup
	working.Go(func() {
		controller.Run(ctx, services, controllersmetrics.NewControllerManagerMetrics("load-balancer"))
	})
	a.run(ctx)
	working.Wait()
	return nil
}

// ours lets the service controller, which leaves every Service with a class
// alone, see one with our class as one without. It patches status and
// finalizers only: the class itself stays.
func ours(object any) (any, error) {
	s, ok := object.(*corev1.Service)
	if !ok {
		return object, nil
	}
	s.ManagedFields = nil
	if s.Spec.LoadBalancerClass != nil && *s.Spec.LoadBalancerClass == Class {
		s.Spec.LoadBalancerClass = nil
	}
	return s, nil
}

// restore finds out which addresses were handed out before: the Services'
// status is where that is kept. Of two with the same the older has it.
func restore(pool *Pool, existing []*corev1.Service, log io.Writer) {
	existing = slices.Clone(existing)
	slices.SortFunc(existing, func(a, b *corev1.Service) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	for _, s := range existing {
		if s.Spec.Type != corev1.ServiceTypeLoadBalancer || s.Spec.LoadBalancerClass != nil {
			continue
		}
		for _, ingress := range s.Status.LoadBalancer.Ingress {
			address, err := netip.ParseAddr(ingress.IP)
			if err != nil || !pool.Contains(address) {
				continue
			}
			if _, err := pool.Allocate(s.UID, address); err != nil {
				say(log, "%s/%s: %v", s.Namespace, s.Name, err)
			}
			break
		}
	}
}
