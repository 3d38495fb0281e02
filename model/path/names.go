package path

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
)

// ChainKind is the prefix of one family of per-Service chains
// (kube-proxy's pkg/proxy/iptables/proxier.go).
type ChainKind string

const (
	ChainService  ChainKind = "KUBE-SVC-" // picks an endpoint under traffic policy Cluster
	ChainLocal    ChainKind = "KUBE-SVL-" // picks an endpoint under traffic policy Local
	ChainExternal ChainKind = "KUBE-EXT-" // takes NodePort, load balancer and externalIP traffic
	ChainFirewall ChainKind = "KUBE-FW-"  // loadBalancerSourceRanges
	ChainEndpoint ChainKind = "KUBE-SEP-" // rewrites the destination to one endpoint
)

// PortName is the name kube-proxy gives one port of a Service: "namespace/name",
// followed by ":port" when the port has a name (pkg/proxy/types.go,
// ServicePortName.String).
func PortName(namespace, service, port string) string {
	name := namespace + "/" + service
	if port != "" {
		name += ":" + port
	}
	return name
}

// ChainName is the name of a Service port's chain: the kind, followed by the
// first 16 characters of base32(sha256(portName + protocol + endpoint)).
// portName is PortName's, protocol is TCP, UDP or SCTP in either case, and
// endpoint is "ip:port" or "[ipv6]:port" for ChainEndpoint and "" otherwise
// (pkg/proxy/iptables/proxier.go, portProtoHash and servicePortEndpointChainName).
//
// Neither cluster IP nor port number is part of the name, so a Service that is
// recreated gets the same chains, and renaming a port gives it new ones.
func ChainName(kind ChainKind, portName, protocol, endpoint string) string {
	hash := sha256.Sum256([]byte(portName + strings.ToLower(protocol) + endpoint))
	var text [16]byte
	base32.StdEncoding.Encode(text[:], hash[:10]) // 80 bits are 16 characters
	return string(kind) + string(text[:])
}
