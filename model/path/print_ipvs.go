package path

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// protocolNumbers are IANA's, by which the kernel orders virtual servers.
var protocolNumbers = map[string]int{"tcp": 6, "udp": 17, "sctp": 132}

// PrintIPSets gives a program's ipsets as `ipset save` prints them, and as
// `ipset restore` takes them; sizes are those with which kube-proxy makes the
// sets (pkg/proxy/ipvs/ipset/ipset.go, setIPSetDefaults), and the entries are in
// the program's order. The kernel's is that of its hash tables, and what it
// chose itself is not there: bucketsize and initval.
func PrintIPSets(p *Program) string {
	family := "inet"
	if p.Family == IPv6 {
		family = "inet6"
	}
	var b strings.Builder
	for _, s := range p.IPSets {
		if s.Type == "bitmap:port" {
			fmt.Fprintf(&b, "create %s %s range 0-65535\n", s.Name, s.Type)
		} else {
			fmt.Fprintf(&b, "create %s %s family %s hashsize 1024 maxelem 65536\n", s.Name, s.Type, family)
		}
		for _, e := range s.Elements {
			fmt.Fprintf(&b, "add %s %s\n", s.Name, e.entry())
		}
	}
	return b.String()
}

// entry is an element of an ipset as ipset(8) writes it.
func (e *Element) entry() string {
	if !e.Address.IsValid() {
		return strconv.Itoa(int(e.Port))
	}
	out := e.Address.String()
	if e.Protocol != "" {
		out += "," + e.Protocol + ":" + strconv.Itoa(int(e.Port))
	}
	switch {
	case e.Source.IsValid():
		out += "," + e.Source.String()
	case e.Net.IsValid():
		out += "," + prefixText(e.Net)
	}
	return out
}

// texts are what a set's element says: one line, and of a virtual server one
// more for each real server.
func (s *Set) texts(e *Element) []string {
	switch {
	case e.Server != nil:
		out := []string{e.Server.String()}
		for _, real := range e.Server.Real {
			out = append(out, e.Server.name()+" "+realServer(real, 1))
		}
		return out
	case strings.HasPrefix(s.Type, "hash:") || strings.HasPrefix(s.Type, "bitmap:"):
		return []string{e.entry()}
	}
	return []string{e.String()}
}

// name is the virtual server's protocol and address, as ipvsadm writes them.
func (v *VirtualServer) name() string {
	return strings.ToUpper(v.Protocol) + " " + v.Address.String()
}

// String is the virtual server's line of ipvsadm -Ln (ipvsadm.c 1.31,
// print_service_entry).
func (v *VirtualServer) String() string {
	out := fmt.Sprintf("%-4s %s %s", strings.ToUpper(v.Protocol), v.Address, v.Scheduler)
	if v.Scheduler == "mh" { // kube-proxy sets the flag with this scheduler, and only with it
		out += " (mh-port)"
	}
	if v.Timeout > 0 {
		out += fmt.Sprintf(" persistent %d", v.Timeout)
	}
	return out
}

// realServer is a real server's line without its connections.
func realServer(address netip.AddrPort, weight int) string {
	return fmt.Sprintf("-> %s Masq %d", address, weight)
}

// PrintIPVS gives a program's virtual servers as `ipvsadm -Ln` prints them
// (ipvsadm.c 1.31, print_service_entry), with its order: IPv4 first, then by
// protocol number, address and port. No connection is counted.
func PrintIPVS(p *Program) string {
	var b strings.Builder
	b.WriteString("IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n" +
		"  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n")
	var list []*VirtualServer
	if p.Servers != nil {
		for _, e := range p.Servers.Elements {
			list = append(list, e.Server)
		}
	}
	slices.SortFunc(list, func(a, b *VirtualServer) int {
		return cmp.Or(cmp.Compare(protocolNumbers[a.Protocol], protocolNumbers[b.Protocol]), a.Address.Compare(b.Address))
	})
	for _, v := range list {
		fmt.Fprintf(&b, "%s\n", v)
		row := func(real netip.AddrPort, weight int) {
			fmt.Fprintf(&b, "  -> %-28s %-7s %-6d %-10d %-10d\n", real, "Masq", weight, 0, 0)
		}
		for _, real := range v.Real {
			row(real, 1)
		}
		for _, real := range v.Leaving {
			row(real, 0)
		}
	}
	return b.String()
}
