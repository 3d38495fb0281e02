package path

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// Target is what a client wants to reach, as a person writes it. Exactly one
// of Service, Node, Host and Address is set.
type Target struct {
	Namespace string // of Service; "" when it was not said
	Service   string
	Node      string     // node/NAME
	Host      string     // a name with dots that may be a load balancer's hostname as well as service.namespace
	Address   netip.Addr // an IP address
	Port      string     // a number or a port's name; "" when it was not said
	Protocol  string     // TCP, UDP, SCTP; "" when it was not said

	// typed is the name as a client would look it up; "" for svc/SERVICE, which
	// names an object, and for what needs no look-up.
	typed string
}

// Name is the name as a client looks it up; "" for what needs no look-up: an
// address, a node, or svc/SERVICE, which names an object.
func (t *Target) Name() string { return t.typed }

var errTarget = errors.New("want SERVICE, SERVICE.NAMESPACE, svc/SERVICE, IP:PORT or node/NAME:PORT, a Service with an optional :PORT or :PORTNAME and /tcp, /udp or /sctp")

// ParseTarget reads a target: "web", "web.ns", "web.ns.svc.cluster.local",
// "db-0.db", "svc/web", "svc/web.ns", each with an optional ":80" or ":portname";
// "10.96.1.2:80", "[fd00::1]:80", "node/NAME:30080". A final "/udp" or "/sctp"
// chooses the protocol. domain is the cluster domain, "" for cluster.local. The
// names are those of the DNS specification (kubernetes/dns, docs/specification.md
// 2.3) and of kubectl's resource arguments.
func ParseTarget(text, domain string) (Target, error) {
	fail := func(err error) (Target, error) { return Target{}, fmt.Errorf("target %q: %w", text, err) }
	var t Target
	rest := strings.TrimSpace(text)
	if at := strings.LastIndexByte(rest, '/'); at >= 0 {
		switch p := strings.ToUpper(rest[at+1:]); p {
		case "TCP", "UDP", "SCTP":
			if !isKind(rest[:at]) { // "svc/udp" is a Service called udp
				t.Protocol, rest = p, rest[:at]
			}
		}
	}
	kind, name, hasKind := strings.Cut(rest, "/")
	if !hasKind {
		kind, name = "", rest
	}
	if kind == "" {
		if address, port, ok := parseHostPort(name); ok {
			t.Address, t.Port = address, port
			return t, checkPort(text, t.Port)
		}
	}
	name, t.Port, _ = strings.Cut(name, ":")
	typed := name
	name = strings.TrimSuffix(name, ".")
	if name == "" || strings.ContainsAny(name, "/ \t[]") || strings.ContainsAny(t.Port, "/: \t[]") {
		return fail(errTarget)
	}
	switch {
	case hasKind && !isKind(kind):
		return fail(errTarget)
	case strings.HasPrefix(kind, "no"):
		t.Node = name
		if t.Port == "" {
			return fail(errors.New("a node needs a port: node/NAME:PORT"))
		}
	default:
		if err := t.name(name, domain, kind == ""); err != nil {
			return fail(err)
		}
		if kind == "" {
			t.typed = typed
		}
	}
	return t, checkPort(text, t.Port)
}

// isKind says whether a word is kubectl's name for Services or Nodes.
func isKind(word string) bool {
	switch word {
	case "svc", "service", "services", "no", "node", "nodes":
		return true
	}
	return false
}

// name reads a Service's name in DNS.
func (t *Target) name(name, domain string, mayBeHost bool) error {
	if domain == "" {
		domain = "cluster.local"
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" {
			return errTarget
		}
	}
	t.Service = labels[0]
	switch {
	case len(labels) == 1:
	case len(labels) == 2, len(labels) == 3 && labels[2] == "svc", strings.Join(labels[2:], ".") == "svc."+domain:
		t.Namespace = labels[1]
	case mayBeHost:
		t.Service = ""
	default:
		return errTarget
	}
	if mayBeHost && len(labels) > 1 {
		t.Host = name
	}
	return nil
}

// parseHostPort reads "ip", "ip:port", "[ipv6]:port".
func parseHostPort(text string) (netip.Addr, string, bool) {
	if ip := endpoints.ParseAddr(unbracketed(text)); ip.IsValid() {
		return ip, "", true
	}
	at := strings.LastIndexByte(text, ':')
	if at < 0 {
		return netip.Addr{}, "", false
	}
	host := text[:at]
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return netip.Addr{}, "", false
	}
	ip := endpoints.ParseAddr(unbracketed(host))
	return ip, text[at+1:], ip.IsValid()
}

// unbracketed takes the brackets off "[ipv6]".
func unbracketed(text string) string {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		return text[1 : len(text)-1]
	}
	return text
}

func checkPort(text, port string) error {
	if port == "" || strings.Trim(port, "0123456789") != "" {
		return nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("target %q: port %q: want 1 to 65535", text, port)
	}
	return nil
}

// number is the port as a number; 0 when it is a name or missing.
func (t *Target) number() int32 {
	n, err := strconv.ParseInt(t.Port, 10, 32)
	if err != nil {
		return 0
	}
	return int32(n)
}

// portOf finds the first port of a Service that the target names, by number or
// name and protocol; nil when there is none.
func (t *Target) portOf(svc *model.Service) *model.ServicePort {
	for i := range svc.Ports {
		p := &svc.Ports[i]
		if t.Protocol != "" && p.Protocol != t.Protocol {
			continue
		}
		if t.Port == "" || t.Port == p.Name || t.number() == p.Port {
			return p
		}
	}
	return nil
}

// noService is the error for a Service that does not exist, with names that
// may have been meant.
func noService(s *model.Snapshot, namespace, name string) error {
	var here, elsewhere []string
	for _, svc := range s.Services {
		switch {
		case svc.Name == name:
			elsewhere = append(elsewhere, svc.Name+"."+svc.Namespace)
		case svc.Namespace == namespace:
			here = append(here, svc.Name)
		}
	}
	near := append(model.Nearest(name+"."+namespace, elsewhere), model.Suggest(name, here)...)
	near = near[:min(len(near), 5)]
	hint := ""
	if len(near) > 0 {
		hint = fmt.Sprintf("; did you mean %s?", strings.Join(quoted(near), " or "))
	}
	if s.Cluster.Namespace != "" && s.Cluster.Namespace != namespace {
		hint += fmt.Sprintf("; only namespace %q can be read", s.Cluster.Namespace)
	}
	return fmt.Errorf("no Service %q in namespace %q%s", name, namespace, hint)
}

func quoted(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return out
}
