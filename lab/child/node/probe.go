package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	grpcstatus "google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/kubelet/events"
	"k8s.io/kubernetes/pkg/probe"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"

	"svctour/lab/child/process"
)

// The kinds of probes, in the order in which they matter.
const (
	startupProbe = iota
	livenessProbe
	readinessProbe
)

var probeNames = [...]string{startupProbe: "Startup", livenessProbe: "Liveness", readinessProbe: "Readiness"}

// firstProbe is how long after its start, or after its startup probe passed, a
// container is first probed: the kubelet does it as soon as it sees that the
// container runs, which a program has started to listen by.
const firstProbe = 100 * time.Millisecond

// triggered are the waits between the first readiness probes of a container
// that is not ready yet: whenever the kubelet updates a Pod's status it probes
// such a container at once (UpdatePodStatus in its prober_manager.go), and it
// does so several times while a Pod starts.
var triggered = []time.Duration{200 * time.Millisecond, 300 * time.Millisecond, 400 * time.Millisecond, time.Second}

// probeState is how far one probe of a running container has come.
type probeState struct {
	passed int32 // in a row
	failed int32
	stop   context.CancelFunc // ends the probing, nil before it begins
}

// probeResult is the outcome of one probe.
type probeResult struct {
	kind   int
	ok     bool
	output string // why not, in the kubelet's words
}

// probe begins the probes that a running container should have by now.
func (c *container) probe() {
	if !c.running() || c.hooking() {
		return
	}
	spec := c.spec()
	if spec.StartupProbe == nil {
		c.startedUp = true
	} else if !c.startedUp {
		c.watch(startupProbe, spec.StartupProbe)
	}
	if !c.startedUp {
		return
	}
	if spec.ReadinessProbe == nil {
		c.ready = true
	} else {
		c.watch(readinessProbe, spec.ReadinessProbe)
	}
	if spec.LivenessProbe != nil && c.end == nil {
		c.watch(livenessProbe, spec.LivenessProbe)
	}
}

// watch probes the container at every period until it ends.
func (c *container) watch(kind int, probe *corev1.Probe) {
	state := &c.probes[kind]
	if state.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(c.attempt.life)
	state.stop = cancel
	t, key, n := c.target(), c.pod.key, c.pod.Nodes
	first := max(time.Until(c.startTime.Add(time.Duration(probe.InitialDelaySeconds)*time.Second)), firstProbe)
	period, soon := time.Duration(max(probe.PeriodSeconds, 1))*time.Second, triggered
	go func() {
		timer := time.NewTimer(first)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			output, ok := t.check(ctx, probe)
			next := period
			if kind == readinessProbe && !ok && len(soon) > 0 {
				next, soon = min(period, soon[0]), soon[1:]
			} else {
				soon = nil
			}
			timer.Reset(next)
			if ctx.Err() != nil {
				return
			}
			t.attempt.mu.Lock()
			t.attempt.results = append(t.attempt.results, probeResult{kind, ok, output})
			t.attempt.mu.Unlock()
			n.queue.Add(key)
		}
	}()
}

// settleProbes acts on what the probes have found.
func (c *container) settleProbes() {
	c.attempt.mu.Lock()
	results := c.attempt.results
	c.attempt.results = nil
	c.attempt.mu.Unlock()
	for _, result := range results {
		c.judge(result)
	}
}

// judge counts one result and acts on a threshold that is reached.
func (c *container) judge(result probeResult) {
	spec, state := c.spec(), &c.probes[result.kind]
	settings := [...]*corev1.Probe{startupProbe: spec.StartupProbe, livenessProbe: spec.LivenessProbe, readinessProbe: spec.ReadinessProbe}[result.kind]
	if settings == nil {
		return
	}
	if result.ok {
		state.passed, state.failed = state.passed+1, 0
	} else {
		state.passed, state.failed = 0, state.failed+1
		c.pod.event(c, corev1.EventTypeWarning, events.ContainerUnhealthy, fmt.Sprintf("%s probe failed: %s", probeNames[result.kind], result.output))
	}
	passes, fails := state.passed >= max(settings.SuccessThreshold, 1), state.failed >= max(settings.FailureThreshold, 1)
	if result.kind == readinessProbe {
		c.ready = passes || c.ready && !fails
		return
	}
	if result.kind == startupProbe && passes {
		c.startedUp = true
		state.stop()
	}
	if fails && c.end == nil {
		state.stop()
		name := map[int]string{startupProbe: "startup", livenessProbe: "liveness"}[result.kind]
		c.kill(fmt.Sprintf("Container %s failed %s probe, will be restarted", spec.Name, name), c.probeGrace(settings))
	}
}

func (c *container) probeGrace(probe *corev1.Probe) time.Duration {
	if probe.TerminationGracePeriodSeconds != nil {
		return time.Duration(*probe.TerminationGracePeriodSeconds) * time.Second
	}
	return c.pod.grace()
}

// check probes once. The output of a probe that fails is in the kubelet's words
// (prober.go); a command may fail without any.
func (t *target) check(ctx context.Context, settings *corev1.Probe) (output string, ok bool) {
	timeout := time.Duration(max(settings.TimeoutSeconds, 1)) * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch {
	case settings.HTTPGet != nil:
		request, err := t.request(settings.HTTPGet)
		if err != nil {
			return err.Error(), false
		}
		result, output, err := httpprobe.DoHTTPProbe(request.WithContext(ctx), t.client(timeout))
		if err != nil {
			return err.Error(), false
		}
		if result == probe.Failure {
			return output, false
		}
	case settings.TCPSocket != nil:
		output = t.checkTCP(ctx, settings.TCPSocket)
	case settings.GRPC != nil:
		output = t.checkGRPC(ctx, settings.GRPC, timeout)
	case settings.Exec != nil:
		return t.checkExec(ctx, settings.Exec, timeout)
	}
	return output, output == ""
}

func (t *target) checkTCP(ctx context.Context, action *corev1.TCPSocketAction) string {
	port, err := t.port(action.Port)
	if err != nil {
		return err.Error()
	}
	address := action.Host
	if address == "" {
		address = t.address
	}
	conn, err := t.dial(ctx, "tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	if err != nil {
		return err.Error()
	}
	conn.Close()
	return ""
}

func (t *target) checkGRPC(ctx context.Context, action *corev1.GRPCAction, timeout time.Duration) string {
	address := net.JoinHostPort(t.address, strconv.Itoa(int(action.Port)))
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUserAgent("kube-probe/"+t.host.version),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return t.dial(ctx, "tcp", address) }))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	service := ""
	if action.Service != nil {
		service = *action.Service
	}
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{Service: service}, grpc.WaitForReady(true))
	if ctx.Err() != nil {
		return fmt.Sprintf("timeout: failed to connect service %q within %v: context deadline exceeded", address, timeout)
	}
	if err != nil {
		return fmt.Sprintf("error: health rpc probe failed: %s", grpcstatus.Convert(err).Message())
	}
	if answer.GetStatus() != healthv1.HealthCheckResponse_SERVING {
		return fmt.Sprintf("service unhealthy (responded with %q)", answer.GetStatus().String())
	}
	return ""
}

func (t *target) checkExec(ctx context.Context, action *corev1.ExecAction, timeout time.Duration) (output string, ok bool) {
	if len(action.Command) == 0 {
		return "", true
	}
	var out bytes.Buffer
	status, err := t.attempt.run(ctx, action.Command, func(p *process.Process) { p.Stdout, p.Stderr = &out, &out })
	switch {
	case ctx.Err() != nil:
		return fmt.Sprintf("command timed out: %q timed out after %v", action.Command, timeout), false
	case err != nil:
		return err.Error(), false
	}
	return out.String(), status == 0
}

// dial connects from the node's own network, where the kubelet is.
func (t *target) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return t.host.network.Stack().DialContext(ctx, network, address)
}

// client is an HTTP client like the kubelet's for probes and hooks.
func (t *target) client(timeout time.Duration) *http.Client {
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext: t.dial, DisableKeepAlives: true, DisableCompression: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // as the kubelet: it asks for health, not for identity
		},
		CheckRedirect: httpprobe.RedirectChecker(false),
	}
}

func (t *target) request(action *corev1.HTTPGetAction) (*http.Request, error) {
	port, err := t.port(action.Port)
	if err != nil {
		return nil, err
	}
	resolved := *action
	resolved.Port = intstr.FromInt32(int32(port))
	return httpprobe.NewRequestForHTTPGetAction(&resolved, t.spec, t.address, "probe")
}

// port is the number of a port of the container's.
func (t *target) port(port intstr.IntOrString) (int, error) {
	number := int(port.IntVal)
	if port.Type == intstr.String {
		number = 0
		for _, declared := range t.spec.Ports {
			if declared.Name == port.StrVal {
				number = int(declared.ContainerPort)
			}
		}
		if number == 0 {
			parsed, err := strconv.Atoi(port.StrVal)
			if err != nil {
				return 0, fmt.Errorf("couldn't find port: %s in container: %s", port.StrVal, t.spec.Name)
			}
			number = parsed
		}
	}
	if number < 1 || number > 65535 {
		return 0, fmt.Errorf("invalid port number: %v", number)
	}
	return number, nil
}
