package path

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"svctour/model"
)

// listed is what nft 1.0.6 printed of kube-proxy 1.37's table for saved().
func listed(t testing.TB) string {
	t.Helper()
	data, err := os.ReadFile("testdata/nft-list.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func savedNFT() *Program {
	s := *saved()
	s.ServiceCIDRs = []string{"10.96.0.0/12"}
	s.Slices[len(s.Slices)-1].Endpoints[0].Node = "node-c" // where it was when the list was taken
	return CompileNFTables(&s, "node-a", IPv4)
}

func parseNFT(t testing.TB, text string, family Family) *Observed {
	t.Helper()
	o, err := ParseNFT(text, family)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestParseNFTReadsEveryRuleOfARealDump(t *testing.T) {
	text := listed(t)
	o := parseNFT(t, text, IPv4)
	if len(o.Foreign) > 0 {
		t.Fatalf("%d rules not understood, the first: %+v", len(o.Foreign), o.Foreign[0])
	}
	if got := ListNFT(o.Program); got != text {
		t.Errorf("got %s\nwant %s", got, text)
	}
	if got := Compare(savedNFT(), o); len(got) > 0 {
		t.Errorf("differs from what was derived: %+v", got)
	}
	if o.Program.MasqueradeMark != 1<<14 || o.Counted {
		t.Errorf("mark %#x, counted %v", o.Program.MasqueradeMark, o.Counted)
	}
}

// The list has the chains in the order of their making and the elements in that
// of hash tables, so lines are compared, not their order.
func TestListNFTIsNFTList(t *testing.T) {
	lines := func(text string) []string {
		text = strings.NewReplacer("elements = { ", "", " }\n\t}", "\n\t}", ", 10.96.", ",\n10.96.").Replace(text)
		out := strings.Split(text, "\n")
		for i := range out {
			out[i] = strings.TrimRight(strings.TrimSpace(out[i]), ",")
		}
		slices.Sort(out)
		return out
	}
	if got, want := lines(ListNFT(savedNFT())), lines(listed(t)); !slices.Equal(got, want) {
		t.Errorf("got %s\nwant %s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestParseOfListIsTheProgram(t *testing.T) {
	for _, family := range []Family{IPv4, IPv6} {
		p := CompileNFTables(changed(func(s *model.Snapshot) {
			s.Proxy.ClusterCIDRs = append(s.Proxy.ClusterCIDRs, "fd00:10::/64")
			s.Services[2].SourceRanges = []string{"203.0.112.0/24", "203.0.113.0/24"}
		}), "node-a", family)
		o := parseNFT(t, ListNFT(p), family)
		if got, want := ListNFT(o.Program), ListNFT(p); got != want || len(o.Foreign) > 0 {
			t.Errorf("%s: foreign %v\n got %s\nwant %s", family, o.Foreign, got, want)
		}
		if got := Compare(p, o); len(got) > 0 {
			t.Errorf("%s: %+v", family, got)
		}
	}
}

// What nft list -a prints after someone has put a counter, a rule, an element
// and a set of theirs in, and clients have come.
func TestParseNFTCountersAndForeign(t *testing.T) {
	o := parseNFT(t, `# Warning: table ip nat is managed by iptables-nft, do not touch!
table ip nat {
	chain PREROUTING {
		xt match "comment" counter packets 1 bytes 2 jump KUBE-SERVICES
	}
}
table ip kube-proxy { # handle 3
	comment "rules for kube-proxy"
	set affinity-A { # handle 7
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 1d1h1m1s
		elements = { 10.244.1.5 expires 2h59m59s776ms, 10.244.1.6 expires 1s }
	}

	set blocked {
		type ifname
		elements = { "eth0", "eth1" }
	}

	map service-ips {
		type ipv4_addr . inet_proto . inet_service : verdict
		elements = { 10.96.0.1 . tcp . 443 counter packets 1 bytes 2 comment "{a, b}" : goto service-A,
			     10.96.0.2 . tcp . 443 : jump service-B }
	}

	chain nat-prerouting { # handle 1
		type nat hook prerouting priority dstnat + 5; policy accept;
		jump services # handle 9
	}

	chain services { # handle 2
		ip daddr . meta l4proto . th dport vmap @service-ips # handle 10
		ip daddr 10.96.0.0/12 counter packets 42 bytes 2520 drop comment "Drop traffic to unallocated ClusterIPs" # handle 11
		ip saddr @affinity-A goto service-A # handle 12
		ip saddr 10.0.0.1 ip saddr 10.0.0.2 drop # handle 13
		limit rate 10/second accept # handle 14
	}
}
`, IPv4)
	want := []Foreign{
		{NFTTable, "@blocked", `"eth0"`}, {NFTTable, "@blocked", `"eth1"`},
		{NFTTable, "@service-ips", "10.96.0.2 . tcp . 443 : jump service-B"},
		{NFTTable, "nat-prerouting", "type nat hook prerouting priority dstnat + 5"},
		{NFTTable, "services", "ip saddr 10.0.0.1 ip saddr 10.0.0.2 drop"},
		{NFTTable, "services", "limit rate 10/second accept"},
	}
	if !slices.Equal(o.Foreign, want) {
		t.Errorf("foreign:\n got %q\nwant %q", o.Foreign, want)
	}
	if o.Program.Chain(NFTTable, "nat-prerouting").Base {
		t.Error("a chain with another priority counts as kube-proxy's base chain")
	}
	services := o.Program.Chain(NFTTable, "services")
	if r := services.Rules[2]; r.More().Recent != "affinity-A" || r.More().RecentSeconds != 90061 {
		t.Errorf("%+v", r.More())
	}
	text := `ip daddr 10.96.0.0/12 drop comment "Drop traffic to unallocated ClusterIPs"`
	if got, ok := o.Counter(NFTTable, "services", text); !ok || got != (Counter{42, 2520}) || !o.Counted {
		t.Errorf("%+v %v", got, ok)
	}
	table := o.Program.Table(NFTTable)
	if e := table.Set("service-ips").Elements; len(e) != 1 || e[0].Comment != "{a, b}" || e[0].Chain != "service-A" {
		t.Errorf("%+v", e)
	}
	if n := len(table.Set("affinity-A").Elements); n != 0 {
		t.Errorf("%d clients among what kube-proxy writes", n)
	}
}

// Other versions of nft spell some rules otherwise (1.1: "mark or", "addr . port").
func TestParseNFTOtherSpellings(t *testing.T) {
	text := strings.NewReplacer(
		"dnat ip to numgen", "dnat ip addr . port to numgen", "meta mark | 0x00004000", "meta mark or 0x4000",
		"meta mark & 0x00004000 != 0x00000000", "meta mark and 0x4000 == 0x4000", "\t\treject\n", "\t\treject with icmp port-unreachable\n",
		"priority dstnat - 10", "priority -110", "priority srcnat", "priority 100", "meta l4proto tcp", "meta l4proto 6",
	).Replace(listed(t))
	o := parseNFT(t, text, IPv4)
	if got := Compare(savedNFT(), o); len(got) > 0 || len(o.Foreign) > 0 {
		t.Errorf("%+v %+v", got, o.Foreign)
	}
}

func TestCompareNFTTellsWhatDiffers(t *testing.T) {
	const (
		element = "tcp . 30080 : goto external-PFISGYVC-default/web/tcp/"
		sticky  = "service-EDE2N7RF-default/sticky/tcp/"
	)
	text := listed(t)
	for name, c := range map[string]struct {
		old, new string
		want     []Difference
	}{
		"a rule":    {"\t\tmeta l4proto sctp dnat to 10.244.1.9:9999\n", "", []Difference{{Missing, NFTTable, "service-TOGYEMDN-default/sig/sctp/", "meta l4proto sctp dnat to 10.244.1.9:9999"}}},
		"a foreign": {"\t\treject\n", "\t\treject\n\t\ttcp dport 1 drop\n", []Difference{{Extra, NFTTable, "reject-chain", "tcp dport 1 drop"}}},
		"an element": {element, "tcp . 30080 : drop", []Difference{
			{Missing, NFTTable, "@service-nodeports", element}, {Extra, NFTTable, "@service-nodeports", "tcp . 30080 : drop"},
		}},
		"a hook": {"type nat hook prerouting priority dstnat;", "type nat hook prerouting priority dstnat; policy drop;", []Difference{{Extra, NFTTable, "nat-prerouting", "policy drop"}}},
		"a timeout": {"set affinity-6SFGLI2F-default/sticky/tcp/__10.244.1.5/8080 {\n\t\ttype ipv4_addr\n\t\tsize 65535\n\t\tflags dynamic,timeout\n\t\ttimeout 3h", "set affinity-6SFGLI2F-default/sticky/tcp/__10.244.1.5/8080 {\n\t\ttype ipv4_addr\n\t\tflags dynamic,timeout\n\t\ttimeout 1h",
			[]Difference{{Missing, NFTTable, "@affinity-6SFGLI2F-default/sticky/tcp/__10.244.1.5/8080", "type ipv4_addr timeout 3h"}, {Extra, NFTTable, "@affinity-6SFGLI2F-default/sticky/tcp/__10.244.1.5/8080", "type ipv4_addr timeout 1h"}}},
		"a set nobody fills":     {"\tset nodeport-ips {\n\t\ttype ipv4_addr\n", "\tset more {\n\t\ttype ipv4_addr\n\t}\n\tset nodeport-ips {\n\t\ttype ipv4_addr\n", []Difference{{Extra, NFTTable, "@more", "type ipv4_addr"}}},
		"the order":              {"\t\tgoto local-LP56K4HX-default/loc/tcp/http\n", "", []Difference{{Missing, NFTTable, "external-LP56K4HX-default/loc/tcp/http", "goto local-LP56K4HX-default/loc/tcp/http"}}},
		"a chain about to leave": {"\tchain reject-chain {", "\tchain " + sticky + "gone {\n\t}\n\n\tchain reject-chain {", nil},
	} {
		changed := strings.Replace(text, c.old, c.new, 1)
		if changed == text {
			t.Fatalf("%s: nothing changed", name)
		}
		if got := Compare(savedNFT(), parseNFT(t, changed, IPv4)); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
	first := strings.Index(text, "\t\tip saddr @affinity-6SF")
	second := strings.Index(text, "\t\tip saddr @affinity-RW4")
	end := second + strings.Index(text[second:], "\n") + 1
	swapped := text[:first] + text[second:end] + text[first:second] + text[end:]
	if got := Compare(savedNFT(), parseNFT(t, swapped, IPv4)); !slices.Equal(got, []Difference{{Kind: Order, Table: NFTTable, Chain: sticky}}) {
		t.Errorf("two rules swapped: %+v", got)
	}
}

func TestParseNFTSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "no table ip kube-proxy",
		"table ip6 kube-proxy {\n}\n": "no table ip kube-proxy",
		"Error: No such file":         "line 1: neither a table",
		"table ip kube-proxy {\n":     "line 2: the text ends inside of a table",
		"table ip x {\n{\n}\n":        "line 4: the text ends inside of a table",
		"\ntable ip kube-proxy {\n}\ntable ip kube-proxy {\n}": "line 4: table kube-proxy comes twice",
	} {
		if _, err := ParseNFT(text, IPv4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Text that no tool printed costs time in proportion to its length: a second
// each. The square would take hours, more than a test gets.
func TestParseHugeNonsense(t *testing.T) {
	size := 2 << 20
	if testing.Short() {
		size = 1 << 14
	}
	inChain := func(text string) string { return "table ip kube-proxy {\nchain services {\n" + text + "\n}\n}\n" }
	inSet := func(text string) string {
		return "table ip kube-proxy {\nset cluster-ips {\ntype ipv4_addr\nelements = { " + text + " }\n}\n}\n"
	}
	for name, text := range map[string]string{
		"one word":           strings.Repeat("x", size),
		"NULs":               strings.Repeat("\x00", size),
		"words":              inChain(strings.Repeat("ip saddr ", size/9)),
		"braces that open":   inChain(strings.Repeat("{ ", size/2)),
		"braces that close":  strings.Repeat("} ", size/2),
		"nested":             inChain(strings.Repeat("{", size/2) + strings.Repeat("}", size/2)),
		"quotes":             inChain(strings.Repeat(`"`, size)),
		"comments":           strings.Repeat("#\n", size/2),
		"one comment":        inChain("#" + strings.Repeat("# ", size/2)),
		"commas":             inSet(strings.Repeat(",", size)),
		"elements":           inSet(strings.Repeat("1.2.3.4, ", size/9)),
		"ranges":             inChain("ip saddr != { " + strings.Repeat("0.0.0.1-255.255.255.254, ", size/100) + "1.2.3.4 } drop"),
		"choices":            inChain("numgen random mod 9 vmap { " + strings.Repeat("0 : goto a, ", size/12) + "}"),
		"sets":               "table ip kube-proxy {\n" + strings.Repeat("set a {\n}\n", size/10) + "}\n",
		"chains":             "table ip kube-proxy {\n" + strings.Repeat("chain a {\n}\n", size/12) + "}\n",
		"rules of iptables":  "*nat\n:A - [0:0]\n" + strings.Repeat("-A A -j DROP\n", size/13),
		"a rule of iptables": "*nat\n:A - [0:0]\n-A A " + strings.Repeat("! -s ", size/5) + "\n",
		"an open quote":      "*nat\n:A - [0:0]\n-A A -m comment --comment \"" + strings.Repeat(`\"`, size/2),
		"tables of iptables": strings.Repeat("*nat\n", 2) + strings.Repeat("*a\n", size/3),
	} {
		start := time.Now()
		for _, family := range []Family{IPv4, IPv6} {
			if o, err := ParseNFT(text, family); err == nil {
				ListNFT(o.Program)
				Compare(savedNFT(), o)
			}
			if o, err := Parse(text, family); err == nil {
				Print(o.Program)
			}
		}
		t.Logf("%s: %v", name, time.Since(start))
	}
}

func FuzzParseNFT(f *testing.F) {
	f.Add(listed(f))
	f.Add("table ip kube-proxy { # handle 1\nset a {\ntype ipv4_addr\nflags dynamic,timeout\ntimeout 1h\n}\nchain b {\nupdate @a { ip saddr } # handle 2\nip saddr @a goto b\n}\n}\n")
	f.Add("table ip kube-proxy {\nchain b {\nip saddr != { 1.2.3.4-1.2.3.9, 10.0.0.0/8 } counter packets 1 bytes 2 drop comment \"x\"\nmeta mark != 0x00000000/1 meta mark set meta mark ^ 0x80000000 masquerade\n}\n}\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, family := range []Family{IPv4, IPv6} {
			o, err := ParseNFT(text, family)
			if err != nil {
				continue
			}
			printed := ListNFT(o.Program)
			again, err := ParseNFT(printed, family)
			if err != nil {
				t.Fatalf("%v\n%s", err, printed)
			}
			if got := ListNFT(again.Program); got != printed {
				t.Errorf("got %s\nwant %s", got, printed)
			}
			Compare(o.Program, again)
		}
	})
}
