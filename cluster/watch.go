//lint:file-ignore SA1019 v1 Endpoints are shown beside the slices, with their deprecation.

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"

	"svctour/cluster/convert"
	"svctour/model"
)

// Retry times. A server that comes back is noticed by the heartbeat, which
// restarts the watches at once, so these only bound the load.
const (
	retryFirst   = 200 * time.Millisecond
	retryMost    = 2 * time.Second
	retryMissing = 30 * time.Second // rights may be granted any time

	// What may be listed but not watched is listed again and again: the pause is
	// so many times what a list takes, from listAgain to retryMissing.
	listAgain = 5 * time.Second
	listShare = 10
)

// setting is a configuration read from one ConfigMap.
type setting[T any] struct {
	model.Meta
	value T
	err   error
}

func newSetting[T any](read func(*corev1.ConfigMap) (T, error)) func(*corev1.ConfigMap) *setting[T] {
	return func(o *corev1.ConfigMap) *setting[T] {
		value, err := read(o)
		return &setting[T]{Meta: convert.Meta(&o.ObjectMeta), value: value, err: err}
	}
}

// serviceCIDR is a range that cluster IPs come from.
type serviceCIDR struct {
	model.Meta
	ranges []string
}

func newServiceCIDR(o *networkingv1.ServiceCIDR) *serviceCIDR {
	return &serviceCIDR{convert.Meta(&o.ObjectMeta), o.Spec.CIDRs}
}

// stores hold everything that is watched.
type stores struct {
	services    *store[*corev1.Service, model.Service]
	slices      *store[*discoveryv1.EndpointSlice, model.EndpointSlice]
	endpoints   *store[*corev1.Endpoints, model.Endpoints] //nolint:staticcheck // shown as kubectl shows it
	pods        *store[*corev1.Pod, model.Pod]
	nodes       *store[*corev1.Node, model.Node]
	namespaces  *store[*corev1.Namespace, model.Namespace]
	deployments *store[*appsv1.Deployment, model.Deployment]
	replicaSets *store[*appsv1.ReplicaSet, model.ReplicaSet]

	// For a diagnosis only.
	statefulSets *store[*appsv1.StatefulSet, model.Workload]
	daemonSets   *store[*appsv1.DaemonSet, model.Workload]
	jobs         *store[*batchv1.Job, model.Workload]
	policies     *store[*networkingv1.NetworkPolicy, model.NetworkPolicy]
	events       *store[*corev1.Event, model.Event]

	cidrs    *store[*networkingv1.ServiceCIDR, serviceCIDR]
	proxy    *store[*corev1.ConfigMap, setting[model.Proxy]]
	dns      *store[*corev1.ConfigMap, setting[model.DNS]]
	corefile *store[*corev1.ConfigMap, setting[model.Corefile]]
}

// Names of the ConfigMaps as they appear in Sync.Missing.
const (
	proxyConfigMap   = "configmaps kube-system/kube-proxy"
	kubeletConfigMap = "configmaps kube-system/kubelet-config"
	corednsConfigMap = "configmaps kube-system/coredns"
)

// serviceCIDRs is a resource that only rules of mode nftables depend on; servers
// before v1.33 do not have it.
const serviceCIDRs = "servicecidrs"

func newStores(changed func(Event)) stores {
	return stores{
		services:    newStore("services", convert.Service, func(o *model.Service) *model.Meta { return &o.Meta }, changed),
		slices:      newStore("endpointslices", convert.EndpointSlice, func(o *model.EndpointSlice) *model.Meta { return &o.Meta }, changed),
		endpoints:   newStore("endpoints", convert.Endpoints, func(o *model.Endpoints) *model.Meta { return &o.Meta }, changed),
		pods:        newStore("pods", convert.Pods(), func(o *model.Pod) *model.Meta { return &o.Meta }, changed),
		nodes:       newStore("nodes", convert.Node, func(o *model.Node) *model.Meta { return &o.Meta }, changed),
		namespaces:  newStore("namespaces", convert.Namespace, func(o *model.Namespace) *model.Meta { return &o.Meta }, changed),
		deployments: newStore("deployments", convert.Deployment, func(o *model.Deployment) *model.Meta { return &o.Meta }, changed),
		replicaSets: newStore("replicasets", convert.ReplicaSet, func(o *model.ReplicaSet) *model.Meta { return &o.Meta }, changed),

		statefulSets: newStore("statefulsets", convert.StatefulSet, func(o *model.Workload) *model.Meta { return &o.Meta }, changed),
		daemonSets:   newStore("daemonsets", convert.DaemonSet, func(o *model.Workload) *model.Meta { return &o.Meta }, changed),
		jobs:         newStore("jobs", convert.Job, func(o *model.Workload) *model.Meta { return &o.Meta }, changed),
		policies:     newStore("networkpolicies", convert.NetworkPolicy, func(o *model.NetworkPolicy) *model.Meta { return &o.Meta }, changed),
		events:       newStore("events", convert.Event, func(o *model.Event) *model.Meta { return &o.Meta }, changed),

		cidrs:    newStore(serviceCIDRs, newServiceCIDR, func(o *serviceCIDR) *model.Meta { return &o.Meta }, changed),
		proxy:    newStore(proxyConfigMap, newSetting(convert.Proxy), func(o *setting[model.Proxy]) *model.Meta { return &o.Meta }, changed),
		dns:      newStore(kubeletConfigMap, newSetting(convert.DNS), func(o *setting[model.DNS]) *model.Meta { return &o.Meta }, changed),
		corefile: newStore(corednsConfigMap, newSetting(convert.Corefile), func(o *setting[model.Corefile]) *model.Meta { return &o.Meta }, changed),
	}
}

// sink is what a watcher needs of a store.
type sink interface {
	cache.TransformingStore
	listPages(context.Context, metav1.ListOptions, func(context.Context, metav1.ListOptions) (runtime.Object, error)) (runtime.Object, error)
	clear()
	lists() int
	revision() uint64
}

// resource is one thing to watch.
type resource struct {
	name       string // as in Sync.Missing
	sink       sink
	example    runtime.Object
	client     cache.Getter
	plural     string
	namespaced bool   // may be read in one namespace when not in all
	namespace  string // the only namespace to read; "" for all
	field      fields.Selector
}

func (c *Connection) resources() []resource {
	core, apps, discovery := c.client.CoreV1().RESTClient(), c.client.AppsV1().RESTClient(), c.client.DiscoveryV1().RESTClient()
	s, every := &c.stores, fields.Everything()
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector(metav1.ObjectNameField, name) }
	out := []resource{
		{"services", s.services, &corev1.Service{}, core, "services", true, "", every},
		{"endpointslices", s.slices, &discoveryv1.EndpointSlice{}, discovery, "endpointslices", true, "", every},
		{"endpoints", s.endpoints, &corev1.Endpoints{}, core, "endpoints", true, "", every}, //nolint:staticcheck // shown as kubectl shows it
		{"pods", s.pods, &corev1.Pod{}, core, "pods", true, "", every},
		{"nodes", s.nodes, &corev1.Node{}, core, "nodes", false, "", every},
		{"namespaces", s.namespaces, &corev1.Namespace{}, core, "namespaces", false, "", every},
		{"deployments", s.deployments, &appsv1.Deployment{}, apps, "deployments", true, "", every},
		{"replicasets", s.replicaSets, &appsv1.ReplicaSet{}, apps, "replicasets", true, "", every},
		{serviceCIDRs, s.cidrs, &networkingv1.ServiceCIDR{}, c.client.NetworkingV1().RESTClient(), "servicecidrs", false, "", every},
		{proxyConfigMap, s.proxy, &corev1.ConfigMap{}, core, "configmaps", false, metav1.NamespaceSystem, named("kube-proxy")},
		{kubeletConfigMap, s.dns, &corev1.ConfigMap{}, core, "configmaps", false, metav1.NamespaceSystem, named("kubelet-config")},
		{corednsConfigMap, s.corefile, &corev1.ConfigMap{}, core, "configmaps", false, metav1.NamespaceSystem, named("coredns")},
	}
	if c.options.Diagnose || c.options.Policies {
		out = append(out, resource{"networkpolicies", s.policies, &networkingv1.NetworkPolicy{}, c.client.NetworkingV1().RESTClient(), "networkpolicies", true, "", every})
	}
	if !c.options.Diagnose {
		return out
	}
	warnings := fields.OneTermEqualSelector("type", corev1.EventTypeWarning)
	return append(out,
		resource{"statefulsets", s.statefulSets, &appsv1.StatefulSet{}, apps, "statefulsets", true, "", every},
		resource{"daemonsets", s.daemonSets, &appsv1.DaemonSet{}, apps, "daemonsets", true, "", every},
		resource{"jobs", s.jobs, &batchv1.Job{}, c.client.BatchV1().RESTClient(), "jobs", true, "", every},
		resource{"events", s.events, &corev1.Event{}, core, "events", true, "", warnings},
	)
}

// watch keeps the stores equal to the cluster until ctx ends.
func (c *Connection) watch(ctx context.Context) {
	for ctx.Err() == nil {
		epoch, cancel := context.WithCancel(ctx)
		var group sync.WaitGroup
		for _, r := range c.watched {
			group.Go(func() { c.follow(epoch, r) })
		}
		select {
		case <-ctx.Done():
		case <-c.restart:
		}
		cancel()
		group.Wait()
	}
}

func (c *Connection) reflector(r resource, namespace string) *cache.Reflector {
	silent := logr.Discard()
	lw := cache.NewListWatchFromClient(r.client, r.plural, namespace, r.field)
	page := lw.ListWithContextFunc
	lw.ListWithContextFunc = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		return r.sink.listPages(ctx, options, page)
	}
	begin := lw.WatchFuncWithContext
	lw.WatchFuncWithContext = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		events, err := begin(ctx, options)
		c.setStatus(r.name, func(s *status) { s.unwatched = err != nil && unreadable(err) })
		return events, err
	}
	return cache.NewReflectorWithOptions(
		lw, r.example, r.sink,
		cache.ReflectorOptions{
			Logger: &silent,
			Name:   "svctour/" + r.plural,
			// Between attempts to resume a watch whose connection was refused.
			Backoff: &wait.Backoff{Duration: retryFirst, Factor: 2, Jitter: 0.2, Steps: 10, Cap: retryMost},
		})
}

// follow keeps one store equal to the cluster until ctx ends. What may not be
// read in all namespaces is read in the connection's own; what may not be read
// there either is reported as missing and asked for again now and then. What may
// be listed but not watched stays as it was last listed.
func (c *Connection) follow(ctx context.Context, r resource) {
	namespace, delay := r.namespace, retryFirst
	reflector := c.reflector(r, namespace)
	c.setStatus(r.name, func(s *status) { s.narrow = false })
	for {
		began, lists := time.Now(), r.sink.lists()
		err := reflector.ListAndWatchWithContext(ctx)
		if ctx.Err() != nil {
			return
		}
		signal(c.kick)
		if time.Since(began) > 10*retryMost {
			delay = retryFirst
		}
		switch {
		case err == nil: // the watch ended; list again
		case unreadable(err) && r.sink.lists() > lists:
			if !pause(ctx, min(max(listAgain, listShare*time.Since(began)), retryMissing)) {
				return
			}
			continue
		case unreadable(err) && r.namespaced && namespace == "":
			namespace = c.namespace
			c.setStatus(r.name, func(s *status) { s.narrow = true })
			reflector = c.reflector(r, namespace)
			continue
		case unreadable(err):
			r.sink.clear()
			c.setStatus(r.name, func(s *status) { *s = status{missing: statusMessage(err)} })
			if !pause(ctx, retryMissing) {
				return
			}
			namespace = r.namespace
			reflector = c.reflector(r, namespace)
			continue
		default:
			problem := Explain(&ServerError{Server: c.base.String(), Err: fmt.Errorf("reading %s: %w", r.name, err)})
			c.setStatus(r.name, func(s *status) {
				if s.problem == "" {
					s.since = began
				}
				s.problem = problem
			})
		}
		if !pause(ctx, delay) {
			return
		}
		delay = min(2*delay, retryMost)
	}
}

// unreadable says whether the server refuses a resource itself: this user may
// not read it, or this server does not serve it.
func unreadable(err error) bool {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Status().Code {
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return false
}
