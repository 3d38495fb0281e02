// Package writing holds the editor's lines, and the states of the sandbox, against
// a lab: what a real API server says, and what it makes of them.
package writing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/cluster"
	"svctour/cluster/kubectl"
	"svctour/lessons"
	"svctour/model"
	"svctour/test/drive"
	"svctour/ui/editor"
)

// patience bounds every wait for a condition on a slow, shared machine.
const patience = 2 * time.Minute

// place is a namespace of a lab, and kubectl as a person has it there.
type place struct {
	*drive.Cluster
	runner    kubectl.Runner
	namespace string
}

func (p *place) kubectl(t *testing.T, stdin string, args ...string) model.Reply {
	t.Helper()
	return p.runner.Run(t.Context(), p.namespace, args, stdin)
}

func TestOnALab(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a lab")
	}
	lab, err := drive.Up(t.Context(), "--nodes=3")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Lab.Down(); err != nil {
			t.Error(err)
		}
	})
	connection, err := cluster.Connect(context.WithoutCancel(t.Context()), cluster.Options{Kubeconfig: lab.Kubeconfig, Lab: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(connection.Close)
	namespace, err := connection.EnsureNamespace(t.Context(), "writing")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{lab, kubectl.Runner{Connection: connection, Program: lab.Lab.Binary, Environment: os.Environ()}, namespace}
	t.Run("lines", p.lines)
	t.Run("diff", p.diff)
	t.Run("sandbox", p.sandbox)
}

const web = "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  selector:\n    app: web\n  ports:\n  - name: http\n    port: 80\n  - name: admin\n    port: 81\n"

const pods = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: pods\nspec:\n  replicas: 1\n  selector:\n    matchLabels:\n      app: web\n  template:\n    metadata:\n      labels:\n        app: web\n    spec:\n      containers:\n      - name: nginx\n        image: nginx:1.27\n"

// mistakes are edits of a manifest: the line that is told of is the one that holds
// mark, or the new one.
var mistakes = []struct {
	of, old, new, mark, hint string
}{
	{web, "  ports:", "  prots:", "", "ports"},
	{web, "  selector:", "  slector:", "", "selector"},
	{web, "    port: 81", "    prot: 81\n    port: 81", "prot:", "port"},
	{web, "    port: 81", "    port: 81\n    targetport: 80", "targetport", "targetPort"},
	{web, "    port: 81", "    port: 99999", "", ""},
	{web, "    port: 81", "    port: \"81\"", "", "whole number"},
	{web, "name: admin", "name: http", "", ""},
	{web, "    port: 81", "    port: 80", "", ""},
	{web, "  name: web", "  name: Web", "", ""},
	{web, "spec:", "spec:\n  type: NodePrt", "type:", ""},
	{web, "spec:", "spec:\n  clusterIP: 10.0.0.300", "clusterIP", ""},
	{web, "    app: web", "    app: \"a b\"", "", ""},
	{web, "  - name: http\n    port: 80\n  - name: admin\n    port: 81", "    port: 80", "  ports:", ""},
	{web, "kind: Service", "kind: Servcie", "", "Service"},
	{web, "  name: web", "  name: web\n  namespace: default", "namespace:", ""},
	{pods, "        app: web\n    spec:", "        app: wbe\n    spec:", "labels:", ""},
	{pods, "        image: nginx:1.27", "        imagee: nginx:1.27", "imagee", "image"},
	{pods, "  replicas: 1", "  replicas: three", "", "whole number"},
	{pods, "  replicas: 1", "  replica: 1", "", "replicas"},
	{pods, "      - name: nginx\n        image: nginx:1.27", "      - image: nginx:1.27", "", ""},
	{pods, "apiVersion: apps/v1", "apiVersion: v1", "", "apps/v1"},
}

// lines makes each mistake, of objects that are not there and then of those that
// are, alone and behind another object.
func (p *place) lines(t *testing.T) {
	for _, there := range []bool{false, true} {
		if there {
			if reply := p.kubectl(t, web+"---\n"+pods, "apply", "-f", "-"); reply.Exit != 0 {
				t.Fatalf("apply: %s", reply.Stderr)
			}
		}
		for _, m := range mistakes {
			wrong := strings.Replace(m.of, m.old, m.new, 1)
			if wrong == m.of {
				t.Fatalf("%q is not in the manifest", m.old)
			}
			first := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: first\n---\n"
			for _, text := range []string{wrong, first + wrong} {
				p.mistake(t, text, cmp.Or(m.mark, strings.Split(m.new, "\n")[0]), m.hint, there)
			}
		}
	}
}

func (p *place) mistake(t *testing.T, text, mark, hint string, there bool) {
	t.Helper()
	want := 1 + slices.IndexFunc(strings.Split(text, "\n"), func(line string) bool { return strings.Contains(line, mark) })
	manifest := editor.Parse(text)
	problems, said, unchecked := manifest.Problems(), "", ""
	if len(problems) == 0 {
		reply := p.kubectl(t, text, editor.DryRun("name")...)
		problems, unchecked = manifest.Told(reply)
		said = reply.Stderr
	}
	for i := range problems {
		if args := problems[i].Ask(); args != nil {
			problems[i].Suggest(editor.Fields(p.kubectl(t, "", args...).Stdout))
		}
	}
	found := slices.ContainsFunc(problems, func(p editor.Problem) bool { return p.Line == want && strings.Contains(p.Hint, hint) && !p.Warning })
	if !found || unchecked != "" {
		t.Errorf("there %v, %q: want line %d and %q, got %+v, unchecked %q\n%s", there, mark, want, hint, problems, unchecked, said)
	}
}

// diff compares what is shown of an object with what there is then.
func (p *place) diff(t *testing.T) {
	if reply := p.kubectl(t, web, "apply", "-f", "-"); reply.Exit != 0 {
		t.Fatal(reply.Stderr)
	}
	changed := strings.Replace(web, "port: 81", "port: 82", 1)
	then := p.kubectl(t, changed, editor.DryRun("yaml")...)
	if reply := p.kubectl(t, changed, "apply", "-f", "-"); reply.Exit != 0 {
		t.Fatal(reply.Stderr)
	}
	now := p.kubectl(t, changed, "get", "--ignore-not-found", "-o", "yaml", "-f", "-")
	if got, want := editor.Plain(then.Stdout), editor.Plain(now.Stdout); got != want || !strings.Contains(want, "port: 82") || strings.Contains(want, "last-applied") {
		t.Errorf("it was said to become\n%s\nand is\n%s", got, want)
	}
	none := p.kubectl(t, strings.Replace(web, "name: web", "name: none", 1), "get", "--ignore-not-found", "-o", "yaml", "-f", "-")
	if none.Exit != 0 || strings.TrimSpace(none.Stdout) != "" {
		t.Errorf("of an object that is not there: %+v", none)
	}
}

// sandbox brings each state about, and back to the first; what is not the
// sandbox's stays.
func (p *place) sandbox(t *testing.T) {
	states, err := lessons.Sandbox()
	if err != nil {
		t.Fatal(err)
	}
	for i := range states {
		for _, c := range states[i].Commands(p.namespace, "cluster.local") {
			if reply := p.kubectl(t, c.Stdin, c.Args...); reply.Exit != 0 {
				t.Fatalf("%s: %s: %s", states[i].Title, c.Display, reply.Stderr)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := drive.Until(ctx, func(ctx context.Context) error { return p.stands(ctx, states[i].Title) })
		cancel()
		if err != nil {
			t.Errorf("%s: %v", states[i].Title, err)
		}
	}
	clear := lessons.ClearSandbox()
	if reply := p.kubectl(t, clear.Stdin, clear.Args...); reply.Exit != 0 {
		t.Fatal(reply.Stderr)
	}
	services, err := p.CoreV1().Services(p.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(services.Items) != 1 || services.Items[0].Name != "web" {
		t.Errorf("Services %v, %v: want the one that is not the sandbox's", services, err)
	}
	if _, err := p.AppsV1().Deployments(p.namespace).Get(t.Context(), "pods", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := p.CoreV1().Pods(p.namespace).Get(t.Context(), "guest", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

// stands says what a state lacks.
func (p *place) stands(ctx context.Context, title string) error {
	service, err := p.CoreV1().Services(p.namespace).Get(ctx, "box", metav1.GetOptions{})
	if err != nil {
		return err
	}
	guest, err := p.CoreV1().Pods(p.namespace).Get(ctx, "guest", metav1.GetOptions{})
	if err != nil {
		return err
	}
	if !drive.Ready(guest) {
		return errors.New("the client is not ready")
	}
	slices, err := p.DiscoveryV1().EndpointSlices(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: "kubernetes.io/service-name=box"})
	if err != nil {
		return err
	}
	ready, all, ports := 0, 0, map[string]int{}
	for i := range slices.Items {
		count(&slices.Items[i], &ready, &all, ports)
	}
	want := map[string][2]int{
		"ClusterIP": {3, 3}, "No endpoints": {0, 0}, "Not ready": {0, 3}, "NodePort, policy Local": {1, 1}, "LoadBalancer": {3, 3},
		"Headless, StatefulSet": {3, 3}, "ExternalName": {3, 3}, "Two ports by name": {2, 2}, "NetworkPolicy": {3, 3}, "Two versions": {4, 4},
	}
	expected, known := want[title]
	if !known || expected != [2]int{ready, all} {
		return fmt.Errorf("%d of %d endpoints are ready, want %v", ready, all, expected)
	}
	return p.special(ctx, title, service, ports)
}

func count(slice *discoveryv1.EndpointSlice, ready, all *int, ports map[string]int) {
	for _, e := range slice.Endpoints {
		*all++
		if e.Conditions.Ready != nil && *e.Conditions.Ready {
			*ready++
		}
	}
	for _, port := range slice.Ports {
		if port.Name != nil && port.Port != nil {
			ports[*port.Name] = int(*port.Port)
		}
	}
}

// special is what one state has that the others have not.
func (p *place) special(ctx context.Context, title string, service *corev1.Service, ports map[string]int) error {
	request := func(url string) (drive.Output, error) {
		return p.Exec(ctx, p.namespace, "guest", "curl", "-sS", "-m", "2", url)
	}
	switch title {
	case "NodePort, policy Local":
		if service.Spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal || service.Spec.Ports[0].NodePort == 0 {
			return fmt.Errorf("the Service is %+v", service.Spec)
		}
	case "Headless, StatefulSet":
		return answered(request("http://box-0.box"))
	case "ExternalName":
		return answered(request("http://alias"))
	case "Two ports by name":
		if ports["http"] != 8080 || ports["admin"] != 9090 {
			return fmt.Errorf("ports %v", ports)
		}
		return answered(request("http://box:81"))
	case "NetworkPolicy":
		if out, err := request("http://box"); err != nil || out.Code == 0 {
			return fmt.Errorf("a request gets through: %+v, %w", out, err)
		}
	case "ClusterIP", "Two versions":
		return answered(request("http://box"))
	}
	return nil
}

func answered(out drive.Output, err error) error {
	if err == nil && out.Code != 0 {
		err = fmt.Errorf("curl ended with %d: %s", out.Code, out.Stderr)
	}
	return err
}
