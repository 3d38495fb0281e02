//go:build linux

package oracle

import (
	"bytes"
	"fmt"
	"net"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
	_ "unsafe" // for linkname

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/proxy"
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	"k8s.io/kubernetes/pkg/proxy/ipvs"
	utilipset "k8s.io/kubernetes/pkg/proxy/ipvs/ipset"
	ipsettest "k8s.io/kubernetes/pkg/proxy/ipvs/ipset/testing"
	netlinktest "k8s.io/kubernetes/pkg/proxy/ipvs/testing"
	utilipvs "k8s.io/kubernetes/pkg/proxy/ipvs/util"
	ipvstest "k8s.io/kubernetes/pkg/proxy/ipvs/util/testing"
	"k8s.io/kubernetes/pkg/proxy/runner"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
	proxyutiltest "k8s.io/kubernetes/pkg/proxy/util/testing"
	iptablestest "k8s.io/kubernetes/pkg/util/iptables/testing"

	"svctour/model/path"
)

// The constructor of kube-proxy's ipvs proxier sets this machine's sysctls and
// asks its kernel. These are what it makes its parts with.

//go:linkname newIPVSServiceInfo k8s.io/kubernetes/pkg/proxy/ipvs.newServiceInfo
func newIPVSServiceInfo(*v1.ServicePort, *v1.Service, *proxy.BaseServicePortInfo) proxy.ServicePort

//go:linkname ipsetInfo k8s.io/kubernetes/pkg/proxy/ipvs.ipsetInfo
var ipsetInfo []struct {
	name    string
	setType utilipset.Type
	comment string
}

// dummyDevice holds the addresses of Services (proxier.go, defaultDummyDevice).
const dummyDevice = "kube-ipvs0"

// kubeProxyIPVS gives what kube-proxy's own ipvs proxier writes into its fakes,
// as rules maps them: iptables' chains, the ipsets, the addresses of its device
// and the virtual servers, each with its real servers.
func kubeProxyIPVS(t testing.TB, w *world, family v1.IPFamily) rules {
	t.Helper()
	ipt := iptablestest.NewFake()
	if family == v1.IPv6Protocol {
		ipt = iptablestest.NewIPv6Fake()
	}
	ipsets, servers, device := ipsettest.NewFake("7.17"), ipvstest.NewFake(), netlinktest.NewFakeNetlinkHandle(family == v1.IPv6Protocol)
	proxier := newKubeProxyIPVS(t, w, family, map[string]any{"iptables": ipt, "ipset": ipsets, "ipvs": servers, "netlinkHandle": device})
	proxier.OnEndpointSlicesSynced()

	out := rules{}
	var text bytes.Buffer
	if err := ipt.SaveInto("", &text); err != nil {
		t.Fatal(err)
	}
	dump, err := iptablestest.ParseIPTablesDump(text.String())
	if err != nil {
		t.Fatal(err)
	}
	for chain, list := range dumped(dump) {
		out["ipvs "+chain] = list
	}
	for name, entries := range ipsets.Entries {
		out[ipsetKey(name, string(ipsets.Sets[name].SetType))] = entries.UnsortedList()
	}
	bound, err := device.GetLocalAddresses(dummyDevice)
	if err != nil {
		t.Fatal(err)
	}
	out[dummyDevice] = bound.UnsortedList()
	for _, v := range servers.Services {
		real, err := servers.GetRealServers(v)
		if err != nil {
			t.Fatal(err)
		}
		list := []string{fmt.Sprintf("scheduler %s flags %#x timeout %d", v.Scheduler, v.Flags, v.Timeout)}
		for _, r := range real {
			list = append(list, fmt.Sprintf("%s weight %d", r, r.Weight))
		}
		out[serverKey(v.String())] = list
	}
	return out
}

// newKubeProxyIPVS is a proxier that knows a world's objects and has written nothing yet.
func newKubeProxyIPVS(t testing.TB, w *world, family v1.IPFamily, fakes map[string]any) *ipvs.Proxier {
	t.Helper()
	device := fakes["netlinkHandle"].(*netlinktest.FakeNetlinkHandle)
	interfaces := proxyutiltest.NewFakeNetwork()
	interfaces.AddInterfaceAddr(&net.Interface{Index: 1, Name: "lo"}, []net.Addr{
		&net.IPNet{IP: net.IPv4(127, 0, 0, 1), Mask: net.CIDRMask(8, 32)}, &net.IPNet{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)}})
	device.SetLocalAddresses("lo", "127.0.0.1", "::1")
	for i, a := range w.Node.Status.Addresses {
		if ip := net.ParseIP(a.Address); ip != nil {
			name := fmt.Sprintf("eth%d", i)
			interfaces.AddInterfaceAddr(&net.Interface{Index: i + 2, Name: name}, []net.Addr{&net.IPNet{IP: ip, Mask: net.CIDRMask(24, 32)}})
			device.SetLocalAddresses(name, a.Address)
		}
	}
	labels := map[string]string{}
	if zone, has := w.Node.Labels[v1.LabelTopologyZone]; has {
		labels[v1.LabelTopologyZone] = zone
	}
	scheduler := w.Proxy.Scheduler
	if scheduler == "" {
		scheduler = "rr"
	}
	sets := map[string]*ipvs.IPSet{}
	for _, s := range ipsetInfo {
		sets[s.name] = ipvs.NewIPSet(fakes["ipset"].(utilipset.Interface), s.name, s.setType, family == v1.IPv6Protocol, s.comment)
	}
	proxier := &ipvs.Proxier{}
	for field, value := range map[string]any{
		"ipFamily": family, "svcPortMap": proxy.ServicePortMap{}, "endpointsMap": proxy.EndpointsMap{},
		"serviceChanges":   proxy.NewServiceChangeTracker(family, newIPVSServiceInfo, nil),
		"endpointsChanges": proxy.NewEndpointsChangeTracker(family, w.Node.Name, nil, nil),
		"initialSync":      true, "masqueradeAll": w.Proxy.MasqueradeAll, "masqueradeMark": fmt.Sprintf("%#08x", 1<<uint(w.Proxy.MasqueradeBit)),
		"conntrack": conntrack.NewFake(), "localDetector": w.detector(family), "nodeName": w.Node.Name, "nodeIP": w.nodeIP(family),
		"serviceHealthServer": healthcheck.NewFakeServiceHealthServer(), "networkInterfacer": interfaces,
		"nodePortAddresses": proxyutil.NewNodePortAddresses(family, w.Proxy.NodePortAddresses),
		"ipvsScheduler":     scheduler, "ipsetList": sets,
		"iptablesData": &bytes.Buffer{}, "filterChainsData": &bytes.Buffer{},
		"natChains": proxyutil.NewLineBuffer(), "natRules": proxyutil.NewLineBuffer(),
		"filterChains": proxyutil.NewLineBuffer(), "filterRules": proxyutil.NewLineBuffer(),
		"gracefuldeleteManager": ipvs.NewGracefulTerminationManager(fakes["ipvs"].(utilipvs.Interface)),
		"logger":                logr.Discard(), "topologyLabels": labels,
		"syncRunner": runner.NewBoundedFrequencyRunner("none", func() error { return nil }, 0, time.Hour, time.Hour),
	} {
		set(t, proxier, field, reflect.ValueOf(value))
	}
	for field, value := range fakes {
		set(t, proxier, field, reflect.ValueOf(value))
	}
	for _, svc := range w.Services {
		if _, other := svc.Labels["service.kubernetes.io/service-proxy-name"]; !other {
			proxier.OnServiceAdd(svc)
		}
	}
	for _, slice := range w.Slices {
		if _, headless := slice.Labels[v1.IsHeadlessService]; !headless {
			proxier.OnEndpointSliceAdd(slice)
		}
	}
	proxier.OnServiceSynced()
	return proxier
}

func ipsetKey(name, kind string) string { return "ipset " + name + " " + kind }

// serverKey is the key of "address:port/PROTOCOL", as kube-proxy names a virtual server.
func serverKey(name string) string { return "server " + name }

// oursIPVS gives the model's program in the same words.
func oursIPVS(p *path.Program) rules {
	out := rules{}
	for chain, list := range ours(p) {
		out["ipvs "+chain] = list
	}
	text := path.PrintIPSets(p)
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		words := strings.Fields(line)
		if words[0] == "create" {
			out[ipsetKey(words[1], words[2])] = []string{}
		}
	}
	for _, s := range p.IPSets {
		for line := range strings.SplitSeq(text, "\n") {
			if entry, ok := strings.CutPrefix(line, "add "+s.Name+" "); ok {
				key := ipsetKey(s.Name, s.Type)
				out[key] = append(out[key], entry)
			}
		}
	}
	out[dummyDevice] = out[ipsetKey(map[path.Family]string{path.IPv4: "KUBE-IPVS-IPS", path.IPv6: "KUBE-6-IPVS-IPS"}[p.Family], "hash:ip")]
	for _, e := range p.Servers.Elements {
		v := e.Server
		flags := 0
		if v.Timeout > 0 {
			flags |= utilipvs.FlagPersistent
		}
		if v.Scheduler == "mh" {
			flags |= utilipvs.FlagSourceHash
		}
		list := []string{fmt.Sprintf("scheduler %s flags %#x timeout %d", v.Scheduler, flags, v.Timeout)}
		for _, r := range v.Real {
			list = append(list, r.String()+" weight 1")
		}
		out[serverKey(v.Address.String()+"/"+strings.ToUpper(v.Protocol))] = list
	}
	return out
}

// unordered sorts what kube-proxy has in Go's map order, and the spellings that
// ipset does not tell apart.
func unordered(list rules) rules {
	for key, texts := range list {
		switch {
		case strings.HasPrefix(key, "ipset "), key == dummyDevice, key == "ipvs filter KUBE-IPVS-OUT-FILTER":
			texts = slices.Clone(texts)
			for i := range texts {
				texts[i] = normal(texts[i])
			}
			sort.Strings(texts)
			list[key] = texts
		case strings.HasPrefix(key, "server "):
			sort.Strings(texts[1:])
		}
	}
	return list
}

func compareIPVS(t testing.TB, w *world) (diff []string, count int) {
	t.Helper()
	s := w.snapshot()
	shared := contested(w)
	own := func(list rules) rules {
		for key := range list {
			if name, ok := strings.CutPrefix(key, "server "); ok {
				host, protocol, _ := strings.Cut(name, "/")
				address, port, err := net.SplitHostPort(host)
				if err != nil {
					t.Fatal(err)
				}
				if shared[fmt.Sprintf("%s . %s . %s", address, strings.ToLower(protocol), port)] {
					delete(list, key)
				}
			}
		}
		return unordered(list)
	}
	for _, family := range []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol} {
		want := own(kubeProxyIPVS(t, w, family))
		got := own(oursIPVS(path.CompileIPVS(s, w.Node.Name, path.Family(family))))
		for _, d := range differences(want, got) {
			diff = append(diff, string(family)+": "+d)
		}
		for _, list := range want {
			count += len(list)
		}
	}
	return diff, count
}
