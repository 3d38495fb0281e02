package child

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"svctour/lab"
)

// namespace makes a namespace for one test; it goes with the lab.
func namespace(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	made, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		_, err := client.CoreV1().ServiceAccounts(made.Name).Get(ctx, "default", metav1.GetOptions{})
		return err
	})
	return made.Name
}

func deploy(t *testing.T, client kubernetes.Interface, ns, name string, replicas int32) {
	t.Helper()
	labels := map[string]string{"app": name}
	_, err := client.AppsV1().Deployments(ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "nginx:1.27"}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Services(ns).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(80)}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, client kubernetes.Interface, ns string, spec corev1.PodSpec) string {
	t.Helper()
	for i := range spec.Containers {
		spec.Containers[i].Name = fmt.Sprint("c", i)
	}
	made, err := client.CoreV1().Pods(ns).Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "p-"}, Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return made.Name
}

// serving are the addresses of the Pods that are Ready, one a Pod, and those
// of the ready endpoints, both sorted; an error if they differ or are not n.
func serving(ctx context.Context, client kubernetes.Interface, ns, name string, n int) ([]string, error) {
	pods, err := client.CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: "app=" + name})
	if err != nil {
		return nil, err
	}
	var fromPods, fromSlices []string
	for _, p := range pods.Items {
		if condition(&p, corev1.PodReady) == corev1.ConditionTrue && p.DeletionTimestamp == nil {
			fromPods = append(fromPods, p.Status.PodIP)
		}
	}
	slicesList, err := client.DiscoveryV1().EndpointSlices(ns).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + name})
	if err != nil {
		return nil, err
	}
	for _, s := range slicesList.Items {
		for _, e := range s.Endpoints {
			if *e.Conditions.Ready {
				fromSlices = append(fromSlices, e.Addresses...)
			}
		}
	}
	slices.Sort(fromPods)
	slices.Sort(fromSlices)
	if len(pods.Items) != n || len(fromPods) != n || !slices.Equal(fromPods, fromSlices) {
		return nil, fmt.Errorf("%d Pods, ready %v, endpoints %v, want %d", len(pods.Items), fromPods, fromSlices, n)
	}
	return fromPods, nil
}

func condition(p *corev1.Pod, kind corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range p.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

func TestTheAPIServerIsReadyAndSaysItsVersion(t *testing.T) {
	client := theLab(t)
	if answer, err := client.CoreV1().RESTClient().Get().AbsPath("/readyz").DoRaw(t.Context()); err != nil || string(answer) != "ok" {
		t.Errorf("/readyz: %q, %v", answer, err)
	}
	if version, err := client.Discovery().ServerVersion(); err != nil || version.GitVersion != lab.Version {
		t.Errorf("version %v, %v, want %s", version, err, lab.Version)
	}
}

func TestNodes(t *testing.T) {
	client := theLab(t)
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes.Items) != lab.DefaultNodes {
		t.Fatalf("%d nodes, want %d", len(nodes.Items), lab.DefaultNodes)
	}
	for i, n := range nodes.Items {
		if want := fmt.Sprint("node-", i+1); n.Name != want || n.Labels[corev1.LabelHostname] != want {
			t.Errorf("node %d is called %q, labelled %q, want %q", i, n.Name, n.Labels[corev1.LabelHostname], want)
		}
		if want := fmt.Sprintf("172.18.0.%d", i+2); n.Status.Addresses[0].Address != want {
			t.Errorf("%s has address %s, want %s", n.Name, n.Status.Addresses[0].Address, want)
		}
		if want := fmt.Sprintf("10.244.%d.0/24", i); n.Spec.PodCIDR != want {
			t.Errorf("%s has podCIDR %s, want %s", n.Name, n.Spec.PodCIDR, want)
		}
		if n.Status.NodeInfo.KubeletVersion != lab.Version || len(n.Spec.Taints) != 0 {
			t.Errorf("%s: kubelet %s, taints %v", n.Name, n.Status.NodeInfo.KubeletVersion, n.Spec.Taints)
		}
		if _, err := client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(t.Context(), n.Name, metav1.GetOptions{}); err != nil {
			t.Error(err)
		}
	}
	status, err := lab.ReadStatus(filepath.Join(cluster.home, "lab"))
	if err != nil || !status.Running || len(status.Nodes) != lab.DefaultNodes || !status.Nodes[0].Ready {
		t.Errorf("status %+v, %v", status, err)
	}
}

func TestWhatKubeadmLeaves(t *testing.T) {
	client := theLab(t)
	service, err := client.CoreV1().Services("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil || service.Spec.ClusterIP != "10.96.0.1" || service.Spec.Ports[0].TargetPort.IntVal != 6443 {
		t.Errorf("Service kubernetes: %+v, %v", service.Spec, err)
	}
	slice, err := client.DiscoveryV1().EndpointSlices("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil || slice.Endpoints[0].Addresses[0] != "172.18.0.1" || *slice.Ports[0].Port != 6443 {
		t.Errorf("EndpointSlice kubernetes: %+v, %v", slice, err)
	}
	proxy, err := client.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "kube-proxy", metav1.GetOptions{})
	if err != nil || !strings.Contains(proxy.Data["config.conf"], "mode: iptables") {
		t.Errorf("ConfigMap kube-proxy: %+v, %v", proxy, err)
	}
	kubelet, err := client.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "kubelet-config", metav1.GetOptions{})
	if err != nil || !strings.Contains(kubelet.Data["kubelet"], "- 10.96.0.10") {
		t.Errorf("ConfigMap kubelet-config: %+v, %v", kubelet, err)
	}
}

// TestDeployment scales one to 20 and back; endpoints follow, addresses are
// unique and of their node, and a Pod that is deleted comes back as another.
func TestDeployment(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	deploy(t, client, ns, "web", 3)
	for _, replicas := range []int{3, 20, 3} {
		patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
		if _, err := client.AppsV1().Deployments(ns).Patch(t.Context(), "web", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, func(ctx context.Context) error {
			addresses, err := serving(ctx, client, ns, "web", replicas)
			if err == nil && len(slices.Compact(addresses)) != replicas {
				return fmt.Errorf("addresses are not unique: %v", addresses)
			}
			return err
		})
	}
	pods, err := client.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	victim := pods.Items[0]
	for _, p := range pods.Items {
		n, err := client.CoreV1().Nodes().Get(t.Context(), p.Spec.NodeName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if prefix := netip.MustParsePrefix(n.Spec.PodCIDR); !prefix.Contains(netip.MustParseAddr(p.Status.PodIP)) {
			t.Errorf("Pod %s on %s has address %s", p.Name, n.Name, p.Status.PodIP)
		}
	}
	if err := client.CoreV1().Pods(ns).Delete(t.Context(), victim.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		addresses, err := serving(ctx, client, ns, "web", 3)
		if err == nil && slices.Contains(addresses, victim.Status.PodIP) {
			return fmt.Errorf("address %s is still there: %v", victim.Status.PodIP, addresses)
		}
		return err
	})
}

// TestStatusAndEvents: what describe shows of a Pod that just runs.
func TestStatusAndEvents(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	name := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.27"}}})
	wantEvents(t, client, ns, name,
		"default-scheduler Scheduled", "kubelet Pulled Container image \"nginx:1.27\" already present on machine",
		"kubelet Created Container created", "kubelet Started Container started")
	eventually(t, func(ctx context.Context) error { // events come on a way of their own, and may be first
		p, err := client.CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, kind := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady, corev1.PodScheduled} {
			if condition(p, kind) != corev1.ConditionTrue {
				return fmt.Errorf("condition %s is %s", kind, condition(p, kind))
			}
		}
		s := p.Status.ContainerStatuses
		if p.Status.Phase != corev1.PodRunning || len(s) != 1 || s[0].State.Running == nil || !s[0].Ready || !*s[0].Started || s[0].ContainerID == "" || s[0].ImageID == "" {
			return fmt.Errorf("status %+v", p.Status)
		}
		return nil
	})
	if err := client.CoreV1().Pods(ns).Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, client, ns, name, "kubelet Killing Stopping container c0")
	eventually(t, func(ctx context.Context) error {
		return gone(client.CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{}))
	})
}

func gone(_ any, err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("still there (%v)", err)
}

// wantEvents waits for events "SOURCE REASON MESSAGE…" of a Pod.
func wantEvents(t *testing.T, client kubernetes.Interface, ns, name string, want ...string) {
	t.Helper()
	eventually(t, func(ctx context.Context) error {
		list, err := client.CoreV1().Events(ns).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + name})
		if err != nil {
			return err
		}
		var have []string
		for _, e := range list.Items {
			source := e.Source.Component
			if source == "" {
				source = e.ReportingController
			}
			have = append(have, source+" "+e.Reason+" "+e.Message)
		}
		var missing []error
		for _, w := range want {
			if !slices.ContainsFunc(have, func(h string) bool { return strings.HasPrefix(h, w) }) {
				missing = append(missing, fmt.Errorf("no event %q among %q", w, have))
			}
		}
		return errors.Join(missing...)
	})
}

// wantWaiting waits until a Pod's first container waits for this reason.
func wantWaiting(t *testing.T, client kubernetes.Interface, ns, name, reason string) corev1.ContainerStatus {
	t.Helper()
	var found corev1.ContainerStatus
	eventually(t, func(ctx context.Context) error {
		p, err := client.CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(p.Status.ContainerStatuses) == 0 {
			return errors.New("no container status yet")
		}
		found = p.Status.ContainerStatuses[0]
		if found.State.Waiting == nil || found.State.Waiting.Reason != reason {
			return fmt.Errorf("state %+v, want waiting for %s", found.State, reason)
		}
		return nil
	})
	return found
}

func TestAnUnknownImage(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	name := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.99-nope"}}})
	wantWaiting(t, client, ns, name, "ErrImagePull")
	s := wantWaiting(t, client, ns, name, "ImagePullBackOff")
	if !strings.Contains(s.State.Waiting.Message, `Back-off pulling image "nginx:1.99-nope": ErrImagePull: `) {
		t.Errorf("message %q", s.State.Waiting.Message)
	}
	wantEvents(t, client, ns, name, `kubelet Pulling Pulling image "nginx:1.99-nope"`, `kubelet Failed Failed to pull image "nginx:1.99-nope": `,
		"kubelet Failed Error: ErrImagePull", `kubelet BackOff Back-off pulling image "nginx:1.99-nope"`, "kubelet Failed Error: ImagePullBackOff")
}

func TestACrashLoop(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	name := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "busybox:1.36", Command: []string{"sh", "-c", "exit 3"}}}})
	s := wantWaiting(t, client, ns, name, "CrashLoopBackOff")
	if s.RestartCount < 1 || s.LastTerminationState.Terminated == nil || s.LastTerminationState.Terminated.ExitCode != 3 || s.LastTerminationState.Terminated.Reason != "Error" {
		t.Errorf("status %+v", s)
	}
	if !strings.HasPrefix(s.State.Waiting.Message, "back-off 10s restarting failed container=c0 pod="+name+"_"+ns+"(") {
		t.Errorf("message %q", s.State.Waiting.Message)
	}
	wantEvents(t, client, ns, name, "kubelet BackOff Back-off restarting failed container c0 in pod "+name)
}

func TestPodsThatEnd(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	phases := map[string]corev1.PodPhase{}
	for command, phase := range map[string]corev1.PodPhase{"true": corev1.PodSucceeded, "false": corev1.PodFailed} {
		phases[run(t, client, ns, corev1.PodSpec{
			RestartPolicy:  corev1.RestartPolicyNever,
			InitContainers: []corev1.Container{{Name: "init", Image: "busybox:1.36", Command: []string{"true"}}},
			Containers:     []corev1.Container{{Image: "busybox:1.36", Command: []string{command}}},
		})] = phase
	}
	phases[run(t, client, ns, corev1.PodSpec{
		RestartPolicy:  corev1.RestartPolicyNever,
		InitContainers: []corev1.Container{{Name: "init", Image: "busybox:1.36", Command: []string{"false"}}},
		Containers:     []corev1.Container{{Image: "nginx:1.27"}},
	})] = corev1.PodFailed
	for name, phase := range phases {
		eventually(t, func(ctx context.Context) error {
			p, err := client.CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{})
			if err == nil && p.Status.Phase != phase {
				return fmt.Errorf("phase %s, want %s: %+v", p.Status.Phase, phase, p.Status.InitContainerStatuses)
			}
			return err
		})
	}
}

// TestProbes: a probe passes where the image is known to listen.
func TestProbes(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	get := func(port int32, path string) *corev1.Probe {
		return &corev1.Probe{PeriodSeconds: 1, FailureThreshold: 1, ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(port), Path: path}}}
	}
	good := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.27", ReadinessProbe: get(80, "/"), LivenessProbe: get(80, "/"), StartupProbe: get(80, "/")}}})
	wrongPort := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.27", ReadinessProbe: get(8080, "/")}}})
	wrongPath := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.27", ReadinessProbe: get(80, "/healthz")}}})
	dying := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.27", LivenessProbe: get(8080, "/")}}})
	gated := run(t, client, ns, corev1.PodSpec{ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "example.com/gate"}}, Containers: []corev1.Container{{Image: "nginx:1.27"}}})

	wantReady := func(name string, kind corev1.PodConditionType, want corev1.ConditionStatus) {
		t.Helper()
		eventually(t, func(ctx context.Context) error {
			p, err := client.CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{})
			if err == nil && condition(p, kind) != want {
				return fmt.Errorf("%s is %s, want %s", kind, condition(p, kind), want)
			}
			return err
		})
	}
	wantReady(good, corev1.PodReady, corev1.ConditionTrue)
	wantEvents(t, client, ns, wrongPort, `kubelet Unhealthy Readiness probe failed: Get "http://10.244.`)
	wantEvents(t, client, ns, wrongPath, "kubelet Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 404")
	wantReady(wrongPort, corev1.PodReady, corev1.ConditionFalse)
	wantEvents(t, client, ns, dying, "kubelet Unhealthy Liveness probe failed: ", "kubelet Killing Container c0 failed liveness probe, will be restarted")
	wantReady(gated, corev1.ContainersReady, corev1.ConditionTrue)
	wantReady(gated, corev1.PodReady, corev1.ConditionFalse)
	patch := []byte(`{"status":{"conditions":[{"type":"example.com/gate","status":"True"}]}}`)
	if _, err := client.CoreV1().Pods(ns).Patch(t.Context(), gated, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	wantReady(gated, corev1.PodReady, corev1.ConditionTrue)
}

func TestAMissingConfigMap(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	from := []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "nope"}}}}
	name := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.27", EnvFrom: from}}})
	if s := wantWaiting(t, client, ns, name, "CreateContainerConfigError"); s.State.Waiting.Message != `configmap "nope" not found` {
		t.Errorf("message %q", s.State.Waiting.Message)
	}
	volume := []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "nope"}}}}}
	name = run(t, client, ns, corev1.PodSpec{Volumes: volume, Containers: []corev1.Container{{Image: "nginx:1.27"}}})
	wantEvents(t, client, ns, name, `kubelet FailedMount MountVolume.SetUp failed for volume "v" : configmap "nope" not found`)
	wantWaiting(t, client, ns, name, "ContainerCreating")
}

func TestHostNetwork(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	name := run(t, client, ns, corev1.PodSpec{HostNetwork: true, Containers: []corev1.Container{{Image: "nginx:1.27"}}})
	eventually(t, func(ctx context.Context) error {
		p, err := client.CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{})
		if err == nil && (p.Status.PodIP == "" || p.Status.PodIP != p.Status.HostIP) {
			return fmt.Errorf("Pod IP %q, host IP %q", p.Status.PodIP, p.Status.HostIP)
		}
		return err
	})
}

func TestAnInvalidNodePort(t *testing.T) {
	client := theLab(t)
	_, err := client.CoreV1().Services("default").Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "out-of-range"},
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{Port: 80, NodePort: 99}}},
	}, metav1.CreateOptions{})
	const want = "provided port is not in the valid range. The range of valid ports is 30000-32767"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestDeletingANamespace needs the namespace controller and, for the Pods'
// owners, the garbage collector.
func TestDeletingANamespace(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	deploy(t, client, ns, "web", 2)
	eventually(t, func(ctx context.Context) error {
		_, err := serving(ctx, client, ns, "web", 2)
		return err
	})
	background := metav1.DeletePropagationBackground
	if err := client.AppsV1().Deployments(ns).Delete(t.Context(), "web", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		_, err := serving(ctx, client, ns, "web", 0)
		return err
	})
	if err := client.CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		return gone(client.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{}))
	})
}

// TestLogs reads what a program has written, while it runs and after it ended.
func TestLogs(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	name := run(t, client, ns, corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{{Image: "busybox", Command: []string{"sh", "-c", "echo one; echo two >&2; exit 3"}}},
	})
	eventually(t, func(ctx context.Context) error {
		p, err := client.CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{})
		if err == nil && p.Status.Phase != corev1.PodFailed {
			return fmt.Errorf("phase %s", p.Status.Phase)
		}
		return err
	})
	for options, want := range map[*corev1.PodLogOptions]string{{}: "one\ntwo\n", {Follow: true}: "one\ntwo\n", {TailLines: new(int64(1))}: "two\n"} {
		logs, err := client.CoreV1().Pods(ns).GetLogs(name, options).DoRaw(t.Context())
		if err != nil || string(logs) != want {
			t.Errorf("%+v: %q, %v", options, logs, err)
		}
	}
}
