package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"svctour/cluster/reach"
	"svctour/model"
	"svctour/model/diagnose"
)

// Bounds of a probe: how long one Pod may take to answer, how many Pods of a
// Service are connected to, to how many Services a client connects, and how long
// that may take.
const (
	probeTimeout   = 10 * time.Second
	probedPods     = 3
	askedServices  = 20
	askTimeout     = 30 * time.Second
	askTimeoutMore = 10 * time.Second // for each Service
)

// candidate is a Service with which nothing is wrong so far.
type candidate struct {
	report  *diagnose.ServiceReport
	service *model.Service
	backend diagnose.Backend
}

// addresses are what a client is asked to connect to, in the order of
// diagnose.FromClient.
func (c *candidate) addresses() []string {
	at := func(host string, port int32) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }
	port := c.backend.Port.Port
	return []string{
		at(c.service.Name+"."+c.service.Namespace, port), at(c.service.ClusterIP(), port), at(c.backend.Pod.IP(), c.backend.Number),
	}
}

// found puts a finding before all others.
func (c *candidate) found(f *diagnose.Finding) {
	c.report.Findings = slices.Insert(c.report.Findings, 0, *f)
	c.report.Healthy, c.report.Broken = false, f.Lane
}

func (c *candidate) unchecked(what, how string) {
	c.report.NotChecked = append(c.report.NotChecked, diagnose.Unchecked{What: what, How: how})
}

// command is a command line to go on with, from a Pod if one is named.
func (c *candidate) command(from string) string {
	text := "svctour doctor " + c.service.Name + " -n " + c.service.Namespace + " --probe"
	if from != "" {
		text += " --from " + from
	}
	return text
}

// Probe connects where the API objects alone do not tell: to backends of the
// Services that look healthy, then to the Services as a client does. It puts
// what it finds into the report, which Look has given. It checks each finding a
// second time: kube-proxy, or a controller before it, may not have caught up
// with a change. It says what it does before it does it, and asks before it
// makes an object.
func (d *Doctor) Probe(ctx context.Context, report *diagnose.Report) (err error) {
	if d.client, err = clientOf(d.snapshot, d.Question); err != nil {
		return err
	}
	healthy := map[string]bool{}
	for _, s := range report.Services {
		healthy[s.Namespace+"/"+s.Name] = s.Healthy
	}
	if err := d.round(ctx, report, healthy); err != nil {
		return err
	}
	found := map[string]bool{}
	for _, s := range report.Services {
		if name := s.Namespace + "/" + s.Name; healthy[name] && !s.Healthy {
			found[name] = true
		}
	}
	if len(found) == 0 {
		return nil
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	again, err := Examine(d.snapshot, d.Question)
	if err != nil {
		return err
	}
	if d.client, err = clientOf(d.snapshot, d.Question); err != nil {
		return err
	}
	for i := range report.Services {
		old := &report.Services[i]
		for _, s := range again.Services {
			if s.Namespace == old.Namespace && s.Name == old.Name && found[s.Namespace+"/"+s.Name] {
				*old = s
			}
		}
	}
	return d.round(ctx, report, found)
}

// settle takes the changes of settleTime.
func (d *Doctor) settle(ctx context.Context) error {
	d.say("looking again in %s, for what may have been about to change", settleTime)
	settling, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		next, err := d.Connection.Next(settling, d.snapshot.Sequence)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case settling.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		d.snapshot = next
	}
}

// round connects to those of the Services that look healthy.
func (d *Doctor) round(ctx context.Context, report *diagnose.Report, which map[string]bool) error {
	var candidates []candidate
	for i := range report.Services {
		s := &report.Services[i]
		service := d.snapshot.Service(s.Namespace, s.Name)
		if !s.Healthy || service == nil || !which[s.Namespace+"/"+s.Name] {
			continue
		}
		c := candidate{report: s, service: service}
		s.NotChecked = s.NotChecked[:0]
		for _, port := range service.Ports {
			if port.Protocol != "TCP" {
				c.unchecked(fmt.Sprintf("whether something answers at port %d: %s has no handshake that a probe could see", port.Port, port.Protocol),
					"send what the program would answer")
			}
		}
		backends := diagnose.Backends(d.snapshot, service, probedPods)
		if finding := d.pods(ctx, &c, backends); finding != nil {
			c.found(finding)
		} else if len(backends) > 0 && !service.Headless() {
			c.backend = backends[0]
			candidates = append(candidates, c)
		}
	}
	if len(candidates) == 0 || ctx.Err() != nil {
		return ctx.Err()
	}
	for _, c := range candidates[min(len(candidates), askedServices):] {
		c.unchecked("what a client sees: "+strconv.Itoa(askedServices)+" Services are asked for at most", c.command(""))
	}
	candidates = candidates[:min(len(candidates), askedServices)]
	if err := d.ask(ctx, candidates); err != nil {
		return err
	}
	if d.client != nil {
		d.remembered(ctx, candidates)
	}
	return nil
}

// pods connects to the backends from the API server's side.
func (d *Doctor) pods(ctx context.Context, c *candidate, backends []diagnose.Backend) *diagnose.Finding {
	for _, backend := range backends {
		d.say("connecting to Pod %s at port %d through the API server's proxy, and if it refuses, to its loopback by a port-forward", backend.Pod.Key(), backend.Number)
		asking, cancel := context.WithTimeout(ctx, probeTimeout)
		answer := reach.ProbePod(asking, d.Connection, backend.Pod.Namespace, backend.Pod.Name, backend.Number)
		cancel()
		if finding := diagnose.Probed(c.service, backend, answer); finding != nil {
			return finding
		}
		if !answer.Settled() {
			c.unchecked(fmt.Sprintf("Pod %s at port %d: %s", backend.Pod.Name, backend.Number, answer.Trouble),
				fmt.Sprintf("kubectl exec -n %s %s -- ss -ltn", backend.Pod.Namespace, backend.Pod.Name))
		}
	}
	return nil
}

// ask has a client connect to the Services: the Pod that --from names, or one
// made for it.
func (d *Doctor) ask(ctx context.Context, candidates []candidate) error {
	var addresses []string
	for i := range candidates {
		addresses = append(addresses, candidates[i].addresses()...)
	}
	asking, cancel := context.WithTimeout(ctx, askTimeout+time.Duration(len(candidates))*askTimeoutMore)
	defer cancel()
	client, answers, err := d.answers(asking, addresses)
	if ctx.Err() != nil {
		return cmp.Or(err, ctx.Err()) // also what could not be removed
	}
	for i := range candidates {
		c := &candidates[i]
		if err != nil {
			c.unchecked("what a client sees: "+err.Error(), c.command("pod/NAME"))
			continue
		}
		a := answers[3*i : 3*i+3]
		finding := diagnose.ProbedFrom(client, c.service, c.backend, diagnose.FromClient{Name: a[0], Address: a[1], Backend: a[2]})
		if finding == nil {
			continue
		}
		if d.client == nil {
			// A Pod of our own is not the client: policies may well keep it out.
			if why := d.keptOut(ctx, client, c.service); why != "" {
				c.unchecked("what a client sees: "+why, c.command("pod/NAME"))
				continue
			}
			finding.Confidence = diagnose.Possible
		}
		c.found(finding)
	}
	return nil
}

// answers gives what a client gets at addresses, and which Pod that client was.
// What it creates is gone when it returns, except an ephemeral container's entry.
func (d *Doctor) answers(ctx context.Context, addresses []string) (*model.Pod, []diagnose.Reached, error) {
	image := d.Image
	if d.client == nil {
		const what = "a Pod (%s) in a namespace made for it, svctour-probe-…, both removed afterwards"
		if err := d.agree(ctx, fmt.Sprintf("Connect as a client does from "+what+"?", image)); err != nil {
			return nil, nil, err
		}
		d.say("connecting as a client does from "+what, image)
		return reach.AskAlone(ctx, d.Connection, image, addresses)
	}
	d.say("running curl, nc or wget in Pod %s, against the Service and one of its Pods", d.client.Key())
	answers, err := reach.AskFrom(ctx, d.Connection, d.client, addresses)
	if !errors.Is(err, reach.ErrNoTool) {
		return d.client, answers, err
	}
	const what = "an ephemeral container (%s) in Pod %s, which has no shell with curl, nc or wget; it ends at once, and stays listed until the Pod is deleted"
	if err := d.agree(ctx, fmt.Sprintf("Connect from "+what+"?", image, d.client.Key())); err != nil {
		return nil, nil, err
	}
	d.say("connecting from "+what, image, d.client.Key())
	answers, err = reach.AskBeside(ctx, d.Connection, d.client, image, addresses)
	return d.client, answers, err
}

// agree asks whether an object may be created, once for each question. In a lab,
// which is ours, it always may.
func (d *Doctor) agree(ctx context.Context, question string) error {
	if d.snapshot.Cluster.Lab {
		return nil
	}
	if d.Agree == nil {
		return errors.New("an object would have to be made")
	}
	err, asked := d.agreed[question]
	if !asked {
		err = d.Agree(ctx, question)
		if d.agreed == nil {
			d.agreed = map[string]error{}
		}
		d.agreed[question] = err
	}
	return err
}

// keptOut gives the headline by which the API objects already say that this
// client does not reach the Service; "" when they do not say so.
func (d *Doctor) keptOut(ctx context.Context, client *model.Pod, service *model.Service) string {
	seeing, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	snapshot := d.snapshot
	for snapshot.Namespace(client.Namespace) == nil { // its labels are what policies look at
		next, err := d.Connection.Next(seeing, snapshot.Sequence)
		if err != nil {
			break
		}
		snapshot = next
	}
	report := diagnose.New(snapshot).Service(service.Namespace, service.Name, diagnose.Options{Client: client})
	if report.Healthy || len(report.Findings) == 0 {
		return ""
	}
	return report.Findings[0].Headline
}

// remembered checks whether the client's node still sends connections of that
// client to an address that is no endpoint any more.
func (d *Doctor) remembered(ctx context.Context, candidates []candidate) {
	d.say("listing Pod %s's connections on node %s, by conntrack in its kube-proxy Pod", d.client.Key(), d.client.Node)
	listing, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	pod, connections, err := reach.Connections(listing, d.Connection, d.client.Node, d.client.IP())
	for i := range candidates {
		c := &candidates[i]
		switch {
		case !c.report.Healthy:
		case err != nil:
			c.unchecked("old connections of Pod "+d.client.Name+": "+err.Error(), "conntrack -L --orig-src "+d.client.IP()+" on node "+d.client.Node)
		default:
			if f := diagnose.Stale(d.snapshot, c.service, d.client, pod, connections); f != nil {
				c.found(f)
			}
		}
	}
}
