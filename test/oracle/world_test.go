package oracle

import (
	"regexp"
	"strings"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"

	"svctour/cluster/convert"
	"svctour/model"
)

func ptr[T any](v T) *T { return &v }

// world is one cluster as seen from one of its nodes.
type world struct {
	Node     *v1.Node
	Proxy    model.Proxy
	Services []*v1.Service
	Slices   []*discovery.EndpointSlice
}

// snapshot is the world in the model's values.
func (w *world) snapshot() *model.Snapshot {
	s := model.Snapshot{Proxy: w.Proxy, Nodes: []*model.Node{convert.Node(w.Node)}}
	for _, svc := range w.Services {
		s.Services = append(s.Services, convert.Service(svc))
	}
	for _, slice := range w.Slices {
		s.Slices = append(s.Slices, convert.EndpointSlice(slice))
	}
	return model.NewSnapshot(s)
}

// oneHost is the length of a prefix that is one address: kube-proxy writes it
// in places, iptables always means it.
var oneHost = regexp.MustCompile(`/(32|128)( |$)`)

// normal is the rule without spellings that iptables does not tell apart.
func normal(rule string) string {
	return oneHost.ReplaceAllString(strings.ReplaceAll(rule, `"`, ""), "$2")
}
