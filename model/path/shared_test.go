package path

import (
	"fmt"
	"testing"

	"svctour/model"
)

// Of Services that share an address, the port says whose it is.
func TestSharedAddress(t *testing.T) {
	const shared = "192.0.2.10"
	k3s := func(s *model.Snapshot) { // a load balancer whose addresses are the nodes'
		s.Services[2].Ingress = []model.Ingress{{IP: "172.18.0.2"}, {IP: "172.18.0.3"}}
		s.Services[2].SourceRanges = nil
	}
	metallb := func(s *model.Snapshot) {
		s.Services[3].Ingress = []model.Ingress{{IP: shared}}
		s.Services[3].Ports = []model.ServicePort{{Name: "https", Protocol: "TCP", Port: 443}, {Name: "h3", Protocol: "UDP", Port: 80}}
	}
	for name, c := range map[string]struct {
		target  string
		change  func(*model.Snapshot)
		service string
		packet  string
	}{
		"node's address, a nodePort":       {"172.18.0.2:30080", k3s, "default/np", "30080 TCP"},
		"node's address, its own nodePort": {"172.18.0.2:30082", k3s, "default/lb", "30082 TCP"},
		"node's address, a Service's port": {"172.18.0.2:80", k3s, "default/lb", "80 TCP"},
		"node's address, a port's name":    {"172.18.0.3:http", k3s, "default/lb", "80 TCP"},
		"node's address, nobody's port":    {"172.18.0.2:9999", k3s, "default/lb", "9999 TCP"},
		"UDP alone on a nodePort": {"172.18.0.2:30053", func(s *model.Snapshot) {
			k3s(s)
			s.Services[4].Ports[0].NodePort = 30053
		}, "default/dns", "30053 UDP"},
		"another's number":   {shared + ":443", metallb, "default/pending", "443 TCP"},
		"another's name":     {shared + ":https", metallb, "default/pending", "443 TCP"},
		"another's protocol": {shared + ":80/udp", metallb, "default/pending", "80 UDP"},
		"the first's number": {shared + ":80", metallb, "default/lb", "80 TCP"},
		"nobody's":           {shared + ":8443", metallb, "default/lb", "8443 TCP"},
		"no port said":       {shared, metallb, "default/lb", "80 TCP"},
		"external IPs": {"198.51.100.7:81", func(s *model.Snapshot) {
			s.Services[0].ExternalIPs, s.Services[1].ExternalIPs = []string{"198.51.100.7"}, []string{"198.51.100.7"}
		}, "default/np", "81 TCP"},
	} {
		t.Run(name, func(t *testing.T) {
			trace := do(t, changed(c.change), Request{Target: c.target, From: "outside"})
			if got := packetPort(trace); trace.Service != c.service || got != c.packet {
				t.Errorf("Service %s, port %s; want %s, %s", trace.Service, got, c.service, c.packet)
			}
		})
	}
}

func packetPort(t *Trace) string { return fmt.Sprintf("%d %s", t.Packet.Port, t.Packet.Protocol) }
