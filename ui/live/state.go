// Package live is the panes of one Service: the map, the EndpointSlices, the
// look-up, the path, the requests, the stream and the doctor's report. Compute gives all
// that they show of a snapshot, as values. It can be slow, so it is called from
// commands only. A View draws these values, in any number of places and sizes.
package live

import (
	"svctour/model"
	"svctour/model/dns"
	"svctour/model/meter"
	"svctour/model/path"
	"svctour/model/scene"
	"svctour/ui/stage"
)

// Focus is what the panes are about.
type Focus struct {
	Namespace string
	Service   string // name of the Service; "" for none
	Client    string // who connects, as path.Request.From; "" leaves the choice to the panes
	Target    string // what the client connects to, as path.Request.Target; "" for no path
	Mode      string // kube-proxy's mode that the path is followed in; "" for the cluster's own
	Name      string // what the client looks up; "" for nothing
}

// State is everything the panes show of one snapshot, as values that know
// nothing of a width. It does not change: any number of Views may share it.
type State struct {
	Snapshot   *model.Snapshot
	Focus      Focus
	Client     model.Client // who connects; the zero Client when no one does
	Trace      *path.Trace
	TraceErr   string // why there is no Trace; a sentence
	Resolution *dns.Resolution
	ResolveErr string   // why there is no Resolution; a sentence
	Changes    *Changes // what came, went or turned a moment ago
	Seen       *Seen    // what the trace's node was seen to hold; nil when it was not asked
	// Meter counts the requests of the stream; nil before the first was heard of.
	Meter *meter.Tally

	// Scene is what the picture shows.
	Scene *scene.Scene

	pictures *memo[size, *stage.Picture]
	service  *model.Service // nil when it does not exist
	slices   []slice
	legacy   string // the v1 Endpoints as kubectl prints them; "" without such an object
	shape    shape
	least    model.Evidence    // among the hops of the trace
	chains   []path.ChainID    // of the trace, on the node of its client
	there    int               // rules of the trace that the node was seen to hold
	missing  int               // rules of the trace that it lacks, or was not asked for
	ends     *memo[int, []int] // see branchEnds
	looks    int               // looks at the node that were taken in
	answer   *answer           // to a request, when it came since the state before
	world    *meter.World      // what the objects say about the stream
	metered  int               // the serial of the stream that is counted
	batches  int               // of the stream, that were taken in
}

// Compute gives what the panes show of a snapshot.
func Compute(s *model.Snapshot, f Focus) *State {
	v := compute(s, f)
	v.draft(nil, 0)
	return v
}

// compute is Compute without the picture.
func compute(s *model.Snapshot, f Focus) *State {
	v := &State{Snapshot: s, Focus: f, ends: newMemo[int, []int](8), service: s.Service(f.Namespace, f.Service)}
	v.Client, _ = model.ParseClient(f.Client, f.Namespace) // what is wrong with it the trace says
	v.follow()
	v.resolve()
	v.slices = slicesOf(s.ServiceSlices(f.Namespace, f.Service))
	v.legacy = legacyText(s.LegacyEndpoints(f.Namespace, f.Service))
	return v
}

// follow gives the path of a packet to the target.
func (v *State) follow() {
	f := &v.Focus
	if f.Target == "" {
		return
	}
	trace, err := path.Do(v.Snapshot, path.Request{Namespace: f.Namespace, Target: f.Target, From: f.Client, Mode: f.Mode})
	if err != nil {
		v.TraceErr = model.Sentence(err.Error())
		return
	}
	v.Trace, v.Client = trace, trace.Client
	v.shape, v.least, v.chains = shapeOf(trace), leastEvidence(trace), trace.Chains(trace.Packet.Node)
}

// resolve looks the name up from the client, or from any Pod.
func (v *State) resolve() {
	f := &v.Focus
	if f.Name == "" {
		return
	}
	from := f.Client
	if client, err := model.ParseClient(from, f.Namespace); err == nil && (client.Kind == "" || client.Kind == model.ClientOutside) {
		from = v.anyPod()
	}
	if from == "" {
		return
	}
	resolution, err := dns.Resolve(v.Snapshot, dns.Request{Namespace: f.Namespace, From: from, Name: f.Name})
	if err != nil {
		v.ResolveErr = model.Sentence(err.Error())
		return
	}
	v.Resolution = resolution
}

// anyPod names a Pod of the namespace that a look-up can be asked from.
func (v *State) anyPod() string {
	for _, pod := range v.Snapshot.PodsIn(v.Focus.Namespace) {
		if pod.IP() != "" && !pod.Terminating() {
			return "pod/" + pod.Namespace + "/" + pod.Name
		}
	}
	return ""
}

// HasService says whether the Service of the focus exists.
func (v *State) HasService() bool { return v != nil && v.service != nil }
