package dns

import "svctour/model"

// kubeadm is the Corefile that kubeadm v1.37 installs
// (cmd/kubeadm/app/phases/addons/dns/manifests.go).
var kubeadm = model.Corefile{Pods: "insecure", TTL: 30}

func corefileOf(s *model.Snapshot) model.Corefile {
	if s.DNS.Corefile == nil {
		return kubeadm
	}
	return *s.DNS.Corefile
}
