package node

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/kubelet/events"
)

// There is no network in the lab yet on which to probe: whether a probe
// passes is derived from the ports that the container's image is known to
// listen on. Every Pod says so in this annotation.
const (
	ReadinessAnnotation = "svctour.dev/readiness"
	ReadinessDerived    = "derived"
)

// The kinds of probes, in the order in which they matter.
const (
	startupProbe = iota
	livenessProbe
	readinessProbe
)

// probeState is how far one probe of a running container has come.
type probeState struct {
	next   time.Time // of the next probe
	passed int32     // in a row
	failed int32
	held   bool // liveness or startup has failed, or startup has passed: no more
}

// probe runs the container's probes that are due.
func (c *container) probe() {
	if !c.running() || !c.killAt.IsZero() {
		return
	}
	spec := c.spec()
	if spec.StartupProbe == nil {
		c.startedUp = true
	} else if !c.startedUp {
		c.run(startupProbe, "Startup", spec.StartupProbe)
	}
	if !c.startedUp {
		return
	}
	if spec.ReadinessProbe == nil {
		c.ready = true
	} else {
		c.run(readinessProbe, "Readiness", spec.ReadinessProbe)
	}
	if spec.LivenessProbe != nil {
		c.run(livenessProbe, "Liveness", spec.LivenessProbe)
	}
}

// run probes if the time has come, and acts on a threshold that is reached.
func (c *container) run(kind int, name string, probe *corev1.Probe) {
	state := &c.probes[kind]
	period := time.Duration(max(probe.PeriodSeconds, 1)) * time.Second
	if state.held {
		return
	}
	if state.next.IsZero() {
		state.next = c.startTime.Add(time.Duration(probe.InitialDelaySeconds) * time.Second)
	}
	if state.next.After(c.pod.now) {
		c.pod.wakeAt(state.next)
		return
	}
	state.next = c.pod.now.Add(period)
	output := c.check(probe)
	if output == "" {
		state.passed, state.failed = state.passed+1, 0
	} else {
		state.passed, state.failed = 0, state.failed+1
		c.pod.event(c, corev1.EventTypeWarning, events.ContainerUnhealthy, fmt.Sprintf("%s probe failed: %s", name, output))
	}
	passes, fails := state.passed >= max(probe.SuccessThreshold, 1), state.failed >= max(probe.FailureThreshold, 1)
	switch kind {
	case readinessProbe:
		c.ready = passes || c.ready && !fails
		state.held = passes // what an image listens on never changes
	case startupProbe:
		c.startedUp, state.held = passes, passes
	case livenessProbe:
		state.held = passes
	}
	if fails && kind != readinessProbe {
		state.held = true
		c.kill(fmt.Sprintf("Container %s failed %s probe, will be restarted", c.spec().Name, map[int]string{startupProbe: "startup", livenessProbe: "liveness"}[kind]), c.probeGrace(probe))
		return
	}
	if !state.held {
		c.pod.wakeAt(state.next)
	}
}

func (c *container) probeGrace(probe *corev1.Probe) time.Duration {
	if probe.TerminationGracePeriodSeconds != nil {
		return time.Duration(*probe.TerminationGracePeriodSeconds) * time.Second
	}
	return c.pod.grace()
}

// check is the output of a probe that fails, in the kubelet's words, "" if it
// passes.
func (c *container) check(probe *corev1.Probe) string {
	switch {
	case probe.HTTPGet != nil:
		return c.checkHTTP(probe.HTTPGet)
	case probe.TCPSocket != nil:
		address, open := c.endpoint(probe.TCPSocket.Host, probe.TCPSocket.Port)
		if !open {
			return fmt.Sprintf("dial tcp %s: connect: connection refused", address)
		}
	case probe.GRPC != nil:
		address, open := c.endpoint("", intstr.FromInt32(probe.GRPC.Port))
		if !open {
			return fmt.Sprintf("timeout: failed to connect service %q within %ds: context deadline exceeded", address, max(probe.TimeoutSeconds, 1))
		}
	case probe.Exec != nil && len(probe.Exec.Command) > 0:
		program := c.execute(probe.Exec.Command)
		switch {
		case program.Missing != "":
			return fmt.Sprintf("OCI runtime exec failed: exec failed: unable to start container process: exec: %q: executable file not found in $PATH (%s)", program.Missing, noProcesses)
		case program.ExitCode != 0:
			return fmt.Sprintf("command exited with code %d", program.ExitCode)
		}
	}
	return ""
}

func (c *container) checkHTTP(get *corev1.HTTPGetAction) string {
	address, open := c.endpoint(get.Host, get.Port)
	if !open {
		scheme, path := "http", get.Path
		if get.Scheme == corev1.URISchemeHTTPS {
			scheme = "https"
		}
		if path == "" {
			path = "/"
		}
		return fmt.Sprintf("Get %q: dial tcp %s: connect: connection refused", scheme+"://"+address+path, address)
	}
	if status := c.program.Status(get.Path); status >= http.StatusBadRequest {
		return fmt.Sprintf("HTTP probe failed with statuscode: %d", status)
	}
	return ""
}

// endpoint is where a probe goes, and whether something of this Pod listens
// there: containers of a Pod share its network.
func (c *container) endpoint(host string, port intstr.IntOrString) (string, bool) {
	number := port.IntVal
	if port.Type == intstr.String {
		for _, declared := range c.spec().Ports {
			if declared.Name == port.StrVal {
				number = declared.ContainerPort
			}
		}
	}
	own := host == "" || host == c.pod.address.String()
	if host == "" {
		host = c.pod.address.String()
	}
	open := false
	for _, other := range c.pod.containers() {
		open = open || own && other.running() && other.program.Listens(number)
	}
	return net.JoinHostPort(host, strconv.Itoa(int(number))), open
}
