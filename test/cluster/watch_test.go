package clustertest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"svctour/cluster"
	"svctour/lab"
	"svctour/model"
)

// namespace makes a namespace that goes with the test.
func namespace(t testing.TB, name string, labels map[string]string) string {
	t.Helper()
	_, err := server.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := server.client.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			t.Error(err)
		}
	})
	return name
}

func newService(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

func createService(t testing.TB, ns, name string) {
	t.Helper()
	if _, err := server.client.CoreV1().Services(ns).Create(t.Context(), newService(name), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestProbeAnswers(t *testing.T) {
	version, err := cluster.Probe(t.Context(), cluster.Options{Kubeconfig: kubeconfig(t, nil)})
	if err != nil || version != lab.Version {
		t.Errorf("got %q, %v; want %s", version, err, lab.Version)
	}
	wrong := kubeconfig(t, func(c *clientcmdapi.Config) { c.AuthInfos["test"].Token = "wrong" })
	if _, err := cluster.Probe(t.Context(), cluster.Options{Kubeconfig: wrong}); !strings.Contains(cluster.Explain(err), "401 Unauthorized") {
		t.Errorf("a wrong token: %q", cluster.Explain(err))
	}
}

// Every kind reaches the snapshot, changes follow, and words of the cluster
// arrive as they are.
func TestWatch(t *testing.T) {
	c := connect(t, cluster.Options{})
	first, err := c.Next(t.Context(), 0)
	if err != nil || first.Sync.Synced || first.Sequence != 1 {
		t.Fatalf("the first snapshot is %+v, %v; want it at once and unsynced", first, err)
	}
	s := await(t, c, "everything to be listed", live)
	if s.Cluster.Version != lab.Version || s.Cluster.Context != "test" || s.Cluster.Namespace != "" || len(s.Sync.Missing) > 0 {
		t.Errorf("got %+v, missing %v", s.Cluster, s.Sync.Missing)
	}
	if s.Namespace("kube-system") == nil || s.Revision == "" {
		t.Errorf("the cluster's own objects are not there: %+v", s)
	}

	ns := namespace(t, unique(t), nil)
	const nasty = "\x1b]0;owned\x07\x1b[2J\u202e"
	service := newService("web")
	service.Annotations = map[string]string{"note": nasty}
	if _, err := server.client.CoreV1().Services(ns).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	two := int32(2)
	labels := map[string]string{"app": "web"}
	_, err = server.client.AppsV1().Deployments(ns).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: appsv1.DeploymentSpec{Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1"}}},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s = await(t, c, "the Deployment's Pods and the Service's slice", func(s *model.Snapshot) bool {
		return len(s.PodsIn(ns)) == 2 && len(s.ServiceSlices(ns, "web")) == 1 && s.LegacyEndpoints(ns, "web") != nil &&
			s.Deployment(ns, "web") != nil && slices.ContainsFunc(s.ReplicaSets, func(r *model.ReplicaSet) bool { return r.Namespace == ns && r.Current == 2 })
	})
	if got := s.Service(ns, "web").Annotations["note"]; got != nasty {
		t.Errorf("the annotation arrived as %q", got)
	}
	if got := model.Printable(s.Service(ns, "web").Annotations["note"]); strings.ContainsAny(got, "\x1b\x07\u202e") {
		t.Errorf("Printable leaves %q", got)
	}

	if err := server.client.AppsV1().Deployments(ns).Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := server.client.CoreV1().Services(ns).Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, c, "everything to go", func(s *model.Snapshot) bool {
		return len(s.PodsIn(ns)) == 0 && s.Service(ns, "web") == nil && len(s.ServiceSlices(ns, "web")) == 0
	})
}

func TestConfigMapsOfTheNodes(t *testing.T) {
	c := connect(t, cluster.Options{})
	await(t, c, "everything to be listed", live)
	for name, data := range map[string]map[string]string{
		"kube-proxy":     {"config.conf": "mode: ipvs\nclusterCIDR: 10.244.0.0/16"},
		"kubelet-config": {"kubelet": "clusterDNS: [10.96.0.10]\nclusterDomain: example.local"},
		"another":        {"config.conf": "mode: iptables"},
	} {
		maps := server.client.CoreV1().ConfigMaps("kube-system")
		if _, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := maps.Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	await(t, c, "the configuration", func(s *model.Snapshot) bool {
		return s.Proxy.Mode == "ipvs" && s.Proxy.Evidence == model.Derived && s.DNS.Domain == "example.local"
	})
}

// grant gives a user verbs on resources in a namespace, or in all ("").
func grant(t testing.TB, user, namespace string, verbs []string, resources ...string) {
	t.Helper()
	rbac, ctx := server.client.RbacV1(), context.Background() // also for the cleanup
	about := metav1.ObjectMeta{Name: unique(t) + "-" + user, Namespace: namespace}
	rules := []rbacv1.PolicyRule{{Verbs: verbs, APIGroups: []string{"*"}, Resources: resources}}
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}}
	kind := "Role"
	if namespace == "" {
		kind = "ClusterRole"
	}
	of := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: about.Name}
	var err error
	if namespace == "" {
		_, err = rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: about, Rules: rules}, metav1.CreateOptions{})
		if err == nil {
			_, err = rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: about, Subjects: subjects, RoleRef: of}, metav1.CreateOptions{})
		}
		t.Cleanup(func() {
			rbac.ClusterRoleBindings().Delete(ctx, about.Name, metav1.DeleteOptions{})
			rbac.ClusterRoles().Delete(ctx, about.Name, metav1.DeleteOptions{})
		})
	} else {
		_, err = rbac.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: about, Rules: rules}, metav1.CreateOptions{})
		if err == nil {
			_, err = rbac.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: about, Subjects: subjects, RoleRef: of}, metav1.CreateOptions{})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	// The authorizer learns of it by a watch of its own.
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: namespace, Verb: verbs[0], Resource: strings.ReplaceAll(resources[0], "*", "secrets"),
	}}}
	err = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		answer, err := server.client.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed, err
	})
	if err != nil {
		t.Fatalf("wait until %s may %s %s: %v", user, verbs[0], resources[0], err)
	}
}

// as makes a kubeconfig that acts as a user.
func as(t testing.TB, user string) string {
	return kubeconfig(t, func(c *clientcmdapi.Config) { c.AuthInfos["test"].Impersonate = user })
}

// A person who may read Services and Pods everywhere, but EndpointSlices in one
// namespace only, sees that namespace: Services of others would look broken.
func TestMixedRights(t *testing.T) {
	mine, other := namespace(t, unique(t), nil), namespace(t, unique(t)+"-other", nil)
	createService(t, mine, "web")
	createService(t, other, "web")
	grant(t, "carol", "", []string{"get", "list", "watch"}, "services", "pods", "nodes", "namespaces")
	grant(t, "carol", mine, []string{"get", "list", "watch"}, "*")
	c := connect(t, cluster.Options{Kubeconfig: as(t, "carol"), Namespace: mine, Diagnose: true})
	s := await(t, c, "what carol may read", live)
	if len(s.Services) != 1 || s.Service(mine, "web") == nil || s.Cluster.Namespace != mine || len(s.Nodes) > 0 || s.Namespace(other) == nil {
		t.Errorf("carol sees %d Services of %+v", len(s.Services), s.Cluster)
	}
	for _, resource := range []string{"services", "endpointslices", "pods", "nodes", "namespaces", "jobs"} {
		if why := s.Sync.Missing[resource]; why != "" {
			t.Errorf("%s is missing: %s", resource, why)
		}
	}
}

// Who may list but not watch sees everywhere, some seconds late.
func TestListedNotWatched(t *testing.T) {
	ns := namespace(t, unique(t), nil)
	grant(t, "dave", "", []string{"get", "list"}, "services", "endpointslices", "pods")
	createService(t, ns, "web")
	c := connect(t, cluster.Options{Kubeconfig: as(t, "dave")})
	s := await(t, c, "what dave may list", live)
	if s.Service(ns, "web") == nil || s.Cluster.Namespace != "" || s.Sync.Missing["services"] != "" || s.Sync.Missing["nodes"] == "" {
		t.Errorf("dave sees %d Services of %+v, missing %v", len(s.Services), s.Cluster, s.Sync.Missing)
	}
	if want := []string{"services", "endpointslices", "pods"}; !slices.Equal(s.Sync.Unwatched, want) {
		t.Errorf("unwatched: %v, want %v", s.Sync.Unwatched, want)
	}
	createService(t, ns, "second")
	s = await(t, c, "a later Service", func(s *model.Snapshot) bool { return s.Service(ns, "second") != nil })
	if s.Service(ns, "web") == nil || !live(s) {
		t.Errorf("the second list: %d Services, %+v", len(s.Services), s.Sync)
	}
}

// A person who may read one namespace sees that one and is told the rest.
func TestOneNamespaceOnly(t *testing.T) {
	mine := namespace(t, unique(t), nil)
	grant(t, "bob", mine, []string{"get", "list", "watch"}, "services", "endpointslices", "endpoints", "pods", "deployments")
	createService(t, mine, "web")

	c := connect(t, cluster.Options{Kubeconfig: as(t, "bob"), Namespace: mine})
	s := await(t, c, "bob's namespace", live)
	if len(s.Services) != 1 || s.Service(mine, "web") == nil || s.Cluster.Namespace != mine {
		t.Errorf("bob sees %d Services of %+v", len(s.Services), s.Cluster)
	}
	for _, resource := range []string{"nodes", "namespaces", "replicasets", "configmaps kube-system/kube-proxy", "configmaps kube-system/kubelet-config", "configmaps kube-system/coredns"} {
		if words := s.Sync.Missing[resource]; !strings.Contains(words, `User "bob" cannot list resource`) {
			t.Errorf("%s: missing because %q", resource, words)
		}
	}
	if len(s.Sync.Missing) != 6 {
		t.Errorf("missing: %v", s.Sync.Missing)
	}
	createService(t, mine, "second")
	await(t, c, "a new Service", func(s *model.Snapshot) bool { return s.Service(mine, "second") != nil })

	nobody := connect(t, cluster.Options{Kubeconfig: as(t, "nobody"), Namespace: mine})
	s = await(t, nobody, "an answer for nobody", live)
	if len(s.Sync.Missing) != 11 || len(s.Services) != 0 {
		t.Errorf("nobody sees %d Services, missing %v", len(s.Services), s.Sync.Missing)
	}
	if _, err := nobody.EnsureNamespace(t.Context(), "x"); !strings.Contains(cluster.Explain(err), "403 Forbidden") {
		t.Errorf("nobody makes a namespace: %v", err)
	}
}

// A server that went away and came back at its address: the trouble is said,
// what was missed is caught up with, deletions included.
func TestReconnectAfterRefusal(t *testing.T) {
	p := newProxy(t)
	ns := namespace(t, unique(t), nil)
	createService(t, ns, "goes")
	createService(t, ns, "stays")
	c := connect(t, cluster.Options{Kubeconfig: kubeconfig(t, p.through)})
	await(t, c, "the first state", func(s *model.Snapshot) bool { return live(s) && s.Service(ns, "goes") != nil })
	p.down()
	s := await(t, c, "the trouble", func(s *model.Snapshot) bool { return strings.Contains(s.Sync.Err, "connection refused") })
	if s.Sync.Since.IsZero() || s.Service(ns, "goes") == nil || !s.Sync.Synced {
		t.Errorf("in trouble: %+v", s.Sync)
	}
	if err := server.client.CoreV1().Services(ns).Delete(t.Context(), "goes", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	createService(t, ns, "comes")
	p.up()
	began := time.Now()
	s = await(t, c, "the state after the trouble", func(s *model.Snapshot) bool {
		return live(s) && s.Service(ns, "goes") == nil && s.Service(ns, "comes") != nil && s.Service(ns, "stays") != nil
	})
	t.Logf("recovered %s after the server", time.Since(began).Round(time.Millisecond))
	if !s.Sync.Since.IsZero() {
		t.Errorf("live since %v", s.Sync.Since)
	}
	createService(t, ns, "later")
	await(t, c, "a later change", func(s *model.Snapshot) bool { return s.Service(ns, "later") != nil })
}

// A server that is frozen keeps its connections: only its silence tells.
func TestFrozenServer(t *testing.T) {
	for name, freeze := range map[string]func(t *testing.T, p *proxy) (thaw func()){
		"process": func(t *testing.T, _ *proxy) func() {
			stop(t, server.process)
			return func() { resume(t, server.process) }
		},
		"network": func(_ *testing.T, p *proxy) func() {
			p.freeze()
			return p.thaw
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t)
			ns := namespace(t, unique(t), nil)
			c := connect(t, cluster.Options{Kubeconfig: kubeconfig(t, p.through)})
			await(t, c, "the first state", live)
			thaw := freeze(t, p)
			thaw = sync.OnceFunc(thaw)
			defer thaw()
			began := time.Now()
			s := await(t, c, "the silence to be noticed", func(s *model.Snapshot) bool { return s.Sync.Err != "" })
			noticed := time.Since(began)
			if !strings.Contains(s.Sync.Err, "has not answered for") || s.Sync.Since.After(began.Add(100*time.Millisecond)) {
				t.Errorf("got %+v, frozen at %v", s.Sync, began)
			}
			thaw()
			began = time.Now()
			await(t, c, "the end of the silence", live)
			t.Logf("noticed after %s, recovered after %s", noticed.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
			if noticed > 5*time.Second {
				t.Errorf("noticed only after %s", noticed)
			}
			createService(t, ns, "later")
			await(t, c, "a later change", func(s *model.Snapshot) bool { return s.Service(ns, "later") != nil })
		})
	}
}

// An unready server is an unsynced picture with a reason, not an error, and
// closing ends it all the same.
func TestServerThatIsNotThereYet(t *testing.T) {
	p := newProxy(t)
	p.down()
	c := connect(t, cluster.Options{Kubeconfig: kubeconfig(t, p.through)})
	s := await(t, c, "the trouble", func(s *model.Snapshot) bool { return s.Sync.Err != "" })
	if s.Sync.Synced || !strings.Contains(s.Sync.Err, "connection refused") {
		t.Errorf("got %+v", s.Sync)
	}
	p.up()
	await(t, c, "the server", live)
	c.Close()
	if _, err := c.Next(t.Context(), 0); err != cluster.ErrClosed {
		t.Errorf("after Close: %v", err)
	}
}

// Nothing reaches the terminal, even where nothing keeps klog quiet.
func TestWatchingIsSilent(t *testing.T) {
	p := newProxy(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), watcherEnv+"="+kubeconfig(t, p.through))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	until := func(state string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == state {
				return
			}
		}
		t.Fatalf("the watcher ended before %q", state)
	}
	until("live")
	p.down()
	until("trouble")
	p.up()
	until("live")
	p.freeze()
	until("trouble")
	p.thaw()
	until("live")
	stdin.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr has %q", stderr.String())
	}
}

// From the watch event's arrival to the snapshot that shows it.
func TestEventToSnapshot(t *testing.T) {
	ns := namespace(t, unique(t), nil)
	createSlice(t, ns)
	var mu sync.Mutex
	arrived := map[string]time.Time{} // by resourceVersion
	c := connect(t, cluster.Options{OnEvent: func(e cluster.Event) {
		if e.Resource == "endpointslices" && e.Key == ns+"/web-x" {
			mu.Lock()
			defer mu.Unlock()
			arrived[e.ResourceVersion] = e.Time
		}
	}})
	await(t, c, "the first state", live)
	const events = 100
	var delays []time.Duration
	for i := range events {
		version := touchSlice(t, ns, i)
		s := await(t, c, "the change", func(s *model.Snapshot) bool {
			slices := s.ServiceSlices(ns, "web")
			return len(slices) == 1 && slices[0].ResourceVersion == version
		})
		mu.Lock()
		at, ok := arrived[version]
		mu.Unlock()
		if !ok {
			t.Fatalf("no event for version %s", version)
		}
		delays = append(delays, s.Time.Sub(at))
	}
	slices.Sort(delays)
	t.Logf("event to snapshot: median %s, p99 %s, most %s", delays[events/2], delays[events*99/100], delays[events-1])
	if p99 := delays[events*99/100]; p99 > 500*time.Millisecond {
		t.Errorf("p99 is %s", p99)
	}
}

func createSlice(t testing.TB, ns string) {
	t.Helper()
	_, err := server.client.DiscoveryV1().EndpointSlices(ns).Create(t.Context(), &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: "web-x", Labels: map[string]string{model.ServiceNameLabel: "web"}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.5"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// touchSlice changes the slice and gives its new resourceVersion.
func touchSlice(t testing.TB, ns string, i int) string {
	t.Helper()
	client := server.client.DiscoveryV1().EndpointSlices(ns)
	slice, err := client.Get(t.Context(), "web-x", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slice.Endpoints[0].Addresses[0] = fmt.Sprintf("10.244.1.%d", i+1)
	if slice, err = client.Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	return slice.ResourceVersion
}

// A burst of changes becomes few snapshots, the last one complete.
func TestBurst(t *testing.T) {
	ns := namespace(t, unique(t), nil)
	c := connect(t, cluster.Options{Interval: 100 * time.Millisecond})
	start := await(t, c, "the first state", live).Sequence
	began := time.Now()
	const many = 300
	var creating sync.WaitGroup
	creating.Go(func() {
		for i := range many {
			_, err := server.client.CoreV1().Services(ns).Create(t.Context(), newService(fmt.Sprintf("s%03d", i)), metav1.CreateOptions{})
			if err != nil {
				t.Error(err)
			}
		}
	})
	defer creating.Wait()
	s := await(t, c, "every Service and its slice", func(s *model.Snapshot) bool {
		count := 0
		for _, slice := range s.Slices {
			if slice.Namespace == ns {
				count++
			}
		}
		return count == many && s.Service(ns, fmt.Sprintf("s%03d", many-1)) != nil
	})
	took := time.Since(began)
	t.Logf("%d Services: %d snapshots in %s", many, s.Sequence-start, took.Round(time.Millisecond))
	if most := uint64(took/(100*time.Millisecond)) + 2; s.Sequence-start > most {
		t.Errorf("%d snapshots, want at most %d", s.Sequence-start, most)
	}
}
