package path

import (
	"fmt"
	"slices"

	"svctour/model"
	"svctour/model/dns"
)

// Verdict is what becomes of a packet.
type Verdict string

const (
	DNAT   Verdict = "dnat"   // its destination is rewritten to an endpoint
	Reject Verdict = "reject" // answered with an ICMP error: the client sees "connection refused"
	Drop   Verdict = "drop"   // discarded silently: the client times out
	None   Verdict = "none"   // no rule of kube-proxy matches; it goes where routing sends it
)

// Trace is every outcome of one packet, as JSON kind "Trace" of svctour/v1alpha1.
type Trace struct {
	From string `json:"from"` // "pod/NAMESPACE/NAME", "node/NAME", "outside" or "outside/IP"; "pod" when no node is known
	// Client is From as a value; the zero Client when no node is known.
	Client  model.Client `json:"-"`
	Target  string       `json:"target"` // as asked
	Mode    string       `json:"mode"`   // kube-proxy mode: iptables, nftables, ipvs
	Service string       `json:"service,omitempty"`
	// Aliases are the ExternalName Services that the target's name leads over, in
	// order. Service is the one that was asked for; the packet goes where the last
	// alias leads.
	Aliases  []dns.Alias `json:"aliases,omitempty"`
	Packet   Packet      `json:"packet"`
	Outcomes []Outcome   `json:"outcomes"`
	// Notes says what the picture rests on and what it cannot know, one sentence each.
	Notes []string `json:"notes,omitempty"`
}

// Sample is the trace of one packet: the outcome at draw, between 0 and 1, when
// they are laid end to end by their probabilities (iptables-extensions(8),
// statistic; nft(8), numgen random).
func (t *Trace) Sample(draw float64) *Trace {
	one := *t
	for i := range t.Outcomes {
		one.Outcomes = t.Outcomes[i : i+1]
		if draw -= t.Outcomes[i].Probability; draw < 0 {
			break
		}
	}
	if len(t.Outcomes) > 1 {
		one.Notes = append(slices.Clip(t.Notes), fmt.Sprintf("This is one packet's way, drawn from %d.", len(t.Outcomes)))
	}
	return &one
}

// Packet is the first packet of a new connection, as its client sends it.
type Packet struct {
	Source      string `json:"source"`                // IP; "" when it is not known (outside)
	Destination string `json:"destination"`           // IP; "" when there is none, or one of several: see Host
	Host        string `json:"host,omitempty"`        // the name that DNS gives the destination for, where that is no cluster IP
	Port        int32  `json:"port"`                  // destination port
	Protocol    string `json:"protocol"`              // TCP, UDP, SCTP
	Node        string `json:"node"`                  // the node whose rules see it first
	Local       bool   `json:"fromNode,omitempty"`    // sent by a process on the node itself (hook OUTPUT, not PREROUTING)
	Interface   string `json:"inInterface,omitempty"` // ingress interface if known
}

// Outcome is one way the packet may go. The probabilities of a Trace add up to 1.
type Outcome struct {
	Probability float64      `json:"probability"`
	Verdict     Verdict      `json:"verdict"`
	Destination *Destination `json:"destination,omitempty"` // set for DNAT, and where an address is an endpoint's or a Pod's own
	Masquerade  bool         `json:"masquerade"`            // the source is rewritten to the node's address, by kube-proxy's rules or a network plugin known to
	Hops        []Hop        `json:"hops"`
	// Conntrack is the connection's entry on the node that rewrites its
	// destination; nil unless it is DNAT.
	Conntrack *Conntrack `json:"conntrack,omitempty"`
	// End is where the way ends, and how. Walk and Explain, which know rules
	// only, leave it zero.
	End End `json:"end"`
}

// Conntrack is the kernel's memory of a connection: how its packets look before
// translation, and how the answers to them will look (conntrack(8), -L). It is
// what translates every packet after the first.
type Conntrack struct {
	Protocol string `json:"protocol"` // lower case
	Original Tuple  `json:"original"`
	Reply    Tuple  `json:"reply"`
}

// Tuple is one direction of a conntrack entry; what is not known is zero, as the
// client's port always is and the address that masquerading takes.
type Tuple struct {
	Source          string `json:"source,omitempty"`
	SourcePort      uint16 `json:"sourcePort,omitempty"`
	Destination     string `json:"destination,omitempty"`
	DestinationPort uint16 `json:"destinationPort,omitempty"`
}

// Destination is where a packet goes.
type Destination struct {
	IP   string `json:"ip"`
	Port int32  `json:"port"`
	Pod  string `json:"pod,omitempty"` // "namespace/name"; "" when no Pod holds the address
	Node string `json:"node,omitempty"`
}

// HopAction is what a hop does to the packet.
type HopAction string

const (
	HopJump       HopAction = "jump"       // the rule hands it to the chain To
	HopReturn     HopAction = "return"     // the rule hands it back to the chain before
	HopMark       HopAction = "mark"       // the rule sets the mark that asks for masquerade
	HopUnmark     HopAction = "unmark"     // the rule clears that mark
	HopDNAT       HopAction = "dnat"       // its destination becomes To
	HopMasquerade HopAction = "masquerade" // its source becomes the node's address, by a rule or by the network plugin
	HopAccept     HopAction = "accept"     // the rule lets it pass the base chain
	HopReject     HopAction = "reject"     // it is answered with an ICMP error
	HopDrop       HopAction = "drop"       // it is discarded
	HopRoute      HopAction = "route"      // the routing decision sends it on
	HopDeliver    HopAction = "deliver"    // the routing decision hands it to the node itself
	HopArrive     HopAction = "arrive"     // it reaches the endpoint
	HopReply      HopAction = "reply"      // the answer is translated back
	HopEnd        HopAction = "end"        // it goes no further: What says why
)

// Hop is one thing that happens to the packet, in order.
type Hop struct {
	Node  string `json:"node"`
	Hook  string `json:"hook"`            // netfilter hook: PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING
	Table string `json:"table,omitempty"` // nat, filter; kube-proxy in nftables mode; ipvs for what IPVS does
	Chain string `json:"chain,omitempty"` // chain the rule stands in, or the virtual server
	Rule  string `json:"rule,omitempty"`  // the rule's text, without "-A CHAIN", or the real server's as ipvsadm prints it
	// Comment is what kube-proxy wrote beside the rule, or beside the element of
	// a map that decided: "default/web:http cluster IP".
	Comment string    `json:"comment,omitempty"`
	Action  HopAction `json:"action"`
	To      string    `json:"to,omitempty"` // of a jump the chain, of a DNAT the new destination, "ip:port"
	What    string    `json:"what"`         // in words: "jump KUBE-SVC-…", "set mark 0x4000: masquerade later", "DNAT to 10.244.1.5:80", "route to node-b"
	// Chance is the probability that this rule is taken by a packet that reaches it; 1 when it is certain.
	Chance   float64        `json:"chance"`
	Evidence model.Evidence `json:"evidence"`
	// Sofar is the probability that a packet gets here; Mark its mark then.
	Sofar float64 `json:"sofar"`
	Mark  uint32  `json:"mark,omitempty"`
	// Passed are the rules that did not match between the hop before and this
	// one, in order. Only Explain tells them.
	Passed []Passed `json:"passed,omitempty"`
}

// Passed is a rule that did not match a packet, or a group of them.
type Passed struct {
	Chain string `json:"chain"`
	Rule  string `json:"rule,omitempty"`  // "" for a group
	Count int    `json:"count,omitempty"` // of a group
	Why   string `json:"why"`
}

// Same says whether two outcomes share this hop: the same rule of the same
// chain on the same hook of the same node
// (https://www.netfilter.org/documentation/HOWTO/packet-filtering-HOWTO-6.html).
func (h *Hop) Same(other *Hop) bool {
	return h.Node == other.Node && h.Hook == other.Hook && h.Table == other.Table && h.Chain == other.Chain &&
		h.Rule == other.Rule && h.Action == other.Action && h.What == other.What && h.Chance == other.Chance && h.Evidence == other.Evidence
}
