package meter

import (
	"fmt"
	"net/netip"
	"strings"

	"svctour/model"
	"svctour/model/path"
)

// Why says what a request failed of. Its value is stable.
type Why string

// The causes.
const (
	Unexplained  Why = ""
	NoEndpoint   Why = "no-endpoint"   // no endpoint is ready: kube-proxy's rule rejects
	PodLeft      Why = "pod-left"      // a Pod was deleted, killed or not ready any more then
	PortRefused  Why = "port-refused"  // nothing listens at the Pod's port
	Denied       Why = "policy"        // a NetworkPolicy lets it not through
	RuleDrops    Why = "rule-drops"    // a rule of kube-proxy drops it
	NoRule       Why = "no-rule"       // no rule of kube-proxy is for the address and port
	DNSDown      Why = "dns-down"      // no DNS server is ready
	NoName       Why = "no-name"       // the name does not exist, or has no address
	AnsweredSo   Why = "answered-so"   // the program answered with this status
	NotAnswering Why = "not-answering" // the program took the connection, and did not answer in time
)

// Cause is why a request failed, and how that is known.
type Cause struct {
	Why      Why
	Pod      string // that it is about; "" when it is about none, or about several
	Text     string // in words; "" when nothing is known
	Evidence model.Evidence
}

// Explain gives the cause of a request's failure by what the objects say. to is
// where the client's node was seen to lead the connection; the zero AddrPort when
// that was not seen. What rejects and what drops is pkg/proxy's
// (pkg/proxy/iptables/proxier.go: REJECT for a Service without endpoints), that a
// NetworkPolicy drops is what networking/v1 and most network plugins do. The
// evidence is Derived where only the objects say so, and Unknown without a cause.
func (w *World) Explain(s *Sample, to netip.AddrPort) Cause {
	switch s.Outcome {
	case OK:
		return Cause{}
	case Status:
		return Cause{Why: AnsweredSo, Pod: w.named(s.Said), Text: fmt.Sprintf("the answer is HTTP %d", s.HTTP), Evidence: model.Observed}
	case Unresolved, DNSSilent:
		return w.unresolved(s)
	case Reset:
		return w.broken(s, to)
	case Refused:
		return w.refused(s, to)
	case Timeout, Unreachable:
		return w.unanswered(s, to)
	}
	return Cause{}
}

func (w *World) unresolved(s *Sample) Cause {
	server := "the DNS server"
	switch {
	case w.byAddress():
		return Cause{}
	case w.dnsDenied != "":
		return derived(Denied, "", "NetworkPolicy "+w.dnsDenied+" keeps the client from DNS")
	case w.dnsDown.holds(s.Start):
		return derived(DNSDown, "", "no Pod of the cluster's DNS is ready")
	case s.Outcome == Unresolved && w.noName != "":
		return derived(NoName, "", w.noName)
	case s.Outcome == DNSSilent:
		return Cause{Text: server + " did not answer in time"}
	}
	return Cause{}
}

// broken explains a connection that ended before the answer did.
func (w *World) broken(s *Sample, to netip.AddrPort) Cause {
	if cause, ok := w.leaving(s, to); ok {
		return cause
	}
	if pod := w.byIP[to.Addr()]; pod != "" {
		return Cause{Pod: pod, Text: "Pod " + pod + " ended the connection", Evidence: model.Observed}
	}
	return Cause{}
}

func (w *World) refused(s *Sample, to netip.AddrPort) Cause {
	if to.IsValid() {
		if cause, ok := w.leaving(s, to); ok {
			return cause
		}
		return Cause{Why: PortRefused, Pod: w.byIP[to.Addr()], Text: fmt.Sprintf("nothing listens at %s", to), Evidence: model.Observed}
	}
	if w.rejecting.holds(s.Start) {
		return derived(NoEndpoint, "", "no endpoint of "+w.aim.Service+" is ready, so the rule rejects")
	}
	if cause, ok := w.denies(true); ok { // some network plugins reject
		return cause
	}
	if cause, ok := w.leaving(s, to); ok {
		return cause
	}
	switch {
	case w.trace == nil:
		return Cause{}
	case w.verdict(path.None):
		return derived(NoRule, "", fmt.Sprintf("no rule is for %s port %d", w.trace.Packet.Destination, w.aim.Port))
	}
	return w.portRefused()
}

// portRefused is the cause that is left when rules lead to Pods that are there,
// and no policy is in the way.
func (w *World) portRefused() Cause {
	var ports, pods []string
	for i := range w.trace.Outcomes {
		if to := w.trace.Outcomes[i].Destination; to != nil {
			ports = appendNew(ports, fmt.Sprint(to.Port))
			pods = appendNew(pods, w.nameAt(to.IP))
		}
	}
	switch {
	case len(pods) == 0:
		return Cause{}
	case len(pods) == 1 && pods[0] != "":
		return derived(PortRefused, pods[0], fmt.Sprintf("nothing listens at port %s of Pod %s", ports[0], pods[0]))
	}
	return derived(PortRefused, "", fmt.Sprintf("nothing listens at port %s of a Pod", strings.Join(ports, " or ")))
}

// unanswered explains a packet that nothing came back for.
func (w *World) unanswered(s *Sample, to netip.AddrPort) Cause {
	left, leaves := w.leaving(s, to)
	switch {
	case s.Connected && leaves:
		return left
	case s.Connected:
		return Cause{Why: NotAnswering, Pod: w.byIP[to.Addr()], Text: "the connection was made, and no answer came in time", Evidence: model.Observed}
	}
	if cause, ok := w.denies(true); ok {
		return cause
	}
	switch {
	case leaves:
		return left
	case w.verdict(path.Drop):
		return derived(RuleDrops, "", "a rule of kube-proxy drops it")
	}
	if cause, ok := w.denies(false); ok {
		return cause
	}
	if w.verdict(path.None) {
		return derived(NoRule, "", fmt.Sprintf("no rule is for %s port %d", w.trace.Packet.Destination, w.aim.Port))
	}
	return Cause{}
}

// denies says whether policies keep the client from all destinations, or from
// some.
func (w *World) denies(all bool) (Cause, bool) {
	if len(w.denied) == 0 {
		return Cause{}, false
	}
	var by []string
	pod, count := "", 0
	for i := range w.trace.Outcomes {
		to := w.trace.Outcomes[i].Destination
		if to == nil {
			continue
		}
		name := w.denied[to.IP]
		if name == "" && all {
			return Cause{}, false
		}
		if name != "" {
			by, pod, count = appendNew(by, name), w.nameAt(to.IP), count+1
		}
	}
	if count != 1 {
		pod = ""
	}
	return derived(Denied, pod, "NetworkPolicy "+strings.Join(by, ", ")+" lets it not through"), true
}

// leaving explains a failure by a Pod that left at about the time: the one to
// which the connection was led, or, where that was not seen, any.
func (w *World) leaving(s *Sample, to netip.AddrPort) (Cause, bool) {
	left := w.lately(s.Start)
	if pod := w.byIP[to.Addr()]; pod != "" {
		for _, d := range left {
			if d.pod == pod {
				return Cause{Why: PodLeft, Pod: pod, Text: "Pod " + pod + " " + d.how.String() + " then", Evidence: model.Observed}, true
			}
		}
		return Cause{}, false
	}
	switch len(left) {
	case 0:
		return Cause{}, false
	case 1:
		return derived(PodLeft, left[0].pod, "Pod "+left[0].pod+" "+left[0].how.String()+" then"), true
	}
	return derived(PodLeft, "", "Pods of "+w.aim.Service+" came and went then"), true
}

func (w *World) nameAt(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil {
		return ""
	}
	return w.byIP[address]
}

func derived(why Why, pod, text string) Cause {
	return Cause{Why: why, Pod: pod, Text: text, Evidence: model.Derived}
}

func appendNew(list []string, text string) []string {
	for _, other := range list {
		if other == text {
			return list
		}
	}
	return append(list, text)
}
