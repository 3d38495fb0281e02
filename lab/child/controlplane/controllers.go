package controlplane

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/scale"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/certificates/rootcacertpublisher"
	"k8s.io/kubernetes/pkg/controller/clusterroleaggregation"
	"k8s.io/kubernetes/pkg/controller/cronjob"
	"k8s.io/kubernetes/pkg/controller/daemon"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/disruption"
	"k8s.io/kubernetes/pkg/controller/endpoint"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/endpointslicemirroring"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/job"
	"k8s.io/kubernetes/pkg/controller/namespace"
	"k8s.io/kubernetes/pkg/controller/nodelifecycle"
	"k8s.io/kubernetes/pkg/controller/podgc"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
	"k8s.io/kubernetes/pkg/controller/servicecidrs"
	"k8s.io/kubernetes/pkg/controller/statefulset"
	"k8s.io/kubernetes/pkg/controller/tainteviction"
	"k8s.io/kubernetes/pkg/controller/ttlafterfinished"

	"svctour/lab"
)

// kube-controller-manager's defaults (its --help), but for the workers: a lab
// has hundreds of objects, not thousands.
const (
	workers                = 3
	namespaceResync        = 5 * time.Minute
	endpointsPerSlice      = 100
	mirroredPerSubset      = 1000
	nodeMonitorPeriod      = 5 * time.Second
	nodeStartupGrace       = 60 * time.Second
	nodeMonitorGrace       = 50 * time.Second
	nodeEvictionRate       = 0.1
	secondaryEvictionRate  = 0.01
	largeCluster           = 50
	unhealthyZoneThreshold = 0.55
	terminatedPodThreshold = 12500
	collectorWorkers       = 4
	collectorResync        = 30 * time.Second
)

// manager is the kube-controller-manager of the lab: the controllers whose
// doing a learner can notice, on shared informers.
type manager struct {
	ctx     context.Context
	config  *rest.Config
	factory informers.SharedInformerFactory
	err     error // the first error of client
	runs    []func(context.Context)
}

// named gives config the user agent that a component's field manager and the
// audit log are made from.
func named(config *rest.Config, component, part string) *rest.Config {
	config = rest.CopyConfig(config)
	config.UserAgent = fmt.Sprintf("%s/%s/%s", component, lab.Version, part)
	return config
}

// client is the client of one controller.
func (m *manager) client(name string) *kubernetes.Clientset {
	client, err := kubernetes.NewForConfig(named(m.config, "kube-controller-manager", name))
	if err != nil && m.err == nil {
		m.err = fmt.Errorf("make the client of %s: %w", name, err)
	}
	return client
}

// add lets run go when the informers have started, unless err says otherwise.
func (m *manager) add(name string, err error, run func(context.Context)) {
	if err != nil && m.err == nil {
		m.err = fmt.Errorf("make controller %s: %w", name, err)
	}
	m.runs = append(m.runs, run)
}

// startControllers starts every controller; they end with ctx.
func startControllers(ctx context.Context, config *rest.Config, ca []byte) error {
	client, err := kubernetes.NewForConfig(named(config, "kube-controller-manager", "shared-informers"))
	if err != nil {
		return fmt.Errorf("make the controllers' client: %w", err)
	}
	m := &manager{
		ctx: ctx, config: config,
		factory: informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithTransform(trim)),
	}
	m.workloads()
	m.network()
	m.upkeep(ca)
	if err := m.start(); err != nil {
		return err
	}
	go func() {
		m.factory.WaitForCacheSync(ctx.Done())
		m.unhurried()
		if err := m.start(); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Starting the controllers that come last")
		}
	}()
	return nil
}

// start lets go what was added since the last time.
func (m *manager) start() error {
	if m.err != nil {
		return m.err
	}
	m.factory.Start(m.ctx.Done())
	for _, run := range m.runs {
		go run(m.ctx)
	}
	m.runs = nil
	return nil
}

// trim drops what no controller reads before it is cached.
func trim(object any) (any, error) {
	if accessor, err := meta.Accessor(object); err == nil {
		accessor.SetManagedFields(nil)
	}
	return object, nil
}

func (m *manager) workloads() {
	apps, core, batch := m.factory.Apps().V1(), m.factory.Core().V1(), m.factory.Batch().V1()

	deployments, err := deployment.NewDeploymentController(m.ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), m.client("deployment-controller"))
	m.add("deployment", err, func(ctx context.Context) { deployments.Run(ctx, workers) })

	replicaSets := replicaset.NewReplicaSetController(m.ctx, apps.ReplicaSets(), core.Pods(), m.client("replicaset-controller"), replicaset.BurstReplicas)
	m.add("replicaset", nil, func(ctx context.Context) { replicaSets.Run(ctx, workers) })

	statefulSets := statefulset.NewStatefulSetController(m.ctx, core.Pods(), apps.StatefulSets(), core.PersistentVolumeClaims(), apps.ControllerRevisions(), m.client("statefulset-controller"))
	m.add("statefulset", nil, func(ctx context.Context) { statefulSets.Run(ctx, workers) })

	daemonSets, err := daemon.NewDaemonSetsController(m.ctx, apps.DaemonSets(), apps.ControllerRevisions(), core.Pods(), core.Nodes(), m.client("daemon-set-controller"), flowcontrol.NewBackOff(time.Second, 15*time.Minute))
	m.add("daemonset", err, func(ctx context.Context) { daemonSets.Run(ctx, workers) })

	jobs, err := job.NewController(m.ctx, m.client("job-controller"), core.Pods(), batch.Jobs(), nil, nil)
	m.add("job", err, func(ctx context.Context) { jobs.Run(ctx, workers) })
}

// unhurried are the controllers that nothing waits for when a lab starts. Each
// would cost the others time then.
func (m *manager) unhurried() {
	batch := m.factory.Batch().V1()

	cronJobs, err := cronjob.NewControllerV2(m.ctx, batch.Jobs(), batch.CronJobs(), m.client("cronjob-controller"))
	m.add("cronjob", err, func(ctx context.Context) { cronJobs.Run(ctx, workers) })

	finished := ttlafterfinished.New(m.ctx, batch.Jobs(), m.client("ttl-after-finished-controller"))
	m.add("ttl-after-finished", nil, func(ctx context.Context) { finished.Run(ctx, workers) })

	roles := clusterroleaggregation.NewClusterRoleAggregation(m.factory.Rbac().V1().ClusterRoles(), m.client("clusterrole-aggregation-controller").RbacV1())
	m.add("clusterrole-aggregation", nil, func(ctx context.Context) { roles.Run(ctx, workers) })

	m.disruption()
}

// disruption counts for PodDisruptionBudgets, without which no Pod that one of
// them selects may be evicted.
func (m *manager) disruption() {
	const name = "disruption-controller"
	apps, core := m.factory.Apps().V1(), m.factory.Core().V1()
	client := m.client(name)
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	scales, err := scale.NewForConfig(named(m.config, "kube-controller-manager", name), mapper,
		dynamic.LegacyAPIPathResolverFunc, scale.NewDiscoveryScaleKindResolver(client.Discovery()))
	if err != nil {
		m.add(name, err, nil)
		return
	}
	budgets := disruption.NewDisruptionController(m.ctx, core.Pods(), m.factory.Policy().V1().PodDisruptionBudgets(), core.ReplicationControllers(),
		apps.ReplicaSets(), apps.Deployments(), apps.StatefulSets(), client, mapper, scales, client.Discovery())
	m.add(name, nil, func(ctx context.Context) { budgets.Run(ctx, workers) })
}

func (m *manager) network() {
	core, discovery, networking := m.factory.Core().V1(), m.factory.Discovery().V1(), m.factory.Networking().V1()

	endpoints := endpoint.NewEndpointController(m.ctx, core.Pods(), core.Services(), core.Endpoints(), m.client("endpoint-controller"), 0)
	m.add("endpoint", nil, func(ctx context.Context) { endpoints.Run(ctx, workers) })

	slices := endpointslice.NewController(m.ctx, core.Pods(), core.Services(), core.Nodes(), discovery.EndpointSlices(), endpointsPerSlice, m.client("endpointslice-controller"), 0)
	m.add("endpointslice", nil, func(ctx context.Context) { slices.Run(ctx, workers) })

	mirrored := endpointslicemirroring.NewController(m.ctx, core.Endpoints(), discovery.EndpointSlices(), core.Services(), mirroredPerSubset, m.client("endpointslicemirroring-controller"), 0)
	m.add("endpointslicemirroring", nil, func(ctx context.Context) { mirrored.Run(ctx, workers) })

	cidrs := servicecidrs.NewController(m.ctx, networking.ServiceCIDRs(), networking.IPAddresses(), m.client("service-cidrs-controller"))
	m.add("servicecidrs", nil, func(ctx context.Context) { cidrs.Run(ctx, workers) })
}

func (m *manager) upkeep(ca []byte) {
	core := m.factory.Core().V1()

	namespaceClient := m.client("namespace-controller")
	namespaceMetadata, err := metadata.NewForConfig(named(m.config, "kube-controller-manager", "namespace-controller"))
	if err == nil && m.err == nil {
		namespaces := namespace.NewNamespaceController(m.ctx, namespaceClient, namespaceMetadata,
			namespaceClient.Discovery().ServerPreferredNamespacedResources, core.Namespaces(), namespaceResync, corev1.FinalizerKubernetes)
		m.add("namespace", nil, func(ctx context.Context) { namespaces.Run(ctx, workers) })
	} else {
		m.add("namespace", err, nil)
	}

	accounts, err := serviceaccount.NewServiceAccountsController(klog.FromContext(m.ctx), core.ServiceAccounts(), core.Namespaces(), m.client("service-account-controller"), serviceaccount.DefaultServiceAccountsControllerOptions())
	m.add("serviceaccount", err, func(ctx context.Context) { accounts.Run(ctx, 1) })

	publisher, err := rootcacertpublisher.NewPublisher(core.ConfigMaps(), core.Namespaces(), m.client("root-ca-cert-publisher"), ca)
	m.add("root-ca-cert-publisher", err, func(ctx context.Context) { publisher.Run(ctx, 1) })

	pods := podgc.NewPodGC(m.ctx, m.client("pod-garbage-collector"), core.Pods(), core.Nodes(), terminatedPodThreshold)
	m.add("podgc", nil, pods.Run)

	nodes, err := nodelifecycle.NewNodeLifecycleController(m.ctx, m.factory.Coordination().V1().Leases(), core.Pods(), core.Nodes(), m.factory.Apps().V1().DaemonSets(),
		m.client("node-controller"), nodeMonitorPeriod, nodeStartupGrace, nodeMonitorGrace, nodeEvictionRate, secondaryEvictionRate, largeCluster, unhealthyZoneThreshold)
	m.add("nodelifecycle", err, func(ctx context.Context) { nodes.Run(ctx) })

	eviction, err := tainteviction.New(m.ctx, m.client("node-controller"), core.Pods(), core.Nodes(), "taint-eviction-controller")
	m.add("tainteviction", err, func(ctx context.Context) { eviction.Run(ctx) })

	m.collector()
}

// collector is the garbage collector. It watches every resource there is, most
// of them as metadata only.
func (m *manager) collector() {
	const name = "generic-garbage-collector"
	client := m.client(name)
	metadataClient, err := metadata.NewForConfig(named(m.config, "kube-controller-manager", name))
	if err != nil || m.err != nil {
		m.add(name, err, nil)
		return
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(client.Discovery()))
	metadataFactory := metadatainformer.NewSharedInformerFactoryWithOptions(metadataClient, 0, metadatainformer.WithTransform(trim))
	started := make(chan struct{})
	builder := garbagecollector.NewDependencyGraphBuilder(m.ctx, metadataClient, mapper, garbagecollector.DefaultIgnoredResources(),
		informerfactory.NewInformerFactory(m.factory, metadataFactory), started)
	collector, err := garbagecollector.NewComposedGarbageCollector(m.ctx, client, metadataClient, mapper, builder)
	m.add(name, err, func(ctx context.Context) {
		close(started)
		go collector.Run(ctx, collectorWorkers, collectorResync)
		collector.Sync(ctx, client.Discovery(), collectorResync)
	})
}
