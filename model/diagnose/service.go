package diagnose

import (
	"fmt"
	"net/netip"
	"strconv"

	"svctour/model"
)

// The Service does not exist where it was looked for.
var serviceMissing = Rule{
	ID: "service-missing", Lane: LaneService,
	Title:   "There is no such Service",
	Explain: "A Service's short name works in its own namespace only; from another one it is NAME.NAMESPACE.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/",
	Check: func(s *Subject) []Finding {
		if s.Service != nil {
			return nil
		}
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("There is no Service %s in namespace %s", s.Name, s.Namespace),
			Cause:    "Its name does not resolve, and nothing forwards to it.",
			Evidence: []Fact{{Object: "Namespace " + s.Namespace, Field: "Services named " + s.Name, Value: "0", Kind: model.Observed}},
			Fix:      command("See which Services there are.", "kubectl get services -n %s", s.Namespace),
		}
		best := 3
		for _, other := range s.snapshot.Services {
			switch d := distance(other.Name, s.Name); {
			case other.Name == s.Name:
				f.Cause = fmt.Sprintf("Namespace %s has one of this name: short names are looked up in the client's own namespace.", other.Namespace)
				f.Fix = Fix{Explain: fmt.Sprintf("Ask for %s.%s.", other.Name, other.Namespace)}
				f.Evidence = append(f.Evidence, observed("Service", other.Meta, "metadata.name", other.Name))
				return []Finding{f}
			case other.Namespace == s.Namespace && d < best:
				best = d
				f.Fix = Fix{Explain: fmt.Sprintf("Did you mean %s?", other.Name)}
			}
		}
		return []Finding{f}
	},
}

// An ExternalName that is an address.
var externalNameIsAddress = Rule{
	ID: "externalname-address", Lane: LaneService,
	Title:   "externalName is an IP address",
	Explain: "An ExternalName Service is a CNAME record. DNS serves the address as if it were a host's name, which no resolver finds. Use a Service without selector and an EndpointSlice with the address.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#externalname",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type != model.ExternalName {
			return nil
		}
		if _, err := netip.ParseAddr(s.Service.ExternalName); err != nil {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("externalName %s is an address, but it is served as a host's name", s.Service.ExternalName),
			Cause:    "The name is answered with a CNAME to a host called like the address, and that does not resolve.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.externalName", s.Service.ExternalName)},
			Fix: Fix{
				Explain: "Replace it by a Service of type ClusterIP without selector, and an EndpointSlice with the address.",
				Command: fmt.Sprintf("kubectl apply -n %s -f - <<'EOF'\n%s\nEOF", s.Namespace, selectorless(s.Service)),
			},
		}}
	},
}

// selectorless is the manifest of a Service for an address outside.
func selectorless(service *model.Service) string {
	ports, slicePorts := "", ""
	for _, p := range service.Ports {
		ports += fmt.Sprintf("\n  - {name: %q, port: %d, protocol: %s}", p.Name, p.Port, p.Protocol)
		slicePorts += fmt.Sprintf("\n- {name: %q, port: %d, protocol: %s}", p.Name, p.Port, p.Protocol)
	}
	if ports == "" {
		ports, slicePorts = "\n  - {port: 80}", "\n- {port: 80}"
	}
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %[1]s}
spec:
  type: ClusterIP
  externalName: null
  ports:%[3]s
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: %[1]s-1
  labels: {kubernetes.io/service-name: %[1]s}
addressType: IPv4
ports:%[4]s
endpoints:
- addresses: [%[2]s]`, service.Name, service.ExternalName, ports, slicePorts)
}

// The client asks for a port that the Service does not have.
var servicePortMissing = Rule{
	ID: "service-port-missing", Lane: LaneService,
	Title:   "The Service has no such port",
	Explain: "Three numbers with three owners: port is the Service's, targetPort the container's, nodePort the nodes'. Each works at its own address only.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Port == "" || s.Service.Type == model.ExternalName || len(s.Service.Ports) == 0 {
			return nil
		}
		number, err := strconv.Atoi(s.Port)
		for _, p := range s.Service.Ports {
			if err == nil && p.Port == int32(number) || err != nil && p.Name == s.Port {
				return nil
			}
		}
		first := s.Service.Ports[0]
		f := Finding{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Service %s has no port %s", s.Name, s.Port),
			Cause:    "No rule is about this port: with iptables the packet leaves the node and is lost, with nftables it is refused.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.ports", portsText(s.Service))},
			Fix:      Fix{Explain: fmt.Sprintf("Ask for %s:%d.", s.Name, first.Port)},
		}
		for _, p := range s.Service.Ports {
			switch {
			case err == nil && p.NodePort == int32(number):
				f.Cause = fmt.Sprintf("%d is the nodePort: it answers on the nodes' addresses only.", number)
				f.Fix.Explain = fmt.Sprintf("Ask for %s:%d, or for NODE-IP:%d.", s.Name, p.Port, number)
			case p.TargetPort == s.Port:
				f.Cause = fmt.Sprintf("%s is the targetPort: it answers on the Pods' own addresses only.", s.Port)
				f.Fix.Explain = fmt.Sprintf("Ask for %s:%d.", s.Name, p.Port)
			}
		}
		return []Finding{f}
	},
}

// The Service has not been given an address.
var noClusterIP = Rule{
	ID: "service-no-clusterip", Lane: LaneService,
	Title:   "The Service has no cluster IP",
	Explain: "The API server allocates a cluster IP when a Service is created. One without was read from a file, or is of another type.",
	Source:  "https://kubernetes.io/docs/concepts/services-networking/cluster-ip-allocation/",
	Check: func(s *Subject) []Finding {
		if s.Service == nil || s.Service.Type == model.ExternalName || s.Service.ClusterIP() != "" || s.Service.ResourceVersion == "" {
			return nil
		}
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: "The Service has no cluster IP",
			Cause:    "Its name has no address, and no rule is about it.",
			Evidence: []Fact{observed("Service", s.Service.Meta, "spec.clusterIP", "")},
			Fix:      command("See what the API server says.", "kubectl describe service %s -n %s", s.Name, s.Namespace),
		}}
	},
}

func portsText(s *model.Service) string {
	text := ""
	for i, p := range s.Ports {
		if i > 0 {
			text += ", "
		}
		if p.Name != "" {
			text += p.Name + " "
		}
		text += fmt.Sprintf("%d/%s to %s", p.Port, p.Protocol, p.TargetPort)
		if p.NodePort != 0 {
			text += fmt.Sprintf(", nodePort %d", p.NodePort)
		}
	}
	return text
}

// distance is the least number of letters to insert, delete, replace or swap
// with their neighbour to make b of a; texts so long that nobody mistypes them
// are far apart.
func distance(a, b string) int {
	const longest = 253
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
