package model

import (
	"fmt"
	"net/netip"
	"strings"
)

// ClientKind says what kind of place a client is in.
type ClientKind string

const (
	ClientPod     ClientKind = "pod"
	ClientNode    ClientKind = "node"    // a process on a node
	ClientOutside ClientKind = "outside" // outside the cluster
)

// Client is where a packet or a look-up comes from. The zero Client is one that
// was not named: the function that gets it chooses one.
type Client struct {
	Kind            ClientKind
	Namespace, Name string // of a Pod; of a node the Name
	Address         netip.Addr
}

// ParseClient reads a client as a person names it: "pod/NAME",
// "pod/NAMESPACE/NAME", "node/NAME", "outside" or "outside/IP", with kubectl's
// short names of Pods and nodes (https://kubernetes.io/docs/reference/kubectl/, Resource
// types). namespace is that of a Pod which names none.
func ParseClient(text, namespace string) (Client, error) {
	if text == "" {
		return Client{}, nil
	}
	kind, name, _ := strings.Cut(text, "/")
	switch kind {
	case "pod", "pods", "po":
		of, pod, has := strings.Cut(name, "/")
		if !has {
			of, pod = namespace, name
		}
		if pod == "" {
			return Client{}, fmt.Errorf("from %q: want pod/NAME or pod/NAMESPACE/NAME", text)
		}
		return Client{Kind: ClientPod, Namespace: of, Name: pod}, nil
	case "node", "nodes", "no":
		if name == "" {
			return Client{}, fmt.Errorf("from %q: want node/NAME", text)
		}
		return Client{Kind: ClientNode, Name: name}, nil
	case "outside":
		c := Client{Kind: ClientOutside}
		if name != "" {
			address, err := netip.ParseAddr(name)
			if err != nil {
				return Client{}, fmt.Errorf("from %q: %q is no IP address", text, name)
			}
			c.Address = address.Unmap()
		}
		return c, nil
	}
	return Client{}, fmt.Errorf("from %q: want pod/NAME, pod/NAMESPACE/NAME, node/NAME or outside", text)
}

// String is the client as ParseClient reads it, with a Pod's namespace; kinds are
// written in full (https://kubernetes.io/docs/reference/kubectl/).
func (c Client) String() string {
	switch {
	case c.Kind == ClientPod:
		return "pod/" + c.Namespace + "/" + c.Name
	case c.Kind == ClientNode:
		return "node/" + c.Name
	case c.Address.IsValid():
		return "outside/" + c.Address.String()
	}
	return string(c.Kind)
}
