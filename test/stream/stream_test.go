package stream

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/cluster/reach"
	"svctour/model"
	"svctour/model/meter"
	"svctour/test/drive"
)

// server is a Deployment of nginx and a Service of its Pods. config is nginx'
// server block; "" leaves its own page, which names no Pod.
func server(name string, replicas int, config, probe string, targetPort int) string {
	volume := ""
	if config != "" {
		volume = fmt.Sprintf(`
        volumeMounts: [{name: conf, mountPath: /etc/nginx/conf.d}]
      volumes: [{name: conf, configMap: {name: %s}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: %[1]s, labels: {app: %[1]s}}
data:
  default.conf: |
    server { listen 80; location / { %s } }`, name, config)
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec:
  selector: {app: %[1]s}
  ports: [{port: 80, targetPort: %[3]d}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers:
      - name: nginx
        image: nginx:1.27%[4]s%[5]s
`, name, replicas, targetPort, probe, volume)
}

const (
	names     = `return 200 "$hostname\n";`
	unhealthy = "\n        readinessProbe: {tcpSocket: {port: 81}, periodSeconds: 1}"
)

// clients makes the Pods that send: one with curl, one with wget.
var clients = sync.OnceValue(func() error {
	for _, args := range [][]string{
		{"run", "tmp", "--image=nginx:1.27"},
		{"run", "box", "--image=busybox:1.36", "--command", "--", "sleep", "1000000"},
	} {
		if reply := runner.Run(context.Background(), namespace, args, ""); reply.Exit != 0 {
			return fmt.Errorf("%s: %s", reply.Command, reply.Stderr)
		}
	}
	return nil
})

func needClients(t *testing.T) {
	t.Helper()
	if err := clients(); err != nil {
		t.Fatal(err)
	}
	until(t, "the clients", func(s *model.Snapshot) bool { return running("tmp")(s) && running("box")(s) })
}

// TestShares: what the meter counts for each Pod is what that Pod's own access
// log has; a Pod is known by what it answers, and where it answers nothing of
// itself by where the node led the connection.
func TestShares(t *testing.T) {
	needClients(t)
	for _, c := range []struct {
		service, config, client string
		n                       int
	}{
		{"named", names, "tmp", *requests},
		{"plain", "", "tmp", min(*requests, 500)},
		{"named", names, "box", min(*requests, 100)},
	} {
		t.Run(c.service+" from "+c.client, func(t *testing.T) {
			command(t, server(c.service, 3, c.config, "", 80), "apply", "-f", "-")
			until(t, "three endpoints", endpoints(c.service, 3))
			logs := follow(t, c.service, 3)
			began := time.Now()
			tally := stream(t, c.client, c.service, c.service, meter.MaxRate, 0, after(c.n))
			logged := logs.sum(t, tally.Answered())
			total := tally.Unnamed.Count
			for _, row := range tally.Pods {
				total += row.Count
				if more := logged[row.Pod] - row.Count; more < 0 || more > tally.Unnamed.Count {
					t.Errorf("the log of %s has %d requests, the meter %d answers", row.Pod, logged[row.Pod], row.Count)
				}
				t.Logf("%s: %d answers, %.1f %%, p50 %v, p99 %v; %d name the Pod; its log has %d", row.Pod, row.Count, 100*row.Share, row.P50, row.P99, row.Named, logged[row.Pod])
			}
			t.Logf("%d requests in %v, %d answered, %d by a Pod that is not known, the client counts %d; %+v",
				tally.Told, time.Since(began).Round(time.Second), tally.Answered(), tally.Unnamed.Count, tally.Sent, tally.Failed)
			// Where a port of the client's was used twice between two looks at the node's
			// connections, it is not known who answered; it is not guessed.
			if len(tally.Pods) != 3 || total != tally.Answered() || c.config != "" && tally.Unnamed.Count > 0 || tally.Unnamed.Count > tally.Told/20 {
				t.Errorf("%+v", tally)
			}
		})
	}
}

// counts are the lines of Pods' logs that tell of a request.
type counts struct {
	mu      sync.Mutex
	lines   map[string]int
	changed chan struct{}
}

// follow counts from now on what the Pods of an app log.
func follow(t *testing.T, app string, n int) *counts {
	t.Helper()
	pods, err := client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	if err != nil || len(pods.Items) != n {
		t.Fatalf("%d Pods, %v", len(pods.Items), err)
	}
	c := &counts{lines: map[string]int{}, changed: make(chan struct{}, 1)}
	none := int64(0)
	for _, pod := range pods.Items {
		log, err := client.CoreV1().Pods(namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true, TailLines: &none}).Stream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		t.Cleanup(func() { log.Close(); <-done })
		go func() {
			defer close(done)
			for lines := bufio.NewScanner(log); lines.Scan(); {
				if strings.Contains(lines.Text(), `"GET / HTTP`) {
					c.mu.Lock()
					c.lines[pod.Name]++
					c.mu.Unlock()
					select {
					case c.changed <- struct{}{}:
					default:
					}
				}
			}
		}()
	}
	return c
}

// sum waits until the logs have so many requests together, and gives what each has.
func (c *counts) sum(t *testing.T, want int) map[string]int {
	t.Helper()
	timeout := time.After(patience)
	for {
		c.mu.Lock()
		got, all := maps.Clone(c.lines), 0
		c.mu.Unlock()
		for _, n := range got {
			all += n
		}
		if all >= want {
			if all > want {
				t.Errorf("the logs have %d requests, the meter %d answers", all, want)
			}
			return got
		}
		select {
		case <-c.changed:
		case <-timeout:
			t.Fatalf("the logs have %d requests, the meter %d answers", all, want)
		}
	}
}

// TestCauses plants each cause and expects every failure to be told by it.
func TestCauses(t *testing.T) {
	needClients(t)
	policy := func(name, selector, rest string) string {
		return fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: %s}\nspec:\n  podSelector: {matchLabels: {%s}}\n%s", name, selector, rest)
	}
	t.Run("planted", func(t *testing.T) { plantedCauses(t, policy) })
	t.Run("killed Pod", killedPod)
	t.Run("DNS kept away", func(t *testing.T) {
		command(t, policy("mute", "run: mute", "  policyTypes: [Egress]\n  egress: [{ports: [{port: 80, protocol: TCP}]}]\n"), "apply", "-f", "-")
		until(t, "the policy", func(s *model.Snapshot) bool { return len(s.Policies) > 1 })
		defer command(t, "", "delete", "networkpolicy", "mute")
		// Its client has looked nothing up before: a policy cuts no connection that
		// the node remembers, and a later query may have the port of an earlier one.
		command(t, "", "run", "mute", "--image=nginx:1.27")
		defer command(t, "", "delete", "pod", "mute", "--now")
		until(t, "its client", running("mute"))
		enforced(t, "mute", "named", "Resolving timed out")
		planted(t, stream(t, "mute", "named", "named", 20, 0, failures(15)), []meter.Outcome{meter.DNSSilent}, meter.Denied, "")
	})
	t.Run("DNS down", dnsDown)
}

// enforced waits until curl in a client says that a policy is in its way: nodes learn
// of a policy later than its author, and of a Service.
func enforced(t *testing.T, client, host, says string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		reply := runner.Run(t.Context(), namespace, []string{"exec", client, "--", "curl", "-sS", "-m", "1", "-o", "/dev/null", "http://" + host + "/"}, "")
		switch { // a busy machine may let a request time out elsewhere
		case strings.Contains(reply.Stderr, says):
			return
		case time.Now().After(deadline):
			t.Fatalf("the policy is not enforced: %s", reply.Stderr)
		}
	}
}

// plantedCauses are those that last, all at the same time.
func plantedCauses(t *testing.T, policy func(name, selector, rest string) string) {
	for _, c := range []struct {
		name, manifests string
		service, host   string
		ready           int
		outcomes        []meter.Outcome
		why             meter.Why
		pod             string // of the cause: it begins so
	}{
		{"not ready", server("unready", 2, names, unhealthy, 80), "unready", "unready", 0, []meter.Outcome{meter.Refused}, meter.NoEndpoint, ""},
		{"refused port", server("closed", 1, names, "", 81), "closed", "closed", 1, []meter.Outcome{meter.Refused}, meter.PortRefused, "closed-"},
		{"a status", server("bad", 2, `return 503 "$hostname\n";`, "", 80), "bad", "bad", 2, []meter.Outcome{meter.Status}, meter.AnsweredSo, "bad-"},
		{"policy", server("shut", 2, names, "", 80) + "---\n" + policy("shut", "app: shut", "  policyTypes: [Ingress]\n"), "shut", "shut", 2, []meter.Outcome{meter.Timeout}, meter.Denied, ""},
		{"no such name", server("named", 3, names, "", 80), "named", "nothing", 3, []meter.Outcome{meter.Unresolved}, meter.NoName, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			command(t, c.manifests, "apply", "-f", "-")
			until(t, c.name, func(s *model.Snapshot) bool {
				return endpoints(c.service, c.ready)(s) && (c.ready > 0 || len(s.ServiceSlices(namespace, c.service)) > 0) && (c.why != meter.Denied || len(s.Policies) > 0)
			})
			if c.why == meter.Denied {
				enforced(t, "tmp", c.host, "Connection timed out")
			}
			for _, from := range []string{"tmp", "box"} {
				pod := c.pod
				if from == "box" && c.why == meter.AnsweredSo {
					pod = "" // busybox' wget keeps the body of such an answer to itself
				}
				planted(t, stream(t, from, c.service, c.host, 20, 0, failures(15)), c.outcomes, c.why, pod)
			}
		})
	}
}

// failures says that so many requests failed.
func failures(n int) func(*meter.Tally) bool {
	return func(m *meter.Tally) bool {
		failed := 0
		for _, f := range m.Failed {
			failed += f.Count
		}
		return failed >= n
	}
}

// planted expects each failure to be of the outcomes, and to have the cause.
func planted(t *testing.T, m *meter.Tally, outcomes []meter.Outcome, why meter.Why, pod string) {
	t.Helper()
	for _, f := range m.Failed {
		known := false
		for _, o := range outcomes {
			known = known || f.Outcome == o
		}
		if !known || f.Cause.Why != why || !strings.HasPrefix(f.Cause.Pod, pod) {
			t.Errorf("%d failures are %q: %q (%s, Pod %q, %s), want %q of %q", f.Count, f.Outcome, f.Cause.Text, f.Cause.Why, f.Cause.Pod, f.Cause.Evidence, why, outcomes)
		} else {
			t.Logf("%d failures are %q: %q (%s)", f.Count, f.Outcome, f.Cause.Text, f.Cause.Evidence)
		}
	}
	if len(m.Failed) == 0 {
		t.Error("nothing failed")
	}
}

// killedPod kills Pods under a stream, one at a time, so that an endpoint is
// always there.
func killedPod(t *testing.T) {
	command(t, server("mortal", 2, names, "", 80), "apply", "-f", "-")
	until(t, "the endpoints", endpoints("mortal", 2))
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer cancel()
	begun, killed := make(chan struct{}), make(chan error, 1)
	group.Go(func() {
		select {
		case <-begun:
			killed <- killSome(ctx, "mortal", 6)
		case <-ctx.Done():
		}
	})
	first := sync.OnceFunc(func() { close(begun) })
	var err error
	m := stream(t, "tmp", "mortal", "mortal", meter.MaxRate, settleTime, func(m *meter.Tally) bool {
		if m.Answered() > 10 {
			first()
		}
		select {
		case err = <-killed:
			return true
		default:
			return false
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d requests failed", m.Unanswered(), m.Told)
	if m.Unanswered() == 0 { // no request was at a Pod when it was killed
		return
	}
	planted(t, m, []meter.Outcome{meter.Refused, meter.Timeout, meter.Reset, meter.Unreachable}, meter.PodLeft, "")
}

// killSome kills one of an app's two Pods so many times, without grace; each time
// it waits for the next Pod.
func killSome(ctx context.Context, app string, times int) error {
	now := int64(0)
	for range times {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + app})
		if err != nil {
			return err
		}
		gone := pods.Items[0].Name
		if err := client.CoreV1().Pods(namespace).Delete(ctx, gone, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
			return err
		}
		if err := await(ctx, func(s *model.Snapshot) bool { return s.Pod(namespace, gone) == nil && endpoints(app, 2)(s) }); err != nil {
			return err
		}
	}
	return nil
}

// dnsDown takes the DNS servers away.
func dnsDown(t *testing.T) {
	scale := func(n int32) {
		t.Helper()
		if _, err := drive.Scale(context.WithoutCancel(t.Context()), client, metav1.NamespaceSystem, "coredns", n); err != nil {
			t.Fatal(err)
		}
	}
	scale(0)
	defer func() {
		scale(2)
		until(t, "DNS", func(s *model.Snapshot) bool { return s.DNS.Serving })
	}()
	until(t, "DNS to be down", func(s *model.Snapshot) bool {
		for _, pod := range s.PodsIn(metav1.NamespaceSystem) {
			if pod.Labels["k8s-app"] == "kube-dns" {
				return false
			}
		}
		return !s.DNS.Serving
	})
	for _, from := range []string{"tmp", "box"} {
		planted(t, stream(t, from, "named", "named", 20, 0, failures(15)), []meter.Outcome{meter.Unresolved, meter.DNSSilent}, meter.DNSDown, "")
	}
}

// TestNothingStaysBehind: however a stream ends, so do its shell and its requests
// in the container.
func TestNothingStaysBehind(t *testing.T) {
	needClients(t)
	command(t, server("named", 3, names, "", 80), "apply", "-f", "-")
	until(t, "three endpoints", endpoints("named", 3))
	spec := meter.Spec{Pod: "tmp", Host: "named", Port: 80}
	begin := func(ctx context.Context, rate func() int) (begun chan struct{}, ended chan error) {
		begun, ended = make(chan struct{}), make(chan error, 1)
		said := sync.OnceFunc(func() { close(begun) })
		go func() {
			ended <- reach.Stream(ctx, connection, namespace, spec, rate, func(b meter.Batch) {
				if len(b.Samples) > 0 {
					said()
				}
			})
		}()
		return begun, ended
	}
	t.Run("stopped", func(t *testing.T) {
		rate := make(chan int, 1)
		rate <- meter.MaxRate
		now := func() int { r := <-rate; rate <- r; return r }
		begun, ended := begin(t.Context(), now)
		<-begun
		working(t)
		<-rate
		rate <- 0
		if err := <-ended; err != nil {
			t.Error(err)
		}
		alone(t)
	})
	t.Run("screen left", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begun, ended := begin(ctx, steady(meter.MaxRate))
		<-begun
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("ended with %v", err)
		}
		alone(t)
	})
	t.Run("app killed", func(t *testing.T) {
		executable, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(executable)
		cmd.Env = append(os.Environ(), streamerEnv+"="+connection.Kubeconfig())
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "begun\n" {
			t.Errorf("it says %q, %v", line, err)
		}
		working(t)
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // killed
		alone(t)
	})
	t.Run("Pod deleted", func(t *testing.T) {
		command(t, "", "run", "short", "--image=nginx:1.27")
		until(t, "the Pod", running("short"))
		spec.Pod = "short"
		begun, ended := begin(t.Context(), steady(10))
		<-begun
		command(t, "", "delete", "pod", "short", "--now")
		if err := <-ended; err != meter.ErrClientGone {
			t.Errorf("ended with %v", err)
		}
		_, ended = begin(t.Context(), steady(10))
		if err := <-ended; err != meter.ErrClientGone {
			t.Errorf("without a Pod: %v", err)
		}
	})
	t.Run("no program", func(t *testing.T) {
		command(t, "", "run", "bare", "--image=traefik/whoami:v1.11")
		until(t, "the Pod", running("bare"))
		spec.Pod = "bare"
		_, ended := begin(t.Context(), steady(10))
		if err := <-ended; err != meter.ErrNoProgram {
			t.Errorf("ended with %v", err)
		}
	})
}

// processes are the command lines in the client's container.
func processes(t *testing.T) []string {
	t.Helper()
	return strings.Split(strings.TrimSpace(command(t, "", "exec", "tmp", "--", "ps")), "\n")[1:]
}

func ofStream(list []string) int {
	n := 0
	for _, line := range list {
		if strings.Contains(line, "curl") || strings.Contains(line, "sh -c") {
			n++
		}
	}
	return n
}

// working expects a stream's shell to run, so that alone proves something.
func working(t *testing.T) {
	t.Helper()
	if list := processes(t); ofStream(list) == 0 {
		t.Errorf("no shell of a stream runs: %q", list)
	}
}

// alone waits until nothing of a stream runs any more.
func alone(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		list := processes(t)
		switch {
		case ofStream(list) == 0:
			return
		case time.Now().After(deadline):
			t.Fatalf("these stay behind: %q", list)
		}
	}
}
