package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
	"svctour/model/policy"
)

// reaches says whether policies let a Pod out to a backend of the Service.
func (s *Subject) reaches(client *model.Pod) bool {
	for _, backend := range s.selected {
		for i := range s.Service.Ports {
			p := &s.Service.Ports[i]
			if number := s.target(p, backend); number > 0 && s.letsOut(client, backend, s.Service.ClusterIPs, p.Protocol, number) {
				return true
			}
		}
	}
	return false
}

// isMute says whether policies keep a Pod from the cluster's DNS.
func (d *Doctor) isMute(pod *model.Pod) bool {
	return !d.letsOut(pod, d.dnsPod(), d.snapshot.DNS.Servers, "UDP", 53)
}

// mute are the Pods of a namespace that may not ask the cluster's DNS.
func (d *Doctor) mute(namespace string) []*model.Pod {
	out, known := d.mutes[namespace]
	if known {
		return out
	}
	if slices.ContainsFunc(d.policies.In(namespace), func(p *policy.Policy) bool { return p.About(policy.Egress) }) {
		out = slices.DeleteFunc(slices.Clone(d.all[namespace]), func(pod *model.Pod) bool { return !d.isMute(pod) })
	}
	d.mutes[namespace] = out
	return out
}

// dnsPod is a Pod of the cluster's DNS; nil when none is known.
func (d *Doctor) dnsPod() *model.Pod {
	service := d.dnsService()
	if service == nil {
		return nil
	}
	for _, pod := range d.matching(service.Namespace, service.Selector) {
		return pod
	}
	return nil
}

// dnsService is the Service that holds the first name server's address.
func (d *Doctor) dnsService() *model.Service {
	if len(d.snapshot.DNS.Servers) == 0 {
		return nil
	}
	return d.byClusterIP()[d.snapshot.DNS.Servers[0]]
}

func selectorText(s *model.LabelSelector) string {
	if len(s.Labels) == 0 && len(s.Expressions) == 0 {
		return "{} (every Pod)"
	}
	text := pairs(s.Labels)
	for _, e := range s.Expressions {
		if text != "" {
			text += ","
		}
		text += fmt.Sprintf("%s %s %v", e.Key, e.Operator, e.Values)
	}
	return text
}
