//go:build linux

package oracle

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"reflect"
	"testing"
	"unsafe"

	v1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/node/util/sysctl"
	sysctltest "k8s.io/component-helpers/node/util/sysctl/testing"
	"k8s.io/klog/v2"
	proxyconfig "k8s.io/kubernetes/pkg/proxy/apis/config"
	"k8s.io/kubernetes/pkg/proxy/conntrack"
	"k8s.io/kubernetes/pkg/proxy/healthcheck"
	"k8s.io/kubernetes/pkg/proxy/iptables"
	proxyutil "k8s.io/kubernetes/pkg/proxy/util"
	proxyutiltest "k8s.io/kubernetes/pkg/proxy/util/testing"
	utiliptables "k8s.io/kubernetes/pkg/util/iptables"
	iptablestest "k8s.io/kubernetes/pkg/util/iptables/testing"

	"svctour/model/path"
)

func TestMain(m *testing.M) {
	// What generates clusters starts from the same seed in every run: a find is
	// for the long runs, and no change is held up by another one's.
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range map[string]string{"rapid.seed": "1", "rapid.checks": "2000"} {
		if !given[name] {
			flag.Set(name, value)
		}
	}
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// nodeIP is what kube-proxy takes as the node's address of a family (cmd/kube-proxy/app detectNodeIPs).
func (w *world) nodeIP(family v1.IPFamily) net.IP {
	for _, a := range w.Node.Status.Addresses {
		ip := net.ParseIP(a.Address)
		if a.Type == v1.NodeInternalIP && ip != nil && (ip.To4() != nil) == (family == v1.IPv4Protocol) {
			return ip
		}
	}
	if family == v1.IPv6Protocol {
		return net.IPv6loopback
	}
	return net.IPv4(127, 0, 0, 1)
}

// detector is cmd/kube-proxy/app getLocalDetectors for one family.
func (w *world) detector(family v1.IPFamily) proxyutil.LocalTrafficDetector {
	cidrs := w.Proxy.ClusterCIDRs
	switch proxyconfig.LocalMode(w.Proxy.DetectLocalMode) {
	case proxyconfig.LocalModeBridgeInterface:
		return proxyutil.NewDetectLocalByBridgeInterface(w.Proxy.BridgeInterface)
	case proxyconfig.LocalModeInterfaceNamePrefix:
		return proxyutil.NewDetectLocalByInterfaceNamePrefix(w.Proxy.InterfacePrefix)
	case proxyconfig.LocalModeNodeCIDR:
		cidrs = w.Node.Spec.PodCIDRs
	}
	if matching := proxyutil.MapCIDRsByIPFamily(cidrs)[family]; len(matching) > 0 {
		return proxyutil.NewDetectLocalByCIDR(matching[0].String())
	}
	return proxyutil.NewNoOpLocalDetector()
}

// rules maps "table chain" to the rules of a chain, without "-A CHAIN".
type rules map[string][]string

// kubeProxy gives what kube-proxy's own iptables proxier writes into a fake
// iptables. Its parts that would touch this machine (health check listeners,
// conntrack, nfacct counters, network interfaces) are replaced by fakes.
func kubeProxy(t testing.TB, w *world, family v1.IPFamily) rules {
	t.Helper()
	proxier, ipt := newKubeProxy(t, w, family)
	proxier.OnEndpointSlicesSynced() // writes the rules before it returns

	var text bytes.Buffer
	if err := ipt.SaveInto("", &text); err != nil {
		t.Fatal(err)
	}
	dump, err := iptablestest.ParseIPTablesDump(text.String())
	if err != nil {
		t.Fatal(err)
	}
	return dumped(dump)
}

// newKubeProxy is a proxier that knows a world's objects and has written nothing yet.
func newKubeProxy(t testing.TB, w *world, family v1.IPFamily) (*iptables.Proxier, *iptablestest.FakeIPTables) {
	t.Helper()
	ipt := iptablestest.NewFake()
	if family == v1.IPv6Protocol {
		ipt = iptablestest.NewIPv6Fake()
	}
	config := &proxyconfig.KubeProxyConfiguration{NodePortAddresses: w.Proxy.NodePortAddresses}
	config.IPTables.LocalhostNodePorts = &w.Proxy.LocalhostNodePort
	config.IPTables.MasqueradeBit = &w.Proxy.MasqueradeBit
	config.Linux.MasqueradeAll = w.Proxy.MasqueradeAll

	kernel := sysctltest.NewFake()
	var _ sysctl.Interface = kernel
	kernel.Settings["net/ipv4/conf/all/route_localnet"] = 1
	proxier, err := iptables.NewProxier(context.Background(), config, family, ipt, kernel, w.detector(family),
		w.Node.Name, w.nodeIP(family), nil, nil, false)
	if err != nil {
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
	replace(t, proxier, "networkInterfacer", interfaces)
	replace(t, proxier, "serviceHealthServer", healthcheck.NewFakeServiceHealthServer())
	replace(t, proxier, "conntrack", conntrack.NewFake())
	replace(t, proxier, "nfacct", nil)

	for _, svc := range w.Services {
		if _, other := svc.Labels["service.kubernetes.io/service-proxy-name"]; !other { // as the informer's selector
			proxier.OnServiceAdd(svc)
		}
	}
	for _, slice := range w.Slices {
		if _, headless := slice.Labels[v1.IsHeadlessService]; !headless {
			proxier.OnEndpointSliceAdd(slice)
		}
	}
	labels := map[string]string{}
	if zone, has := w.Node.Labels[v1.LabelTopologyZone]; has {
		labels[v1.LabelTopologyZone] = zone
	}
	proxier.OnTopologyChange(labels)
	proxier.OnServiceSynced()
	return proxier, ipt
}

func dumped(dump *iptablestest.IPTablesDump) rules {
	out := rules{}
	for _, table := range dump.Tables {
		if table.Name == utiliptables.TableMangle {
			continue
		}
		for _, chain := range table.Chains {
			key := string(table.Name) + " " + string(chain.Name)
			if key == "nat INPUT" {
				continue // the kernel's, unused by kube-proxy
			}
			out[key] = []string{}
			for _, rule := range chain.Rules {
				out[key] = append(out[key], rule.Raw[len("-A "+string(chain.Name)+" "):])
			}
		}
	}
	return out
}

// replace sets an unexported field of kube-proxy's proxier. It fails the test
// when a later version has no such field.
func replace(t testing.TB, proxier *iptables.Proxier, field string, value any) {
	t.Helper()
	f := reflect.ValueOf(proxier).Elem().FieldByName(field)
	if !f.IsValid() {
		t.Fatalf("kube-proxy's iptables proxier has no field %q any more", field)
	}
	f = reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem()
	if value == nil {
		f.SetZero()
		return
	}
	f.Set(reflect.ValueOf(value))
}

// ours gives the model's rules in kube-proxy's spelling.
func ours(p *path.Program) rules {
	out := rules{}
	for _, table := range p.Tables {
		for _, chain := range table.Chains {
			key := table.Name + " " + chain.Name
			out[key] = []string{}
			for i := range chain.Rules {
				out[key] = append(out[key], chain.Rules[i].Restore())
			}
		}
	}
	return out
}
