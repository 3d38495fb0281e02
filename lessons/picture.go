package lessons

import (
	"slices"
	"sort"

	"svctour/model"
	"svctour/model/endpoints"
)

// Picture is what a check sees of one namespace. It is part of Progress, so
// that what changed since a step began can still be told after a restart.
type Picture struct {
	Services    []*model.Service       `json:"services,omitempty"`
	Slices      []*model.EndpointSlice `json:"slices,omitempty"`
	Endpoints   []*model.Endpoints     `json:"endpoints,omitempty"`
	Pods        []*model.Pod           `json:"pods,omitempty"`
	Deployments []*model.Deployment    `json:"deployments,omitempty"`
	ReplicaSets []*model.ReplicaSet    `json:"replicasets,omitempty"`
	// StatefulSets and Policies are there as far as the snapshot's reader asked
	// for them (model.Snapshot).
	StatefulSets []*model.Workload      `json:"statefulsets,omitempty"`
	Policies     []*model.NetworkPolicy `json:"policies,omitempty"`
}

// pictureOf takes one namespace out of a snapshot, whose lists it shares.
func pictureOf(s *model.Snapshot, namespace string) *Picture {
	p := &Picture{
		Services:    within(s.Services, namespace, func(o *model.Service) string { return o.Namespace }),
		Slices:      within(s.Slices, namespace, func(o *model.EndpointSlice) string { return o.Namespace }),
		Endpoints:   within(s.Endpoints, namespace, func(o *model.Endpoints) string { return o.Namespace }),
		Pods:        within(s.Pods, namespace, func(o *model.Pod) string { return o.Namespace }),
		Deployments: within(s.Deployments, namespace, func(o *model.Deployment) string { return o.Namespace }),
		ReplicaSets: within(s.ReplicaSets, namespace, func(o *model.ReplicaSet) string { return o.Namespace }),
		Policies:    within(s.Policies, namespace, func(o *model.NetworkPolicy) string { return o.Namespace }),
	}
	for _, w := range s.Workloads {
		if w.Namespace == namespace && w.Kind == "StatefulSet" {
			p.StatefulSets = append(p.StatefulSets, w)
		}
	}
	return p
}

// within gives the part of a list, sorted by namespace, that is in one namespace.
func within[T any](list []T, namespace string, of func(T) string) []T {
	lo := sort.Search(len(list), func(i int) bool { return of(list[i]) >= namespace })
	hi := lo + sort.Search(len(list)-lo, func(i int) bool { return of(list[lo+i]) > namespace })
	return list[lo:hi:hi]
}

// service gives an empty Service when there is none of that name.
func (p *Picture) service(name string) *model.Service {
	for _, s := range p.Services {
		if s.Name == name {
			return s
		}
	}
	return &model.Service{}
}

// deployment gives an empty Deployment when there is none of that name.
func (p *Picture) deployment(name string) *model.Deployment {
	for _, d := range p.Deployments {
		if d.Name == name {
			return d
		}
	}
	return &model.Deployment{}
}

// statefulSet gives an empty StatefulSet when there is none of that name.
func (p *Picture) statefulSet(name string) *model.Workload {
	for _, w := range p.StatefulSets {
		if w.Name == name {
			return w
		}
	}
	return &model.Workload{}
}

// pod gives an empty Pod when there is none of that name.
func (p *Picture) pod(name string) *model.Pod {
	for _, pod := range p.Pods {
		if pod.Name == name {
			return pod
		}
	}
	return &model.Pod{}
}

// gone says that no Pod has the UID: not even one that is being deleted.
func (p *Picture) gone(uid string) bool {
	for _, pod := range p.Pods {
		if pod.UID == uid {
			return false
		}
	}
	return true
}

// selected gives the Pods that carry every one of the labels. An empty
// selector selects nothing, as in a Service.
func (p *Picture) selected(selector map[string]string) []*model.Pod {
	pods := []*model.Pod{}
	for _, pod := range p.Pods {
		if len(selector) > 0 && endpoints.Matches(selector, pod.Labels) {
			pods = append(pods, pod)
		}
	}
	return pods
}

// readyEndpoints gives "IP:port" of every ready endpoint of a Service, sorted.
func (p *Picture) readyEndpoints(name string) []string {
	var own []*model.EndpointSlice
	for _, slice := range p.Slices {
		if slice.Service() == name {
			own = append(own, slice)
		}
	}
	list := []string{}
	service := p.service(name)
	for i := range service.Ports {
		for address, e := range endpoints.Joined(own, &service.Ports[i]) {
			if e.IsReady() {
				list = append(list, address.String())
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
