package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/kubelet/events"
	"k8s.io/kubernetes/pkg/kubelet/util/format"

	"svctour/lab/image"
)

// stopTime is how long a program takes to end after SIGTERM, such as nginx.
const stopTime = 400 * time.Millisecond

// Exit codes that are not the program's own.
const (
	exitNotStarted = 128 // containerd's for a process that could not be started
	exitKilled     = 137 // 128 + SIGKILL
)

// container is what a kubelet knows of one container.
type container struct {
	pod     *pod
	index   int
	initial bool // an init container

	id        string // of the newest attempt, "" before the first
	imageID   string
	program   image.Program
	startTime time.Time
	endTime   time.Time // zero while it runs
	exitCode  int32
	reason    string // of the end: Completed, Error, StartError
	message   string
	last      *corev1.ContainerStateTerminated // of the attempt before
	restarts  int32
	waiting   *corev1.ContainerStateWaiting // why it does not run, if not because it ended

	dueAt    time.Time // when the program ends by itself, zero: never
	killAt   time.Time // when it ends because it was told to, zero: it was not
	killCode int32
	backOff  bool      // waits out a crash back-off
	retryAt  time.Time // no start before: a sync may come for any reason

	startedUp bool // its startup probe has passed
	ready     bool
	probes    [3]probeState
}

func (c *container) spec() *corev1.Container {
	if c.initial {
		return &c.pod.object.Spec.InitContainers[c.index]
	}
	return &c.pod.object.Spec.Containers[c.index]
}

func (c *container) running() bool { return c.id != "" && c.endTime.IsZero() }
func (c *container) ended() bool   { return c.id != "" && !c.endTime.IsZero() }

// settle lets time have passed: a program that was to end by now has ended.
func (c *container) settle() {
	if !c.running() {
		return
	}
	end, code := c.dueAt, c.program.ExitCode
	if !c.killAt.IsZero() && (end.IsZero() || c.killAt.Before(end)) {
		end, code = c.killAt, c.killCode
	}
	if end.IsZero() {
		return
	}
	if end.After(c.pod.now) {
		c.pod.wakeAt(end)
		return
	}
	c.end(end, code)
	// The kubelet notices an end at its next relist; until then the status
	// says what the container ended with.
	c.pod.wakeAt(end.Add(relist))
}

func (c *container) end(at time.Time, code int32) {
	c.endTime, c.exitCode = at, code
	c.reason = "Completed"
	if code != 0 {
		c.reason = "Error"
	}
	c.startedUp, c.ready = false, false
}

// kill tells the program to end, once. Message is the event's, "" for the
// usual one.
func (c *container) kill(message string, grace time.Duration) {
	deadline := c.pod.now.Add(grace)
	if !c.killAt.IsZero() {
		if deadline.Before(c.killAt) { // deleted again with less grace
			c.killAt, c.killCode = deadline, exitKilled
		}
	} else {
		if message == "" {
			message = "Stopping container " + c.spec().Name
		}
		c.pod.event(c, corev1.EventTypeNormal, events.KillingContainer, message)
		c.killAt, c.killCode = deadline, exitKilled
		if end := c.pod.now.Add(c.preStop() + stopTime); !c.program.IgnoresTerm && end.Before(deadline) {
			c.killAt, c.killCode = end, c.program.TermExitCode
		}
	}
	c.settle()
}

// preStop is how long the container's preStop hook takes.
func (c *container) preStop() time.Duration {
	lifecycle := c.spec().Lifecycle
	if lifecycle == nil || lifecycle.PreStop == nil {
		return 0
	}
	switch hook := lifecycle.PreStop; {
	case hook.Sleep != nil:
		return time.Duration(hook.Sleep.Seconds) * time.Second
	case hook.Exec != nil && len(hook.Exec.Command) > 0:
		return c.execute(hook.Exec.Command).Lasts
	}
	return 0
}

// execute is what a command does in this container's image.
func (c *container) execute(command []string) image.Program {
	ref, err := image.Parse(c.spec().Image)
	if err != nil {
		return image.Program{}
	}
	found, err := image.Find(ref)
	if err != nil {
		return image.Program{}
	}
	return found.Container(command, nil)
}

// wait says why the container does not run, and asks for another try.
func (c *container) wait(reason, message string, again time.Time) {
	c.waiting = &corev1.ContainerStateWaiting{Reason: reason, Message: message}
	c.retryAt = again
	c.pod.wakeAt(again)
}

// start starts the container, or says why it waits.
func (c *container) start(ctx context.Context) {
	p := c.pod
	if c.ended() && c.retryAt.Before(c.endTime.Add(relist)) {
		c.retryAt = c.endTime.Add(relist)
	}
	if p.now.Before(c.retryAt) {
		p.wakeAt(c.retryAt)
		return
	}
	if c.ended() && c.inBackOff() {
		return
	}
	c.backOff = false
	ref, found, ok := c.pull()
	if !ok {
		return
	}
	if problem := p.missingReference(ctx, c.spec()); problem != "" {
		p.event(c, corev1.EventTypeWarning, events.FailedToCreateContainer, "Error: "+problem)
		c.wait("CreateContainerConfigError", problem, p.now.Add(retryAfter))
		return
	}
	if c.ended() {
		c.last = c.terminated()
		c.restarts++
	}
	c.id, c.imageID = newID(), ref.ID()
	c.program = found.Container(c.spec().Command, c.spec().Args)
	c.startTime, c.endTime = p.now, time.Time{}
	c.dueAt, c.killAt = time.Time{}, time.Time{}
	c.exitCode, c.reason, c.message, c.waiting = 0, "", "", nil
	c.startedUp, c.ready = false, false
	c.probes = [3]probeState{}
	p.event(c, corev1.EventTypeNormal, events.CreatedContainer, "Container created")
	if c.program.Missing != "" {
		c.message = fmt.Sprintf("failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: %q: executable file not found in $PATH (%s)", c.program.Missing, noProcesses)
		p.event(c, corev1.EventTypeWarning, events.FailedToStartContainer, "Error: "+c.message)
		c.endTime, c.exitCode, c.reason = p.now, exitNotStarted, "StartError"
		p.wakeAt(p.now.Add(relist))
		return
	}
	p.event(c, corev1.EventTypeNormal, events.StartedContainer, "Container started")
	if c.program.Exits {
		c.dueAt = p.now.Add(c.program.Lasts)
		p.wakeAt(c.dueAt)
	}
}

// inBackOff says whether a container that ended has to wait: the kubelet's
// doBackOff, which counts from the end of the last attempt.
func (c *container) inBackOff() bool {
	p := c.pod
	key := fmt.Sprintf("%s_%s_%s", format.Pod(p.object), c.spec().Name, p.object.UID)
	if !p.crashBackOff.IsInBackOffSince(key, c.endTime) {
		p.crashBackOff.Next(key, c.endTime)
		return false
	}
	delay := p.crashBackOff.Get(key)
	if !c.backOff {
		p.event(c, corev1.EventTypeWarning, events.BackOffStartContainer,
			fmt.Sprintf("Back-off restarting failed container %s in pod %s", c.spec().Name, format.Pod(p.object)))
	}
	c.backOff = true
	c.last = c.terminated()
	c.wait("CrashLoopBackOff", fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", delay, c.spec().Name, format.Pod(p.object)), c.endTime.Add(delay))
	return true
}

// pull makes sure of the container's image as the kubelet's image manager
// does, with its events; false if the container has to wait.
func (c *container) pull() (image.Reference, *image.Image, bool) {
	p, name := c.pod, c.spec().Image
	ref, err := image.Parse(name)
	if err != nil {
		message := fmt.Sprintf("Failed to apply default image tag %q: %v", name, err)
		p.event(c, corev1.EventTypeWarning, events.FailedToInspectImage, message)
		p.event(c, corev1.EventTypeWarning, events.FailedToCreateContainer, "Error: InvalidImageName")
		c.wait("InvalidImageName", message, p.now.Add(retryAfter))
		return ref, nil, false
	}
	found, err := image.Find(ref)
	policy := c.spec().ImagePullPolicy
	switch {
	case err == nil && policy != corev1.PullAlways:
		p.event(c, corev1.EventTypeNormal, events.PulledImage, fmt.Sprintf("Container image %q already present on machine and can be accessed by the pod", name))
		return ref, found, true
	case err == nil:
		p.event(c, corev1.EventTypeNormal, events.PullingImage, fmt.Sprintf("Pulling image %q", name))
		p.event(c, corev1.EventTypeNormal, events.PulledImage, fmt.Sprintf("Successfully pulled image %q in %v (%v including waiting). Image size: %d bytes.", name, time.Duration(0), time.Duration(0), found.Size))
		return ref, found, true
	case policy == corev1.PullNever:
		message := fmt.Sprintf("Container image %q is not present with pull policy of Never", name)
		p.event(c, corev1.EventTypeWarning, events.ErrImageNeverPullPolicy, message)
		p.event(c, corev1.EventTypeWarning, events.FailedToCreateContainer, "Error: ErrImageNeverPull")
		c.wait("ErrImageNeverPull", message, p.now.Add(retryAfter))
		return ref, nil, false
	}
	key := fmt.Sprintf("%s_%s", p.object.UID, name)
	reason := "rpc error: code = NotFound desc = " + err.Error()
	if p.pullBackOff.IsInBackOffSinceUpdate(key, p.now) {
		message := fmt.Sprintf("Back-off pulling image %q", name)
		p.event(c, corev1.EventTypeNormal, events.BackOffPullImage, message)
		p.event(c, corev1.EventTypeWarning, events.FailedToCreateContainer, "Error: ImagePullBackOff")
		c.wait("ImagePullBackOff", fmt.Sprintf("%s: ErrImagePull: %s", message, reason), p.now.Add(retryAfter))
		return ref, nil, false
	}
	p.event(c, corev1.EventTypeNormal, events.PullingImage, fmt.Sprintf("Pulling image %q", name))
	p.event(c, corev1.EventTypeWarning, events.FailedToPullImage, fmt.Sprintf("Failed to pull image %q: %s", name, reason))
	p.event(c, corev1.EventTypeWarning, events.FailedToCreateContainer, "Error: ErrImagePull")
	p.pullBackOff.Next(key, p.now)
	c.wait("ErrImagePull", reason, p.now.Add(secondLook))
	return ref, nil, false
}

// terminated is the end of the newest attempt, nil if it has not ended.
func (c *container) terminated() *corev1.ContainerStateTerminated {
	if !c.ended() {
		return nil
	}
	return &corev1.ContainerStateTerminated{
		ExitCode: c.exitCode, Reason: c.reason, Message: c.message,
		StartedAt: seconds(c.startTime), FinishedAt: seconds(c.endTime), ContainerID: runtimeName + "://" + c.id,
	}
}

// seconds is t as the API stores times.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

// newID is a container's ID: 64 hexadecimal digits, as containerd's.
func newID() string {
	random := make([]byte, 32)
	rand.Read(random) // never fails, see its documentation
	return strings.ToLower(hex.EncodeToString(random))
}
