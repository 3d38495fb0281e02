package node

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/afero"
	corev1 "k8s.io/api/core/v1"
	kubeletdns "k8s.io/kubernetes/pkg/kubelet/network/dns"

	"svctour/lab/child/process"
)

// hostname is what the Pod's containers call themselves.
func (p *pod) hostname() string {
	spec := &p.object.Spec
	name := p.object.Name
	switch {
	case spec.HostNetwork:
		return p.host.Name
	case spec.HostnameOverride != nil:
		name = *spec.HostnameOverride
	case spec.Hostname != "":
		name = spec.Hostname
	}
	if len(name) > maxHostname { // cut as the kubelet does, not in a dash or dot
		name = strings.TrimRight(name[:maxHostname], "-.")
	}
	return name
}

// maxHostname is Linux's HOST_NAME_MAX less one.
const maxHostname = 63

// hostsFile is /etc/hosts as the kubelet manages it (its kubelet_pods.go).
func (p *pod) hostsFile() string {
	var b strings.Builder
	if p.object.Spec.HostNetwork {
		b.WriteString("# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n")
		fmt.Fprintf(&b, "%s\t%s\n", p.host.Address, p.host.Name)
	} else {
		b.WriteString("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n" +
			"fe00::0\tip6-localnet\nfe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n")
		name := p.hostname()
		if p.object.Spec.Subdomain != "" && p.object.Spec.HostnameOverride == nil {
			name = fmt.Sprintf("%s.%s.%s.svc.%s\t%s", name, p.object.Spec.Subdomain, p.object.Namespace, p.dns.Domain, name)
		}
		fmt.Fprintf(&b, "%s\t%s\n", p.address, name)
	}
	if aliases := p.object.Spec.HostAliases; len(aliases) > 0 {
		b.WriteString("\n# Entries added by HostAliases.\n")
		for _, alias := range aliases {
			fmt.Fprintf(&b, "%s\t%s\n", alias.IP, strings.Join(alias.Hostnames, "\t"))
		}
	}
	return b.String()
}

// nameServers makes the Pod's /etc/resolv.conf: the kubelet's own code decides
// what is in it, containerd's order how it reads.
func (p *pod) nameServers(ctx context.Context) error {
	servers := make([]net.IP, len(p.dns.Servers))
	for i, address := range p.dns.Servers {
		servers[i] = address.AsSlice()
	}
	reference := &corev1.ObjectReference{Kind: "Node", Name: p.host.Name, UID: p.host.uid}
	configurer := kubeletdns.NewConfigurer(p.host.recorder, reference, []net.IP{p.host.Address.AsSlice()}, servers, p.dns.Domain, p.dns.ResolvConf)
	config, err := configurer.GetPodDNS(ctx, p.object)
	if err != nil {
		return err
	}
	var b strings.Builder
	if len(config.Searches) > 0 {
		fmt.Fprintf(&b, "search %s\n", strings.Join(config.Searches, " "))
	}
	for _, server := range config.Servers {
		fmt.Fprintf(&b, "nameserver %s\n", server)
	}
	if len(config.Options) > 0 {
		fmt.Fprintf(&b, "options %s\n", strings.Join(config.Options, " "))
	}
	p.resolvConf = b.String()
	return nil
}

// newDisk is a node's file system, as far as hostPath volumes look for it.
func newDisk(name string) afero.Fs {
	disk := afero.NewMemMapFs()
	for _, folder := range []string{"/etc/kubernetes", "/lib/modules", "/run", "/tmp", "/usr/share", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods"} {
		_ = disk.MkdirAll(folder, directoryMode) // memory refuses nothing
	}
	for file, text := range map[string]string{"/etc/hostname": name + "\n", "/etc/os-release": "NAME=\"svctour lab\"\nID=svctour\n"} {
		_ = afero.WriteFile(disk, file, []byte(text), fileMode)
	}
	return process.Limit(disk, process.WritableLimit)
}
