package path

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]Target{
		"web":                                 {Service: "web"},
		"web:80":                              {Service: "web", Port: "80"},
		"web:http":                            {Service: "web", Port: "http"},
		"web/udp":                             {Service: "web", Protocol: "UDP"},
		"dns:53/UDP":                          {Service: "dns", Port: "53", Protocol: "UDP"},
		"web.shop":                            {Service: "web", Namespace: "shop", Host: "web.shop"},
		"web.shop.svc":                        {Service: "web", Namespace: "shop", Host: "web.shop.svc"},
		"web.shop.svc.cluster.local":          {Service: "web", Namespace: "shop", Host: "web.shop.svc.cluster.local"},
		"web.shop.svc.cluster.local.:http":    {Service: "web", Namespace: "shop", Port: "http", Host: "web.shop.svc.cluster.local"},
		"svc/web":                             {Service: "web"},
		"service/web.shop:80":                 {Service: "web", Namespace: "shop", Port: "80"},
		"svc/udp":                             {Service: "udp"},
		"svc/tcp/udp":                         {Service: "tcp", Protocol: "UDP"},
		"node/node-a:30080":                   {Node: "node-a", Port: "30080"},
		"node/ip-10-0-0-1.ec2.internal:30080": {Node: "ip-10-0-0-1.ec2.internal", Port: "30080"},
		"10.96.0.50:80":                       {Address: netip.MustParseAddr("10.96.0.50"), Port: "80"},
		"10.96.0.50":                          {Address: netip.MustParseAddr("10.96.0.50")},
		"[fd00::1]:80":                        {Address: netip.MustParseAddr("fd00::1"), Port: "80"},
		"fd00::1":                             {Address: netip.MustParseAddr("fd00::1")},
		"lb-1.eu.elb.example.com:443":         {Host: "lb-1.eu.elb.example.com", Port: "443"},
		" web ":                               {Service: "web"},
	} {
		got, err := ParseTarget(text, "")
		got.typed = ""
		if err != nil || got != want {
			t.Errorf("%q: %+v %v, want %+v", text, got, err, want)
		}
	}
	if got, err := ParseTarget("web.shop.svc.corp.example", "corp.example"); err != nil || got.Namespace != "shop" {
		t.Errorf("another domain: %+v %v", got, err)
	}
	for _, text := range []string{"", ":80", "/", "svc/", "pod/web", "web:0", "web:65536", "web:99999999999999999999", "a b", "svc/web.shop.example.com", "web..shop", "node/node-a", "svc/a/b", "[fd00::1", "web:80:90"} {
		if got, err := ParseTarget(text, ""); err == nil {
			t.Errorf("%q: no error but %+v", text, got)
		} else if !strings.Contains(err.Error(), fmt.Sprintf("%q", text)) {
			t.Errorf("%q: the error does not quote it: %v", text, err)
		}
	}
}

// FuzzParseTarget: whatever is typed, exactly one thing is meant, or there is an error.
func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{"web", "web.ns:80/udp", "svc/web", "[fd00::1]:80", "10.96.1.2:80", "node/a:30080", "a.b.c.d", "::", ":", "/", "svc/tcp"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTarget(text, "cluster.local")
		if err != nil {
			return
		}
		meant := 0
		for _, is := range []bool{got.Service != "" || got.Host != "", got.Node != "", got.Address.IsValid()} {
			if is {
				meant++
			}
		}
		if meant != 1 {
			t.Errorf("%q: %+v", text, got)
		}
	})
}
