package diagnose

import (
	"fmt"
	"net/netip"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// Connection is one that a node's kernel follows: what the client asked for,
// and who answers it (conntrack(8), -L).
type Connection struct {
	Protocol string         // TCP, UDP, SCTP
	State    string         // of TCP and SCTP, as conntrack writes it
	Client   netip.AddrPort // who sends
	Asked    netip.AddrPort // to whom, before translation
	Answers  netip.AddrPort // who replies: another one than Asked after DNAT
}

// ParseConnections reads what `conntrack -L` printed (conntrack(8);
// libnetfilter_conntrack, src/conntrack/snprintf_default.c). Lines that are no
// connection between ports, as those of ICMP, are left out.
func ParseConnections(text string) []Connection {
	var out []Connection
	for line := range strings.Lines(text) {
		if c, ok := parseConnection(strings.Fields(line)); ok {
			out = append(out, c)
		}
	}
	return out
}

func parseConnection(words []string) (Connection, bool) {
	var c Connection
	if len(words) < 4 {
		return c, false
	}
	switch c.Protocol = strings.ToUpper(words[0]); c.Protocol {
	case "TCP", "UDP", "SCTP":
	default:
		return c, false
	}
	// The protocol, its number, the seconds that are left, and a state where
	// there is one; then the packet's addresses, and the reply's.
	var addresses [2]map[string]string
	half := -1
	for _, word := range words[1:] {
		key, value, pair := strings.Cut(word, "=")
		switch {
		case !pair && half < 0 && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_12") == "" && strings.Trim(word, "0123456789") != "":
			c.State = word
		case pair && key == "src":
			if half++; half > 1 {
				return c, false
			}
			addresses[half] = map[string]string{}
		}
		if pair && half >= 0 {
			if _, had := addresses[half][key]; !had {
				addresses[half][key] = value
			}
		}
	}
	if half != 1 {
		return c, false
	}
	ok := true
	at := func(half int, address, port string) netip.AddrPort {
		out, err := netip.ParseAddrPort(bracketed(addresses[half][address]) + ":" + addresses[half][port])
		ok = ok && err == nil
		return out
	}
	c.Client, c.Asked, c.Answers = at(0, "src", "sport"), at(0, "dst", "dport"), at(1, "src", "sport")
	return c, ok
}

func bracketed(address string) string {
	if strings.Contains(address, ":") {
		return "[" + address + "]"
	}
	return address
}

// Stale is the finding that a client's connections to a Service make which
// still go where no endpoint is; nil when there is none. Rules of type nat are
// for a connection's first packet only (iptables(8)), and kube-proxy makes the
// kernel forget entries of UDP alone (pkg/proxy/conntrack/cleanup.go). pod is
// the kube-proxy Pod on the client's node, where connections were listed.
func Stale(s *model.Snapshot, service *model.Service, client *model.Pod, pod string, connections []Connection) *Finding {
	for i := range service.Ports {
		port := &service.Ports[i]
		var stale []Connection
		for _, c := range connections {
			if c.leads(service, port) && c.lasts() && hasAddress(client, c.Client.Addr()) && !endpointAt(s, service, port, c.Answers) {
				stale = append(stale, c)
			}
		}
		if len(stale) > 0 {
			return staleFinding(s, service, port, client, pod, stale)
		}
	}
	return nil
}

// leads says whether c is a connection to a Service's port.
func (c *Connection) leads(service *model.Service, port *model.ServicePort) bool {
	if c.Protocol != port.Protocol || int32(c.Asked.Port()) != port.Port {
		return false
	}
	for _, text := range service.ClusterIPs {
		if address, err := netip.ParseAddr(text); err == nil && address == c.Asked.Addr() {
			return true
		}
	}
	return false
}

// lasts says whether packets may still come: not after a TCP connection's end.
func (c *Connection) lasts() bool {
	return c.Protocol != "TCP" || c.State == "ESTABLISHED" || c.State == "SYN_SENT"
}

func hasAddress(pod *model.Pod, address netip.Addr) bool {
	for _, text := range pod.IPs {
		if a, err := netip.ParseAddr(text); err == nil && a == address {
			return true
		}
	}
	return false
}

// endpointAt says whether any slice has this address for the port, ready or
// not: an endpoint that is no longer ready keeps the connections it has.
func endpointAt(s *model.Snapshot, service *model.Service, port *model.ServicePort, at netip.AddrPort) bool {
	for address := range endpoints.Joined(s.ServiceSlices(service.Namespace, service.Name), port) {
		if address == at {
			return true
		}
	}
	return false
}

func staleFinding(s *model.Snapshot, service *model.Service, port *model.ServicePort, client *model.Pod, proxy string, stale []Connection) *Finding {
	c := stale[0]
	var to string
	switch pod := s.PodByIP(c.Answers.Addr().String()); {
	case c.Answers == c.Asked:
		to = "the cluster IP itself, not translated"
	case pod != nil:
		to = fmt.Sprintf("Pod %s, which is no endpoint", pod.Name)
	default:
		to = fmt.Sprintf("%s, which no Pod has", c.Answers.Addr())
	}
	f := &Finding{
		Rule: "stale-conntrack", Severity: Warning, Lane: LaneProxy, Confidence: Certain,
		Headline: fmt.Sprintf("Pod %s keeps %s to %s:%d with %s", client.Name, model.Count(len(stale), port.Protocol+" connection"), service.Name, port.Port, to),
		Cause:    "A connection is translated when its first packet comes, and conntrack remembers it: what changed later is for new connections.",
	}
	for _, c := range stale[:min(len(stale), someText)] {
		f.Evidence = append(f.Evidence, Fact{
			Object: "Node " + client.Node, Field: fmt.Sprintf("conntrack %s %s -> %s", strings.ToLower(c.Protocol), c.Client, c.Asked),
			Value: "goes to " + c.Answers.String(), Kind: model.Observed,
		})
	}
	f.Fix = command("Let the client connect anew, or make the node forget the old connections.",
		"exec -n kube-system %s -- conntrack -D -p %s --orig-src %s --orig-dst %s --orig-port-dst %d",
		proxy, strings.ToLower(port.Protocol), c.Client.Addr(), c.Asked.Addr(), port.Port)
	return f
}
