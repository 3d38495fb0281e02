package lessons

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"svctour/model"
	"svctour/model/endpoints"
)

const testNamespace = "tour"

// world is a little namespace that snapshots are made of: Pods of one
// Deployment, one Service, and an EndpointSlice that follows them.
type world struct {
	sequence uint64
	uid      string // of the namespace
	serial   int    // for names, UIDs and addresses
	pods     []*model.Pod
	deploys  []*model.Deployment
	services []*model.Service
}

func newWorld() *world { return &world{uid: "namespace-1"} }

func (w *world) addPod(labels map[string]string) *model.Pod {
	w.serial++
	pod := &model.Pod{
		Meta:       model.Meta{Namespace: testNamespace, Name: fmt.Sprintf("web-%02d", w.serial), UID: fmt.Sprintf("pod-%d", w.serial), Labels: labels},
		Node:       "node-a",
		Phase:      "Running",
		IPs:        []string{fmt.Sprintf("10.244.0.%d", w.serial)},
		Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
	}
	w.pods = append(w.pods, pod)
	return pod
}

var webLabels = map[string]string{"app": "web"}

// scale makes or deletes Pods until there are n with app=web.
func (w *world) scale(n int) {
	have := 0
	var kept []*model.Pod
	for _, pod := range w.pods {
		if endpoints.Matches(webLabels, pod.Labels) {
			if have == n {
				continue
			}
			have++
		}
		kept = append(kept, pod)
	}
	w.pods = kept
	for ; have < n; have++ {
		w.addPod(webLabels)
	}
}

func (w *world) deletePod(name string) bool {
	for i, pod := range w.pods {
		if pod.Name == name {
			w.pods = append(append([]*model.Pod(nil), w.pods[:i]...), w.pods[i+1:]...)
			return true
		}
	}
	return false
}

func (w *world) setService(s *model.Service) {
	s.Namespace, s.UID = testNamespace, "service-"+s.Name
	for i, old := range w.services {
		if old.Name == s.Name {
			w.services[i] = s
			return
		}
	}
	w.services = append(w.services, s)
}

func webService(change func(*model.Service)) *model.Service {
	s := &model.Service{
		Meta: model.Meta{Name: "web"}, Type: model.ClusterIP, Selector: webLabels,
		ClusterIPs: []string{"10.96.0.50"}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "80"}},
	}
	if change != nil {
		change(s)
	}
	return s
}

// snapshot makes the slices as the EndpointSlice controller would.
func (w *world) snapshot() *model.Snapshot {
	w.sequence++
	s := model.Snapshot{
		Sequence:    w.sequence,
		Sync:        model.Sync{Synced: true},
		Namespaces:  []*model.Namespace{{Meta: model.Meta{Name: testNamespace, UID: w.uid}}},
		Nodes:       []*model.Node{{Meta: model.Meta{Name: "node-a"}, Addresses: []model.NodeAddress{{Type: "InternalIP", Address: "172.18.0.2"}}}},
		Pods:        append([]*model.Pod{{Meta: model.Meta{Namespace: "other", Name: "stranger", Labels: webLabels}}}, w.pods...),
		Deployments: append([]*model.Deployment(nil), w.deploys...),
	}
	for _, service := range w.services {
		s.Services = append(s.Services, service)
		slice := &model.EndpointSlice{Meta: model.Meta{Namespace: testNamespace, Name: service.Name + "-abcde",
			Labels: map[string]string{model.ServiceNameLabel: service.Name}}, AddressType: "IPv4"}
		for _, port := range service.Ports {
			number, err := strconv.Atoi(port.TargetPort)
			if err != nil {
				number = int(port.Port)
			}
			target := int32(number)
			slice.Ports = append(slice.Ports, model.EndpointPort{Name: port.Name, Protocol: port.Protocol, Port: &target})
		}
		for _, pod := range w.pods {
			if endpoints.Matches(service.Selector, pod.Labels) {
				ready := pod.Ready()
				slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: pod.IPs, Ready: &ready})
			}
		}
		s.Slices = append(s.Slices, slice)
	}
	return model.NewSnapshot(s)
}

// fakeCluster understands a handful of commands and applies them to a world at
// once.
type fakeCluster struct {
	*world
	changed bool
	refuse  string   // commands that hold this are refused
	ran     []string // every command
}

func (c *fakeCluster) Kubectl(_ context.Context, args []string, _ string) model.Reply {
	line := strings.Join(args, " ")
	c.ran = append(c.ran, line)
	if c.refuse != "" && strings.Contains(line, c.refuse) {
		return model.Reply{Stderr: "error: refused", Exit: 1}
	}
	c.changed = true
	if n, ok := strings.CutPrefix(line, "scale deployment web --replicas="); ok {
		count, err := strconv.Atoi(n)
		if err != nil {
			return model.Reply{Stderr: err.Error(), Exit: 1}
		}
		c.scale(count)
		return model.Reply{Stdout: "deployment.apps/web scaled\n"}
	}
	if name, ok := strings.CutPrefix(line, "delete pod "); ok {
		if !c.deletePod(name) {
			return model.Reply{Stderr: "not found", Exit: 1}
		}
		c.addPod(webLabels)
		return model.Reply{Stdout: "pod deleted\n"}
	}
	return model.Reply{Stdout: "ok\n"}
}

func (c *fakeCluster) Next(ctx context.Context, _ uint64) (*model.Snapshot, error) {
	if c.sequence == 0 || c.changed {
		c.changed = false
		return c.snapshot(), nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

// nodeport is a lesson as it may be in a folder of its own.
func nodeport(t testing.TB) *Lesson {
	t.Helper()
	list, err := Load(os.DirFS("testdata/nodeport"))
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}

// loadOne loads a lesson from its text.
func loadOne(t testing.TB, text string) *Lesson {
	t.Helper()
	list, err := Load(fstest.MapFS{lessonFile: {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return list[0]
}
