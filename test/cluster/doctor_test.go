package clustertest

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"svctour/cli"
	"svctour/model/diagnose"
)

// output is what a command has printed so far.
type output struct {
	mu      sync.Mutex
	text    strings.Builder
	changed chan struct{} // one slot
}

func newOutput() *output { return &output{changed: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// await waits until a text was printed so many times.
func (o *output) await(t *testing.T, text string, times int) {
	t.Helper()
	deadline := time.After(patience)
	for strings.Count(o.String(), text) < times {
		select {
		case <-o.changed:
		case <-deadline:
			t.Fatalf("%q is not said %d times:\n%s", text, times, o)
		}
	}
}

// doctor runs svctour doctor until it or ctx ends.
func doctor(ctx context.Context, t *testing.T, out, errs *output, kubeconfig string, args ...string) int {
	t.Helper()
	t.Cleanup(func(percent int) func() { return func() { debug.SetGCPercent(percent) } }(debug.SetGCPercent(100)))
	args = append([]string{"svctour", "doctor", "--kubeconfig", kubeconfig}, args...)
	return cli.Main(ctx, cli.Streams{In: strings.NewReader(""), Out: out, Err: errs}, args)
}

// Where there is nothing to look at, nothing is said to be well.
func TestDoctorWithoutAService(t *testing.T) {
	empty := namespace(t, unique(t), nil)
	for name, want := range map[string]string{
		empty:            fmt.Sprintf("svctour: there is no Service in namespace %q\n", empty),
		empty + "-wrong": fmt.Sprintf("svctour: there is no namespace %q\n", empty+"-wrong"),
	} {
		out, errs := newOutput(), newOutput()
		if code := doctor(t.Context(), t, out, errs, kubeconfig(t, nil), "-n", name); code != 2 || errs.String() != want {
			t.Errorf("-n %s: exit code %d, %q, want 2, %q", name, code, errs, want)
		}
	}
}

// All namespaces are those that may be read, and the text says that others exist.
func TestDoctorOfAllNamespacesWithRightsInOne(t *testing.T) {
	mine := namespace(t, unique(t), nil)
	grant(t, "ann", mine, []string{"get", "list", "watch"}, "services", "endpointslices", "endpoints", "pods", "deployments")
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "example.com"}}
	if _, err := server.client.CoreV1().Services(mine).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	config := kubeconfig(t, func(c *clientcmdapi.Config) {
		c.AuthInfos["test"].Impersonate, c.Contexts["test"].Namespace = "ann", mine
	})
	out, errs := newOutput(), newOutput()
	code := doctor(t.Context(), t, out, errs, config, "-A", "-o", "json")
	var report diagnose.Report
	if err := json.Unmarshal([]byte(out.String()), &report); err != nil {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, out, errs)
	}
	said := slices.ContainsFunc(report.NotChecked, func(u diagnose.Unchecked) bool {
		return strings.HasPrefix(u.What, fmt.Sprintf("namespaces other than %q", mine))
	})
	if code != 0 || len(report.Services) != 1 || !said {
		t.Errorf("exit code %d, not checked: %v\n%s", code, report.NotChecked, out)
	}
	if want := fmt.Sprintf("namespaces other than %q", mine); !strings.Contains(errs.String(), want) {
		t.Errorf("stderr %q, want %q", errs, want)
	}
}

// A watch says that it sees nothing any more, and when it sees again; ended while
// it does not see, it has no verdict.
func TestDoctorWatch(t *testing.T) {
	mine, p := namespace(t, unique(t), nil), newProxy(t)
	createService(t, mine, "web")
	watch := func(out, errs *output) (end func() int) {
		ctx, cancel := context.WithCancel(t.Context())
		code := make(chan int, 1)
		go func() {
			code <- doctor(ctx, t, out, errs, kubeconfig(t, p.through), "-n", mine, "--watch", "-o", "yaml")
		}()
		return func() int {
			cancel()
			return <-code
		}
	}
	out, errs := newOutput(), newOutput()
	end := watch(out, errs)
	out.await(t, "kind: DoctorReport", 1)
	createService(t, mine, "second")
	out.await(t, "name: second", 1)
	p.down()
	errs.await(t, "svctour: not live since ", 1)
	p.up()
	errs.await(t, "svctour: live again since ", 1)
	p.down()
	errs.await(t, "svctour: not live since ", 2)
	if code := end(); code != 2 || strings.Count(errs.String(), "not live since ") != 3 {
		t.Errorf("ended while the server is away: exit code %d\n%s", code, errs)
	}
	documents := strings.Split(out.String(), "\n---\n")
	for _, document := range documents {
		var report diagnose.Report
		if err := yaml.Unmarshal([]byte(document), &report); err != nil || len(report.Services) == 0 {
			t.Errorf("%v: %s", err, document)
		}
	}
	if n := strings.Count(out.String(), "kind: DoctorReport"); n < 2 || len(documents) != n {
		t.Errorf("%d reports in %d documents:\n%s", n, len(documents), out)
	}
	p.up()
	out, errs = newOutput(), newOutput()
	end = watch(out, errs)
	out.await(t, "name: second", 1)
	if code := end(); code != 1 { // no Pod matches the selectors
		t.Errorf("ended while live: exit code %d\n%s", code, errs)
	}
}
