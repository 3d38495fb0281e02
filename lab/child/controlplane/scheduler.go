package controlplane

import (
	"context"
	"fmt"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/latest"
)

// startScheduler starts the real kube-scheduler with its default profile.
func startScheduler(ctx context.Context, config *rest.Config) error {
	config = named(config, "kube-scheduler", "scheduler")
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make the scheduler's client: %w", err)
	}
	dynamicClient, err := dynamic.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make the scheduler's dynamic client: %w", err)
	}
	defaults, err := latest.Default()
	if err != nil {
		return fmt.Errorf("read the scheduler's defaults: %w", err)
	}
	factory := scheduler.NewInformerFactory(client, 0, nil)
	dynamicFactory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(dynamicClient, 0, "", nil)
	broadcaster := events.NewEventBroadcasterAdapterWithContext(ctx, client)
	s, err := scheduler.New(ctx, client, factory, dynamicFactory,
		func(name string) events.EventRecorderLogger { return broadcaster.NewRecorder(name) },
		scheduler.WithComponentConfigVersion(defaults.TypeMeta.APIVersion),
		scheduler.WithKubeConfig(config),
		scheduler.WithProfiles(defaults.Profiles...),
		scheduler.WithPercentageOfNodesToScore(defaults.PercentageOfNodesToScore),
		scheduler.WithPodMaxBackoffSeconds(defaults.PodMaxBackoffSeconds),
		scheduler.WithPodInitialBackoffSeconds(defaults.PodInitialBackoffSeconds),
		scheduler.WithParallelism(defaults.Parallelism),
	)
	if err != nil {
		return fmt.Errorf("make the scheduler: %w", err)
	}
	broadcaster.StartRecordingToSink(ctx.Done())
	factory.Start(ctx.Done())
	dynamicFactory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	dynamicFactory.WaitForCacheSync(ctx.Done())
	if err := s.WaitForHandlersSync(ctx); err != nil {
		return fmt.Errorf("fill the scheduler's caches: %w", err)
	}
	go func() {
		s.Run(ctx)
		broadcaster.Shutdown()
	}()
	return nil
}
