package path

// Judge asks single rules of a program what Walk asks of them on a packet's way.
// The packet is the first of its connection, and its client is in no session
// affinity list.
type Judge struct{ walker walker }

// NewJudge is for the rules of a program, as iptables(8) and nft(8) match them.
func NewJudge(p *Program) *Judge { return &Judge{walker{program: p}} }

// Match says whether a rule matches a packet, its probability aside, and if not
// why, in words (see Rule.Match: iptables(8), nft(8)).
func (j *Judge) Match(r *Rule, p *PacketInfo) (why string, matches bool) {
	reason := r.Match(p, &j.walker)
	if reason == Matched {
		return "", true
	}
	return r.why(p, reason), false
}

// Found is what the verdict map that a rule asks has for a packet; nil when the
// rule asks none, or the map has nothing (nft(8), VERDICT MAP EXPRESSIONS).
func (j *Judge) Found(r *Rule, p *PacketInfo) *Element {
	if r.More().Lookup == "" {
		return nil
	}
	return r.More().lookup(p, &j.walker)
}

// Local says whether the node holds an address (iptables-extensions(8), addrtype;
// in ipvs mode its device kube-ipvs0 counts).
func (j *Judge) Local(r *PacketInfo) bool { return j.walker.IsLocal(r.Destination.Addr()) }
