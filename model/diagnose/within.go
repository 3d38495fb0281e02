package diagnose

import (
	"slices"
	"strings"

	"svctour/model"
)

// within gives the part of a snapshot's list that is in one namespace: lists are
// sorted by it.
func within[T any](list []T, namespace string, meta func(T) *model.Meta) []T {
	by := func(o T, namespace string) int { return strings.Compare(meta(o).Namespace, namespace) }
	low, _ := slices.BinarySearchFunc(list, namespace, by)
	high, _ := slices.BinarySearchFunc(list, namespace+"\x00", by)
	return list[low:high]
}

func (d *Doctor) services(namespace string) []*model.Service {
	return within(d.snapshot.Services, namespace, func(o *model.Service) *model.Meta { return &o.Meta })
}

func (d *Doctor) deployments(namespace string) []*model.Deployment {
	return within(d.snapshot.Deployments, namespace, func(o *model.Deployment) *model.Meta { return &o.Meta })
}

func (d *Doctor) replicaSets(namespace string) []*model.ReplicaSet {
	return within(d.snapshot.ReplicaSets, namespace, func(o *model.ReplicaSet) *model.Meta { return &o.Meta })
}

func (d *Doctor) workloads(namespace string) []*model.Workload {
	return within(d.snapshot.Workloads, namespace, func(o *model.Workload) *model.Meta { return &o.Meta })
}

func (d *Doctor) oldEndpoints(namespace string) []*model.Endpoints {
	return within(d.snapshot.Endpoints, namespace, func(o *model.Endpoints) *model.Meta { return &o.Meta })
}
