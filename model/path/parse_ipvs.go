package path

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// ParseIPVS reads what a node in ipvs mode has for one family: rules is what
// iptables-save(8) printed, sets what ipset(8) save did, servers what
// ipvsadm(8) -Ln did. Of the sets, only kube-proxy's are read. With sets or
// servers "", they were not looked at; see Compare. An entry, a virtual server
// or a real server that kube-proxy does not write is Foreign, in table "ipvs".
// Connections that ipvsadm counts are passed over: they come and go.
func ParseIPVS(rules, sets, servers string, family Family) (*Observed, error) {
	o, err := Parse(rules, family)
	if err != nil {
		return nil, err
	}
	o.Program.Mode = ModeIPVS
	if sets != "" {
		if err := o.ipsets(sets); err != nil {
			return nil, err
		}
	}
	if servers != "" {
		if err := o.servers(servers); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// ipsets reads the output of ipset save.
func (o *Observed) ipsets(text string) error {
	ours := map[string]string{} // of this family: names and types
	for _, set := range ipsets {
		ours[ipsetName(set.name, o.Program.Family)] = set.kind
	}
	have := map[string]*Set{}
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case len(words) < 3 || words[0] != "create" && words[0] != "add":
			return fmt.Errorf("read ipset save: %q: want create or add", line)
		case ours[words[1]] == "":
		case words[0] == "create":
			if words[2] != ours[words[1]] || have[words[1]] != nil {
				return fmt.Errorf("read ipset save: %q: want one set of type %s", line, ours[words[1]])
			}
			have[words[1]] = &Set{Name: words[1], Type: words[2]}
			o.Program.IPSets = append(o.Program.IPSets, have[words[1]])
		default:
			set := have[words[1]]
			if set == nil {
				return fmt.Errorf("read ipset save: %q: the set is not declared", line)
			}
			key, ok := parseEntry(set.Type, words[2], o.Program.Family)
			if !ok || len(words) > 3 {
				o.Foreign = append(o.Foreign, Foreign{ipsetTable, "@" + set.Name, strings.Join(words[2:], " ")})
				continue
			}
			set.put(Element{Key: key})
		}
	}
	return nil
}

// parseEntry reads an entry of an ipset.
func parseEntry(kind, text string, family Family) (Key, bool) {
	var key Key
	parts := strings.Split(text, ",")
	fields := strings.Split(kind[strings.IndexByte(kind, ':')+1:], ",")
	if len(parts) != len(fields) {
		return key, false
	}
	address := func(text string) (netip.Addr, bool) {
		a, err := netip.ParseAddr(text)
		return a, err == nil && a.Zone() == "" && FamilyOf(a) == family
	}
	for i, field := range fields {
		ok := true
		switch {
		case field == "ip" && i == 0:
			key.Address, ok = address(parts[i])
		case field == "ip":
			key.Source, ok = address(parts[i])
		case field == "net":
			var a netip.Addr
			bare, _, _ := strings.Cut(parts[i], "/")
			if a, ok = address(bare); ok {
				if key.Net = single(a); bare != parts[i] {
					key.Net, ok = parsePrefix(parts[i]), parsePrefix(parts[i]).IsValid()
				}
			}
		case field == "port":
			number := parts[i]
			if kind != "bitmap:port" {
				key.Protocol, number, ok = strings.Cut(number, ":")
				ok = ok && protocolNumbers[key.Protocol] != 0
			}
			port, err := strconv.ParseUint(number, 10, 16)
			key.Port, ok = uint16(port), ok && err == nil
		}
		if !ok {
			return Key{}, false
		}
	}
	return key, true
}

// servers reads the output of ipvsadm -Ln.
func (o *Observed) servers(text string) error {
	if !strings.Contains(text, "LocalAddress:Port") {
		return errors.New("read ipvsadm -Ln: it printed no table")
	}
	o.Program.Servers = &Set{Name: "servers"}
	var server *VirtualServer
	inside := false // the table
	name := ""
	for line := range strings.SplitSeq(text, "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case !inside: // the titles, of which the last is that of real servers
			inside = words[0] == "->"
		case words[0] != "->":
			if server, name = parseServer(words), strings.Join(words, " "); server == nil {
				o.Foreign = append(o.Foreign, Foreign{ipsetTable, "@servers", name})
			} else if FamilyOf(server.Address.Addr()) != o.Program.Family {
				server, name = nil, "" // the other family's
			} else {
				o.Program.Servers.put(Element{Key: server.key(), Server: server})
			}
		case name == "":
		case server == nil || !server.read(words[1:]):
			o.Foreign = append(o.Foreign, Foreign{ipsetTable, "@servers", name + " " + strings.Join(words, " ")})
		}
	}
	for _, e := range o.Program.Servers.Elements {
		slices.SortFunc(e.Server.Real, netip.AddrPort.Compare)
	}
	return nil
}

// parseServer reads a virtual server's line; nil when kube-proxy does not write
// such.
func parseServer(words []string) *VirtualServer {
	if len(words) < 3 {
		return nil
	}
	address, err := netip.ParseAddrPort(words[1])
	v := &VirtualServer{Address: address, Protocol: strings.ToLower(words[0]), Scheduler: words[2]}
	if err != nil || address.Addr().Zone() != "" || protocolNumbers[v.Protocol] == 0 || words[0] != strings.ToUpper(words[0]) {
		return nil
	}
	rest := words[3:]
	if v.Scheduler == "mh" {
		if len(rest) == 0 || rest[0] != "(mh-port)" {
			return nil
		}
		rest = rest[1:]
	}
	if len(rest) == 2 && rest[0] == "persistent" {
		seconds, err := strconv.ParseInt(rest[1], 10, 32)
		if err != nil || seconds <= 0 {
			return nil
		}
		v.Timeout, rest = int32(seconds), nil
	}
	if len(rest) > 0 {
		return nil
	}
	return v
}

// read adds a real server's row: address, forwarding, weight, and the two
// numbers of connections; false when kube-proxy does not write such.
func (v *VirtualServer) read(row []string) bool {
	if len(row) != 5 || row[1] != "Masq" {
		return false
	}
	address, err := netip.ParseAddrPort(row[0])
	if err != nil || address.Addr().Zone() != "" {
		return false
	}
	for _, count := range row[3:] {
		if _, err := strconv.ParseUint(count, 10, 32); err != nil {
			return false
		}
	}
	switch row[2] {
	case "0":
		v.Leaving = append(v.Leaving, address)
	case "1":
		v.Real = append(v.Real, address)
	default:
		return false
	}
	return true
}
