package node

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"
	"k8s.io/kubernetes/pkg/kubelet/events"

	"svctour/lab/child/network"
	"svctour/lab/child/process"
)

// retryAfter is how long the kubelet waits after a sync that failed (its
// backOffPeriod), relist how long it takes to notice that a container ended
// (the period of its Pod lifecycle event generator), secondLook how soon after
// a failed pull it meets its own back-off: the sandbox of the Pod is an event
// of that generator too.
const (
	retryAfter = 10 * time.Second
	relist     = time.Second
	secondLook = 2 * time.Second
)

// rulesWait is how long after its start a node's network plugin lets Pods wait
// for the first rules, as plugins do that reach the API server through its
// Service; rulesPoll is how often it looks. A connection tried before would be
// lost until it is tried again: conntrack remembers that it was not translated.
const (
	rulesWait = 10 * time.Second
	rulesPoll = 25 * time.Millisecond
)

// podKey names one Pod; a successor of the same name has another UID.
type podKey struct {
	Namespace, Name string
	UID             types.UID
}

func keyOf(object *corev1.Pod) podKey { return podKey{object.Namespace, object.Name, object.UID} }

// pod is what a kubelet knows of one of its Pods. One worker at a time has it.
type pod struct {
	*Nodes
	key    podKey
	host   *host
	object *corev1.Pod // as the API server has it, at this sync
	now    time.Time   // of this sync

	// life ends when the Pod is no longer there: nothing of it outlives it.
	life context.Context
	end  context.CancelFunc

	started    metav1.Time // when the kubelet first saw it
	address    netip.Addr  // invalid until the sandbox is there
	network    process.Network
	stack      *network.Stack // of its own, nil with hostNetwork
	table      *process.Table // that its containers share, nil if each has its own
	resolvConf string         // /etc/resolv.conf
	volumes    map[string]*volume
	spec       *corev1.Pod // as at its first sync: what its volumes are never changes
	stale      atomic.Bool // what a volume shows has changed

	visible map[string]seen // by container; guarded by Nodes.mu
	reach   process.Network // what port-forward uses; guarded by Nodes.mu

	retryAt     time.Time // no sandbox before
	init        []*container
	main        []*container
	ephemeral   []*container
	initialized bool // a main container has been started once
	stopping    bool // told to end
	expired     bool // was active for longer than it may
	done        bool // phase Succeeded or Failed
	wake        time.Time
	published   *corev1.Pod // with the last status that the API server accepted
	reconciled  time.Time   // when a status that others changed was put right
}

// sync brings one Pod forward and says after how long it wants to be synced
// again, if at all.
func (n *Nodes) sync(ctx context.Context, key podKey) (time.Duration, error) {
	object, err := n.lookup(key)
	if err != nil {
		return 0, err
	}
	if object == nil {
		n.forget(key)
		return 0, nil
	}
	p := n.pod(key, object)
	p.wake = time.Time{}
	defer p.show()
	switch {
	case podutil.IsPodTerminal(object) && object.DeletionTimestamp == nil:
		p.release()
		return 0, nil
	case object.DeletionTimestamp != nil:
		ended := p.terminate()
		if err := p.publish(ctx); err != nil {
			return 0, err
		}
		if ended {
			return 0, n.remove(ctx, object)
		}
	default:
		p.advance(ctx)
		if err := p.publish(ctx); err != nil {
			return 0, err
		}
	}
	if p.wake.IsZero() {
		return 0, nil
	}
	return max(p.wake.Sub(n.clock.Now()), time.Millisecond), nil
}

// lookup is the Pod as last seen, nil if it is gone or has a successor.
func (n *Nodes) lookup(key podKey) (*corev1.Pod, error) {
	object, exists, err := n.pods.GetByKey(key.Namespace + "/" + key.Name)
	if err != nil || !exists {
		return nil, err
	}
	if p := object.(*corev1.Pod); p.UID == key.UID {
		return p, nil
	}
	return nil, nil
}

// pod is the state of object, made at its first sync.
func (n *Nodes) pod(key podKey, object *corev1.Pod) *pod {
	n.mu.Lock()
	p := n.running[key]
	if p == nil {
		p = &pod{Nodes: n, key: key, spec: object, host: n.hosts[object.Spec.NodeName], started: metav1.NewTime(n.clock.Now().Truncate(time.Second))}
		p.life, p.end = context.WithCancel(n.life)
		for i := range object.Spec.InitContainers {
			p.init = append(p.init, &container{pod: p, index: i, kind: initContainer})
		}
		for i := range object.Spec.Containers {
			p.main = append(p.main, &container{pod: p, index: i})
		}
		n.running[key] = p
	}
	for i := len(p.ephemeral); i < len(object.Spec.EphemeralContainers); i++ {
		p.ephemeral = append(p.ephemeral, &container{pod: p, index: i, kind: ephemeralContainer})
	}
	n.mu.Unlock()
	if p.object != nil && showsItself(object) && !(maps.Equal(p.object.Labels, object.Labels) && maps.Equal(p.object.Annotations, object.Annotations)) {
		p.stale.Store(true)
	}
	p.object, p.now = object, n.clock.Now()
	return p
}

// forget drops what is known of a Pod that is gone.
func (n *Nodes) forget(key podKey) {
	n.mu.Lock()
	p := n.running[key]
	delete(n.running, key)
	n.mu.Unlock()
	if p != nil {
		p.release()
		p.crashBackOff.GC()
		p.pullBackOff.GC()
	}
}

// release gives back what the Pod had: its programs, its network, its address.
func (p *pod) release() {
	p.end()
	if p.stack != nil {
		p.stack.Close()
		p.stack = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.address.IsValid() && !p.object.Spec.HostNetwork {
		p.host.pool.release(p.address)
	}
	p.address = netip.Addr{}
}

// remove takes a Pod that has ended out of the API server, as the kubelet does
// when nothing of it is left.
func (n *Nodes) remove(ctx context.Context, object *corev1.Pod) error {
	zero := int64(0)
	err := n.client.CoreV1().Pods(object.Namespace).Delete(ctx, object.Name, metav1.DeleteOptions{
		GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &object.UID},
	})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// wakeAt asks for a sync no later than at t.
func (p *pod) wakeAt(t time.Time) {
	if !t.IsZero() && (p.wake.IsZero() || t.Before(p.wake)) {
		p.wake = t
	}
}

// advance does what the kubelet's SyncPod does: sandbox, init containers in
// order, then the main containers.
func (p *pod) advance(ctx context.Context) {
	for _, c := range p.containers() {
		c.settle()
	}
	p.checkDeadline()
	if p.finish() {
		return
	}
	if !p.address.IsValid() {
		if p.now.Before(p.retryAt) || !p.sandbox(ctx) {
			p.wakeAt(p.retryAt)
			return
		}
	}
	if p.stale.Swap(false) {
		p.refresh(ctx)
	}
	for _, c := range p.ephemeral {
		if c.id == "" {
			c.start(ctx)
		}
	}
	for _, c := range p.init {
		if !p.advanceInit(ctx, c) && !p.initialized {
			return
		}
	}
	for _, c := range p.main {
		p.advanceMain(ctx, c)
	}
	p.initialized = p.initialized || p.anyMainStarted()
}

// containers are the init containers, the main ones and the ephemeral ones.
func (p *pod) containers() []*container {
	return slices.Concat(p.init, p.main, p.ephemeral)
}

// advanceInit brings one init container forward and says whether the next may
// start.
func (p *pod) advanceInit(ctx context.Context, c *container) bool {
	if podutil.IsRestartableInitContainer(c.spec()) {
		if !c.running() {
			c.start(ctx)
		}
		c.probe()
		return c.running() && c.startedUp
	}
	switch {
	case p.initialized || c.ended() && c.exitCode == 0:
		return true
	case c.running():
		return false
	case c.ended() && !podutil.ContainerShouldRestart(*c.spec(), p.object.Spec, c.exitCode):
		return false
	}
	c.start(ctx)
	return false
}

func (p *pod) advanceMain(ctx context.Context, c *container) {
	switch {
	case c.running():
		c.probe()
	case !c.ended() || podutil.ContainerShouldRestart(*c.spec(), p.object.Spec, c.exitCode):
		c.start(ctx)
		if c.running() {
			c.probe()
		}
	}
}

func (p *pod) anyMainStarted() bool {
	for _, c := range p.main {
		if c.id != "" {
			return true
		}
	}
	return false
}

// What the kubelet says of a Pod whose activeDeadlineSeconds are over (its
// active_deadline.go).
const (
	deadlineReason  = "DeadlineExceeded"
	deadlineMessage = "Pod was active on the node longer than the specified deadline"
)

// checkDeadline takes note of the end of the Pod's activeDeadlineSeconds, which
// count from its status.startTime.
func (p *pod) checkDeadline() {
	limit := p.object.Spec.ActiveDeadlineSeconds
	if limit == nil || p.done || p.expired {
		return
	}
	started := p.started.Time
	if p.object.Status.StartTime != nil {
		started = p.object.Status.StartTime.Time
	}
	end := started.Add(time.Duration(*limit) * time.Second)
	if p.now.Before(end) {
		p.wakeAt(end)
		return
	}
	p.expired = true
	p.event(nil, corev1.EventTypeNormal, deadlineReason, deadlineMessage)
}

// finish says whether the Pod has come to its end by itself or by its deadline,
// and if so stops what still runs of it (without a deadline: its sidecars).
func (p *pod) finish() bool {
	if p.done {
		return true
	}
	over := p.expired || p.initFailed()
	if !over {
		for _, c := range p.main {
			if !c.ended() || podutil.ContainerShouldRestart(*c.spec(), p.object.Spec, c.exitCode) {
				return false
			}
		}
		over = true
	}
	running := false
	for _, c := range p.containers() {
		if c.running() {
			c.kill("", p.grace())
			running = running || c.running()
		}
	}
	p.done = over && !running
	return over
}

// initFailed says whether an init container has failed for good.
func (p *pod) initFailed() bool {
	for _, c := range p.init {
		if !podutil.IsRestartableInitContainer(c.spec()) && c.ended() && c.exitCode != 0 &&
			!podutil.ContainerShouldRestart(*c.spec(), p.object.Spec, c.exitCode) {
			return true
		}
	}
	return false
}

// sandbox gives the Pod its volumes, its address and its network; false if
// that has to be tried again.
func (p *pod) sandbox(ctx context.Context) bool {
	p.retryAt = p.now.Add(retryAfter)
	if err := p.nameServers(ctx); err != nil {
		p.event(nil, corev1.EventTypeWarning, events.FailedCreatePodSandBox, "Failed to create pod sandbox: "+err.Error())
		return false
	}
	if p.object.Spec.ShareProcessNamespace != nil && *p.object.Spec.ShareProcessNamespace {
		p.table = process.NewTable()
	}
	if p.object.Spec.HostNetwork {
		if !p.setUp(ctx) {
			return false
		}
		p.address, p.network = p.host.Address, p.host.network.Stack()
		return true
	}
	if !p.host.network.Programmed() && p.now.Before(p.host.started.Add(rulesWait)) {
		p.retryAt = p.now.Add(rulesPoll)
		return false
	}
	p.mu.Lock()
	address, err := p.host.pool.take()
	p.mu.Unlock()
	if err != nil {
		p.event(nil, corev1.EventTypeWarning, events.FailedCreatePodSandBox, fmt.Sprintf("Failed to create pod sandbox: plugin type=\"host-local\" failed (add): failed to allocate for range 0: %v", err))
		return false
	}
	stack, err := p.host.network.Attach(address, p.object.Namespace+"/"+p.object.Name, p.hostPorts()...)
	if err == nil {
		p.address, p.network, p.stack = address, stack, stack
		if p.setUp(ctx) {
			return true
		}
		stack.Close()
		p.stack, p.network, p.address = nil, nil, netip.Addr{}
	} else {
		p.event(nil, corev1.EventTypeWarning, events.FailedCreatePodSandBox, "Failed to create pod sandbox: "+err.Error())
	}
	p.mu.Lock()
	p.host.pool.release(address)
	p.mu.Unlock()
	return false
}

// hostPorts are the ports of the node that lead to the Pod.
func (p *pod) hostPorts() []network.HostPort {
	var out []network.HostPort
	for _, c := range slices.Concat(p.init, p.main) {
		for _, port := range c.spec().Ports {
			protocol := strings.ToLower(string(port.Protocol))
			if port.HostPort == 0 || protocol != "tcp" && protocol != "udp" {
				continue
			}
			address, _ := netip.ParseAddr(port.HostIP) // none: all of the node's
			if address.Is6() {
				continue
			}
			out = append(out, network.HostPort{Protocol: protocol, Address: address, Port: uint16(port.HostPort), To: uint16(port.ContainerPort)})
		}
	}
	return out
}

// grace is how long the containers have to end.
func (p *pod) grace() time.Duration {
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if p.object.Spec.TerminationGracePeriodSeconds != nil {
		seconds = *p.object.Spec.TerminationGracePeriodSeconds
	}
	if p.object.DeletionGracePeriodSeconds != nil {
		seconds = *p.object.DeletionGracePeriodSeconds
	}
	return time.Duration(seconds) * time.Second
}

// terminate stops the containers of a Pod that is being deleted: the main ones
// first, then the sidecars, last one first. It says whether all have ended.
func (p *pod) terminate() bool {
	for _, c := range p.containers() {
		c.settle()
	}
	p.stopping = true
	stop := func(c *container) bool { // whether it has ended
		if c.running() {
			c.kill("", p.grace())
		}
		return !c.running()
	}
	for _, c := range p.containers() {
		if c.end != nil {
			c.probe() // until it has ended, whether it is ready still counts
		}
	}
	ended := true
	for _, c := range slices.Concat(p.main, p.ephemeral) {
		ended = stop(c) && ended
	}
	for i := len(p.init) - 1; i >= 0 && ended; i-- {
		ended = stop(p.init[i])
	}
	if ended {
		p.done = true
	}
	return ended
}

// event records an event of the Pod or, with a container, of that container.
func (p *pod) event(c *container, kind, reason, message string) {
	field := ""
	if c != nil {
		field = c.fieldPath()
	}
	p.host.event(p.object, field, kind, reason, message)
}

// report is event for what runs beside the syncs.
func (p *pod) report(t *target, kind, reason, message string) {
	t.host.event(t.pod, t.field, kind, reason, message)
}

// fieldPath is the container as a field of its Pod.
func (c *container) fieldPath() string {
	list := map[containerKind]string{mainContainer: "containers", initContainer: "initContainers", ephemeralContainer: "ephemeralContainers"}[c.kind]
	return fmt.Sprintf("spec.%s{%s}", list, c.spec().Name)
}

func (h *host) event(object *corev1.Pod, field, kind, reason, message string) {
	h.recorder.Event(&corev1.ObjectReference{
		Kind: "Pod", APIVersion: "v1", Namespace: object.Namespace, Name: object.Name,
		UID: object.UID, ResourceVersion: object.ResourceVersion, FieldPath: field,
	}, kind, reason, message)
}
