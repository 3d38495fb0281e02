package controlplane

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"svctour/lab"
)

// Dialer opens the connections that the API server makes into the cluster: to
// kubelets (logs, exec, port-forward), and for the proxy subresources.
// No lab address is reachable through this machine's network.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// kubeletTLS is the certificate the lab's kubelets serve with.
type kubeletTLS struct{ config *tls.Config }

// kubeletNodes is how many node addresses the kubelets' certificate covers.
const kubeletNodes = lab.MaxNodes

func newKubeletTLS(ca *authority) (*kubeletTLS, error) {
	hosts := make([]string, 0, 2*kubeletNodes)
	for i := range kubeletNodes {
		hosts = append(hosts, lab.NodeName(i), lab.NodeAddress(i).String())
	}
	served, err := ca.issue("kubelet", hosts...)
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(served.Certificate, served.Key)
	if err != nil {
		return nil, fmt.Errorf("load the kubelets' certificate: %w", err)
	}
	return &kubeletTLS{&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}}, nil
}
