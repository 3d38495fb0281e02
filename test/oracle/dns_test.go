package oracle

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/model"
	"svctour/model/dns"
)

// dnsService is one Service of the vectors' DNS world.
type dnsService struct {
	Kind         string   `json:"kind"`
	Namespace    string   `json:"ns"`
	ClusterIP    string   `json:"clusterIP"`
	ClusterIPs   []string `json:"clusterIPs"`
	ExternalName string   `json:"externalName"`
	Ports        []string `json:"ports"` // "http/TCP/80", "unnamed/TCP/80"
	Ready        []string `json:"readyEndpoints"`
	NotReady     []string `json:"notReady"`
	Terminating  []string `json:"terminatingServing"`
}

// endpointOf reads "10.244.1.5 hostname db-0" and "10.244.1.9 (no hostname)".
func endpointOf(text string, ready, terminating bool) discovery.Endpoint {
	words := strings.Fields(text)
	e := discovery.Endpoint{Addresses: words[:1], Conditions: discovery.EndpointConditions{Ready: &ready, Serving: ptr(ready || terminating), Terminating: &terminating}}
	if len(words) == 3 && words[1] == "hostname" {
		e.Hostname = &words[2]
	}
	return e
}

// dnsWorld is the vectors' DNS world, with a Pod in namespace default to ask from.
func dnsWorld(t *testing.T, v *vectors) *model.Snapshot {
	t.Helper()
	var services []*v1.Service
	var list []*discovery.EndpointSlice
	for name, d := range v.World {
		svc := &v1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name}}
		svc.Spec.Type, svc.Spec.ExternalName, svc.Spec.ClusterIPs = v1.ServiceTypeClusterIP, d.ExternalName, d.ClusterIPs
		switch {
		case d.Kind == "ExternalName":
			svc.Spec.Type = v1.ServiceTypeExternalName
		case strings.HasPrefix(d.Kind, "headless"):
			svc.Spec.ClusterIPs = []string{v1.ClusterIPNone}
		case d.ClusterIP != "":
			svc.Spec.ClusterIPs = []string{d.ClusterIP}
		}
		slice := &discovery.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: d.Namespace, Name: name + "-1", Labels: map[string]string{discovery.LabelServiceName: name}},
			AddressType: discovery.AddressTypeIPv4,
		}
		for _, text := range d.Ports {
			words := strings.Split(text, "/")
			number, err := strconv.ParseInt(words[2], 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			p := v1.ServicePort{Name: words[0], Protocol: v1.Protocol(words[1]), Port: int32(number)}
			if p.Name == "unnamed" {
				p.Name = ""
			}
			svc.Spec.Ports = append(svc.Spec.Ports, p)
			slice.Ports = append(slice.Ports, discovery.EndpointPort{Name: &p.Name, Protocol: &p.Protocol, Port: &p.Port})
		}
		for _, text := range d.Ready {
			slice.Endpoints = append(slice.Endpoints, endpointOf(text, true, false))
		}
		for _, text := range d.NotReady {
			slice.Endpoints = append(slice.Endpoints, endpointOf(text, false, false))
		}
		for _, text := range d.Terminating {
			slice.Endpoints = append(slice.Endpoints, endpointOf(text, false, true))
		}
		services, list = append(services, svc), append(list, slice)
	}
	s := convertAll(services, list)
	s.DNS = model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true, Evidence: model.Derived}
	s.Namespaces = []*model.Namespace{{Meta: model.Meta{Name: "default"}}, {Meta: model.Meta{Name: "kube-system"}}}
	s.Pods = []*model.Pod{{Meta: model.Meta{Namespace: "default", Name: "tmp"}, Phase: "Running", IPs: []string{"10.244.1.20"}}}
	return model.NewSnapshot(s)
}

// TestDNSVectors asks every question of the vectors. Their additional sections
// are not compared: an application does not see them.
func TestDNSVectors(t *testing.T) {
	v := readVectors(t)
	s := dnsWorld(t, v)
	if len(v.DNS) < 25 {
		t.Fatalf("only %d questions were read", len(v.DNS))
	}
	for _, d := range v.DNS {
		t.Run(d.ID, func(t *testing.T) {
			words := strings.Fields(d.Q) // D38 has a remark before the question
			name, kind := words[len(words)-2], words[len(words)-1]
			reply := dns.Answer(s, name, kind)
			rcode := reply.Rcode
			if rcode == "NOERROR" && len(reply.Answers) == 0 {
				rcode = "NODATA"
			}
			want := d.Rcode
			if strings.HasPrefix(want, "from upstream") {
				want = ""
				if !reply.Upstream {
					t.Errorf("%s: not said to come from upstream", d.Q)
				}
			}
			if rcode != want {
				t.Errorf("%s: rcode %q, want %q", d.Q, rcode, want)
			}
			var got []string
			for _, r := range reply.Answers {
				got = append(got, strconv.Itoa(int(r.TTL))+" "+r.Type+" "+strings.Trim(r.Data, `"`))
			}
			slices.Sort(got)
			slices.Sort(d.Answer)
			if !slices.Equal(got, d.Answer) {
				t.Errorf("%s: answers %q, want %q", d.Q, got, d.Answer)
			}
		})
	}
}

// TestResolverVectors compares the names that glibc was seen to ask for. Where
// an answer from outside the cluster decides whether it goes on, the recorded
// names must begin with the predicted ones and be candidates.
func TestResolverVectors(t *testing.T) {
	v := readVectors(t)
	s := dnsWorld(t, v)
	compared := 0
	for _, r := range v.Resolver {
		var want []string
		if err := json.Unmarshal(r.Glibc, &want); err != nil {
			if r.ID != "R13" { // prose: what a server that fails (SERVFAIL) makes glibc do, which the API cannot tell
				t.Errorf("%s: %v", r.ID, err)
			}
			continue
		}
		compared++
		t.Run(r.ID, func(t *testing.T) {
			got, err := dns.Resolve(s, dns.Request{From: "pod/tmp", Name: r.Name, Namespace: "default"})
			if err != nil {
				t.Fatal(err)
			}
			var asked []string
			known := true
			for i, q := range got.Queries {
				if kind := []string{"A", "AAAA"}[i%2]; q.Type != kind {
					t.Errorf("query %d for %s has type %s, want %s", i, q.Name, q.Type, kind)
				}
				if i%2 == 0 {
					asked = append(asked, q.Name)
				}
				known = known && q.Rcode != ""
			}
			candidates := dns.Candidates(got.ResolvConf, r.Name)
			if len(candidates) < len(want) || !slices.Equal(candidates[:len(want)], want) {
				t.Errorf("candidates %q, want to begin with %q", candidates, want)
			}
			if known && !slices.Equal(asked, want) || len(asked) > len(want) || !slices.Equal(asked, want[:len(asked)]) {
				t.Errorf("asked for %q, want %q", asked, want)
			}
		})
	}
	if compared < 9 {
		t.Errorf("only %d traces were read", compared)
	}
}
