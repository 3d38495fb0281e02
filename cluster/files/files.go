//lint:file-ignore SA1019 v1 Endpoints are read beside the slices, with their deprecation.

// Package files makes a snapshot of manifests and dumps, without a cluster.
package files

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install" // so that the scheme knows them
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	"k8s.io/kubernetes/pkg/apis/core/validation"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"

	"svctour/cluster/convert"
	"svctour/model"
)

// maxFile is how much of a file is read: a dump of a big cluster is smaller.
const maxFile = 1 << 30

// Refusal is an object that the API server would not create, in its own words.
type Refusal struct {
	Kind, Namespace, Name string
	Field, Message, Hint  string
	// Unless is what of a cluster, which files do not tell, would let it be
	// created, for a sentence: "the cluster has IPv6". "" when nothing would.
	Unless string
}

// Read makes a snapshot of what files hold: manifests, or a dump as
// kubectl get -o yaml prints it. "-" is in. Objects without a namespace get
// the given one, or "default". Kinds that a diagnosis does not read are left
// out; kinds that no file has are missing in the snapshot's Sync. Where the
// files hold no Pods, each workload that would make some counts as one ready
// Pod. What the API server's own validation (pkg/apis/core/validation) refuses
// is listed, too.
func Read(in io.Reader, files []string, namespace string) (*model.Snapshot, []Refusal, error) {
	f := &fileReader{namespace: namespace, pod: convert.Pods(), nodePorts: map[int32]string{}}
	if f.namespace == "" {
		f.namespace = metav1.NamespaceDefault
	}
	for _, name := range files {
		if err := f.read(in, name); err != nil {
			return nil, nil, err
		}
	}
	return f.snapshotOf(), f.refused, nil
}

type fileReader struct {
	namespace string
	snapshot  model.Snapshot
	pod       func(*corev1.Pod) *model.Pod
	templates []*corev1.Pod // one for each workload
	refused   []Refusal
	nodePorts map[int32]string // whose they are
}

func (f *fileReader) read(in io.Reader, name string) error {
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("read objects: %w", err)
		}
		defer file.Close()
		in = file
	}
	buffered := bufio.NewReaderSize(io.LimitReader(in, maxFile), 1<<20)
	for {
		skipSeparators(buffered)
		is, err := f.readDump(buffered)
		if err != nil {
			return fmt.Errorf("read objects from %q: %w", name, err)
		}
		if !is {
			break
		}
	}
	decoder := utilyaml.NewYAMLOrJSONDecoder(buffered, 4096)
	for {
		var raw runtime.RawExtension
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read objects from %q: %w", name, err)
		}
		if raw.Raw = bytes.TrimSpace(raw.Raw); len(raw.Raw) == 0 || string(raw.Raw) == "null" {
			continue
		}
		if err := f.add(raw.Raw); err != nil {
			return fmt.Errorf("read objects from %q: %w", name, err)
		}
	}
}

// addText adds one object in YAML or JSON.
func (f *fileReader) addText(text []byte) error {
	plain, err := utilyaml.ToJSON(text)
	if err != nil {
		return err
	}
	if string(plain) == "null" {
		return nil
	}
	return f.add(plain)
}

func (f *fileReader) add(text []byte) error {
	decoded, kind, err := legacyscheme.Codecs.UniversalDeserializer().Decode(text, nil, nil)
	switch {
	case runtime.IsNotRegisteredError(err):
		return nil // a custom resource
	case err != nil:
		return err
	}
	if list, is := decoded.(*corev1.List); is {
		for _, item := range list.Items {
			if err := f.add(item.Raw); err != nil {
				return err
			}
		}
		return nil
	}
	object, is := decoded.(metav1.Object)
	if !is {
		return nil
	}
	if object.GetNamespace() == "" && kind.Kind != "Node" && kind.Kind != "Namespace" {
		object.SetNamespace(f.namespace)
	}
	if object.GetUID() == "" {
		f.validate(decoded)
	}
	f.put(decoded)
	return nil
}

func (f *fileReader) put(decoded runtime.Object) {
	s := &f.snapshot
	switch o := decoded.(type) {
	case *corev1.Service:
		s.Services = append(s.Services, convert.Service(o))
	case *discoveryv1.EndpointSlice:
		s.Slices = append(s.Slices, convert.EndpointSlice(o))
	case *corev1.Endpoints:
		s.Endpoints = append(s.Endpoints, convert.Endpoints(o))
	case *corev1.Pod:
		if o.UID == "" { // written down, not running
			f.template("Pod", o.ObjectMeta, 1, corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec})
			return
		}
		s.Pods = append(s.Pods, f.pod(o))
	case *corev1.Node:
		s.Nodes = append(s.Nodes, convert.Node(o))
	case *corev1.Namespace:
		s.Namespaces = append(s.Namespaces, convert.Namespace(o))
	case *appsv1.Deployment:
		s.Deployments = append(s.Deployments, convert.Deployment(o))
		f.template("Deployment", o.ObjectMeta, s.Deployments[len(s.Deployments)-1].Replicas, o.Spec.Template)
	case *appsv1.ReplicaSet:
		s.ReplicaSets = append(s.ReplicaSets, convert.ReplicaSet(o))
		if metav1.GetControllerOf(o) == nil {
			f.template("ReplicaSet", o.ObjectMeta, s.ReplicaSets[len(s.ReplicaSets)-1].Replicas, o.Spec.Template)
		}
	case *appsv1.StatefulSet:
		w := convert.StatefulSet(o)
		s.Workloads = append(s.Workloads, w)
		template := o.Spec.Template
		template.Spec.Subdomain = o.Spec.ServiceName
		f.template("StatefulSet", o.ObjectMeta, w.Replicas, template)
	case *appsv1.DaemonSet:
		s.Workloads = append(s.Workloads, convert.DaemonSet(o))
		f.template("DaemonSet", o.ObjectMeta, 1, o.Spec.Template)
	case *batchv1.Job:
		s.Workloads = append(s.Workloads, convert.Job(o))
	case *networkingv1.NetworkPolicy:
		s.Policies = append(s.Policies, convert.NetworkPolicy(o))
	case *corev1.Event:
		s.Events = append(s.Events, convert.Event(o))
	}
}

// template keeps the Pod that a workload would make, as if it ran and were ready.
func (f *fileReader) template(kind string, owner metav1.ObjectMeta, replicas int32, t corev1.PodTemplateSpec) {
	if replicas == 0 {
		return
	}
	yes := true
	pod := &corev1.Pod{ObjectMeta: t.ObjectMeta, Spec: t.Spec}
	pod.Name, pod.Namespace = owner.Name, owner.Namespace
	if kind != "Pod" {
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owner.Name, UID: owner.UID, Controller: &yes}}
	}
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	for _, c := range slices.Concat(t.Spec.InitContainers, t.Spec.Containers) {
		status := corev1.ContainerStatus{Name: c.Name, Ready: true}
		status.State.Running = &corev1.ContainerStateRunning{}
		pod.Status.ContainerStatuses = append(pod.Status.ContainerStatuses, status)
	}
	f.templates = append(f.templates, pod)
}

func (f *fileReader) snapshotOf() *model.Snapshot {
	s := &f.snapshot
	if len(s.Pods) == 0 {
		for _, pod := range f.templates {
			s.Pods = append(s.Pods, f.pod(pod))
		}
	}
	s.Proxy, s.DNS = model.DefaultProxy(), model.DNS{Domain: "cluster.local", Source: "kubeadm's defaults"}
	s.Cluster.Context = "files"
	s.Sync = model.Sync{Synced: true, Missing: map[string]string{}}
	for resource, n := range map[string]int{
		"pods": len(s.Pods) + len(s.Deployments) + len(s.Workloads), "nodes": len(s.Nodes), "endpointslices": len(s.Slices),
		"networkpolicies": len(s.Policies), "events": len(s.Events),
	} {
		if n == 0 {
			s.Sync.Missing[resource] = "not in the files"
		}
	}
	s.Time = newest(s)
	return model.NewSnapshot(*s)
}

// validate asks the API server's own code whether it would take an object.
func (f *fileReader) validate(decoded runtime.Object) {
	object := decoded.DeepCopyObject()
	legacyscheme.Scheme.Default(object)
	options := validation.PodValidationOptions{}
	var problems field.ErrorList
	kind := ""
	switch o := object.(type) {
	case *corev1.Service:
		kind = "Service"
		var internal core.Service
		if legacyscheme.Scheme.Convert(o, &internal, nil) == nil {
			allocated(&internal)
			problems = validation.ValidateServiceCreate(&internal)
		}
		problems = append(problems, f.checkNodePorts(o)...)
		f.refuseUnless(o)
	case *appsv1.Deployment:
		kind = "Deployment"
		var internal apps.Deployment
		if legacyscheme.Scheme.Convert(o, &internal, nil) == nil {
			problems = appsvalidation.ValidateDeployment(&internal, options)
		}
	case *corev1.Pod:
		kind = "Pod"
		var internal core.Pod
		if legacyscheme.Scheme.Convert(o, &internal, nil) == nil {
			problems = validation.ValidatePodCreate(&internal, options)
		}
	}
	for _, problem := range problems {
		f.refuse(kind, object.(metav1.Object), problem, "")
	}
}

func (f *fileReader) refuse(kind string, object metav1.Object, problem *field.Error, unless string) {
	f.refused = append(f.refused, Refusal{
		Kind: kind, Namespace: object.GetNamespace(), Name: object.GetName(),
		Field: problem.Field, Message: problem.Error(), Hint: hint(problem), Unless: unless,
	})
}

// allocated is what the API server fills in before validation
// (pkg/registry/core/service/storage: normalizeClusterIPs and the allocators).
func allocated(s *core.Service) {
	if s.Spec.Type == core.ServiceTypeExternalName {
		return
	}
	if s.Spec.ClusterIP != "" && len(s.Spec.ClusterIPs) == 0 {
		s.Spec.ClusterIPs = []string{s.Spec.ClusterIP}
	}
	if s.Spec.ClusterIP == "" && len(s.Spec.ClusterIPs) > 0 {
		s.Spec.ClusterIP = s.Spec.ClusterIPs[0]
	}
	if s.Spec.Type == core.ServiceTypeLoadBalancer && s.Spec.ExternalTrafficPolicy == core.ServiceExternalTrafficPolicyLocal && s.Spec.HealthCheckNodePort == 0 {
		s.Spec.HealthCheckNodePort = nodePortHigh
	}
	if len(s.Spec.IPFamilies) == 0 {
		s.Spec.IPFamilies = []core.IPFamily{core.IPv4Protocol}
	}
	if s.Spec.IPFamilyPolicy == nil {
		single := core.IPFamilyPolicySingleStack
		s.Spec.IPFamilyPolicy = &single
	}
	if *s.Spec.IPFamilyPolicy != core.IPFamilyPolicySingleStack && len(s.Spec.IPFamilies) == 1 {
		other := core.IPv6Protocol
		if s.Spec.IPFamilies[0] == core.IPv6Protocol {
			other = core.IPv4Protocol
		}
		s.Spec.IPFamilies = append(s.Spec.IPFamilies, other)
	}
}

// The default of kube-apiserver's --service-node-port-range.
const nodePortLow, nodePortHigh = 30000, 32767

// refuseUnless finds what a cluster of the usual configuration refuses: nodePorts
// out of the default range, in the words of the port allocator
// (pkg/registry/core/service/portallocator), and IPv6 alone.
func (f *fileReader) refuseUnless(s *corev1.Service) {
	for i, p := range s.Spec.Ports {
		if p.NodePort == 0 || p.NodePort >= nodePortLow && p.NodePort <= nodePortHigh {
			continue
		}
		unless := "the API server's --service-node-port-range has the port"
		if p.NodePort < 0 || p.NodePort > 65535 { // no range has it
			unless = ""
		}
		f.refuse("Service", s, field.Invalid(nodePortAt(i), p.NodePort, fmt.Sprintf("provided port is not in the valid range. The range of valid ports is %d-%d", nodePortLow, nodePortHigh)), unless)
	}
	if len(s.Spec.IPFamilies) == 1 && s.Spec.IPFamilies[0] == corev1.IPv6Protocol {
		f.refuse("Service", s, field.Invalid(field.NewPath("spec", "ipFamilies").Index(0), corev1.IPv6Protocol, "not configured on a cluster with IPv4 only"), "the cluster has IPv6")
	}
}

func nodePortAt(i int) *field.Path { return field.NewPath("spec", "ports").Index(i).Child("nodePort") }

// checkNodePorts finds ports that two Services of the files claim, in the words
// of the port allocator.
func (f *fileReader) checkNodePorts(s *corev1.Service) field.ErrorList {
	var out field.ErrorList
	for i, p := range s.Spec.Ports {
		if p.NodePort == 0 {
			continue
		}
		key := s.Namespace + "/" + s.Name
		if other := f.nodePorts[p.NodePort]; other != "" && other != key {
			out = append(out, field.Invalid(nodePortAt(i), p.NodePort, "provided port is already allocated, by Service "+other))
			continue
		}
		f.nodePorts[p.NodePort] = key
	}
	return out
}

// hint says what a refused field has to be.
func hint(e *field.Error) string {
	switch {
	case strings.Contains(e.Field, "nodePort") && strings.Contains(e.Detail, "allocated"):
		return "choose another nodePort, or none: the API server then takes a free one."
	case strings.Contains(e.Field, "nodePort"):
		return "a nodePort of " + strconv.Itoa(nodePortLow) + "-" + strconv.Itoa(nodePortHigh) + ", or none, suits every cluster."
	case strings.Contains(e.Field, "ipFamilies"):
		return "use ipFamilyPolicy: PreferDualStack, or the family that the cluster has."
	case strings.Contains(e.Detail, "15 characters"), strings.Contains(e.Detail, "no more than 15"):
		return "a port's name has at most 15 characters, in the container and as targetPort alike."
	case e.Type == field.ErrorTypeRequired && strings.HasSuffix(e.Field, ".name"):
		return "a Service with more than one port names each of them."
	}
	return "the message says what is allowed."
}

// newest is the last time that objects tell of: when a dump was made, as far as
// it says. Zero when they tell none, as files written by hand.
func newest(s *model.Snapshot) time.Time {
	var last time.Time
	note := func(t time.Time) {
		if t.After(last) {
			last = t
		}
	}
	for _, pod := range s.Pods {
		note(pod.Created)
		for _, c := range pod.Conditions {
			note(c.Since)
		}
	}
	for _, slice := range s.Slices {
		note(slice.Created)
	}
	for _, event := range s.Events {
		note(event.Created)
	}
	return last
}
