package convert

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"svctour/model"
)

// proxyConfig is the part of KubeProxyConfiguration
// (k8s.io/kube-proxy/config/v1alpha1) that changes rules. kubeadm stores a
// dump full of nulls, which stay nil or empty here and mean the default.
type proxyConfig struct {
	Mode            string `json:"mode"`
	ClusterCIDR     string `json:"clusterCIDR"`
	DetectLocalMode string `json:"detectLocalMode"`
	DetectLocal     struct {
		BridgeInterface     string `json:"bridgeInterface"`
		InterfaceNamePrefix string `json:"interfaceNamePrefix"`
	} `json:"detectLocal"`
	NodePortAddresses []string `json:"nodePortAddresses"`
	IPTables          struct {
		MasqueradeBit      *int32 `json:"masqueradeBit"`
		MasqueradeAll      bool   `json:"masqueradeAll"`
		LocalhostNodePorts *bool  `json:"localhostNodePorts"`
	} `json:"iptables"`
	NFTables struct {
		MasqueradeBit *int32 `json:"masqueradeBit"`
		MasqueradeAll bool   `json:"masqueradeAll"`
	} `json:"nftables"`
	IPVS struct {
		Scheduler string `json:"scheduler"`
	} `json:"ipvs"`
}

// Proxy reads kube-proxy's configuration from the ConfigMap that kubeadm (and
// so kind and minikube) writes: kube-system/kube-proxy, key config.conf. The
// result carries evidence Derived: it is what kube-proxy was told, not what it
// did. Running is left false. With an error the first result is
// model.DefaultProxy.
func Proxy(o *corev1.ConfigMap) (model.Proxy, error) {
	if o == nil {
		return model.DefaultProxy(), nil
	}
	source := fmt.Sprintf("ConfigMap %s/%s", o.Namespace, o.Name)
	text, ok := o.Data["config.conf"]
	if !ok {
		return model.DefaultProxy(), fmt.Errorf("%s: no key config.conf", source)
	}
	var c proxyConfig
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return model.DefaultProxy(), fmt.Errorf("%s: config.conf: %w", source, err)
	}
	p := model.DefaultProxy()
	p.Source = source
	p.Evidence = model.Derived
	switch c.Mode {
	case "":
	case "iptables", "nftables", "ipvs":
		p.Mode = c.Mode
	default:
		return model.DefaultProxy(), fmt.Errorf("%s: config.conf: mode %q: want iptables, nftables or ipvs", source, c.Mode)
	}
	for cidr := range strings.SplitSeq(c.ClusterCIDR, ",") {
		if cidr = strings.TrimSpace(cidr); cidr != "" {
			p.ClusterCIDRs = append(p.ClusterCIDRs, cidr)
		}
	}
	p.DetectLocalMode = c.DetectLocalMode
	p.BridgeInterface = c.DetectLocal.BridgeInterface
	p.InterfacePrefix = c.DetectLocal.InterfaceNamePrefix
	p.NodePortAddresses = words(c.NodePortAddresses)
	p.Scheduler = c.IPVS.Scheduler
	// cmd/kube-proxy/app/server_linux.go: nftables mode reads its own section,
	// the two others that of iptables.
	p.MasqueradeAll = c.IPTables.MasqueradeAll
	bit := c.IPTables.MasqueradeBit
	if p.Mode == "nftables" {
		p.MasqueradeAll, bit = c.NFTables.MasqueradeAll, c.NFTables.MasqueradeBit
	}
	if bit != nil {
		if *bit < 0 || *bit > 31 { // pkg/proxy/apis/config/validation
			return model.DefaultProxy(), fmt.Errorf("%s: config.conf: masqueradeBit %d: want 0 to 31", source, *bit)
		}
		p.MasqueradeBit = *bit
	}
	if v := c.IPTables.LocalhostNodePorts; v != nil {
		p.LocalhostNodePort = *v
	}
	return p, nil
}

// DefaultDomain is the cluster domain that kubeadm, kind, minikube and k3s
// choose; kubelet itself has no default.
const DefaultDomain = "cluster.local"

// DNS reads what kubelets hand to Pods from the ConfigMap that kubeadm writes:
// kube-system/kubelet-config, key kubelet, a KubeletConfiguration
// (kubelet.config.k8s.io/v1beta1) with clusterDNS and clusterDomain. The
// evidence is Derived; Serving is left false. With an error, or for nil, the
// domain is DefaultDomain with evidence Unknown.
func DNS(o *corev1.ConfigMap) (model.DNS, error) {
	assumed := model.DNS{Domain: DefaultDomain, Source: "assumed: the usual cluster domain"}
	if o == nil {
		return assumed, nil
	}
	source := fmt.Sprintf("ConfigMap %s/%s", o.Namespace, o.Name)
	text, ok := o.Data["kubelet"]
	if !ok {
		return assumed, fmt.Errorf("%s: no key kubelet", source)
	}
	var c struct {
		ClusterDNS    []string `json:"clusterDNS"`
		ClusterDomain string   `json:"clusterDomain"`
	}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return assumed, fmt.Errorf("%s: kubelet: %w", source, err)
	}
	return model.DNS{
		Domain:   c.ClusterDomain,
		Servers:  words(c.ClusterDNS),
		Source:   source,
		Evidence: model.Derived,
	}, nil
}
