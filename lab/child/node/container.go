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

	"github.com/spf13/afero"

	"svctour/lab/child/image"
)

// Exit codes that are not the program's own.
const (
	exitNotStarted = 128 // containerd's for a process that could not be started
	exitKilled     = 137 // 128 + SIGKILL
)

// containerKind is which of the Pod's lists a container is in.
type containerKind int

const (
	mainContainer containerKind = iota
	initContainer
	ephemeralContainer
)

// container is what a kubelet knows of one container.
type container struct {
	pod   *pod
	index int
	kind  containerKind

	id         string // of the newest attempt, "" before the first
	imageID    string
	previousID string
	attempt    *attempt // the newest, nil before the first and if it could not be started
	previous   *logbook // of the attempt before it, whose status had previousID
	startTime  time.Time
	endTime    time.Time // zero while it runs
	exitCode   int32
	reason     string // of the end: Completed, Error, StartError
	message    string
	last       *corev1.ContainerStateTerminated // of the attempt before
	restarts   int32
	waiting    *corev1.ContainerStateWaiting // why it does not run, if not because it ended

	end     *ending   // it was told to end
	backOff bool      // waits out a crash back-off
	retryAt time.Time // no start before: a sync may come for any reason

	startedUp bool // its startup probe has passed
	ready     bool
	probes    [3]probeState
}

func (c *container) spec() *corev1.Container {
	switch c.kind {
	case initContainer:
		return &c.pod.object.Spec.InitContainers[c.index]
	case ephemeralContainer:
		common := corev1.Container(c.pod.object.Spec.EphemeralContainers[c.index].EphemeralContainerCommon)
		return &common
	}
	return &c.pod.object.Spec.Containers[c.index]
}

func (c *container) running() bool { return c.id != "" && c.endTime.IsZero() }
func (c *container) ended() bool   { return c.id != "" && !c.endTime.IsZero() }

// settle takes note of what has happened since the last sync: the program's
// end, the outcome of its hook and of its probes.
func (c *container) settle() {
	if !c.running() {
		return
	}
	select {
	case <-c.attempt.ended:
		c.finish(c.attempt.endedAt, int32(c.attempt.status))
		// The kubelet notices an end at its next relist; until then the status
		// says what the container ended with.
		c.pod.wakeAt(c.endTime.Add(relist))
		return
	default:
	}
	c.settleHook()
	c.settleProbes()
}

func (c *container) finish(at time.Time, code int32) {
	c.endTime, c.exitCode = at, code
	c.reason = "Completed"
	if code != 0 {
		c.reason = "Error"
	}
	c.message = c.terminationMessage()
	c.startedUp, c.ready = false, false
}

// The ends of a termination message: the kubelet's limits.
const (
	messageLines = 80
	messageBytes = 2048
	messageFile  = 4096
)

// terminationMessage is what the program wrote about its end (terminationMessagePath).
func (c *container) terminationMessage() string {
	spec := c.spec()
	if spec.TerminationMessagePath != "" {
		data, err := afero.ReadFile(c.attempt.files, spec.TerminationMessagePath)
		if err == nil && len(data) > 0 {
			return string(data[:min(len(data), messageFile)])
		}
	}
	if spec.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError && c.exitCode != 0 {
		return c.attempt.log.tail(messageLines, messageBytes)
	}
	return ""
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
	env, err := c.environment(ctx, found.Env)
	if err != nil {
		c.refuse("CreateContainerConfigError", err)
		return
	}
	next, err := c.newAttempt(found, env)
	if err != nil {
		c.refuse("CreateContainerError", err)
		return
	}
	if c.ended() {
		c.last = c.terminated()
		c.restarts++
	}
	if c.attempt != nil {
		c.previous, c.previousID = c.attempt.log, c.statusID()
	}
	c.id, c.imageID, c.attempt = newID(), ref.ID(), next
	c.startTime, c.endTime, c.end = p.now, time.Time{}, nil
	c.exitCode, c.reason, c.message, c.waiting = 0, "", "", nil
	c.startedUp, c.ready = false, false
	c.probes = [3]probeState{}
	p.event(c, corev1.EventTypeNormal, events.CreatedContainer, "Container created")
	line := found.Argv(env.expand(c.spec().Command), env.expand(c.spec().Args))
	main, err := next.executable(line)
	if err != nil {
		c.message = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: " + err.Error()
		p.event(c, corev1.EventTypeWarning, events.FailedToStartContainer, "Error: "+c.message)
		c.endTime, c.exitCode, c.reason = p.now, exitNotStarted, "StartError"
		next.cancel()
		next.log.close()
		p.wakeAt(p.now.Add(relist))
		return
	}
	key := p.key
	next.begin(line, c.spec(), main, p.clock.Now, func() { p.queue.Add(key) })
	p.event(c, corev1.EventTypeNormal, events.StartedContainer, "Container started")
	c.postStart()
}

// refuse says why a container cannot be created, and tries again later.
func (c *container) refuse(reason string, err error) {
	c.pod.event(c, corev1.EventTypeWarning, events.FailedToCreateContainer, "Error: "+err.Error())
	c.wait(reason, err.Error(), c.pod.now.Add(retryAfter))
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
	found, err := p.images.Find(ref)
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
		StartedAt: seconds(c.startTime), FinishedAt: seconds(c.endTime), ContainerID: c.statusID(),
	}
}

// statusID is the ID of the newest attempt as a status has it.
func (c *container) statusID() string { return runtimeName + "://" + c.id }

// seconds is t as the API stores times.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }

// newID is a container's ID: 64 hexadecimal digits, as containerd's.
func newID() string {
	random := make([]byte, 32)
	rand.Read(random) // never fails, see its documentation
	return strings.ToLower(hex.EncodeToString(random))
}
