package network

import (
	"context"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"svctour/model"
)

// TestHostPorts checks what plugins/meta/portmap of the CNI plugins says: who
// asks a port of the node gets the Pod, and keeps its address, unless the answer
// would not come back by the node.
func TestHostPorts(t *testing.T) {
	inModes(t, func(t *testing.T, mode string) {
		l := newLab(t)
		node := l.Node("node-2")
		web, err := node.Attach(netip.MustParseAddr("10.244.1.7"), "shop/web",
			HostPort{Protocol: "tcp", Port: 8088, To: 8080},
			HostPort{Protocol: "tcp", Port: 8089, To: 8080, Address: netip.MustParseAddr("127.0.0.1")},
			HostPort{Protocol: "tcp", Port: 30080, To: 9})
		if err != nil {
			t.Fatal(err)
		}
		l.serve(web, ":8080")
		far, near := l.pod(1, 5), l.pod(2, 6)
		l.service("node", "10.96.0.11", func(s *model.Service) {
			s.Type, s.Ports[0].NodePort = model.NodePort, 30080
		}, "10.244.1.7")
		l.install(mode)
		outside := l.Outside().options.addresses[0].Addr().String()
		const at, web2 = "172.18.0.3:8088", "10.244.1.7 "
		l.expect(l.Outside(), at, web2+outside)
		l.expect(l.Node("node-1").Stack(), at, web2+"172.18.0.2")
		l.expect(far, at, web2+"172.18.0.2") // as ever from a Pod to another node
		l.expect(near, at, web2+"10.244.1.1")
		l.expect(web, at, web2+"10.244.1.1") // hairpin
		l.expect(node.Stack(), "127.0.0.1:8088", web2+"10.244.1.1")
		l.expect(node.Stack(), "127.0.0.1:8089", web2+"10.244.1.1")
		l.expectError(l.Outside(), "172.18.0.3:8089", syscall.ECONNREFUSED)
		l.expectError(l.Outside(), "172.18.0.2:8088", syscall.ECONNREFUSED)
		l.expect(l.Outside(), "172.18.0.3:30080", web2+"10.244.1.1") // the node port
		saved := node.SaveRules("nat", true)
		for _, line := range []string{
			"-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
			`-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \"svctour\" id: \"shop/web\"" -m tcp --dport 8088 -j CNI-DN-`,
			"-s 10.244.1.0/24 -p tcp -m tcp --dport 8088 -j CNI-HOSTPORT-SETMARK",
			"-d 127.0.0.1/32 -p tcp -m tcp --dport 8089 -j DNAT --to-destination 10.244.1.7:8080",
			"] -A CNI-HOSTPORT-MASQ -m mark --mark 0x2000/0x2000 -j MASQUERADE",
		} {
			if !strings.Contains(saved, line) {
				t.Errorf("iptables-save lacks %q:\n%s", line, saved)
			}
		}
		if strings.Contains(l.Node("node-1").SaveRules("", false), "CNI-HOSTPORT") {
			t.Error("another node has the rules, too")
		}
		l.install(mode) // a sync of kube-proxy takes nothing away
		l.expect(far, at, web2+"172.18.0.2")
		web.Close()
		// A Pod's network is taken apart after its Close has returned.
		if err := wait.PollUntilContextTimeout(t.Context(), time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
			return !strings.Contains(node.SaveRules("", false), "CNI-HOSTPORT"), nil
		}); err != nil {
			t.Fatalf("the rules outlive the Pod: %v", err)
		}
		l.expectError(l.Outside(), at, syscall.ECONNREFUSED)
	})
}
