package nettool

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"svctour/lab/child/process"
)

// ip shows addresses, links and routes as iproute2 does; it changes nothing.
func ip(c *command) int {
	brief := false
	var words []string
	for _, arg := range c.args {
		switch arg {
		case "-br", "-brief", "--brief":
			brief = true
		case "-4", "-c", "-color":
		case "-6":
			return 0 // no IPv6 in the lab
		default:
			if strings.HasPrefix(arg, "-") {
				c.errorf("Option \"%s\" is unknown, try \"ip -help\".\n", arg)
				return 255
			}
			words = append(words, arg)
		}
	}
	if len(words) == 0 {
		c.errorf("Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n")
		return 255
	}
	device := ""
	for _, word := range words[1:] {
		switch {
		case slices.Contains([]string{"dev", "list", "ls", "show", "l", "s", "sh"}, word):
		case slices.Contains([]string{"add", "del", "set", "flush", "replace", "change", "a", "d"}, word):
			c.errorf("RTNETLINK answers: Operation not permitted\n")
			return 2
		default:
			device = word
		}
	}
	object := words[0]
	switch {
	case strings.HasPrefix("address", object), strings.HasPrefix("link", object):
		found := false
		for _, i := range c.Net.Interfaces() {
			if device == "" || i.Name == device {
				found = true
				c.link(i, brief, strings.HasPrefix("address", object))
			}
		}
		if !found {
			c.errorf("Device \"%s\" does not exist.\n", device)
			return 1
		}
	case strings.HasPrefix("route", object):
		for _, route := range c.Net.Routes() {
			c.printf("%s\n", routeLine(route))
		}
	case strings.HasPrefix("neighbour", object), object == "neighbor":
		// The lab's wire needs no ARP.
	default:
		c.errorf("Object \"%s\" is unknown, try \"ip help\".\n", object)
		return 1
	}
	return 0
}

func hardware(i process.Interface) net.HardwareAddr {
	if len(i.MAC) == 6 {
		return i.MAC
	}
	return make(net.HardwareAddr, 6)
}

func (c *command) link(i process.Interface, brief, addresses bool) {
	flags, discipline, state, kind, broadcast := "BROADCAST,MULTICAST,UP,LOWER_UP", "noqueue", "UP", "ether", "ff:ff:ff:ff:ff:ff"
	if i.Loopback {
		flags, state, kind, broadcast = "LOOPBACK,UP,LOWER_UP", "UNKNOWN", "loopback", "00:00:00:00:00:00"
	}
	if brief {
		if !addresses {
			c.printf("%-16s %-14s %s <%s> \n", i.Name, state, hardware(i), flags)
			return
		}
		c.printf("%-16s %-14s ", i.Name, state)
		for _, prefix := range i.Addresses {
			c.printf("%s ", prefix)
		}
		c.printf("\n")
		return
	}
	mode := ""
	if !addresses {
		mode = "mode DEFAULT "
	}
	c.printf("%d: %s: <%s> mtu %d qdisc %s state %s %sgroup default qlen 1000\n    link/%s %s brd %s\n",
		i.Index, i.Name, flags, i.MTU, discipline, state, mode, kind, hardware(i), broadcast)
	if !addresses {
		return
	}
	for _, prefix := range i.Addresses {
		scope, brd := "global", " brd "+last(prefix).String()
		if i.Loopback {
			scope, brd = "host", ""
		}
		if prefix.Bits() == 32 {
			brd = ""
		}
		c.printf("    inet %s%s scope %s %s\n       valid_lft forever preferred_lft forever\n", prefix, brd, scope, i.Name)
	}
}

// last is a subnet's broadcast address.
func last(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Addr().As4()
	mask := net.CIDRMask(prefix.Bits(), 32)
	for i := range bytes {
		bytes[i] |= ^mask[i]
	}
	return netip.AddrFrom4(bytes)
}

func routeLine(route process.Route) string {
	to := route.To.String()
	if route.To.Bits() == 0 {
		to = "default"
	}
	if route.Gateway.IsValid() {
		return fmt.Sprintf("%s via %s dev %s ", to, route.Gateway, route.Interface)
	}
	line := fmt.Sprintf("%s dev %s ", to, route.Interface)
	if route.Source.IsValid() {
		line += fmt.Sprintf("proto kernel scope link src %s ", route.Source)
	} else {
		line += "scope link "
	}
	return line
}

// route is route -n.
func route(c *command) int {
	if _, rest, bad := getopt(c.args, "n e"); bad != nil || len(rest) > 0 {
		return c.fail("the lab's route only shows: route -n")
	}
	c.printf("Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric Ref    Use Iface\n")
	for _, r := range c.Net.Routes() {
		gateway, flags := "0.0.0.0", "U"
		if r.Gateway.IsValid() {
			gateway, flags = r.Gateway.String(), "UG"
		}
		c.printf("%-15s %-15s %-15s %-5s 0      0        0 %s\n", r.To.Addr(), gateway, net.IP(net.CIDRMask(r.To.Bits(), 32)), flags, r.Interface)
	}
	return 0
}

// sockets are those that -t, -u, -l and -a choose.
func (c *command) sockets(opts []option) []process.Socket {
	chosen := map[string]bool{}
	for _, o := range opts {
		chosen[o.name] = true
	}
	every := !chosen["t"] && !chosen["u"]
	var out []process.Socket
	for _, s := range c.Net.Sockets() {
		listens := s.State == "LISTEN" || s.State == "UNCONN"
		switch {
		case !every && !chosen[s.Protocol[:1]]:
		case chosen["l"] && !listens, !chosen["l"] && !chosen["a"] && listens:
		default:
			out = append(out, s)
		}
	}
	return out
}

func endpoint(a netip.AddrPort) (host, port string) {
	host, port = "0.0.0.0", "*"
	if a.Addr().IsValid() {
		host = a.Addr().String()
	}
	if a.Port() != 0 {
		port = fmt.Sprint(a.Port())
	}
	return host, port
}

// ss is iproute2's.
func ss(c *command) int {
	opts, rest, bad := getopt(c.args, "t u l a n p 4 H e o")
	if bad != nil || len(rest) > 0 {
		c.errorf("ss: the lab's ss knows -t -u -l -a -n -p -H and no filter\n")
		return 255
	}
	list := c.sockets(opts)
	both := true
	for _, o := range opts {
		both = both && o.name != "t" && o.name != "u"
	}
	netid := func(text string) string {
		if both {
			return fmt.Sprintf("%-5s ", text)
		}
		return ""
	}
	if !slices.ContainsFunc(opts, func(o option) bool { return o.name == "H" }) {
		c.printf("%s%-9s %-6s %-6s %21s %21s Process\n", netid("Netid"), "State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port")
	}
	for _, s := range list {
		host, port := endpoint(s.Local)
		peer, peerPort := endpoint(s.Peer)
		c.printf("%s%-9s %-6d %-6d %21s %21s\n", netid(s.Protocol), s.State, 0, 0, host+":"+port, peer+":"+peerPort)
	}
	return 0
}

// netstat lists sockets, or routes with -r.
func netstat(c *command) int {
	opts, rest, bad := getopt(c.args, "t u l a n p r w e")
	if bad != nil || len(rest) > 0 {
		return c.fail("the lab's netstat knows -t -u -l -a -n -p -r")
	}
	title, owners := "w/o servers", false
	for _, o := range opts {
		switch o.name {
		case "l":
			title = "only servers"
		case "a":
			title = "servers and established"
		case "p":
			owners = true
		case "r":
			return route(&command{Process: c.Process, ctx: c.ctx, name: "route"})
		}
	}
	column, owner := "", ""
	if owners {
		column, owner = "PID/Program name    ", "-                   "
	}
	c.printf("Active Internet connections (%s)\nProto Recv-Q Send-Q Local Address           Foreign Address         State       %s\n", title, column)
	for _, s := range c.sockets(opts) {
		host, port := endpoint(s.Local)
		peer, peerPort := endpoint(s.Peer)
		state := map[string]string{"UNCONN": "", "ESTAB": "ESTABLISHED"}
		shown, changed := state[s.State]
		if !changed {
			shown = strings.ReplaceAll(s.State, "-", "_")
		}
		c.printf("%-5s %6d %6d %-23s %-23s %-11s %s\n", s.Protocol, 0, 0, host+":"+port, peer+":"+peerPort, shown, owner)
	}
	return 0
}

// ifconfig is busybox', without counters: the lab's stacks do not keep them.
func ifconfig(c *command) int {
	for _, i := range c.Net.Interfaces() {
		if len(c.args) > 0 && c.args[0] != "-a" && c.args[0] != i.Name {
			continue
		}
		kind, flags := "Ethernet  HWaddr "+strings.ToUpper(hardware(i).String()), "UP BROADCAST RUNNING MULTICAST"
		if i.Loopback {
			kind, flags = "Local Loopback", "UP LOOPBACK RUNNING"
		}
		c.printf("%-9s Link encap:%s  \n", i.Name, kind)
		for _, prefix := range i.Addresses {
			broadcast := "  Bcast:" + last(prefix).String()
			if i.Loopback {
				broadcast = ""
			}
			c.printf("          inet addr:%s%s  Mask:%s\n", prefix.Addr(), broadcast, net.IP(net.CIDRMask(prefix.Bits(), 32)))
		}
		c.printf("          %s  MTU:%d  Metric:1\n\n", flags, i.MTU)
	}
	return 0
}
