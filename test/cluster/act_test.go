package clustertest

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/cluster"
	"svctour/cluster/kubectl"
	"svctour/lab"
)

var ours = map[string]string{cluster.OwnerLabel: cluster.OwnerName}

func getNamespace(t testing.TB, name string) *corev1.Namespace {
	t.Helper()
	ns, err := server.client.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func TestEnsureNamespaceNeverAdopts(t *testing.T) {
	c := connect(t, cluster.Options{})
	prefix := unique(t)
	foreign := namespace(t, prefix+"-foreign", map[string]string{cluster.OwnerLabel: "helm", "keep": "me"})
	bare := namespace(t, prefix+"-bare", nil)
	before := getNamespace(t, foreign)

	name, err := c.EnsureNamespace(t.Context(), foreign, bare, prefix+"-free", prefix+"-never")
	if err != nil || name != prefix+"-free" {
		t.Fatalf("got %q, %v", name, err)
	}
	made := getNamespace(t, name)
	if made.Labels[cluster.OwnerLabel] != cluster.OwnerName {
		t.Errorf("it has labels %v", made.Labels)
	}
	again, err := c.EnsureNamespace(t.Context(), foreign, name)
	if err != nil || again != name || getNamespace(t, name).UID != made.UID {
		t.Errorf("our own is not taken again: %q, %v", again, err)
	}
	if after := getNamespace(t, foreign); after.ResourceVersion != before.ResourceVersion || !maps.Equal(after.Labels, before.Labels) {
		t.Errorf("the foreign namespace was changed: %v", after.Labels)
	}
	_, err = c.EnsureNamespace(t.Context(), foreign, bare)
	if err == nil || !strings.Contains(err.Error(), `"`+foreign+`", "`+bare+`" exist already and were not made by svctour`) {
		t.Errorf("all taken: %v", err)
	}
	if _, err := c.EnsureNamespace(t.Context(), "Not A Name"); err == nil {
		t.Error("a name that is none was taken")
	}
	if _, err := c.EnsureNamespace(t.Context()); err == nil {
		t.Error("no name was taken")
	}

	// Removed and created again: the old one is waited for.
	removed, err := c.Clean(t.Context(), []string{name}, false)
	if err != nil || !slices.Equal(removed, []string{name}) {
		t.Fatalf("removed %v, %v", removed, err)
	}
	again, err = c.EnsureNamespace(t.Context(), name)
	if err != nil || again != name {
		t.Fatalf("got %q, %v", again, err)
	}
	if fresh := getNamespace(t, name); fresh.UID == made.UID || fresh.DeletionTimestamp != nil {
		t.Errorf("the old namespace was taken: %+v", fresh.ObjectMeta)
	}
	if _, err := c.Clean(t.Context(), []string{name}, true); err != nil {
		t.Error(err)
	}
}

// TestClean: what is named and ours goes, and nothing else.
func TestClean(t *testing.T) {
	c := connect(t, cluster.Options{})
	prefix := unique(t)
	foreign := namespace(t, prefix+"-foreign", map[string]string{cluster.OwnerLabel: "helm"})
	all := []string{prefix + "-a", prefix + "-b", prefix + "-c"}
	for _, name := range all {
		if _, err := c.EnsureNamespace(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		createService(t, name, "web")
	}
	list, err := c.Owned(t.Context())
	if err != nil || !slices.Equal(list, all) {
		t.Fatalf("owned: %v, %v; want %v", list, err, all)
	}
	named, other := all[:2], all[2]
	removed, err := c.Clean(t.Context(), append([]string{foreign, prefix + "-none"}, named...), true)
	if err != nil || !slices.Equal(removed, named) {
		t.Errorf("removed %v, %v; want %v", removed, err, named)
	}
	for _, name := range named {
		if _, err := server.client.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if getNamespace(t, foreign).DeletionTimestamp != nil {
		t.Error("the foreign namespace was removed")
	}
	if getNamespace(t, other).DeletionTimestamp != nil {
		t.Error("one of ours that was not named was removed")
	}
	if removed, err := c.Clean(t.Context(), named, true); err != nil || len(removed) != 0 {
		t.Errorf("a second time removed %v, %v", removed, err)
	}
	if removed, err := c.Clean(t.Context(), nil, true); err != nil || len(removed) != 0 {
		t.Errorf("without a name removed %v, %v", removed, err)
	}
	if removed, err := c.Clean(t.Context(), []string{other}, true); err != nil || !slices.Equal(removed, []string{other}) {
		t.Errorf("removed %v, %v; want %s", removed, err, other)
	}
}

const serviceManifest = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"

func TestKubectl(t *testing.T) {
	kube := kubectl.Runner{Connection: connect(t, cluster.Options{}), Program: os.Args[0], Environment: os.Environ()}
	prefix := unique(t)
	mine := namespace(t, prefix+"-mine", ours)
	foreign := namespace(t, prefix+"-foreign", nil)
	createService(t, foreign, "theirs")

	for _, step := range []struct {
		line, stdin    string
		exit           int
		stdout, stderr string
	}{
		{"kubectl version", "", 0, "Client Version: " + lab.Version, ""},
		{"version", "", 0, "Server Version: " + lab.Version, ""},
		{"get svc -n " + foreign, "", 0, "theirs", ""},
		{"get svc -A", "", 0, "theirs", ""},
		{"get svc", "", 0, "kubernetes", ""}, // the context's namespace
		{"apply -f - -n " + mine, serviceManifest, 0, "service/web created", ""},
		{"get svc web -o name -n " + mine, "", 0, "service/web", ""},
		{"rollout status deployment/none -n " + mine, "", 1, "", `deployments.apps "none" not found`},
		{"apply -n " + mine + " -f -", strings.Replace(serviceManifest, "port: 80", "port: 80, nodePort: 1", 1), 1, "", "may not be used when `type` is 'ClusterIP'"},
		{"create deployment web --image=x --replicas=2 -n " + mine, "", 0, "deployment.apps/web created", ""},
		{"scale deployment/web --replicas=1 -n " + mine, "", 0, "deployment.apps/web scaled", ""},
		{"delete svc web -n " + mine, "", 0, `service "web" deleted`, ""},

		{"delete svc theirs -n " + foreign, "", -1, "", "was not made by svctour"},
		{"apply -f - -n " + foreign, serviceManifest, -1, "", "was not made by svctour"},
		{"apply -f -", serviceManifest, -1, "", `Namespace "default" was not made by svctour`},
		{"apply -f - -n " + mine, strings.Replace(serviceManifest, "name: web", "name: web, namespace: "+foreign, 1), -1, "", "is for namespace"},
		{"delete svc x -n " + prefix + "-none", "", -1, "", "does not exist"},
		{"delete ns " + foreign + " -n " + mine, "", -1, "", `does not change "ns"`},
		{"label ns " + foreign + " a=b -n " + mine, "", -1, "", `does not change "ns"`},
		{"edit svc theirs -n " + mine, "", -1, "", "terminal of your own"},
		{"get pods --context=other", "", -1, "", "act on the cluster that is shown"},
	} {
		reply := kube.Run(t.Context(), "", strings.Fields(step.line), step.stdin)
		if reply.Exit != step.exit || !strings.Contains(reply.Stdout, step.stdout) || !strings.Contains(reply.Stderr, step.stderr) || step.stderr == "" && reply.Stderr != "" {
			t.Errorf("%s: got %+v, want %+v", step.line, reply, step)
		}
		if want := "kubectl " + strings.TrimPrefix(step.line, "kubectl "); reply.Command != want {
			t.Errorf("command %q, want %q", reply.Command, want)
		}
	}
	if reply := kube.Run(t.Context(), mine, strings.Fields("get deploy"), ""); !strings.Contains(reply.Stdout, "web") {
		t.Errorf("in its own namespace: %+v", reply)
	}
	if reply := kube.Run(t.Context(), mine, strings.Fields("delete deploy web"), ""); reply.Exit != 0 {
		t.Errorf("in its own namespace: %+v", reply)
	}
	if svc, err := server.client.CoreV1().Services(foreign).Get(t.Context(), "theirs", metav1.GetOptions{}); err != nil || svc.DeletionTimestamp != nil {
		t.Errorf("the foreign Service: %v", err)
	}
	kube.Anywhere = true // as in a lab
	if reply := kube.Run(t.Context(), mine, strings.Fields("delete svc theirs -n "+foreign), ""); reply.Exit != 0 {
		t.Errorf("anywhere: %+v", reply)
	}
}

// A command that never ends is ended, and one that says too much is cut.
func TestKubectlIsBounded(t *testing.T) {
	kube := kubectl.Runner{Connection: connect(t, cluster.Options{}), Program: os.Args[0], Environment: os.Environ()}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	reply := kube.Run(ctx, "", strings.Fields("get ns --watch"), "")
	if reply.Exit != -1 || !strings.Contains(reply.Stdout, "kube-system") || !strings.Contains(reply.Stderr, "Stopped: it took too long.") {
		t.Errorf("got %+v", reply)
	}

	ns := namespace(t, unique(t), ours)
	for _, name := range []string{"a", "b"} {
		_, err := server.client.CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"x": strings.Repeat("y", 200<<10)},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
	}
	reply = kube.Run(t.Context(), "", []string{"get", "configmaps", "-o", "yaml", "-n", ns}, "")
	if reply.Exit != 0 || len(reply.Stdout) > 257<<10 || !strings.HasSuffix(reply.Stdout, "… (cut)\n") {
		t.Errorf("exit %d, %d bytes, ends with %q", reply.Exit, len(reply.Stdout), reply.Stdout[max(0, len(reply.Stdout)-20):])
	}
}
