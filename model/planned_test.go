package model

import "testing"

func TestPlannedSays(t *testing.T) {
	p := &Planned{Open: []Open{
		{Field: "spec.clusterIPs", Stands: "0.1.0.1", Words: "some ClusterIP"},
		{Field: "metadata.name", Stands: "web-?2", Words: "new Pod 2"},
		{Field: "spec.ports[0].nodePort", Stands: "65535", Words: "some nodePort"},
		{Field: "status.podIPs", Stands: "100::2", Words: "its address"},
		{Field: "spec.nodeName", Words: "which node"},
	}}
	for text, want := range map[string]string{
		"0.1.0.1:80":                 "some ClusterIP:80",
		"10.1.0.1 and 0.1.0.10":      "10.1.0.1 and 0.1.0.10",
		"pod web-?2, web-?21":        "pod new Pod 2, web-?21",
		"172.18.0.2:65535 → 0.1.0.1": "172.18.0.2:some nodePort → some ClusterIP",
		"165535 65535x":              "165535 65535x",
		"[100::2]:80":                "[its address]:80",
		"0-1-0-1.db.shop.svc":        "some-ClusterIP.db.shop.svc",
		"nothing":                    "nothing",
		"":                           "",
	} {
		if got := p.Say(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
