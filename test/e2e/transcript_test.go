package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTranscript types the commands of a tutorial about Services, each with
// what it has to show; addresses, hashes and ages vary. Once with the kubectl
// that people have, once with the one inside.
func TestTranscript(t *testing.T) {
	for _, c := range []struct {
		name    string
		kubectl func(*testing.T) []string
	}{
		{"kubectl", realKubectl},
		{"svctour kubectl", func(*testing.T) []string { return []string{binary, "kubectl"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := &typist{T: t, home: home(t), kubectl: c.kubectl(t)}
			began := time.Now()
			if _, errs, code := svctour(t, x.home, nil, "lab", "up", "--detach"); code != 0 {
				t.Fatal(errs)
			}
			t.Cleanup(func() { svctour(t, x.home, nil, "lab", "down") })
			x.before()
			x.clusterIP()
			x.inside()
			x.nodePort()
			x.loadBalancer()
			x.others()
			x.after()
			t.Logf("the transcript took %.1f s", time.Since(began).Seconds())
		})
	}
}

// realKubectl is kubectl from PATH, or built from Kubernetes' own source.
func realKubectl(t *testing.T) []string {
	t.Helper()
	if path, err := exec.LookPath("kubectl"); err == nil {
		return []string{path}
	}
	path := filepath.Join(filepath.Dir(binary), "kubectl")
	build := exec.Command("go", "build", "-o", path, "k8s.io/kubernetes/cmd/kubectl")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build kubectl: %v\n%s", err, out)
	}
	return []string{path}
}

// typist types commands.
type typist struct {
	*testing.T
	home    string
	kubectl []string
	ip      string // the Service's
}

func (x *typist) environment() []string {
	return append(os.Environ(), "SVCTOUR_HOME="+x.home, "KUBECONFIG="+filepath.Join(x.home, "lab", "kubeconfig"))
}

// try runs kubectl and gives what it prints.
func (x *typist) try(args ...string) (string, error) {
	command := exec.Command(x.kubectl[0], append(append([]string{}, x.kubectl[1:]...), args...)...)
	command.Env = x.environment()
	out, err := command.CombinedOutput()
	return string(out), err
}

// run runs kubectl, which has to succeed.
func (x *typist) run(args ...string) string {
	x.Helper()
	out, err := x.try(args...)
	if err != nil {
		x.Fatalf("kubectl %q: %v\n%s", args, err, out)
	}
	return out
}

// shows runs kubectl and wants its output to match.
func (x *typist) shows(pattern string, args ...string) string {
	x.Helper()
	out := x.run(args...)
	if !regexp.MustCompile(pattern).MatchString(out) {
		x.Errorf("kubectl %q:\n%s\ndoes not show %s", args, out, pattern)
	}
	return out
}

// comes waits until kubectl's output matches.
func (x *typist) comes(pattern string, args ...string) {
	x.Helper()
	last, wanted := "", regexp.MustCompile(pattern)
	until(x.T, func() bool {
		last, _ = x.try(args...)
		return wanted.MatchString(last)
	}, func() string { return strings.Join(args, " ") + " never shows " + pattern + ":\n" + last })
}

// apply applies a manifest.
func (x *typist) apply(pattern, manifest string) {
	x.Helper()
	file := filepath.Join(x.home, "web-svc.yaml")
	if err := os.WriteFile(file, []byte(manifest), 0o600); err != nil {
		x.Fatal(err)
	}
	x.shows(pattern, "apply", "-f", file)
}

const serviceHead = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  selector: {app: web}\n"

func (x *typist) before() {
	x.run("create", "deployment", "web", "--image=nginx", "--replicas=3")
	x.comes(`(?s)(web-\S+ +1/1 +Running.*){3}`, "get", "pods", "-o", "wide")
	x.comes(`2/2`, "get", "deployment", "coredns", "--namespace=kube-system")
}

// clusterIP is rows 1 to 4.
func (x *typist) clusterIP() {
	x.apply(`service/web created`, serviceHead+"  type: ClusterIP\n  ports:\n  - {port: 80, targetPort: 80}\n")
	x.shows(`(?s)NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nkubernetes +ClusterIP +10\.96\.0\.1 +<none> +443/TCP.*\nweb +ClusterIP +10\.96\.\d+\.\d+ +<none> +80/TCP`, "get", "svc")
	x.comes(`web +(10\.244\.\d+\.\d+:80,?){3}`, "get", "endpoints", "web")
	x.comes(`web-\w{5} +IPv4 +80 +10\.244\.\d+\.\d+,10\.244\.\d+\.\d+,10\.244\.\d+\.\d+`, "get", "endpointslices", "-l", "kubernetes.io/service-name=web")
	x.ip = x.run("get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}")
}

// inside is rows 5 to 12: a shell in a Pod, on a terminal.
func (x *typist) inside() {
	line := strings.Join(x.kubectl, " ") + " run tmp --rm -it --image=curlimages/curl -- sh"
	var term *terminal
	// On a busy machine kubectl may lose its first try to attach, and with it the
	// shell, whose input ends; it says so, and ends, too.
	for tries := 0; ; tries++ {
		term = openCommand(x.T, x.home, 120, 50, []string{"KUBECONFIG=" + filepath.Join(x.home, "lab", "kubeconfig")}, line)
		term.await("try pressing enter") // the prompt was there before anybody listened
		term.press("Enter")
		until(x.T, func() bool {
			return strings.Contains(term.screen(), "/ #") || strings.Contains(term.screen(), "[exit code")
		}, func() string { return "neither a prompt nor an end:\n" + term.screen() })
		if !strings.Contains(term.screen(), "couldn't attach") || tries == 2 {
			break
		}
	}
	term.await("/ #")
	for _, address := range []string{"web", "web.default.svc.cluster.local", x.ip} {
		term.press("clear", "Enter")
		term.press("curl -s http://"+address+" | head -1", "Enter")
		term.await("\n<!DOCTYPE html>")
	}
	term.press("clear; for i in $(seq 60); do curl -s -o /dev/null http://web; done; echo asked $((3*20)) times", "Enter")
	term.await("asked 60 times")
	total := 0
	for _, pod := range strings.Fields(x.run("get", "pods", "-l", "app=web", "-o", "name")) {
		lines := strings.Count(x.run("logs", pod), `"GET / HTTP/1.1" 200`)
		if total += lines; lines < 8 { // of 63 over three: one in ten thousand has fewer
			x.Errorf("%s has answered %d of 63 requests", pod, lines)
		}
	}
	if total != 63 {
		x.Errorf("the Pods have logged %d requests, want 63", total)
	}
	term.press("clear; nslookup web", "Enter")
	term.await("10.96.0.10:53", "web.default.svc.cluster.local", x.ip)
	term.press("clear; cat /etc/resolv.conf", "Enter")
	term.await("nameserver 10.96.0.10", "search default.svc.cluster.local svc.cluster.local cluster.local", "options ndots:5")
	term.press("exit", "Enter")
	term.await(`pod "tmp" deleted`, "[exit code 0]")

	out := x.onNode("node-1", "ip", "addr")
	if !strings.Contains(out, "172.18.0.2") || strings.Contains(out, x.ip) {
		x.Errorf("ip addr on a node, where %s should be nowhere:\n%s", x.ip, out)
	}
}

// onNode runs a command in a node's own network.
func (x *typist) onNode(node string, command ...string) string {
	x.Helper()
	overrides, err := json.Marshal(map[string]any{"spec": map[string]any{"hostNetwork": true, "nodeName": node}})
	if err != nil {
		x.Fatal(err)
	}
	x.run(append([]string{"run", "on-" + node, "--image=nicolaka/netshoot", "--restart=Never", "--overrides=" + string(overrides), "--command", "--"}, command...)...)
	x.comes(`Succeeded|Failed`, "get", "pod", "on-"+node, "-o", "jsonpath={.status.phase}")
	out := x.run("logs", "on-"+node)
	x.run("delete", "pod", "on-"+node)
	return out
}

// nodePort is rows 13 to 16.
func (x *typist) nodePort() {
	x.apply(`service/web configured`, serviceHead+"  type: NodePort\n  ports:\n  - {port: 80, targetPort: 80, nodePort: 30080}\n")
	x.shows(`web +NodePort +`+regexp.QuoteMeta(x.ip)+` +<none> +80:30080/TCP`, "get", "svc", "web")
	for _, node := range []string{"172.18.0.2", "172.18.0.3", "172.18.0.4"} {
		if out := x.onNode("node-1", "curl", "-s", "--retry", "5", "--retry-connrefused", "http://"+node+":30080"); !strings.Contains(out, "Welcome to nginx!") {
			x.Errorf("%s:30080 answers %q", node, out)
		}
	}
	x.fromThisMachine()
	x.apply(`service/web-any created`, strings.Replace(serviceHead, "name: web", "name: web-any", 1)+"  type: NodePort\n  ports:\n  - {port: 80}\n")
	x.shows(`80:3[0-2]\d{3}/TCP`, "get", "svc", "web-any")
	out, err := x.try("patch", "svc", "web-any", "-p", `{"spec":{"ports":[{"port":80,"nodePort":80}]}}`)
	if err == nil || !strings.Contains(out, "provided port is not in the valid range. The range of valid ports is 30000-32767") {
		x.Errorf("nodePort 80: %v\n%s", err, out)
	}
	x.run("delete", "svc", "web-any")
}

// fromThisMachine opens the page as a browser would.
func (x *typist) fromThisMachine() {
	x.Helper()
	if _, errs, code := svctour(x.T, x.home, nil, "lab", "expose", "30080"); code != 0 {
		x.Fatalf("lab expose: %s", errs)
	}
	last := ""
	until(x.T, func() bool {
		response, err := http.Get("http://127.0.0.1:30080/")
		if err != nil {
			last = err.Error()
			return false
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		last = string(body)
		return strings.Contains(last, "Welcome to nginx!")
	}, func() string { return "127.0.0.1:30080 answers " + last })
}

// loadBalancer is rows 17 and 18.
func (x *typist) loadBalancer() {
	x.apply(`service/web configured`, serviceHead+"  type: LoadBalancer\n  ports:\n  - {port: 80, targetPort: 80}\n")
	x.shows(`web +LoadBalancer +\S+ +<pending> +80:3\d{4}/TCP`, "get", "svc", "web")
	if _, errs, code := svctour(x.T, x.home, nil, "lab", "addon", "enable", "load-balancer"); code != 0 {
		x.Fatalf("lab addon enable: %s", errs)
	}
	x.comes(`web +LoadBalancer +\S+ +172\.18\.0\.\d+ +80:3\d{4}/TCP`, "get", "svc", "web")
	address := x.run("get", "svc", "web", "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
	if out := x.onNode("node-2", "curl", "-s", "--retry", "5", "--retry-connrefused", "http://"+address); !strings.Contains(out, "Welcome to nginx!") {
		x.Errorf("%s answers %q", address, out)
	}
}

// others are rows 19 to 23.
func (x *typist) others() {
	x.run("create", "service", "clusterip", "typo", "--tcp=80")
	x.run("patch", "svc", "typo", "-p", `{"spec":{"selector":{"app":"wbe"}}}`)
	x.comes(`typo +<none>`, "get", "endpoints", "typo")
	x.shows(`app=web`, "get", "pods", "--show-labels")
	x.run("create", "service", "externalname", "db", "--external-name=db.example.com")
	x.run("create", "service", "clusterip", "heads", "--clusterip=None", "--tcp=80")
	x.run("patch", "svc", "heads", "-p", `{"spec":{"selector":{"app":"web"}}}`)
	x.run("create", "deployment", "other", "--image=registry.k8s.io/e2e-test-images/agnhost:2.53", "--", "/agnhost", "netexec", "--http-port=8080")
	x.run("expose", "deployment", "other", "--port=80", "--target-port=8080")
	x.run("run", "client", "--image=nicolaka/netshoot", "--command", "--", "sleep", "infinity")
	x.run("wait", "--for=condition=Ready", "pod/client", "--timeout=60s")
	x.comes(`canonical name = db\.example\.com`, "exec", "client", "--", "nslookup", "db")
	for _, ip := range strings.Fields(x.run("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].status.podIP}")) {
		x.comes(regexp.QuoteMeta(ip), "exec", "client", "--", "nslookup", "heads")
	}
	x.comes(`NOW: `, "exec", "client", "--", "curl", "-s", "http://other")

	pod := strings.Fields(x.run("get", "pods", "-l", "app=web", "-o", "name"))[0]
	gone := x.run("get", pod, "-o", "jsonpath={.status.podIP}")
	x.run("delete", pod)
	last := ""
	until(x.T, func() bool {
		last = x.run("get", "endpoints", "web")
		return strings.Count(last, ":80") == 3 && !strings.Contains(last, gone+":")
	}, func() string { return gone + " stays, or no other comes:\n" + last })
}

// after is rows 24 and 25.
func (x *typist) after() {
	x.shows(`service "web" deleted`, "delete", "-f", filepath.Join(x.home, "web-svc.yaml"))
	x.shows(`deployment.apps "web" deleted`, "delete", "deploy", "web")
	x.run("delete", "svc", "typo", "db", "heads", "other")
	x.run("delete", "deploy", "other")
	x.run("delete", "pod", "client", "--now")
	want := regexp.MustCompile(`^(Warning.*\n)?(svctour: .*\n)?NAME +TYPE +CLUSTER-IP +EXTERNAL-IP +PORT\(S\) +AGE\nservice/kubernetes .*\n$`)
	last := ""
	until(x.T, func() bool {
		last = x.run("get", "svc,deploy,pods")
		return want.MatchString(last)
	}, func() string { return "more than the Service kubernetes is left:\n" + last })
}
