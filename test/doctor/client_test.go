package doctor

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"svctour/cluster"
	"svctour/cluster/reach"
	"svctour/model"
	"svctour/model/diagnose"
)

// asked is a namespace with a Service and its clients.
func asked(t *testing.T, namespace string) (*place, manifest) {
	t.Helper()
	needLab(t)
	app, err := read("testdata/asked.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlace(t.Context(), namespace)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.remove)
	p.settle(t, app)
	return p, app
}

// settle applies a manifest and waits until all is well.
func (p *place) settle(t *testing.T, m manifest) {
	t.Helper()
	if err := p.apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := live.until(t.Context(), p.healthy); err != nil {
		t.Fatal(err)
	}
}

// probe runs svctour doctor --probe as the lab's administrator.
func (p *place) probe(t *testing.T, service string, args ...string) (int, diagnose.ServiceReport) {
	t.Helper()
	code, out := svctour(t, kubeconfig, append([]string{"doctor", service, "-n", p.namespace, "-o", "json", "--probe"}, args...)...)
	return code, theOne(t, out)
}

func theOne(t *testing.T, out string) diagnose.ServiceReport {
	t.Helper()
	var report diagnose.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || len(report.Services) != 1 {
		t.Fatalf("%v: %s", err, out)
	}
	return report.Services[0]
}

// TestProbeMakesAClient: without --from a Pod in a namespace of its own asks,
// and both are gone afterwards; nothing is made unasked.
func TestProbeMakesAClient(t *testing.T) {
	p, app := asked(t, "asked-alone")
	noneLeft := func() {
		t.Helper()
		if err := live.until(t.Context(), func(s *model.Snapshot) error {
			for _, n := range s.Namespaces {
				if strings.HasPrefix(n.Name, "svctour-probe") {
					return fmt.Errorf("namespace %s is left", n.Name)
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if code, s := p.probe(t, "web"); code != 0 || len(s.NotChecked) != 1 || !strings.Contains(s.NotChecked[0].What, "--yes") {
		t.Errorf("unasked: exit code %d, %s, not checked: %v", code, first(s), s.NotChecked)
	}
	if code, s := p.probe(t, "web", "--yes"); code != 0 || len(s.NotChecked) > 0 {
		t.Errorf("exit code %d, %s, not checked: %v", code, first(s), s.NotChecked)
	}
	noneLeft()
	if code, s := p.probe(t, "web", "--yes", "--probe-image", "registry.example/nothing:1"); code != 0 || len(s.NotChecked) != 1 || !strings.Contains(s.NotChecked[0].What, "Pull") {
		t.Errorf("an image that is not there: exit code %d, %s, not checked: %v", code, first(s), s.NotChecked)
	}
	noneLeft()
	// A policy that lets the real clients in keeps this one out: that is no
	// fault of the Service's.
	guarded := app.copied()
	guarded.add(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: clients}, spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {run: client}}}]}]}}`)
	p.settle(t, guarded)
	if code, s := p.probe(t, "web", "--yes"); code != 0 || len(s.NotChecked) != 1 || !strings.Contains(s.NotChecked[0].What, "clients") {
		t.Errorf("kept out by a policy: exit code %d, %s, not checked: %v", code, first(s), s.NotChecked)
	}
	if code, s := p.probe(t, "web", "--from", "pod/client"); code != 0 || len(s.NotChecked) > 0 {
		t.Errorf("the client that is let in: exit code %d, %s, not checked: %v", code, first(s), s.NotChecked)
	}
	noneLeft()
}

// TestProbeBesideAClient: a client without a shell is asked by an ephemeral
// container, if that is wanted.
func TestProbeBesideAClient(t *testing.T) {
	p, _ := asked(t, "asked-beside")
	beside := func() []corev1.ContainerStatus {
		t.Helper()
		pod, err := client.CoreV1().Pods(p.namespace).Get(t.Context(), "mute", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return pod.Status.EphemeralContainerStatuses
	}
	if code, s := p.probe(t, "web", "--from", "pod/mute"); code != 0 || len(s.NotChecked) != 1 || !strings.Contains(s.NotChecked[0].What, "--yes") || len(beside()) > 0 {
		t.Errorf("unasked: exit code %d, %s, not checked: %v, %d ephemeral containers", code, first(s), s.NotChecked, len(beside()))
	}
	code, s := p.probe(t, "web", "--from", "pod/mute", "--yes")
	if code != 0 || len(s.NotChecked) > 0 {
		t.Errorf("exit code %d, %s, not checked: %v", code, first(s), s.NotChecked)
	}
	if left := beside(); len(left) != 1 || left[0].State.Terminated == nil {
		t.Errorf("the ephemeral container has not ended: %+v", left)
	}
}

// TestProbeByAClient: what a person with rights in one namespace only cannot
// read is found by connecting.
func TestProbeByAClient(t *testing.T) {
	p, app := asked(t, "asked-by")
	user(t, p.namespace, "limited", []string{"networkpolicies", "nodes", "configmaps"})
	mayProbe(t, p.namespace, "limited")
	probe := func(service string) (int, diagnose.ServiceReport) {
		t.Helper()
		code, report := p.doctor(t, "limited", service, "--probe", "--from", "pod/client")
		if len(report.Services) != 1 {
			t.Fatalf("%+v", report)
		}
		return code, report.Services[0]
	}
	if code, s := probe("web"); code != 0 || len(s.NotChecked) != 1 || !strings.Contains(s.NotChecked[0].What, "old connections") {
		t.Errorf("all is well: exit code %d, %s, not checked: %v", code, first(s), s.NotChecked)
	}
	web := `{to: [{podSelector: {matchLabels: {app: web}}}]}`
	dns := `{ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]}`
	for _, c := range []struct{ egress, rule string }{
		{web, "client-unresolved"},
		{dns, "client-cannot-reach"},
	} {
		m := app.copied()
		m.add(`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: out}, spec: {podSelector: {matchLabels: {run: client}}, policyTypes: [Egress], egress: [` + c.egress + `]}}`)
		if err := p.apply(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		p.findsBy(t, c.rule, func() (int, diagnose.ServiceReport) { return probe("web") }) // when the nodes enforce the policy
	}
	p.settle(t, app)

	// Without kube-proxy on the client's node a Service that comes now is never
	// translated there.
	proxies := func(selector string, want int) {
		t.Helper()
		patch := `{"spec":{"template":{"spec":{"nodeSelector":` + selector + `}}}}`
		if _, err := client.AppsV1().DaemonSets("kube-system").Patch(t.Context(), "kube-proxy", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := live.until(t.Context(), func(s *model.Snapshot) error {
			ready := 0
			for _, pod := range s.PodsIn("kube-system") {
				if pod.Labels["k8s-app"] == "kube-proxy" {
					if pod.Terminating() {
						return errors.New("kube-proxy's Pods are not gone yet")
					}
					if pod.Ready() {
						ready++
					}
				}
			}
			if ready != want {
				return fmt.Errorf("%d of kube-proxy's Pods are ready, want %d", ready, want)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	nodes, err := client.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pod, err := client.CoreV1().Pods(p.namespace).Get(t.Context(), "client", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other := slices.IndexFunc(nodes.Items, func(n corev1.Node) bool { return n.Name != pod.Spec.NodeName })
	proxies(fmt.Sprintf(`{"kubernetes.io/hostname":%q}`, nodes.Items[other].Labels["kubernetes.io/hostname"]), 1)
	m := app.copied()
	m.add(`{apiVersion: v1, kind: Service, metadata: {name: late}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}`)
	if err := p.apply(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if err := live.until(t.Context(), func(s *model.Snapshot) error {
		if len(s.ServiceSlices(p.namespace, "late")) == 0 {
			return errors.New("there is no slice")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// Who may see kube-system is told so without a probe.
	p.findsBy(t, "proxy-down", func() (int, diagnose.ServiceReport) { return p.probe(t, "late", "--from", "pod/client") })
	p.findsBy(t, "client-not-translated", func() (int, diagnose.ServiceReport) { return probe("late") })
	proxies("null", len(nodes.Items))
}

// findsBy asks until a rule is the first finding: a change takes its time to
// come to the nodes, and on a busy machine Pods are not ready now and then.
func (p *place) findsBy(t *testing.T, rule string, ask func() (int, diagnose.ServiceReport)) diagnose.ServiceReport {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; {
		code, s := ask()
		if code == 1 && len(s.Findings) > 0 && s.Findings[0].Rule == rule {
			return s
		}
		if code > 1 || time.Now().After(deadline) {
			t.Fatalf("exit code %d, the first finding is %s, want %s; not checked: %v", code, first(s), rule, s.NotChecked)
		}
	}
}

// mayProbe lets a user connect in a namespace.
func mayProbe(t *testing.T, namespace, name string) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: "prober-" + name, Namespace: namespace}
	role := &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods/proxy", "pods/portforward", "pods/exec"}, Verbs: []string{"get", "create"}}}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: meta, Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: name}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
	}
	if _, err := client.RbacV1().Roles(namespace).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestProbeFindsOldConnections: a connection that lasts stays with the Pod that
// it began with, also when that is no endpoint any more.
func TestProbeFindsOldConnections(t *testing.T) {
	p, app := asked(t, "asked-long")
	m := app.copied()
	m.add(`{apiVersion: v1, kind: Pod, metadata: {name: long}, spec: {terminationGracePeriodSeconds: 0, containers: [{name: long, image: nicolaka/netshoot, command: [sh, -c, "until nc -z web 80; do sleep 1; done; sleep 300 | nc web 80"]}]}}`)
	p.settle(t, m)
	if _, s := p.probe(t, "web", "--from", "pod/long"); !s.Healthy || len(s.NotChecked) > 0 {
		t.Fatalf("all is well: %s, not checked: %v", first(s), s.NotChecked)
	}
	p.connected(t, "long")
	// The Pod stops being an endpoint, and goes on running.
	old, err := client.CoreV1().Pods(p.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil || len(old.Items) != 1 {
		t.Fatal(err, len(old.Items))
	}
	if _, err := client.CoreV1().Pods(p.namespace).Patch(t.Context(), old.Items[0].Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"app":"web-aside"}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := live.until(t.Context(), func(s *model.Snapshot) error {
		for _, slice := range s.ServiceSlices(p.namespace, "web") {
			for _, e := range slice.Endpoints {
				if e.Target == nil || e.Target.Name == old.Items[0].Name {
					return errors.New("the old Pod is an endpoint")
				}
			}
		}
		return p.healthy(s)
	}); err != nil {
		t.Fatal(err)
	}
	r := p.findsBy(t, "stale-conntrack", func() (int, diagnose.ServiceReport) { return p.probe(t, "web", "--from", "pod/long") })
	if !strings.Contains(r.Findings[0].Headline, old.Items[0].Name) {
		t.Errorf("not Pod %s: %s", old.Items[0].Name, first(r))
	}
	// What the doctor says makes the node forget it.
	command := strings.Fields(r.Findings[0].Fix.Command)
	if code, out := svctour(t, kubeconfig, command...); code != 0 {
		t.Fatalf("%v: exit code %d %s", command, code, out)
	}
	if code, r := p.probe(t, "web", "--from", "pod/long"); code != 0 {
		t.Errorf("after the fix: exit code %d, %s", code, first(r))
	}
}

// connected waits until a Pod has a connection that lasts, by its node's table.
func (p *place) connected(t *testing.T, name string) {
	t.Helper()
	connection, err := cluster.Connect(t.Context(), cluster.Options{Kubeconfig: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	pod, err := client.CoreV1().Pods(p.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(45 * time.Second); ; {
		_, list, err := reach.Connections(t.Context(), connection, pod.Spec.NodeName, pod.Status.PodIP)
		if slices.ContainsFunc(list, func(c diagnose.Connection) bool { return c.State == "ESTABLISHED" }) {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("Pod %s has no connection: %v %+v", name, err, list)
		}
		select {
		case <-time.After(50 * time.Millisecond): // asked again, until it is there
		case <-t.Context().Done():
			return
		}
	}
}
