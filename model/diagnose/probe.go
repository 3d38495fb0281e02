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

// Backends are up to most ready Pods for each TCP port of a Service.
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
)

// Settled says whether the answer at the Pod's address is known.
func (a Answer) Settled() bool { return a.Address != NotTried }

// Probed is the finding that an answer makes; nil when all is well.
func Probed(service *model.Service, b Backend, a Answer) *Finding {
	if a.Address != Refused {
		return nil
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
