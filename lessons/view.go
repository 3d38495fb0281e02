package lessons

import (
	"fmt"
	"strings"

	"svctour/model"
	"svctour/model/dns"
	"svctour/model/endpoints"
	"svctour/model/path"
)

// view is the whole cluster as expressions ask it, from within one namespace.
type view struct {
	snapshot  *model.Snapshot
	namespace string
}

// way is what path(from, target) gives: what becomes of the first packet of a
// connection, over all its outcomes (package path).
type way struct {
	// Verdict is that of the outcomes, mixed when they differ.
	Verdict string `json:"verdict"`
	// End is how the outcomes end (path.EndKind), mixed when they differ.
	End        string    `json:"end"`
	Backends   []backend `json:"backends"`   // where the packet may go, one for each outcome that arrives somewhere
	Rules      int       `json:"rules"`      // the most rules that the packet meets on one of its ways
	Masquerade bool      `json:"masquerade"` // its source is rewritten on some way
}

// mixed is the verdict or the end of a path whose outcomes differ.
const mixed = "mixed"

// backend is one place where a packet may go.
type backend struct {
	Address     string  `json:"address"` // IP
	Port        int32   `json:"port"`
	Pod         string  `json:"pod"`  // its name; "" when no Pod has the address
	Node        string  `json:"node"` // "" when not known
	Probability float64 `json:"probability"`
}

// lookup is what lookup(from, name) gives: how a Pod resolves a name (package dns).
type lookup struct {
	Rcode     string   `json:"rcode"`     // NOERROR, NXDOMAIN, NODATA, SERVFAIL, …; "" when it cannot be predicted
	Name      string   `json:"name"`      // the fully qualified name that answered, with the final dot; "" when none did
	Addresses []string `json:"addresses"` // what the application gets
	Alias     string   `json:"alias"`     // where a CNAME leads; "" without one
	Queries   int      `json:"queries"`   // how many questions it takes
}

// member is one Pod and one port of a Service (endpoints.Row).
type member struct {
	Pod    string `json:"pod"`
	Port   string `json:"port"`
	Listed bool   `json:"listed"` // an EndpointSlice lists the Pod with the port; "in" is a word of CEL's own
	Ready  bool   `json:"ready"`
	Reason string `json:"reason"`
}

// path asks for the packet's way in the mode of the cluster's kube-proxy.
func (v *view) path(from, target string) (*way, error) {
	trace, err := path.Do(v.snapshot, path.Request{Namespace: v.namespace, From: from, Target: target})
	if err != nil {
		return nil, fmt.Errorf("the path from %s to %s: %w", from, target, err)
	}
	w := &way{}
	for i := range trace.Outcomes {
		o := &trace.Outcomes[i]
		verdict, end := string(o.Verdict), string(o.End.Kind)
		if i == 0 {
			w.Verdict, w.End = verdict, end
		}
		if w.Verdict != verdict {
			w.Verdict = mixed
		}
		if w.End != end {
			w.End = mixed
		}
		w.Masquerade = w.Masquerade || o.Masquerade
		w.Rules = max(w.Rules, rulesOn(o))
		if d := o.Destination; d != nil {
			_, pod, _ := strings.Cut(d.Pod, "/")
			w.Backends = append(w.Backends, backend{Address: d.IP, Port: d.Port, Pod: pod, Node: d.Node, Probability: o.Probability})
		}
	}
	return w, nil
}

// rulesOn counts the rules that match on one way.
func rulesOn(o *path.Outcome) int {
	n := 0
	for i := range o.Hops {
		if o.Hops[i].Rule != "" {
			n++
		}
	}
	return n
}

// lookup asks as a program in the Pod does, with glibc's resolver.
func (v *view) lookup(from, name string) (*lookup, error) {
	r, err := dns.Resolve(v.snapshot, dns.Request{Namespace: v.namespace, From: from, Name: name})
	if err != nil {
		return nil, fmt.Errorf("the look-up of %s from %s: %w", name, from, err)
	}
	result := &lookup{Rcode: string(r.End), Queries: len(r.Queries)}
	for _, record := range r.Answers {
		switch record.Type {
		case "A", "AAAA":
			result.Addresses = append(result.Addresses, record.Data)
		case "CNAME":
			result.Alias = record.Data
		}
	}
	for _, q := range r.Queries {
		if len(q.Answers) == 0 {
			continue
		}
		if result.Name == "" {
			result.Name = q.Name
		}
		for _, record := range q.Answers {
			if record.Type == "CNAME" && result.Alias == "" {
				result.Alias = record.Data
			}
		}
	}
	return result, nil
}

// members says of each Pod and port whether the EndpointSlice controller makes
// the Pod an endpoint; nothing for a Service that is not there.
func (v *view) members(name string) []member {
	list := []member{}
	service := pictureOf(v.snapshot, v.namespace).service(name)
	if service.Name == "" {
		return list
	}
	for _, row := range endpoints.MembershipOf(v.snapshot, service).Rows {
		list = append(list, member{Pod: row.Pod, Port: row.Port, Listed: row.In, Ready: row.Ready, Reason: string(row.Reason)})
	}
	return list
}
