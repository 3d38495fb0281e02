//go:build linux

package oracle

import (
	"fmt"
	"net"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/go-logr/logr"
	v1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/pkg/proxy"
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	"k8s.io/kubernetes/pkg/proxy/nftables"
	"k8s.io/kubernetes/pkg/proxy/runner"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
	proxyutiltest "k8s.io/kubernetes/pkg/proxy/util/testing"
	netutils "k8s.io/utils/net"
	"sigs.k8s.io/knftables"

	"svctour/model/path"
)

// The constructor of kube-proxy's nftables proxier asks the kernel of this
// machine. These are what it makes its parts with.

//go:linkname newServiceInfo k8s.io/kubernetes/pkg/proxy/nftables.newServiceInfo
func newServiceInfo(*v1.ServicePort, *v1.Service, *proxy.BaseServicePortInfo) proxy.ServicePort

//go:linkname newEndpointInfo k8s.io/kubernetes/pkg/proxy/nftables.newEndpointInfo
func newEndpointInfo(*proxy.BaseEndpointInfo, *proxy.ServicePortName) proxy.Endpoint

//go:linkname newNFTElementStorage k8s.io/kubernetes/pkg/proxy/nftables.newNFTElementStorage
func newNFTElementStorage(containerType, containerName string) unsafe.Pointer

// nftPorts are the nodePortAddresses that kube-proxy has in this mode.
func nftPorts(w *world) []string {
	if len(w.Proxy.NodePortAddresses) == 0 {
		return []string{"primary"}
	}
	return w.Proxy.NodePortAddresses
}

// kubeProxyNFT gives what kube-proxy's own nftables proxier writes into a fake
// nftables, as rules maps them: chains with their rules, sets and maps with
// their elements in order.
func kubeProxyNFT(t testing.TB, w *world, family v1.IPFamily) rules {
	t.Helper()
	return nftRules(dumpNFT(t, w, family))
}

// dumpNFT is what it writes as nft commands.
func dumpNFT(t testing.TB, w *world, family v1.IPFamily) string {
	t.Helper()
	nftFamily := knftables.IPv4Family
	if family == v1.IPv6Protocol {
		nftFamily = knftables.IPv6Family
	}
	fake := knftables.NewFake(nftFamily, path.NFTTable)
	there := fake.NewTransaction()
	there.Add(&knftables.Table{Comment: ptr("rules for kube-proxy")}) // else it complains that it cannot list the chains
	if err := fake.Run(t.Context(), there); err != nil {
		t.Fatal(err)
	}
	interfaces := proxyutiltest.NewFakeNetwork()
	interfaces.AddInterfaceAddr(&net.Interface{Index: 1, Name: "lo"}, []net.Addr{
		&net.IPNet{IP: net.IPv4(127, 0, 0, 1), Mask: net.CIDRMask(8, 32)}, &net.IPNet{IP: net.IPv6loopback, Mask: net.CIDRMask(128, 128)}})
	for i, a := range w.Node.Status.Addresses {
		if ip := net.ParseIP(a.Address); ip != nil {
			interfaces.AddInterfaceAddr(&net.Interface{Index: i + 2, Name: fmt.Sprintf("eth%d", i)}, []net.Addr{&net.IPNet{IP: ip, Mask: net.CIDRMask(24, 32)}})
		}
	}
	mark := fmt.Sprintf("%#08x", 1<<uint(w.Proxy.MasqueradeBit))
	labels := map[string]string{}
	if zone, has := w.Node.Labels[v1.LabelTopologyZone]; has {
		labels[v1.LabelTopologyZone] = zone
	}
	proxier := &nftables.Proxier{}
	for field, value := range map[string]any{
		"ipFamily": family, "svcPortMap": proxy.ServicePortMap{}, "endpointsMap": proxy.EndpointsMap{},
		"serviceChanges":   proxy.NewServiceChangeTracker(family, newServiceInfo, nil),
		"endpointsChanges": proxy.NewEndpointsChangeTracker(family, w.Node.Name, newEndpointInfo, nil),
		"needFullSync":     true, "nftables": fake, "masqueradeAll": w.Proxy.MasqueradeAll,
		"masqueradeMark": mark, "masqueradeRule": "mark set mark or " + mark,
		"conntrack": conntrack.NewFake(), "localDetector": w.detector(family), "nodeName": w.Node.Name, "nodeIP": w.nodeIP(family),
		"serviceHealthServer": healthcheck.NewFakeServiceHealthServer(), "networkInterfacer": interfaces,
		"nodePortAddresses": proxyutil.NewNodePortAddresses(family, expandPrimary(w, family)),
		"staleChains":       map[string]time.Time{}, "logger": logr.Discard(), "topologyLabels": labels,
		"syncRunner": runner.NewBoundedFrequencyRunner("none", func() error { return nil }, 0, time.Hour, time.Hour),
	} {
		set(t, proxier, field, reflect.ValueOf(value))
	}
	for field, container := range map[string][2]string{
		"clusterIPs": {"set", "cluster-ips"}, "serviceIPs": {"map", "service-ips"}, "firewallIPs": {"map", "firewall-ips"},
		"noEndpointServices": {"map", "no-endpoint-services"}, "noEndpointNodePorts": {"map", "no-endpoint-nodeports"},
		"serviceNodePorts": {"map", "service-nodeports"}, "hairpinConnections": {"set", "hairpin-connections"},
	} {
		f := fieldOf(t, proxier, field)
		set(t, proxier, field, reflect.NewAt(f.Type().Elem(), newNFTElementStorage(container[0], container[1])))
	}
	proxier.OnServiceCIDRsChanged(serviceCIDRs)
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
	proxier.OnEndpointSlicesSynced()
	return fake.Dump()
}

var serviceCIDRs = []string{"10.96.0.0/16", "fd00:10:96::/112"}

// expandPrimary is cmd/kube-proxy/app's expandNodePortAddressKeywords, as far
// as the worlds need it.
func expandPrimary(w *world, family v1.IPFamily) []string {
	var out []string
	for _, text := range nftPorts(w) {
		switch text {
		case "primary":
			if ip := w.nodeIP(family); !ip.IsLoopback() {
				out = append(out, fmt.Sprintf("%s/%d", ip, map[bool]int{true: 32, false: 128}[ip.To4() != nil]))
			} else {
				out = append(out, "192.0.2.255/32", "2001:db8:ffff::1/128") // nothing of this family: no address at all
			}
		case "localhost":
			out = append(out, "127.0.0.0/8", "::1/128")
		case "all":
			out = append(out, "0.0.0.0/0", "::/0")
		default:
			out = append(out, text)
		}
	}
	return out
}

// fieldOf is an unexported field of one of kube-proxy's proxiers.
func fieldOf(t testing.TB, proxier any, name string) reflect.Value {
	t.Helper()
	f := reflect.ValueOf(proxier).Elem().FieldByName(name)
	if !f.IsValid() {
		t.Fatalf("kube-proxy's %T has no field %q any more", proxier, name)
	}
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
}

func set(t testing.TB, proxier any, name string, value reflect.Value) {
	t.Helper()
	fieldOf(t, proxier, name).Set(value)
}

var (
	nftLine    = regexp.MustCompile(`^add (table|chain|set|map|rule|element) ip6? kube-proxy ?(\S*) ?(.*)$`)
	nftSpacing = regexp.MustCompile(` *, *`)
)

// nftRules reads the commands that make a table.
func nftRules(text string) rules {
	out := rules{}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		match := nftLine.FindStringSubmatch(line)
		if match == nil {
			out["unknown"] = append(out["unknown"], line)
			continue
		}
		kind, name, rest := match[1], match[2], normal(nftSpacing.ReplaceAllString(match[3], ", "))
		switch kind {
		case "rule":
			key := "chain " + name
			out[key] = append(out[key], rest)
		case "element":
			out["elements "+name] = append(out["elements "+name], rest)
		case "table":
			out["table"] = []string{normal(match[2] + " " + rest)}
		default:
			out[kind+" "+name] = append(out[kind+" "+name], "declared "+rest)
		}
	}
	for key, list := range out {
		if strings.HasPrefix(key, "elements ") {
			sort.Strings(list)
		}
	}
	return out
}

func compareNFT(t testing.TB, w *world) (diff []string, count int) {
	t.Helper()
	s := *w.snapshot()
	s.ServiceCIDRs = serviceCIDRs
	for _, family := range []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol} {
		want := without(kubeProxyNFT(t, w, family), contested(w))
		got := without(nftRules(path.PrintNFT(path.CompileNFTables(&s, w.Node.Name, path.Family(family)))), contested(w))
		for _, d := range differences(want, got) {
			diff = append(diff, string(family)+": "+d)
		}
		for _, list := range want {
			count += len(list)
		}
	}
	return diff, count
}

// contested are the keys that several service ports claim: Go's map order says
// which of them kube-proxy gives the element to.
func contested(w *world) map[string]bool {
	owners := map[string]int{}
	for _, svc := range w.Services {
		if _, other := svc.Labels["service.kubernetes.io/service-proxy-name"]; other || svc.Spec.Type == v1.ServiceTypeExternalName {
			continue
		}
		addresses := append(append([]string{}, svc.Spec.ClusterIPs...), svc.Spec.ExternalIPs...)
		for _, in := range svc.Status.LoadBalancer.Ingress {
			addresses = append(addresses, in.IP)
		}
		claimed := map[string]int{}
		for _, port := range svc.Spec.Ports {
			protocol := strings.ToLower(string(port.Protocol))
			for _, address := range addresses {
				if ip := netutils.ParseIPSloppy(address); ip != nil {
					claimed[fmt.Sprintf("%s . %s . %d", ip, protocol, port.Port)]++
				}
			}
			claimed[fmt.Sprintf("%s . %d", protocol, port.NodePort)]++
		}
		for key, times := range claimed {
			owners[key] += times
		}
	}
	for key, times := range owners {
		if times < 2 {
			delete(owners, key)
		}
	}
	out := map[string]bool{}
	for key := range owners {
		out[key] = true
	}
	return out
}

// without leaves the elements with these keys out.
func without(list rules, keys map[string]bool) rules {
	for name, elements := range list {
		if !strings.HasPrefix(name, "elements ") {
			continue
		}
		list[name] = slices.DeleteFunc(elements, func(e string) bool {
			key, _, _ := strings.Cut(strings.TrimPrefix(e, "{ "), " comment ")
			key, _, _ = strings.Cut(key, " : ")
			return keys[key]
		})
		if len(list[name]) == 0 {
			delete(list, name)
		}
	}
	return list
}
