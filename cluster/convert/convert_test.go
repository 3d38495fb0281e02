//lint:file-ignore SA1019 v1 Endpoints are shown beside the slices, with their deprecation.

package convert

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	"svctour/model"
)

func ptr[T any](v T) *T { return &v }

func check(t *testing.T, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	g, _ := json.MarshalIndent(got, "", " ")
	w, _ := json.MarshalIndent(want, "", " ")
	t.Errorf("got\n%s\nwant\n%s", g, w)
}

var (
	created  = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	deleting = created.Add(time.Minute)
)

func fullMeta() (metav1.ObjectMeta, model.Meta) {
	return metav1.ObjectMeta{
			Namespace: "shop", Name: "web", UID: "u1", ResourceVersion: "42", Generation: 3,
			Labels:            map[string]string{"app": "web"},
			Annotations:       map[string]string{"note": "x"},
			CreationTimestamp: metav1.NewTime(created),
			DeletionTimestamp: ptr(metav1.NewTime(deleting)),
			OwnerReferences: []metav1.OwnerReference{
				{Kind: "ReplicaSet", Name: "web-1", UID: "o1", Controller: ptr(true)},
				{Kind: "Thing", Name: "other", UID: "o2"},
			},
		}, model.Meta{
			Namespace: "shop", Name: "web", UID: "u1", ResourceVersion: "42", Generation: 3,
			Labels:      map[string]string{"app": "web"},
			Annotations: map[string]string{"note": "x"},
			Created:     created, Deleting: deleting,
			Owners: []model.Owner{
				{Kind: "ReplicaSet", Name: "web-1", UID: "o1", Controller: true},
				{Kind: "Thing", Name: "other", UID: "o2"},
			},
		}
}

func TestServiceWithEveryField(t *testing.T) {
	meta, wantMeta := fullMeta()
	in := &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{
		Type:           corev1.ServiceTypeLoadBalancer,
		Selector:       map[string]string{"app": "web"},
		ClusterIP:      "10.96.0.50",
		ClusterIPs:     []string{"10.96.0.50", "fd00::50"},
		IPFamilies:     []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol},
		IPFamilyPolicy: ptr(corev1.IPFamilyPolicyRequireDualStack),
		Ports: []corev1.ServicePort{
			{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromString("web"), NodePort: 30080, AppProtocol: ptr("http")},
			{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53, TargetPort: intstr.FromInt32(5353)},
		},
		ExternalIPs:                   []string{"203.0.113.9"},
		InternalTrafficPolicy:         ptr(corev1.ServiceInternalTrafficPolicyLocal),
		ExternalTrafficPolicy:         corev1.ServiceExternalTrafficPolicyLocal,
		TrafficDistribution:           ptr("PreferSameZone"),
		SessionAffinity:               corev1.ServiceAffinityClientIP,
		SessionAffinityConfig:         &corev1.SessionAffinityConfig{ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: ptr(int32(600))}},
		HealthCheckNodePort:           32100,
		LoadBalancerClass:             ptr("example.com/lb"),
		LoadBalancerSourceRanges:      []string{"198.51.100.0/24"},
		AllocateLoadBalancerNodePorts: ptr(false),
		PublishNotReadyAddresses:      true,
	}, Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{
		{IP: "192.0.2.1", IPMode: ptr(corev1.LoadBalancerIPModeProxy)}, {Hostname: "lb.example.com"},
	}}}}
	check(t, Service(in), &model.Service{
		Meta: wantMeta, Type: model.LoadBalancer, Selector: map[string]string{"app": "web"},
		ClusterIPs: []string{"10.96.0.50", "fd00::50"}, IPFamilies: []string{"IPv4", "IPv6"}, IPFamilyPolicy: "RequireDualStack",
		Ports: []model.ServicePort{
			{Name: "http", Protocol: "TCP", Port: 80, TargetPort: "web", NodePort: 30080, AppProtocol: "http"},
			{Name: "dns", Protocol: "UDP", Port: 53, TargetPort: "5353"},
		},
		ExternalIPs: []string{"203.0.113.9"}, InternalTrafficPolicy: "Local", ExternalTrafficPolicy: "Local",
		TrafficDistribution: "PreferSameZone", SessionAffinity: "ClientIP", AffinitySeconds: 600,
		HealthCheckNodePort: 32100, LoadBalancerClass: "example.com/lb", SourceRanges: []string{"198.51.100.0/24"},
		AllocateNodePorts: ptr(false), PublishNotReady: true,
		Ingress: []model.Ingress{{IP: "192.0.2.1", IPMode: "Proxy"}, {Hostname: "lb.example.com"}},
	})
}

func TestServiceFromAFileGetsTheServersDefaults(t *testing.T) {
	check(t, Service(&corev1.Service{Spec: corev1.ServiceSpec{
		ClusterIP: "None", Ports: []corev1.ServicePort{{Port: 80}},
	}}), &model.Service{
		Type: model.ClusterIP, ClusterIPs: []string{"None"}, SessionAffinity: "None",
		Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "80"}},
	})
}

func TestEndpointSliceKeepsAbsentApartFromFalse(t *testing.T) {
	meta, wantMeta := fullMeta()
	check(t, EndpointSlice(&discoveryv1.EndpointSlice{
		ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4,
		Ports: []discoveryv1.EndpointPort{
			{Name: ptr("http"), Protocol: ptr(corev1.ProtocolUDP), Port: ptr(int32(8080)), AppProtocol: ptr("h2c")}, {},
		},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses:  []string{"10.244.0.5"},
			Conditions: discoveryv1.EndpointConditions{Ready: ptr(false), Serving: ptr(true), Terminating: ptr(true)},
			Hostname:   ptr("h"), NodeName: ptr("node-1"), Zone: ptr("z1"),
			TargetRef: &corev1.ObjectReference{Kind: "Pod", Namespace: "shop", Name: "web-1", UID: "p1"},
			Hints: &discoveryv1.EndpointHints{
				ForZones: []discoveryv1.ForZone{{Name: "z1"}}, ForNodes: []discoveryv1.ForNode{{Name: "node-1"}},
			},
		}, {Addresses: []string{"10.244.0.6"}}},
	}), &model.EndpointSlice{
		Meta: wantMeta, AddressType: "IPv4",
		Ports: []model.EndpointPort{
			{Name: "http", Protocol: "UDP", Port: ptr(int32(8080)), AppProtocol: "h2c"}, {Protocol: "TCP"},
		},
		Endpoints: []model.Endpoint{{
			Addresses: []string{"10.244.0.5"}, Ready: ptr(false), Serving: ptr(true), Terminating: ptr(true),
			Hostname: "h", Node: "node-1", Zone: "z1",
			Target:   &model.Ref{Kind: "Pod", Namespace: "shop", Name: "web-1", UID: "p1"},
			ForZones: []string{"z1"}, ForNodes: []string{"node-1"},
		}, {Addresses: []string{"10.244.0.6"}}},
	})
}

func TestEndpoints(t *testing.T) {
	check(t, Endpoints(&corev1.Endpoints{ //nolint:staticcheck // the deprecated type is what is under test
		Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // as above
			Addresses:         []corev1.EndpointAddress{{IP: "10.244.0.5"}, {IP: "10.244.0.6"}}, //nolint:staticcheck // as above
			NotReadyAddresses: []corev1.EndpointAddress{{IP: "10.244.0.7"}},                     //nolint:staticcheck // as above
			Ports:             []corev1.EndpointPort{{Name: "http", Port: 80}},                  //nolint:staticcheck // as above
		}},
	}), &model.Endpoints{Subsets: []model.EndpointSubset{{
		Ready: []string{"10.244.0.5", "10.244.0.6"}, NotReady: []string{"10.244.0.7"},
		Ports: []model.EndpointPort{{Name: "http", Protocol: "TCP", Port: ptr(int32(80))}},
	}}})
}

func TestPod(t *testing.T) {
	meta, wantMeta := fullMeta()
	always := corev1.ContainerRestartPolicyAlways
	check(t, Pod(&corev1.Pod{ObjectMeta: meta, Spec: corev1.PodSpec{
		NodeName: "node-1", HostNetwork: true, Hostname: "h", Subdomain: "sub", DNSPolicy: corev1.DNSNone,
		DNSConfig: &corev1.PodDNSConfig{
			Nameservers: []string{"1.1.1.1"}, Searches: []string{"example.com"},
			Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: ptr("2")}, {Name: "rotate"}},
		},
		HostAliases:    []corev1.HostAlias{{IP: "10.1.2.3", Hostnames: []string{"db.corp", "db"}}, {IP: "fd00::3"}},
		InitContainers: []corev1.Container{{Name: "side", Image: "s:1", RestartPolicy: &always}},
		Containers: []corev1.Container{
			{Name: "b", Image: "b:1"},
			{Name: "a", Image: "a:1", Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}},
			{
				Name: "c", Image: "c:1", Command: []string{"run"}, Args: []string{"--fast"}, Env: []corev1.EnvVar{{Name: "MODE"}},
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(80)}}},
				LivenessProbe:  &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("web")}}},
				StartupProbe:   &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}},
			},
		},
		EnableServiceLinks: ptr(false), ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "example.com/gate"}},
	}, Status: corev1.PodStatus{
		Phase: corev1.PodRunning, Reason: "Evicted", Message: "m", HostIP: "172.18.0.2", PodIP: "10.244.0.5",
		PodIPs:     []corev1.PodIP{{IP: "10.244.0.5"}, {IP: "fd00::5"}},
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, Reason: "r", Message: "m", LastTransitionTime: metav1.NewTime(created)}},
		// Statuses need not be in the order of the specs.
		ContainerStatuses: []corev1.ContainerStatus{
			{Name: "a", Ready: true, RestartCount: 2, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			{Name: "b", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "m"}}},
			{Name: "c", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Error", Message: "m", ExitCode: 3}},
				LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "OOMKilled", ExitCode: 137}}},
		},
	}}), &model.Pod{
		Meta: wantMeta, Node: "node-1", HostNetwork: true, Phase: "Running", Reason: "Evicted", Message: "m",
		IPs: []string{"10.244.0.5", "fd00::5"}, HostIP: "172.18.0.2", Hostname: "h", Subdomain: "sub", DNSPolicy: "None",
		DNS: &model.PodDNS{
			Nameservers: []string{"1.1.1.1"}, Searches: []string{"example.com"},
			Options: []model.DNSOption{{Name: "ndots", Value: "2"}, {Name: "rotate"}},
		},
		HostAliases:    []model.HostAlias{{IP: "10.1.2.3", Hostnames: []string{"db.corp", "db"}}, {IP: "fd00::3"}},
		Conditions:     []model.Condition{{Type: "Ready", Status: "True", Reason: "r", Message: "m", Since: created}},
		InitContainers: []model.Container{{Name: "side", Image: "s:1", Sidecar: true}},
		Containers: []model.Container{
			{Name: "b", Image: "b:1", State: "waiting", Reason: "ImagePullBackOff", Message: "m"},
			{Name: "a", Image: "a:1", Ports: []model.ContainerPort{{Name: "web", Port: 8080, Protocol: "TCP"}}, Ready: true, Restarts: 2, State: "running"},
			{
				Name: "c", Image: "c:1", State: "terminated", Reason: "Error", Message: "m", ExitCode: 3, LastReason: "OOMKilled", LastExitCode: 137,
				Command: []string{"run", "--fast"}, EnvNames: []string{"MODE"},
				Readiness: &model.Probe{Kind: "http", Port: "80", Path: "/"}, Liveness: &model.Probe{Kind: "tcp", Port: "web"},
				Startup: &model.Probe{Kind: "exec", Command: []string{"true"}},
			},
		},
		ReadinessGates: []string{"example.com/gate"},
	})
	check(t, Pod(&corev1.Pod{Status: corev1.PodStatus{PodIP: "10.244.0.9"}}).IPs, []string{"10.244.0.9"})
}

// TestPodConditions: what is True on the way to Ready is left out.
func TestPodConditions(t *testing.T) {
	var in []corev1.PodCondition
	var want []model.Condition
	for _, kind := range []corev1.PodConditionType{"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled", "DisruptionTarget", "example.com/gate"} {
		for _, status := range []corev1.ConditionStatus{"True", "False", "Unknown"} {
			in = append(in, corev1.PodCondition{Type: kind, Status: status})
			if status != "True" || kind == "Ready" || kind == "DisruptionTarget" || kind == "example.com/gate" {
				want = append(want, model.Condition{Type: string(kind), Status: string(status)})
			}
		}
	}
	check(t, Pod(&corev1.Pod{Status: corev1.PodStatus{Conditions: in}}).Conditions, want)
}

// TestPodsShare: Pods that say the same say it once, and mean what they would
// mean alone.
func TestPodsShare(t *testing.T) {
	convert := Pods()
	if convert(nil) != nil {
		t.Error("nil became a Pod")
	}
	pod := func(name string, ready bool) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "web"}, OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web"}}},
			Spec: corev1.PodSpec{
				Containers:  []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{ContainerPort: 80}}}},
				HostAliases: []corev1.HostAlias{{IP: "10.1.2.3", Hostnames: []string{"db.corp"}}},
			},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "c", Ready: ready}}},
		}
	}
	a, b, c := convert(pod("a", true)), convert(pod("b", true)), convert(pod("c", false))
	if &a.Containers[0] != &b.Containers[0] || &a.HostAliases[0] != &b.HostAliases[0] || &a.Owners[0] != &b.Owners[0] || reflect.ValueOf(a.Labels).Pointer() != reflect.ValueOf(b.Labels).Pointer() {
		t.Error("two equal Pods share nothing")
	}
	if &b.Containers[0] == &c.Containers[0] || c.Containers[0].Ready {
		t.Error("two Pods share what differs")
	}
	check(t, c, Pod(pod("c", false)))
	// Whatever came before, a Pod means the same.
	for seed := range int64(200) {
		var object corev1.Pod
		randfill.NewWithSeed(seed).NilChance(0.4).NumElements(0, 3).MaxDepth(10).Fill(&object)
		for range 2 {
			if got, want := convert(&object), Pod(&object); !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d:\n got %+v\nwant %+v", seed, got, want)
			}
		}
	}
}

func TestNodeAndNamespace(t *testing.T) {
	meta, wantMeta := fullMeta()
	check(t, Node(&corev1.Node{ObjectMeta: meta, Spec: corev1.NodeSpec{PodCIDR: "10.244.1.0/24", Unschedulable: true}, Status: corev1.NodeStatus{
		Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "172.18.0.2"}},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(created)}},
		NodeInfo:   corev1.NodeSystemInfo{KubeletVersion: "v1.37.2"},
	}}), &model.Node{
		Meta: wantMeta, PodCIDRs: []string{"10.244.1.0/24"}, Unschedulable: true, Kubelet: "v1.37.2",
		Addresses:  []model.NodeAddress{{Type: "InternalIP", Address: "172.18.0.2"}},
		Conditions: []model.Condition{{Type: "Ready", Status: "False", Since: created}},
	})
	check(t, Namespace(&corev1.Namespace{ObjectMeta: meta, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceTerminating}}),
		&model.Namespace{Meta: wantMeta, Phase: "Terminating"})
}

func TestDeploymentAndReplicaSet(t *testing.T) {
	meta, wantMeta := fullMeta()
	labels := map[string]string{"app": "web"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
	check(t, Deployment(&appsv1.Deployment{ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{Replicas: ptr(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
		Status: appsv1.DeploymentStatus{UpdatedReplicas: 1, ReadyReplicas: 2, AvailableReplicas: 3, ObservedGeneration: 4,
			Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue}}},
	}), &model.Deployment{
		Meta: wantMeta, Selector: labels, TemplateLabels: labels, Replicas: 0, Updated: 1, Ready: 2, Available: 3, Observed: 4,
		Conditions: []model.Condition{{Type: "Available", Status: "True"}},
	})
	check(t, Deployment(&appsv1.Deployment{}), &model.Deployment{Replicas: 1})
	check(t, ReplicaSet(&appsv1.ReplicaSet{ObjectMeta: meta,
		Spec:   appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template},
		Status: appsv1.ReplicaSetStatus{Replicas: 2, ReadyReplicas: 1},
	}), &model.ReplicaSet{Meta: wantMeta, Selector: labels, TemplateLabels: labels, Replicas: 1, Current: 2, Ready: 1})
}

// A nil object of every kind gives a nil value, and random objects (nil and
// empty fields in every mixture) are converted without a panic and without
// sharing memory: scribbling over the object afterwards leaves the value as it
// was.
func TestRandomObjects(t *testing.T) {
	t.Run("Service", randomObjects(Service, (*corev1.Service).DeepCopy))
	t.Run("EndpointSlice", randomObjects(EndpointSlice, (*discoveryv1.EndpointSlice).DeepCopy))
	t.Run("Endpoints", randomObjects(Endpoints, (*corev1.Endpoints).DeepCopy)) //nolint:staticcheck // the deprecated type is what is under test
	t.Run("Pods", randomObjects(Pods(), (*corev1.Pod).DeepCopy))
	t.Run("Pod", randomObjects(Pod, (*corev1.Pod).DeepCopy))
	t.Run("Node", randomObjects(Node, (*corev1.Node).DeepCopy))
	t.Run("Namespace", randomObjects(Namespace, (*corev1.Namespace).DeepCopy))
	t.Run("Deployment", randomObjects(Deployment, (*appsv1.Deployment).DeepCopy))
	t.Run("ReplicaSet", randomObjects(ReplicaSet, (*appsv1.ReplicaSet).DeepCopy))
}

func randomObjects[A, B any](convert func(*A) *B, deepCopy func(*A) *A) func(*testing.T) {
	return func(t *testing.T) {
		if got := convert(nil); got != nil {
			t.Errorf("nil became %v", got)
		}
		for seed := range int64(200) {
			var object A
			randfill.NewWithSeed(seed).NilChance(0.4).NumElements(0, 3).MaxDepth(10).Fill(&object)
			want := convert(deepCopy(&object))
			got := convert(&object)
			scribble(reflect.ValueOf(&object))
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("seed %d: the value changed with the object it was made from", seed)
			}
		}
	}
}

// scribble overwrites what v reaches through pointers, slices and maps.
func scribble(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			scribble(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			scribble(v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			v.SetMapIndex(key, reflect.Zero(v.Type().Elem()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			scribble(v.Field(i))
		}
	default:
		if v.CanSet() {
			v.SetZero()
		}
	}
}
