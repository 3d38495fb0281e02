//go:build linux

package oracle

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/proxy"

	"svctour/model"
	"svctour/model/endpoints"
)

// tracked are the ports and endpoints that kube-proxy's change trackers make of
// a world for one family.
func (w *world) tracked(family v1.IPFamily) (proxy.ServicePortMap, proxy.EndpointsMap) {
	services := proxy.NewServiceChangeTracker(family, nil, nil)
	for _, svc := range w.Services {
		if _, other := svc.Labels["service.kubernetes.io/service-proxy-name"]; !other { // as the informer's selector
			services.Update(nil, svc)
		}
	}
	tracker := proxy.NewEndpointsChangeTracker(family, w.Node.Name, nil, nil)
	for _, slice := range w.Slices {
		if _, headless := slice.Labels[v1.IsHeadlessService]; !headless {
			tracker.EndpointSliceUpdate(slice, false)
		}
	}
	ports, list := proxy.ServicePortMap{}, proxy.EndpointsMap{}
	ports.Update(services)
	list.Update(tracker)
	return ports, list
}

// theirs and oursText write a list of endpoints with all that is known of them.
func theirs(list []proxy.Endpoint) string {
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprintf("%s local=%t ready=%t serving=%t terminating=%t", e, e.IsLocal(), e.IsReady(), e.IsServing(), e.IsTerminating()))
	}
	return strings.Join(out, "\n")
}

func oursText(list []*endpoints.Endpoint) string {
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprintf("%s local=%t ready=%t serving=%t terminating=%t", e.Text, e.Local, e.Ready, e.Serving, e.Terminating))
	}
	return strings.Join(out, "\n")
}

func sorted(text string) string {
	return strings.Join(slices.Sorted(strings.SplitSeq(text, "\n")), "\n")
}

func pointers(list []endpoints.Endpoint) []*endpoints.Endpoint {
	out := make([]*endpoints.Endpoint, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// TestJoin holds the join of Service ports with EndpointSlices, and the choice of
// usable endpoints, against kube-proxy's own, in the clusters of
// TestRandomWorlds.
func TestJoin(t *testing.T) {
	ports, joined, hinted := 0, 0, 0
	for i := range int64(*worlds) {
		w := newGenerator(*seed + i).world()
		s := w.snapshot()
		for _, family := range []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol} {
			theirPorts, theirEndpoints := w.tracked(family)
			for name, port := range theirPorts {
				ports++
				list := theirEndpoints[name]
				got := endpoints.Of(s.ServiceSlices(name.Namespace, name.Name), portNamed(s, name), string(family), w.Node.Name)
				compareTexts(t, *seed+i, name, "endpoints", theirs(list), oursText(pointers(got)))
				joined += len(got)

				cluster, local, all, some := proxy.CategorizeEndpoints(list, port, w.Node.Name, w.Node.Labels)
				usable := endpoints.Categorize(got, port.UsesClusterEndpoints(), port.UsesLocalEndpoints(), w.Node.Name, s.Node(w.Node.Name).Zone())
				compareTexts(t, *seed+i, name, "policy Cluster", theirs(cluster), oursText(usable.Cluster))
				compareTexts(t, *seed+i, name, "policy Local", theirs(local), oursText(usable.Local))
				// kube-proxy merges the two lists in a map: their order is not said.
				compareTexts(t, *seed+i, name, "both policies", sorted(theirs(all)), sorted(oursText(usable.All)))
				compareTexts(t, *seed+i, name, "any", fmt.Sprint(some), fmt.Sprint(usable.Any))
				if usable.Hints != endpoints.NoHints {
					hinted++
				}
				if t.Failed() {
					t.Fatalf("again with: go test ./test/oracle -run TestJoin -worlds 1 -seed %d", *seed+i)
				}
			}
		}
	}
	if joined == 0 || hinted == 0 {
		t.Errorf("%d endpoints, %d ports with hints: the clusters are too tame", joined, hinted)
	}
	t.Logf("%d clusters from seed %d: %d Service ports, %d endpoints, %d ports with hints, 0 differences", *worlds, *seed, ports, joined, hinted)
}

func portNamed(s *model.Snapshot, name proxy.ServicePortName) *model.ServicePort {
	service := s.Service(name.Namespace, name.Name)
	for i := range service.Ports {
		if p := &service.Ports[i]; p.Name == name.Port && p.Protocol == string(name.Protocol) {
			return p
		}
	}
	return nil
}

func compareTexts(t *testing.T, seed int64, name proxy.ServicePortName, what, want, got string) {
	t.Helper()
	if want != got {
		t.Errorf("seed %d, %s, %s:\nkube-proxy:\n%s\nthe model:\n%s", seed, name, what, want, got)
	}
}
