package scene

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"svctour/model"
	"svctour/model/endpoints"
)

// client is who connects, where that is known.
func (b *builder) client() {
	c := b.in.Client
	switch c.Kind {
	case model.ClientPod:
		out := &Client{Kind: c.Kind, Key: c.Namespace + "/" + c.Name, Label: c.Name}
		switch pod := b.s.Pod(c.Namespace, c.Name); {
		case pod == nil && slices.Contains(b.scene.Unread, "pods"):
			out.Why = "Pods cannot be read"
		case pod == nil:
			out.Why = "not there yet"
		default:
			out.UID, out.Address, out.Machine, out.Ready = pod.UID, pod.IP(), pod.Node, pod.Ready()
			if pod.IP() == "" {
				out.Why = pod.Status()
			} else if !pod.Ready() {
				out.Why = "not ready"
			}
			out.Address = b.scene.say(out.Address)
			if pod.Node != "" {
				b.machine(pod.Node)
			}
		}
		b.scene.Client = out
	case model.ClientNode:
		b.scene.Client = &Client{Kind: c.Kind, Key: c.Name, Label: c.Name, Address: b.machine(c.Name).Address, Machine: c.Name, Ready: true}
	case model.ClientOutside:
		out := &Client{Kind: c.Kind, Label: "outside", Ready: true}
		if c.Address.IsValid() {
			out.Address = c.Address.String()
		}
		b.scene.Client = out
	}
}

// names finds the Service that answers the client's queries, by the address
// that is in its resolv.conf.
func (b *builder) names() {
	server := ""
	if r := b.in.Resolution; r != nil && len(r.ResolvConf.Nameservers) > 0 {
		server = r.ResolvConf.Nameservers[0]
	} else if len(b.s.DNS.Servers) > 0 {
		server = b.s.DNS.Servers[0]
	}
	if server == "" {
		return
	}
	n := &Names{Address: server}
	b.scene.Names = n
	for _, svc := range b.s.Services {
		if !slices.Contains(svc.ClusterIPs, server) {
			continue
		}
		n.Name = svc.Name
		port := &model.ServicePort{}
		for i := range svc.Ports {
			if svc.Ports[i].Port == 53 && svc.Ports[i].Protocol == "UDP" {
				port = &svc.Ports[i]
			}
		}
		for at, e := range endpoints.Joined(b.s.ServiceSlices(svc.Namespace, svc.Name), port) {
			n.All++
			one := Pod{Key: at.String(), Name: "no Pod", Address: at.Addr().String(), Port: int32(at.Port()), State: stateOf(e)}
			one.Why = stateWhy(one.State)
			if one.State == Ready {
				n.Ready++
			}
			if e.Target != nil && e.Target.Kind == "Pod" {
				one.Key, one.UID, one.Name = cmp.Or(e.Target.Namespace, svc.Namespace)+"/"+e.Target.Name, e.Target.UID, e.Target.Name
			}
			if e.Node != "" {
				m := b.machine(e.Node)
				m.Names = append(m.Names, one)
			}
		}
		return
	}
}

func (b *builder) balancer() {
	svc := b.service
	if svc == nil || b.scene.Kind == ExternalName {
		return
	}
	switch {
	case svc.Type == model.LoadBalancer:
		out := &Balancer{Title: "load balancer", Class: svc.LoadBalancerClass, Pending: len(svc.Ingress) == 0}
		if len(svc.Ingress) > 0 {
			out.Address = cmp.Or(svc.Ingress[0].IP, svc.Ingress[0].Hostname)
		}
		if len(svc.Ingress) > 1 {
			out.Address += fmt.Sprintf(" +%d", len(svc.Ingress)-1)
		}
		for i := range svc.Ports {
			out.Doors = out.Doors || svc.Ports[i].NodePort != 0
		}
		b.scene.Balancer = out
	case len(svc.ExternalIPs) > 0:
		b.scene.Balancer = &Balancer{Title: "external IP", Address: strings.Join(svc.ExternalIPs, " ")}
	}
}

// finish counts, opens the doors, and orders the machines.
func (b *builder) finish() {
	slices.SortFunc(b.order, func(x, y *Machine) int { return byNumber(x.Name, y.Name) })
	if band := b.scene.Band; band != nil {
		all := 0
		for _, m := range b.order {
			for i := range m.Pods {
				if m.Pods[i].Port != 0 {
					all++
				}
			}
			band.Ready += m.Pulse
		}
		for i := range b.scene.Loose {
			if p := &b.scene.Loose[i]; p.Port != 0 {
				all++
				if p.State == Ready {
					band.Ready++
				}
			}
		}
		band.All = all
		b.doors()
	}
	for _, m := range b.order {
		b.scene.Machines = append(b.scene.Machines, *m)
	}
}

// doors are the nodePorts of each machine. A connection is refused where no
// endpoint can be used, and dropped where none of this node's can be under
// traffic policy Local (pkg/proxy/topology.go, CategorizeEndpoints).
func (b *builder) doors() {
	svc := b.service
	list := b.s.ServiceSlices(svc.Namespace, svc.Name)
	for i := range svc.Ports {
		p := &svc.Ports[i]
		if p.NodePort == 0 {
			continue
		}
		usable, here := false, map[string]bool{}
		for _, e := range endpoints.Joined(list, p) {
			if e.IsReady() || e.IsServing() && e.IsTerminating() {
				usable, here[e.Node] = true, true
			}
		}
		for _, m := range b.order {
			door := Door{Port: p.NodePort, Here: p == b.port}
			switch {
			case !usable:
				door.State = Refuses
			case svc.ExternalTrafficPolicy == "Local" && !here[m.Name]:
				door.State = Drops
			}
			m.Doors = append(m.Doors, door)
		}
	}
}

// byNumber puts "node-2" before "node-10".
func byNumber(a, b string) int {
	x, y := strings.TrimRight(a, "0123456789"), strings.TrimRight(b, "0123456789")
	if x == y {
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	}
	return cmp.Compare(a, b)
}
