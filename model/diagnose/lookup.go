package diagnose

import (
	"slices"
	"strings"

	"svctour/model"
)

// asker is a Pod of which it is known that it asks for the Service, and that
// looks names up in an odd way: the named client, or the first Pod of the
// namespace whose command has the Service's name; nil when there is none.
func (s *Subject) asker(odd func(*model.Pod) bool) *model.Pod {
	if s.Service == nil {
		return nil
	}
	if s.Client != nil {
		if odd(s.Client) {
			return s.Client
		}
		return nil
	}
	for _, pod := range s.clients(s.odd[s.Namespace]) {
		if !odd(pod) {
			continue
		}
		for i := range pod.Containers {
			if namesService(clip(strings.Join(pod.Containers[i].Command, " "), 1<<16), s.Name) {
				return pod
			}
		}
	}
	return nil
}

// asksCluster says whether a Pod's own dnsConfig names the cluster's DNS, or a
// cache on its node, as far as is known.
func (d *Doctor) asksCluster(pod *model.Pod) bool {
	if pod.DNS == nil {
		return false
	}
	return slices.ContainsFunc(pod.DNS.Nameservers, func(server string) bool {
		return len(d.snapshot.DNS.Servers) == 0 || slices.Contains(d.snapshot.DNS.Servers, server) ||
			strings.HasPrefix(server, "169.254.") || d.byClusterIP()[server] != nil
	})
}

// inCluster takes a host's name apart that lies in the cluster's domain.
func (d *Doctor) inCluster(host string) (namespace, name string, is bool) {
	rest, is := strings.CutSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".svc."+strings.ToLower(d.domain()))
	labels := strings.Split(rest, ".")
	if !is || len(labels) < 2 {
		return "", "", false
	}
	return labels[len(labels)-1], labels[len(labels)-2], true
}

// scoped says whether only one namespace could be read.
func (d *Doctor) scoped() bool { return d.snapshot.Cluster.Namespace != "" }

// hides says whether a namespace may have objects that could not be read.
func (d *Doctor) hides(namespace string) bool {
	return d.scoped() && d.snapshot.Cluster.Namespace != namespace
}

// nearService is the Service that a wrong name most likely means: of this name
// elsewhere, or with a similar one here; nil when there is none.
func (d *Doctor) nearService(namespace, name string) *model.Service {
	var best *model.Service
	least := 3
	for _, service := range d.snapshot.Services {
		if service.Name == name {
			return service
		}
		if n := model.Distance(service.Name, name); service.Namespace == namespace && n < least {
			best, least = service, n
		}
	}
	return best
}

// externalAddresses are those at which a Service answers from outside, besides
// the nodes'.
func externalAddresses(service *model.Service) []string {
	if service == nil || service.Type == model.ExternalName {
		return nil
	}
	out := slices.Clone(service.ExternalIPs)
	for _, in := range service.Ingress {
		if in.IP != "" && in.IPMode != "Proxy" {
			out = append(out, in.IP)
		}
	}
	return out
}

// outward are the Services that have external addresses.
func (d *Doctor) outward() []*model.Service {
	if d.external == nil {
		d.external = []*model.Service{}
		for _, service := range d.snapshot.Services {
			if len(externalAddresses(service)) > 0 {
				d.external = append(d.external, service)
			}
		}
	}
	return d.external
}

// manual says whether a person or a program, and no controller of Kubernetes,
// has to write the Service's endpoints.
func (s *Subject) manual() bool {
	return s.Service != nil && s.Service.Type != model.ExternalName && len(s.Service.Selector) == 0 && !s.Service.Headless() && !s.unread("endpointslices")
}

// loose are the slices that belong to no Service.
func (d *Doctor) loose() []*model.EndpointSlice {
	if d.orphans == nil {
		d.orphans = []*model.EndpointSlice{}
		for _, slice := range d.snapshot.Slices {
			if of := slice.Service(); of == "" || !d.names[slice.Namespace+"/"+of] {
				d.orphans = append(d.orphans, slice)
			}
		}
	}
	return d.orphans
}

func slicePortsText(slice *model.EndpointSlice) string {
	var out []string
	for i, p := range slice.Ports {
		if i == someText {
			out = append(out, "…")
			break
		}
		number := "no number"
		if p.Port != nil {
			number = itoa(*p.Port)
		}
		out = append(out, strings.TrimSpace(p.Name+" "+number+"/"+p.Protocol))
	}
	return orElse(strings.Join(out, ", "), "none")
}
