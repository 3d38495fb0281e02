package diagnose

import (
	"fmt"

	"svctour/model"
)

// Backend is a Pod that a Service's port leads to.
type Backend struct {
	Pod    *model.Pod
	Port   *model.ServicePort
	Number int32 // the container's
}

// Backends are up to most ready Pods for each TCP port of a Service, with the
// number that targetPort is in each (kubernetes, pkg/api/v1/pod/util.go,
// FindPort).
func Backends(s *model.Snapshot, service *model.Service, most int) []Backend {
	subject := New(s).subject(service.Namespace, service.Name, Options{})
	var out []Backend
	for i := range service.Ports {
		p := &service.Ports[i]
		n := 0
		for _, pod := range subject.ready {
			number := subject.target(p, pod)
			if p.Protocol != "TCP" || number == 0 || n == most {
				continue
			}
			out = append(out, Backend{Pod: pod, Port: p, Number: number})
			n++
		}
	}
	return out
}

// Answer is what connections to a Pod's port gave.
type Answer struct {
	// Address is the answer at the Pod's address, Loopback at its 127.0.0.1.
	Address, Loopback Reached
	Trouble           string // why one of them is not known
}

// Reached says how a connection went.
type Reached uint8

// How connections go.
const (
	NotTried Reached = iota
	Open
	Refused
	Silent     // no answer in time
	Unresolved // the name has no address
)

// String gives the word for evidence: what connect(2) says, or getaddrinfo(3).
func (r Reached) String() string {
	switch r {
	case Open:
		return "connection accepted"
	case Refused:
		return "connection refused"
	case Silent:
		return "no answer in time"
	case Unresolved:
		return "the name does not resolve"
	}
	return "not tried"
}

// ProbeRules are the causes that only a connection shows; nothing checks them
// without one. They have no Check.
var ProbeRules = []Rule{
	{
		ID: "binds-localhost", Lane: LanePort,
		Title:   "The program listens on 127.0.0.1 only",
		Explain: "Connections come to the Pod's address; a program that binds its loopback refuses them, while a probe by exec, or a port-forward, finds it well. Let it bind 0.0.0.0 or [::].",
		Source:  "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#any-pod-can-access-its-own-port",
	},
	{
		ID: "not-listening", Lane: LanePort,
		Title:   "Nothing listens on the target port",
		Explain: "The Pod is ready, the endpoint is there, and the Pod refuses connections to this port: the program listens on another one.",
		Source:  "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#are-the-pods-working",
	},
	{
		ID: "client-unresolved", Lane: LaneName,
		Title:   "The name does not resolve in the client",
		Explain: "The client's own resolver finds no address, though the Service exists: look at its resolv.conf, at policies for port 53, at the cluster's DNS.",
		Source:  "https://kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution/",
	},
	{
		ID: "client-cannot-reach", Lane: LanePolicy,
		Title:   "The client reaches neither the Service nor its Pods",
		Explain: "The Pod accepts connections from the API server's side, and the client's do not arrive: a policy that the API does not show (a plugin's own, a mesh, a firewall between nodes), or a broken route.",
		Source:  "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/",
	},
	{
		ID: "stale-conntrack", Lane: LaneProxy,
		Title: "Connections of the client still go to a Pod that is no endpoint",
		Explain: "A connection is translated once, by its first packet; conntrack keeps the answer for all that follow. kube-proxy makes the kernel forget entries of UDP when an endpoint goes, " +
			"those of TCP last until one side ends them. So a client with long connections goes on with the old Pod, or waits for one that is gone.",
		Source: "kube-proxy, pkg/proxy/conntrack/cleanup.go; https://kubernetes.io/docs/reference/networking/virtual-ips/",
	},
	{
		ID: "client-not-translated", Lane: LaneProxy,
		Title: "The client reaches the Pods, but not the cluster IP",
		Explain: "Everything is well but the translation on the client's node: kube-proxy's rules are stale or missing there, or conntrack still holds an old answer for this connection. " +
			"Compare the node's rules (svctour shows both), and look at conntrack -L.",
		Source: "https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/#is-the-kube-proxy-working",
	},
}

// FromClient is what connections from a client's Pod gave.
type FromClient struct {
	Name    Reached // by the Service's name and port
	Address Reached // to the cluster IP and port
	Backend Reached // to a ready Pod's own address and port
}

// ProbedFrom is the finding that connections from a client make; nil when all
// is well, or nothing is known. It asks for the name, the address and the Pod,
// as https://kubernetes.io/docs/tasks/debug/debug-application/debug-service/
// does.
func ProbedFrom(client *model.Pod, service *model.Service, b Backend, a FromClient) *Finding {
	if a.Name == Open || a.Name == NotTried {
		return nil
	}
	name := fmt.Sprintf("%s.%s:%d", service.Name, service.Namespace, b.Port.Port)
	address := fmt.Sprintf("%s:%d", service.ClusterIP(), b.Port.Port)
	backend := fmt.Sprintf("%s:%d", b.Pod.IP(), b.Number)
	fact := func(to string, r Reached) Fact {
		return Fact{Object: about("Pod", client.Meta), Field: "connects to " + to, Value: r.String(), Kind: model.Observed}
	}
	f := &Finding{Severity: Error, Confidence: Likely, Evidence: []Fact{fact(name, a.Name), fact(address, a.Address), fact(backend, a.Backend)}}
	switch {
	case a.Name == Unresolved, a.Address == Open: // the resolver may also wait longer than we do
		f.Rule, f.Lane = "client-unresolved", LaneName
		f.Headline = fmt.Sprintf("%s.%s does not resolve in Pod %s", service.Name, service.Namespace, client.Name)
		f.Cause = "The client asked its name servers and got no address."
		if a.Name != Unresolved {
			f.Headline = fmt.Sprintf("Pod %s reaches %s, but not by the name %s.%s", client.Name, address, service.Name, service.Namespace)
			f.Cause = "Its name servers do not answer, or give another address."
		}
		f.Fix = command("Look at its resolv.conf.", "exec -n %s %s -- cat /etc/resolv.conf", client.Namespace, client.Name)
	case a.Backend == Open:
		f.Rule, f.Lane = "client-not-translated", LaneProxy
		f.Headline = fmt.Sprintf("Pod %s reaches %s, but not %s: node %s does not translate", client.Name, backend, address, client.Node)
		f.Cause = "kube-proxy's rules on the client's node are stale or missing, or conntrack holds an old answer."
		f.Fix = command("See whether kube-proxy runs there, and what it says.", "get pods -n kube-system -o wide --field-selector=spec.nodeName=%s", client.Node)
	default:
		f.Rule, f.Lane = "client-cannot-reach", LanePolicy
		f.Headline = fmt.Sprintf("Pod %s reaches neither %s nor %s", client.Name, name, backend)
		f.Cause = "The API server reaches the Pod's port; from this client nothing arrives: something between the two drops or refuses it."
		f.Fix = Fix{Explain: "Look for a policy of the network plugin's own, a mesh's sidecar, a firewall between the nodes."}
	}
	return f
}

// Settled says whether the answer at the Pod's address is known: accepted or
// refused (connect(2)).
func (a Answer) Settled() bool { return a.Address != NotTried }

// Probed is the finding that an answer makes; nil when all is well. A host
// refuses a connection, by a RST, to a port where nothing listens (RFC 9293,
// 3.10.7.1).
func Probed(service *model.Service, b Backend, a Answer) *Finding {
	if a.Address != Refused {
		return nil // Open, or not known
	}
	f := &Finding{
		Rule: "not-listening", Severity: Error, Lane: LanePort, Confidence: Certain,
		Headline: fmt.Sprintf("Nothing listens on port %d of Pod %s", b.Number, b.Pod.Name),
		Cause:    "The Pod is ready and the Service leads to this port, but the Pod refuses connections to it.",
		Evidence: []Fact{
			{Object: about("Pod", b.Pod.Meta), Field: fmt.Sprintf("%s:%d", b.Pod.IP(), b.Number), Value: "connection refused", Kind: model.Observed},
		},
		Fix: Fix{Explain: "Let the program listen on this port, or set targetPort to the one on which it does."},
	}
	switch a.Loopback {
	case Open:
		f.Rule = "binds-localhost"
		f.Headline = fmt.Sprintf("The program in Pod %s listens on 127.0.0.1:%d only", b.Pod.Name, b.Number)
		f.Cause = "It answers inside its own Pod and refuses everybody else: connections come to the Pod's address."
		f.Evidence = append(f.Evidence, Fact{Object: about("Pod", b.Pod.Meta), Field: fmt.Sprintf("127.0.0.1:%d", b.Number), Value: "connection accepted", Kind: model.Observed})
		f.Fix = Fix{Explain: "Let it bind 0.0.0.0 (or [::]): often an option or variable like --host, --listen, HOST."}
	case Refused:
		f.Evidence = append(f.Evidence, Fact{Object: about("Pod", b.Pod.Meta), Field: fmt.Sprintf("127.0.0.1:%d", b.Number), Value: "connection refused", Kind: model.Observed})
	}
	return f
}
