package diagnose

import (
	"fmt"

	"svctour/model"
)

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

func portsText(s *model.Service) string {
	text := ""
	for i, p := range s.Ports {
		if i > 0 {
			text += ", "
		}
		if i == someText {
			return text + "…"
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

// byClusterIP finds a Service by a cluster IP.
func (d *Doctor) byClusterIP() map[string]*model.Service {
	if d.clusterIPs == nil {
		d.clusterIPs = map[string]*model.Service{}
		for _, service := range d.snapshot.Services {
			for _, ip := range service.ClusterIPs {
				if ip != model.None && ip != "" {
					d.clusterIPs[ip] = service
				}
			}
		}
	}
	return d.clusterIPs
}
