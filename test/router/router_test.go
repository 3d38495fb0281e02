// Package router makes courses of a lab's Services, sends the requests that they
// are about, and looks at the counters of the nodes' rules: the rule that a course
// calls right is the one that counted, and those that it calls wrong did not.
package router

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/cluster"
	"svctour/model"
	"svctour/model/path"
	"svctour/model/router"
	"svctour/test/drive"
)

var (
	count = flag.Int("courses", 60, "courses whose requests are sent, in each mode")
	seed  = flag.Uint64("seed", 1, "of the courses")
)

// patience bounds every wait for a condition on a slow, shared machine.
const patience = 3 * time.Minute

const namespace = "routed"

const objects = `
apiVersion: v1
kind: Namespace
metadata: {name: routed}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: web, image: "nginx:1.27", ports: [{name: http, containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 8080, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: web-2}
spec: {selector: {app: web}, ports: [{name: http, port: 8080, targetPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: sticky}
spec: {selector: {app: web}, sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 1}}, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: open}
spec: {type: NodePort, selector: {app: web}, ports: [{name: http, port: 80, nodePort: 30180}]}
---
apiVersion: v1
kind: Service
metadata: {name: near}
spec: {type: NodePort, externalTrafficPolicy: Local, selector: {app: web}, ports: [{name: http, port: 80, nodePort: 30181}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {selector: {app: nothing}, ports: [{name: http, port: 80}]}
`

// clientOf is a Pod on a node from which requests are sent.
const clientOf = `
apiVersion: v1
kind: Pod
metadata: {name: %s}
spec:
  nodeName: %s
  hostNetwork: %t
  terminationGracePeriodSeconds: 0
  containers: [{name: client, image: "nicolaka/netshoot", command: [sleep, infinity]}]
`

func TestCounters(t *testing.T) {
	if testing.Short() {
		t.Skip("requests are sent on a whole cluster")
	}
	for _, mode := range []string{path.ModeIPTables, path.ModeNFTables} {
		t.Run(mode, func(t *testing.T) { newWorld(t, mode).play(t) })
	}
}

// world is a lab with Services, and Pods that ask for them.
type world struct {
	*drive.Cluster
	mode       string
	connection *cluster.Connection
	snapshot   *model.Snapshot
	clients    []string
	proxies    map[string]string // node → its kube-proxy Pod
}

func newWorld(t *testing.T, mode string) *world {
	t.Helper()
	lab, err := drive.Up(t.Context(), "--nodes=2", "--proxy-mode="+mode)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Lab.Down(); err != nil {
			t.Error(err)
		}
	})
	w := &world{Cluster: lab, mode: mode, proxies: map[string]string{}}
	nodes, err := lab.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 2 {
		t.Fatalf("the lab's nodes: %d, %v", len(nodes.Items), err)
	}
	text := objects
	for i, node := range nodes.Items {
		for _, host := range []bool{false, true} {
			name := fmt.Sprintf("client-%d-%t", i, host)
			w.clients = append(w.clients, name)
			text += "---" + fmt.Sprintf(clientOf, name, node.Name, host)
		}
	}
	list, err := drive.Decode(text, namespace)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range list {
		if err := lab.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	w.connection, err = cluster.Connect(context.WithoutCancel(t.Context()), cluster.Options{Kubeconfig: lab.Kubeconfig, Lab: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.connection.Close)
	w.settle(t)
	return w
}

// settle waits until everything runs and each node has the rules for it.
func (w *world) settle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	sequence := uint64(0)
	if err := drive.Until(ctx, func(ctx context.Context) error {
		s, err := w.connection.Next(ctx, sequence)
		if err != nil {
			return err
		}
		w.snapshot, sequence = s, s.Sequence
		pods := s.PodsIn(namespace)
		if i := slices.IndexFunc(pods, func(p *model.Pod) bool { return !p.Ready() }); len(pods) != 3+len(w.clients) || i >= 0 {
			return fmt.Errorf("%d Pods, one is not ready: %d", len(pods), i)
		}
		for _, name := range []string{"web", "open", "near", "sticky", "web-2"} {
			for _, slice := range s.ServiceSlices(namespace, name) {
				if len(slice.Endpoints) != 3 {
					return fmt.Errorf("%s has %d endpoints", name, len(slice.Endpoints))
				}
			}
		}
		return w.written(ctx)
	}); err != nil {
		t.Fatal(err)
	}
}

// written says which node has not all rules yet; nil when both have.
func (w *world) written(ctx context.Context) error {
	pods, err := w.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-proxy"})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		w.proxies[pods.Items[i].Spec.NodeName] = pods.Items[i].Name
	}
	for node := range w.proxies {
		o, err := w.look(ctx, node)
		if err != nil {
			return err
		}
		if diff := path.Compare(path.CompileAs(w.mode, w.snapshot, node, path.IPv4), o); len(diff) > 0 {
			return fmt.Errorf("%s has other rules than it is to have: %+v", node, diff[0])
		}
	}
	return nil
}

// look reads the rules of a node, with their counters where they have any.
func (w *world) look(ctx context.Context, node string) (*path.Observed, error) {
	command := []string{"iptables-save", "-c"}
	if w.mode == path.ModeNFTables {
		command = []string{"nft", "list", "table", "ip", path.NFTTable}
	}
	out, err := w.Exec(ctx, "kube-system", w.proxies[node], command...)
	if err != nil {
		return nil, err
	}
	if w.mode == path.ModeNFTables {
		return path.ParseNFT(out.Stdout, path.IPv4)
	}
	return path.Parse(out.Stdout, path.IPv4)
}

// play makes courses, and sends the request of each.
func (w *world) play(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 14))
	targets := []string{"web:8080", "web-2:8080", "open", "sticky", "empty", "near"}
	for _, node := range w.snapshot.Nodes {
		ip := path.NodeAddresses(w.snapshot, node.Name, path.IPv4)[0]
		targets = append(targets, ip.String()+":30180", ip.String()+":30181")
	}
	checked := 0
	for n := range *count {
		request := path.Request{Namespace: namespace, Target: targets[rng.IntN(len(targets))], From: "pod/" + w.clients[rng.IntN(len(w.clients))], Mode: w.mode}
		course, err := router.Of(w.snapshot, request, *seed+uint64(n))
		if err != nil {
			t.Fatalf("%+v: %v", request, err)
		}
		title := fmt.Sprintf("course %d, %s to %s", n, request.From, request.Target)
		before := w.both(t)
		answered := w.send(t, request, course)
		after := w.both(t)
		if ends := course.Turns[len(course.Turns)-1]; answered != (ends.Kind != router.Ending) {
			t.Errorf("%s: an answer came: %t, and the course ends with %q", title, answered, ends.Options[ends.Right].Text)
		}
		for i := range course.Turns {
			turn := &course.Turns[i]
			if w.mode == path.ModeIPTables {
				checked += w.counted(t, title, turn, before, after)
			}
		}
		if w.mode == path.ModeNFTables {
			checked += w.remembered(t, title, course)
		}
	}
	t.Logf("%s: %d courses, %d of their turns seen on the nodes", w.mode, *count, checked)
	if checked < *count/2 {
		t.Errorf("only %d turns were seen", checked)
	}
}

// both are the rules of each node.
func (w *world) both(t *testing.T) map[string]*path.Observed {
	t.Helper()
	out := map[string]*path.Observed{}
	if w.mode == path.ModeNFTables { // its rules do not count
		return out
	}
	for node := range w.proxies {
		o, err := w.look(t.Context(), node)
		if err != nil {
			t.Fatal(err)
		}
		out[node] = o
	}
	return out
}

// send sends the request of a course, and says whether an answer came.
func (w *world) send(t *testing.T, r path.Request, c *router.Course) bool {
	t.Helper()
	target := r.Target
	if strings.Contains(r.From, "true") { // in its node's network nothing looks names up: it knows the address
		for i := range c.Turns {
			if turn := &c.Turns[i]; turn.Kind == router.Hook {
				target = turn.Packet.Destination
			}
		}
	} else if !strings.Contains(target, ":") {
		target += ":80"
	}
	out, err := w.Exec(t.Context(), namespace, strings.TrimPrefix(r.From, "pod/"), "curl", "-s", "-m", "2", "-o", "/dev/null", "http://"+target)
	if err != nil {
		t.Fatal(err)
	}
	return out.Code == 0
}

// counted holds a turn about rules against what counted meanwhile, and says how
// many turns that were.
func (w *world) counted(t *testing.T, title string, turn *router.Turn, before, after map[string]*path.Observed) int {
	t.Helper()
	moved := func(o router.Option) (packets uint64, counts bool) {
		then, _ := before[turn.Node].Counter(turn.Table, o.Chain, o.Rule)
		now, counts := after[turn.Node].Counter(turn.Table, o.Chain, o.Rule)
		return now.Packets - then.Packets, counts
	}
	right := turn.Options[turn.Right]
	switch turn.Kind {
	case router.Rule:
		for i, o := range turn.Options {
			n, counts := moved(o)
			switch {
			case o.Chain == "":
			case i == turn.Right && (!counts || n == 0):
				t.Errorf("%s: %q is right, and %q did not count", title, turn.Question, o.Rule)
			case i != turn.Right && n > 0 && strings.Contains(o.Rule, namespace+"/"):
				t.Errorf("%s: %q is wrong, and counted %d", title, o.Rule, n)
			}
		}
		return 1
	case router.Endpoint: // the kernel draws for itself: one of the endpoints' rules counts
		sum := uint64(0)
		for _, chain := range after[turn.Node].Program.Table(turn.Table).Chains {
			if chain.Name != turn.Chain {
				continue
			}
			for _, r := range chain.Rules {
				if strings.HasPrefix(r.Chain, "KUBE-SEP-") {
					n, _ := moved(router.Option{Chain: chain.Name, Rule: r.String()})
					sum += n
				}
			}
		}
		if sum != 1 || right.Chain != turn.Chain {
			t.Errorf("%s: the endpoints' rules of %s counted %d", title, turn.Chain, sum)
		}
		return 1
	}
	return 0
}

// remembered holds a course's destinations against what the node's conntrack has:
// one of the options of the turn about the endpoint was taken.
func (w *world) remembered(t *testing.T, title string, c *router.Course) int {
	t.Helper()
	for i := range c.Turns {
		turn := &c.Turns[i]
		if turn.Kind != router.Destination {
			continue
		}
		ends := map[netip.AddrPort]bool{}
		for _, slice := range w.snapshot.ServiceSlices(namespace, "web") {
			for _, e := range slice.Endpoints {
				ends[netip.AddrPortFrom(netip.MustParseAddr(e.Addresses[0]), 80)] = true
			}
		}
		right, err := netip.ParseAddrPort(turn.Options[turn.Right].Text)
		if err != nil || !ends[right] {
			t.Errorf("%s: %q is no endpoint", title, turn.Options[turn.Right].Text)
		}
		host, port, err := net.SplitHostPort(turn.Packet.Destination)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.Exec(t.Context(), "kube-system", w.proxies[turn.Node], "conntrack", "-L", "-p", "tcp", "--orig-dst", host, "--dport", port)
		if err != nil {
			t.Fatal(err)
		}
		if err := translated(out.Stdout, ends); err != nil {
			t.Errorf("%s: %v", title, err)
		}
		return 1
	}
	return 0
}

// translated reads conntrack -L: each entry's answers come from an endpoint.
func translated(list string, ends map[netip.AddrPort]bool) error {
	entries := 0
	for line := range strings.SplitSeq(strings.TrimSpace(list), "\n") {
		var source, port []string
		for word := range strings.FieldsSeq(line) {
			if v, ok := strings.CutPrefix(word, "src="); ok {
				source = append(source, v)
			}
			if v, ok := strings.CutPrefix(word, "sport="); ok {
				port = append(port, v)
			}
		}
		if len(source) < 2 || len(port) < 2 {
			continue
		}
		ip, err := netip.ParseAddr(source[1])
		number, bad := strconv.ParseUint(port[1], 10, 16)
		if err := errors.Join(err, bad); err != nil {
			return fmt.Errorf("conntrack's %q: %w", line, err)
		}
		entries++
		if !ends[netip.AddrPortFrom(ip, uint16(number))] {
			return fmt.Errorf("conntrack translates to %s:%s, which is no endpoint: %s", source[1], port[1], line)
		}
	}
	if entries == 0 {
		return fmt.Errorf("conntrack has no entry: %q", list)
	}
	return nil
}
