package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"svctour/cluster"
	"svctour/model"
	"svctour/model/diagnose"
)

// probeTimeout is how long one Pod may take to answer, probedPods how many of a
// Service are asked.
const (
	probeTimeout = 5 * time.Second
	probedPods   = 3
)

// prober connects where the API objects alone do not tell. It makes no object,
// and says what it does before it does it.
type prober struct {
	connection *cluster.Connection
	snapshot   *model.Snapshot
	client     *model.Pod // that --from names; nil without
	log        io.Writer
}

func (p *prober) say(format string, args ...any) {
	fmt.Fprintln(p.log, model.Printable("svctour: "+fmt.Sprintf(format, args...)))
}

// probe connects to backends of the Services that look healthy, and puts what
// it finds into the report.
func (p *prober) probe(ctx context.Context, report *diagnose.Report) {
	for i := range report.Services {
		s := &report.Services[i]
		service := p.snapshot.Service(s.Namespace, s.Name)
		if !s.Healthy || service == nil {
			continue
		}
		s.NotChecked = s.NotChecked[:0]
		backends := diagnose.Backends(p.snapshot, service, probedPods)
		finding := p.pods(ctx, s, service, backends)
		if finding == nil && p.client != nil && len(backends) > 0 && !service.Headless() {
			finding = p.from(ctx, s, service, backends[0])
		}
		if finding != nil {
			s.Findings = append([]diagnose.Finding{*finding}, s.Findings...)
			s.Healthy, s.Broken = false, finding.Lane
		}
	}
}

// pods connects to the backends from the API server's side.
func (p *prober) pods(ctx context.Context, s *diagnose.ServiceReport, service *model.Service, backends []diagnose.Backend) *diagnose.Finding {
	for _, backend := range backends {
		p.say("connecting to Pod %s at port %d through the API server's proxy, and if it refuses, to its loopback by a port-forward", backend.Pod.Key(), backend.Number)
		asking, cancel := context.WithTimeout(ctx, probeTimeout)
		answer := p.connection.ProbePod(asking, backend.Pod.Namespace, backend.Pod.Name, backend.Number)
		cancel()
		if finding := diagnose.Probed(service, backend, answer); finding != nil {
			return finding
		}
		if !answer.Settled() {
			s.NotChecked = append(s.NotChecked, diagnose.Unchecked{
				What: fmt.Sprintf("Pod %s at port %s: %s", backend.Pod.Name, strconv.Itoa(int(backend.Number)), answer.Trouble),
				How:  fmt.Sprintf("kubectl exec -n %s %s -- ss -ltn", backend.Pod.Namespace, backend.Pod.Name),
			})
		}
	}
	return nil
}

// from connects out of the client's Pod.
func (p *prober) from(ctx context.Context, s *diagnose.ServiceReport, service *model.Service, b diagnose.Backend) *diagnose.Finding {
	p.say("running curl or wget in Pod %s, against the Service and one of its Pods", p.client.Key())
	asking, cancel := context.WithTimeout(ctx, 4*probeTimeout)
	defer cancel()
	answer := p.connection.ProbeFrom(asking, p.client, service, b)
	if answer.Trouble != "" {
		s.NotChecked = append(s.NotChecked, diagnose.Unchecked{
			What: fmt.Sprintf("what Pod %s sees: %s", p.client.Name, answer.Trouble),
			How:  fmt.Sprintf("kubectl debug -it -n %s %s --image=nicolaka/netshoot -- curl -v http://%s.%s:%d", p.client.Namespace, p.client.Name, service.Name, service.Namespace, b.Port.Port),
		})
	}
	return diagnose.ProbedFrom(p.client, service, b, answer)
}
