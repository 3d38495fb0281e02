package dns

import (
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
)

// Alias is the CNAME record that an ExternalName Service is.
type Alias struct {
	Service string `json:"service"` // the ExternalName Service, "namespace/name"
	Name    string `json:"name"`    // its own name in DNS, with the final dot
	Target  string `json:"target"`  // the name that it stands for, with the final dot
	// To is the Service that Target names, it or one of its endpoints,
	// "namespace/name"; "" for a name that no Service has.
	To string `json:"to,omitempty"`
	// Outside says that Target is not in the cluster's zone: other servers know
	// its addresses.
	Outside bool `json:"outside,omitempty"`
	// Broken says why the alias is not followed; "" when it is.
	Broken   string         `json:"broken,omitempty"`
	Evidence model.Evidence `json:"evidence"`
}

// Aliases gives the ExternalName Services that the cluster's DNS follows from a
// name, given in full, in order. It bounds a chain as CoreDNS does
// (plugin/backend_lookup.go, A and AAAA; plugin/pkg/dnsutil/cname.go): the last
// Alias of a loop is Broken.
func Aliases(s *model.Snapshot, name string) []Alias {
	evidence := model.Derived
	if s.DNS.Evidence == model.Unknown {
		evidence = model.Unknown
	}
	z := &zone{snapshot: s, domain: strings.ToLower(domainOf(s))}
	var out []Alias
	var chain []string // the targets followed before
	for at := strings.ToLower(strings.TrimSuffix(name, ".")); ; {
		svc, before := z.named(at)
		if svc == nil || svc.Type != model.ExternalName || len(before) > 0 {
			return out
		}
		a := Alias{Service: svc.Key(), Name: at + ".", Evidence: evidence}
		target := strings.ToLower(strings.TrimSuffix(svc.ExternalName, "."))
		a.Target = target + "."
		if a.Broken = unfollowed(svc, at, chain); a.Broken != "" {
			return append(out, a)
		}
		if _, inside := within(target, z.domain); !inside {
			a.Outside = true
			return append(out, a)
		}
		if to, labels := z.named(target); to != nil && len(labels) < 2 {
			a.To = to.Key()
		}
		out, chain, at = append(out, a), append(chain, target), target
	}
}

// unfollowed says why CoreDNS gives no record for an ExternalName Service, or
// does not follow it (plugin/kubernetes, HostType; plugin/backend_lookup.go).
func unfollowed(svc *model.Service, name string, chain []string) string {
	target := strings.ToLower(strings.TrimSuffix(svc.ExternalName, "."))
	if target == "" {
		return "its externalName is empty"
	}
	if _, err := netip.ParseAddr(svc.ExternalName); err == nil {
		return "its externalName is an address, and an alias stands for a name"
	}
	_, below := within(target, name)
	switch {
	case below:
		return "it stands for itself, or for a name below its own"
	case slices.Contains(chain, target):
		return "the aliases go round in a circle"
	case len(chain) >= maxAliases:
		return "the chain of aliases is too long for CoreDNS"
	}
	return ""
}

// ServiceNamed finds the Service whose name in DNS, given in full, is or ends in
// name; host is the label of one endpoint before it, "" for none, as "db-0" in
// db-0.db.default.svc.cluster.local. svc is nil when no Service is named so
// (kubernetes/dns, docs/specification.md 2.3 and 2.4).
func ServiceNamed(s *model.Snapshot, name string) (svc *model.Service, host string) {
	z := &zone{snapshot: s, domain: strings.ToLower(domainOf(s))}
	svc, before := z.named(strings.ToLower(strings.TrimSuffix(name, ".")))
	switch len(before) {
	case 0:
		return svc, ""
	case 1:
		return svc, before[0]
	}
	return nil, ""
}

// named finds the Service of a name SERVICE.NAMESPACE.svc.DOMAIN, and the labels
// before it.
func (z *zone) named(name string) (svc *model.Service, before []string) {
	base, inside := within(name, z.domain)
	labels := strings.Split(base, ".")
	last := len(labels) - 1
	if !inside || last < 2 || labels[last] != "svc" {
		return nil, nil
	}
	return z.snapshot.Service(labels[last-1], labels[last-2]), labels[:last-2]
}

// NameOf is a Service's name in DNS, in full and with the final dot
// (kubernetes/dns, docs/specification.md 2.3).
func NameOf(s *model.Snapshot, svc *model.Service) string {
	return svc.Name + "." + svc.Namespace + ".svc." + domainOf(s) + "."
}
