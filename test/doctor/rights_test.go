package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"svctour/model"
	"svctour/model/diagnose"
)

// readable are the resources that a diagnosis reads, by API group.
var readable = map[string][]string{
	"":                  {"services", "pods", "nodes", "namespaces", "events", "endpoints", "configmaps"},
	"apps":              {"deployments", "replicasets", "statefulsets", "daemonsets"},
	"batch":             {"jobs"},
	"discovery.k8s.io":  {"endpointslices"},
	"networking.k8s.io": {"networkpolicies", "servicecidrs"},
}

// TestWithoutRights runs the doctor as a user who may not read everything: it
// answers with what it can, and says what it could not check.
func TestWithoutRights(t *testing.T) {
	needLab(t)
	app, err := read("testdata/app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	place, err := newPlace(t.Context(), "rights")
	if err != nil {
		t.Fatal(err)
	}
	defer place.remove()
	if err := place.apply(t.Context(), app.copied()); err != nil {
		t.Fatal(err)
	}
	if err := live.until(t.Context(), place.healthy); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name    string
		without []string
		rule    string // of the broken cache
	}{
		{"pods", []string{"pods"}, "endpoints-empty"},
		{"nodes", []string{"nodes"}, "selector-near-miss"},
		{"policies", []string{"networkpolicies"}, "selector-near-miss"},
		{"slices", []string{"endpointslices"}, "selector-near-miss"},
		{"all-three", []string{"pods", "nodes", "networkpolicies"}, "endpoints-empty"},
		{"all-but-services", []string{"pods", "nodes", "namespaces", "events", "endpoints", "configmaps", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "endpointslices", "networkpolicies", "servicecidrs"}, ""},
	}
	for _, c := range cases {
		user(t, place.namespace, c.name, c.without)
	}
	for _, c := range cases {
		code, report := place.doctor(t, c.name)
		if code != 0 {
			t.Errorf("without %s: exit code %d on the healthy application: %s", c.name, code, firstOf(report))
		}
		for _, resource := range c.without {
			if resource != "configmaps" && resource != "servicecidrs" && !slices.ContainsFunc(report.NotChecked, func(u diagnose.Unchecked) bool { return strings.HasPrefix(u.What, resource+":") }) {
				t.Errorf("without %s: %s is not said to be unread: %v", c.name, resource, report.NotChecked)
			}
		}
	}
	broken := app.copied()
	set(broken.find("Service", "cache"), "spec.selector", "{app: cahce}")
	if err := place.apply(t.Context(), broken); err != nil {
		t.Fatal(err)
	}
	if err := live.until(t.Context(), func(s *model.Snapshot) error {
		if r := diagnose.New(s).Service(place.namespace, "cache", diagnose.Options{}); r.Broken != diagnose.LaneSelector {
			return errors.New(first(r))
		}
		for _, slice := range s.ServiceSlices(place.namespace, "cache") {
			if len(slice.Endpoints) > 0 {
				return errors.New("the controller has not emptied the slice")
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		code, report := place.doctor(t, c.name)
		want := 1
		if c.rule == "" { // what is left does not show it
			want = 0
		}
		if code != want {
			t.Errorf("without %s: exit code %d, want %d: %s", c.name, code, want, firstOf(report))
		}
		for _, s := range report.Services {
			switch {
			case s.Name == "cache" && c.rule != "" && (len(s.Findings) == 0 || s.Findings[0].Rule != c.rule):
				t.Errorf("without %s: the first finding about cache is %s, want %s", c.name, first(s), c.rule)
			case s.Name != "cache" && !s.Healthy:
				t.Errorf("without %s: %s is flagged: %s", c.name, s.Name, first(s))
			}
		}
	}
	// Without any right nothing can be checked.
	if code, _ := place.doctor(t, "nobody"); code != 2 {
		t.Errorf("without any right the exit code is %d, want 2", code)
	}
	// What lies beyond the one namespace that may be read is not known.
	if code, report := place.doctor(t, "nodes", "web.kube-system"); code != 2 || len(report.Services) != 1 || len(report.Services[0].NotChecked) == 0 {
		t.Errorf("of another namespace: exit code %d, %+v", code, report.Services)
	}
}

func firstOf(r diagnose.Report) string {
	for _, s := range r.Services {
		if !s.Healthy {
			return s.Name + ": " + first(s)
		}
	}
	return "no finding"
}

// user may read everything but some resources: what is in a namespace in one
// namespace only.
func user(t *testing.T, namespace, name string, without []string) {
	t.Helper()
	ctx, cluster := t.Context(), []string{"nodes", "namespaces", "servicecidrs"}
	var local, everywhere []rbacv1.PolicyRule
	for group, resources := range readable {
		for _, resource := range resources {
			rule := rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: []string{"get", "list", "watch"}}
			switch {
			case slices.Contains(without, resource):
			case slices.Contains(cluster, resource):
				everywhere = append(everywhere, rule)
			default:
				local = append(local, rule)
			}
		}
	}
	subjects := []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: name}}
	meta := metav1.ObjectMeta{Name: "reader-" + name, Namespace: namespace}
	rbac := client.RbacV1()
	if _, err := rbac.Roles(namespace).Create(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: local}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := rbac.RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	meta.Namespace = ""
	if _, err := rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: everywhere}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := rbac.ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: meta.Name}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// doctor runs svctour doctor as a user, and gives its exit code and report.
func (p *place) doctor(t *testing.T, user string, args ...string) (int, diagnose.Report) {
	t.Helper()
	text, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	for _, u := range c["users"].([]any) {
		u.(map[string]any)["user"].(map[string]any)["as"] = user
	}
	if text, err = yaml.Marshal(c); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	code, out := svctour(t, file, append([]string{"doctor", "-n", p.namespace, "-o", "json"}, args...)...)
	var report diagnose.Report
	if out != "" {
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	return code, report
}

// svctour runs this program, and gives its exit code and what it prints.
func svctour(t *testing.T, kubeconfig string, args ...string) (int, string) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, executable, args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "SVCTOUR_HOME="+dir)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	err = command.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0, stdout.String()
	case errors.As(err, &exit):
		t.Log(strings.TrimSpace(fmt.Sprint(args, " ", stderr.String())))
		return exit.ExitCode(), stdout.String()
	}
	t.Fatalf("%v: %v %s", args, err, stderr.String())
	return 0, ""
}
