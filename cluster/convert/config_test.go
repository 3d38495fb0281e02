package convert

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/model"
)

func configMap(name, key, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name},
		Data:       map[string]string{key: text},
	}
}

// kubeadmProxy is what kubeadm v1.37 stores, nulls and zeros included.
const kubeadmProxy = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack:
  maxPerCore: null
  min: null
  tcpBeLiberal: false
  tcpCloseWaitTimeout: null
detectLocal:
  bridgeInterface: ""
  interfaceNamePrefix: ""
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables:
  localhostNodePorts: null
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
ipvs:
  excludeCIDRs: null
  minSyncPeriod: 0s
  scheduler: ""
  strictARP: false
kind: KubeProxyConfiguration
mode: ""
nftables:
  masqueradeAll: false
  masqueradeBit: null
  minSyncPeriod: 0s
  syncPeriod: 0s
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
`

func TestProxy(t *testing.T) {
	base := model.DefaultProxy()
	base.Source, base.Evidence = "ConfigMap kube-system/kube-proxy", model.Derived
	with := func(change func(*model.Proxy)) model.Proxy {
		p := base
		change(&p)
		return p
	}
	for name, c := range map[string]struct {
		text string
		want model.Proxy
		err  string
	}{
		"kubeadm": {kubeadmProxy, with(func(p *model.Proxy) { p.ClusterCIDRs = []string{"10.244.0.0/16"} }), ""},
		"empty":   {"", base, ""},
		"dual stack": {"clusterCIDR: 10.244.0.0/16, fd00::/64", with(func(p *model.Proxy) {
			p.ClusterCIDRs = []string{"10.244.0.0/16", "fd00::/64"}
		}), ""},
		"iptables section": {"mode: iptables\niptables: {masqueradeAll: true, masqueradeBit: 15, localhostNodePorts: false}\nnftables: {masqueradeBit: 3}", with(func(p *model.Proxy) {
			p.MasqueradeAll, p.MasqueradeBit, p.LocalhostNodePort = true, 15, false
		}), ""},
		"nftables section": {"mode: nftables\niptables: {masqueradeAll: true, masqueradeBit: 15}\nnftables: {masqueradeBit: 0}", with(func(p *model.Proxy) {
			p.Mode, p.MasqueradeBit = "nftables", 0 // an explicit 0 is bit 0 to kube-proxy
		}), ""},
		"ipvs": {"mode: ipvs\niptables: {masqueradeAll: true}\nipvs: {scheduler: lc}", with(func(p *model.Proxy) {
			p.Mode, p.MasqueradeAll, p.Scheduler = "ipvs", true, "lc"
		}), ""},
		"detectors": {"detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cni0, interfaceNamePrefix: veth}\nnodePortAddresses: [primary]", with(func(p *model.Proxy) {
			p.DetectLocalMode, p.BridgeInterface, p.InterfacePrefix = "BridgeInterface", "cni0", "veth"
			p.NodePortAddresses = []string{"primary"}
		}), ""},
		"mode of another system": {"mode: kernelspace", model.DefaultProxy(), `mode "kernelspace"`},
		"bit out of range":       {"iptables: {masqueradeBit: 32}", model.DefaultProxy(), "masqueradeBit 32"},
		"not YAML":               {"{", model.DefaultProxy(), "config.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Proxy(configMap("kube-proxy", "config.conf", c.text))
			checkErr(t, err, c.err)
			check(t, got, c.want)
		})
	}
	got, err := Proxy(configMap("kube-proxy", "other", ""))
	checkErr(t, err, "no key config.conf")
	check(t, got, model.DefaultProxy())
	got, err = Proxy(nil)
	checkErr(t, err, "")
	check(t, got, model.DefaultProxy())
}

func TestDNS(t *testing.T) {
	got, err := DNS(configMap("kubelet-config", "kubelet", "kind: KubeletConfiguration\nclusterDNS:\n- 10.96.0.10\nclusterDomain: cluster.example\n"))
	checkErr(t, err, "")
	check(t, got, model.DNS{
		Domain: "cluster.example", Servers: []string{"10.96.0.10"},
		Source: "ConfigMap kube-system/kubelet-config", Evidence: model.Derived,
	})
	for name, o := range map[string]*corev1.ConfigMap{
		"no key":   configMap("kubelet-config", "other", ""),
		"not YAML": configMap("kubelet-config", "kubelet", "\t"),
	} {
		got, err := DNS(o)
		checkErr(t, err, "ConfigMap kube-system/kubelet-config: ")
		if got.Domain != DefaultDomain || got.Evidence != model.Unknown {
			t.Errorf("%s: got %+v, want the assumed domain with evidence unknown", name, got)
		}
	}
	got, err = DNS(nil)
	checkErr(t, err, "")
	check(t, got, model.DNS{Domain: DefaultDomain, Source: "assumed: the usual cluster domain"})
}

func checkErr(t *testing.T, err error, want string) {
	t.Helper()
	if (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one that contains %q", err, want)
	}
}
