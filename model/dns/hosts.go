package dns

import (
	"net/netip"
	"slices"
	"strings"

	"svctour/model"
)

// hostsLine is a line of /etc/hosts (hosts(5)).
type hostsLine struct {
	address string
	names   []string
	alias   bool // of the Pod's hostAliases
}

// hostsOf is the /etc/hosts that kubelet gives a Pod: for one in the node's
// network the node's own file, of which only localhost is assumed,
// for others the usual names and the Pod's own; then the hostAliases
// (pkg/kubelet/kubelet_pods.go, managedHostsFileContent, nodeHostsFileContent).
func hostsOf(s *model.Snapshot, pod *model.Pod) []hostsLine {
	lines := []hostsLine{{address: "127.0.0.1", names: []string{"localhost"}}}
	if pod.HostNetwork {
		lines = append(lines, hostsLine{address: "::1", names: []string{"localhost"}})
	} else {
		lines = append(lines, hostsLine{address: "::1", names: []string{"localhost", "ip6-localhost", "ip6-loopback"}},
			hostsLine{address: "fe00::", names: []string{"ip6-localnet", "ip6-mcastprefix"}},
			hostsLine{address: "fe00::1", names: []string{"ip6-allnodes"}}, hostsLine{address: "fe00::2", names: []string{"ip6-allrouters"}})
		host := pod.Hostname
		if host == "" {
			host = pod.Name
		}
		names := []string{host}
		if pod.Subdomain != "" {
			names = append(names, host+"."+pod.Subdomain+"."+pod.Namespace+".svc."+domainOf(s))
		}
		for _, ip := range pod.IPs {
			lines = append(lines, hostsLine{address: ip, names: names})
		}
	}
	for _, a := range pod.HostAliases {
		lines = append(lines, hostsLine{address: a.IP, names: a.Hostnames, alias: true})
	}
	return lines
}

// has says whether a name stands in the line, as a C library compares:
// glibc without regard to case (nss/nss_files/files-hosts.c), musl byte by byte
// (src/network/lookup_name.c, name_from_hosts). Both take the name as it is
// asked for, with a final dot too.
func (line *hostsLine) has(libc Libc, name string) bool {
	return slices.ContainsFunc(line.names, func(n string) bool {
		return n == name || libc != Musl && strings.EqualFold(n, name)
	})
}

// hosts answers from /etc/hosts, which applications consult before DNS: with
// the addresses of every line that has the name. When there is one, of either
// family, DNS is not asked for the other.
func (l *lookup) hosts(name string) bool {
	alias, insensitive := false, false
	for _, line := range hostsOf(l.snapshot, l.pod) {
		ip, err := netip.ParseAddr(line.address)
		if err != nil || !line.has(Glibc, name) {
			continue
		}
		if !line.has(l.out.Libc, name) {
			insensitive = true
			continue
		}
		kind := "A"
		if ip.Is6() {
			kind = "AAAA"
		}
		alias = alias || line.alias
		l.out.Answers = withoutRepeats(append(l.out.Answers, Record{Name: name, Type: kind, Data: ip.String()}))
	}
	found := len(l.out.Answers) > 0
	if l.pod.HostNetwork {
		l.out.note("The Pod uses the node's network, so its /etc/hosts begins with the node's own, which is in no API object and comes before DNS: which names are in it is not known.")
	}
	switch {
	case found && alias:
		l.out.note("%q is in the Pod's /etc/hosts by its hostAliases, and that file comes before DNS: no query is sent.", name)
	case found:
		l.out.note("%q is in the Pod's /etc/hosts, which kubelet writes and which comes before DNS: no query is sent.", name)
	case insensitive:
		l.out.note("%q is in the Pod's /etc/hosts in other case: musl does not take it for the same name, glibc does.", name)
	}
	return found
}
