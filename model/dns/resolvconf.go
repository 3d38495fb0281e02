package dns

import (
	"fmt"
	"strconv"
	"strings"

	"svctour/model"
)

// kubelet's limits for a Pod's resolv.conf (pkg/apis/core/validation:
// MaxDNSNameservers, MaxDNSSearchPaths, MaxDNSSearchListChars; DNS-1123's 253).
const (
	maxNameservers  = 3
	maxSearches     = 32
	maxSearchLength = 253
	maxSearchChars  = 2048
)

// ResolvConfOf is the resolv.conf that kubelet gives a Pod for its dnsPolicy
// and dnsConfig (pkg/kubelet/network/dns/dns.go, GetPodDNS). The node's own
// resolv.conf is in no API object: its search domains, and everything that a
// Pod with policy Default copies, are missing and noted.
func ResolvConfOf(s *model.Snapshot, pod *model.Pod) (ResolvConf, []string) {
	conf := ResolvConf{Nameservers: []string{}, Search: []string{}, Options: []string{}, Evidence: model.Derived}
	var notes []string
	policy := pod.DNSPolicy
	if policy == "" {
		policy = "ClusterFirst"
	}
	if policy == "ClusterFirst" && pod.HostNetwork {
		notes = append(notes, "The Pod uses the node's network, so its dnsPolicy ClusterFirst behaves as Default; ClusterFirstWithHostNet would ask the cluster's DNS.")
		policy = "Default"
	}
	if (policy == "ClusterFirst" || policy == "ClusterFirstWithHostNet") && len(s.DNS.Servers) == 0 {
		if s.DNS.Evidence == model.Unknown {
			notes = append(notes, "The address of the cluster's DNS server is not known.")
		} else {
			notes = append(notes, "kubelet knows no cluster DNS server, so the Pod's dnsPolicy behaves as Default (event MissingClusterDNS).")
			policy = "Default"
		}
	}
	switch policy {
	case "None":
	case "Default":
		conf.Evidence = model.Unknown
		notes = append(notes, "dnsPolicy Default copies the node's resolv.conf, which is in no API object: names of Services do not resolve unless that file asks the cluster's DNS.")
	default:
		conf.Evidence = s.DNS.Evidence
		if conf.Evidence == model.Observed {
			conf.Evidence = model.Derived
		}
		domain := domainOf(s)
		conf.Nameservers = append(conf.Nameservers, s.DNS.Servers...)
		conf.Search = []string{pod.Namespace + ".svc." + domain, "svc." + domain, domain}
		conf.Options = []string{"ndots:5"}
	}
	if pod.DNS != nil {
		conf.Nameservers = unique(append(conf.Nameservers, pod.DNS.Nameservers...))
		conf.Search = unique(append(conf.Search, pod.DNS.Searches...))
		conf.Options = mergeOptions(conf.Options, pod.DNS.Options)
	}
	return fit(conf, notes)
}

func domainOf(s *model.Snapshot) string {
	if domain := strings.Trim(s.DNS.Domain, "."); domain != "" {
		return domain
	}
	return "cluster.local"
}

func unique(list []string) []string {
	out := make([]string, 0, len(list))
	seen := map[string]bool{}
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// mergeOptions lets the Pod's options override those of the same name. kubelet
// writes them in no particular order.
func mergeOptions(options []string, more []model.DNSOption) []string {
	out := append([]string(nil), options...)
	for _, option := range more {
		text := option.Name
		if option.Value != "" {
			text += ":" + option.Value
		}
		replaced := false
		for i := range out {
			if name, _, _ := strings.Cut(out[i], ":"); name == option.Name {
				out[i], replaced = text, true
			}
		}
		if !replaced {
			out = append(out, text)
		}
	}
	return out
}

// fit cuts what exceeds kubelet's limits, as it does with an event DNSConfigForming.
func fit(conf ResolvConf, notes []string) (ResolvConf, []string) {
	if n := len(conf.Nameservers); n > maxNameservers {
		conf.Nameservers = conf.Nameservers[:maxNameservers]
		notes = append(notes, fmt.Sprintf("Only the first %d of %d nameservers are used.", maxNameservers, n))
	}
	before := len(conf.Search)
	if before > maxSearches {
		conf.Search = conf.Search[:maxSearches]
	}
	kept := conf.Search[:0:0]
	for _, domain := range conf.Search {
		if len(domain) <= maxSearchLength {
			kept = append(kept, domain)
		}
	}
	for len(strings.Join(kept, " ")) > maxSearchChars {
		kept = kept[:len(kept)-1]
	}
	if kept == nil {
		kept = []string{}
	}
	conf.Search = kept
	if len(kept) < before {
		notes = append(notes, fmt.Sprintf("kubelet leaves out %d of %d search domains, over its limits.", before-len(kept), before))
	}
	return conf, notes
}

// Ndots is option ndots: names with at least so many dots are tried as they
// are first. The default is 1 and the most 15 (resolv.conf(5)).
func (c ResolvConf) Ndots() int {
	ndots := 1
	for _, option := range c.Options {
		value, ok := strings.CutPrefix(option, "ndots:")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(value); err == nil && n >= 0 {
			ndots = min(n, 15)
		}
	}
	return ndots
}

// Candidates gives the names that glibc's resolver tries for a name, in order
// and fully qualified, as long as each fails (glibc 2.36, resolv/res_query.c,
// res_nsearch): a name with a final dot only as it is; one with at least ndots
// dots as it is and then with each search domain; others with each search
// domain and then as they are.
func Candidates(conf ResolvConf, name string) []string {
	var out []string
	for _, c := range Glibc.plan(conf, name) {
		out = append(out, c.name)
	}
	return out
}
