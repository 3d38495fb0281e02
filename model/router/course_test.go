package router

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"svctour/model"
	"svctour/model/path"
)

func ptr[T any](v T) *T { return &v }

func meta(name string) model.Meta { return model.Meta{Namespace: "default", Name: name, UID: name} }

func pod(name, node, ip string) *model.Pod {
	return &model.Pod{Meta: meta(name), Node: node, Phase: "Running", IPs: []string{ip}, Conditions: []model.Condition{{Type: "Ready", Status: "True"}}}
}

// cluster is one of two nodes with Services of several types.
func cluster(change func(*model.Snapshot)) *model.Snapshot {
	s := model.Snapshot{
		Proxy: model.Proxy{Mode: "iptables", ClusterCIDRs: []string{"10.244.0.0/16"}, MasqueradeBit: 14, LocalhostNodePort: true, Running: true, Evidence: model.Derived},
		DNS:   model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true, Evidence: model.Derived},
	}
	for i, name := range []string{"node-1", "node-2"} {
		s.Nodes = append(s.Nodes, &model.Node{
			Meta:       model.Meta{Name: name, Labels: map[string]string{"node.kubernetes.io/instance-type": "svctour-lab"}},
			Addresses:  []model.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("172.18.0.%d", i+2)}},
			PodCIDRs:   []string{fmt.Sprintf("10.244.%d.0/24", i+1)},
			Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
		})
	}
	s.Pods = []*model.Pod{pod("tmp", "node-1", "10.244.1.20"), pod("web-1", "node-1", "10.244.1.5"), pod("web-2", "node-2", "10.244.2.7"), pod("web-3", "node-2", "10.244.2.8")}
	add := func(name, kind, ip string, node int32, ready bool) *model.Service {
		svc := &model.Service{Meta: meta(name), Type: kind, ClusterIPs: []string{ip}, IPFamilies: []string{"IPv4"},
			Ports: []model.ServicePort{{Name: "http", Protocol: "TCP", Port: 80, TargetPort: "8080", NodePort: node}}}
		s.Services = append(s.Services, svc)
		slice := &model.EndpointSlice{
			Meta:        model.Meta{Namespace: "default", Name: name + "-1", Labels: map[string]string{model.ServiceNameLabel: name}},
			AddressType: "IPv4", Ports: []model.EndpointPort{{Name: "http", Protocol: "TCP", Port: ptr(int32(8080))}},
		}
		for i, ip := range []string{"10.244.1.5", "10.244.2.7", "10.244.2.8"} {
			e := model.Endpoint{Addresses: []string{ip}, Node: []string{"node-1", "node-2", "node-2"}[i], Target: &model.Ref{Kind: "Pod", Name: fmt.Sprintf("web-%d", i+1)}}
			if !ready {
				e.Ready, e.Serving = ptr(false), ptr(false)
			}
			slice.Endpoints = append(slice.Endpoints, e)
		}
		s.Slices = append(s.Slices, slice)
		return svc
	}
	add("web", model.ClusterIP, "10.96.0.50", 0, true)
	add("web-2", model.ClusterIP, "10.96.3.4", 0, true)
	add("np", model.NodePort, "10.96.0.51", 30080, true)
	add("local", model.NodePort, "10.96.0.52", 30081, true).ExternalTrafficPolicy = "Local"
	add("empty", model.ClusterIP, "10.96.0.60", 0, false)
	add("headless", model.ClusterIP, model.None, 0, true)
	s.Services = append(s.Services, &model.Service{Meta: meta("ext"), Type: model.ExternalName, ExternalName: "www.example.com"})
	if change != nil {
		change(&s)
	}
	return model.NewSnapshot(s)
}

func course(t *testing.T, s *model.Snapshot, r path.Request, seed uint64) *Course {
	t.Helper()
	c, err := Of(s, r, seed)
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	requireGood(t, c)
	return c
}

// requireGood fails unless every turn can be answered, and the course can be read.
func requireGood(t *testing.T, c *Course) {
	t.Helper()
	for _, turn := range c.Turns {
		if err := turn.check(); err != nil {
			t.Errorf("%s → %s in %s: %v", c.From, c.Target, c.Mode, err)
		}
		texts := append([]string{turn.Question, turn.Why, turn.Where}, turn.Since...)
		for _, o := range turn.Options {
			texts = append(texts, o.Wrong)
			if strings.Contains(o.Text, "%!") {
				t.Errorf("%s: option %q", turn.Question, o.Text)
			}
		}
		for _, text := range texts {
			if strings.Contains(text, "%!") || strings.Contains(text, "invalid IP") || strings.Contains(text, "invalid AddrPort") || strings.Contains(text, "..") && !strings.Contains(text, "…") {
				t.Errorf("%s → %s in %s: %q", c.From, c.Target, c.Mode, text)
			}
			for sentence := range strings.SplitSeq(text, ". ") {
				if words := len(strings.Fields(sentence)); words > 22 {
					t.Errorf("%d words: %q", words, sentence)
				}
			}
		}
	}
	if c.End == "" {
		t.Errorf("%s → %s in %s: no end", c.From, c.Target, c.Mode)
	}
}

// key is a turn's kind and right answer.
func key(t *Turn) string { return string(t.Kind) + ": " + t.Options[t.Right].Text }

func TestCourses(t *testing.T) {
	for _, test := range []struct {
		mode, from, target string
		want               []string // beginnings of keys, in order
	}{
		{"iptables", "pod/tmp", "web", []string{"name: web.default.svc.cluster.local.", "answer: 10.96.0.50", "interface: None", "hook: PREROUTING", "rule: -d 10.96.0.50 -p tcp --dport 80 -j KUBE-SVC-",
			"endpoint: ", "destination: 10.244.", "source: It stays 10.244.1.20", "node: To ", "reply: On node node-1, by conntrack"}},
		{"nftables", "pod/tmp", "web", []string{"name: ", "answer: 10.96.0.50", "interface: None", "hook: PREROUTING", "rule: 10.96.0.50 . tcp . 80 : goto service-",
			"endpoint: ", "destination: 10.244.", "source: It stays 10.244.1.20", "node: To ", "reply: On node node-1, by conntrack"}},
		{"ipvs", "pod/tmp", "web", []string{"name: ", "answer: ", "interface: kube-ipvs0", "hook: PREROUTING", "rule: TCP  10.96.0.50:80 rr", "endpoint: -> 10.244.", "destination: 10.244.",
			"source: It stays 10.244.1.20", "node: To ", "reply: On node node-1, by IPVS"}},
		{"iptables", "outside/203.0.113.9", "172.18.0.2:30080", []string{"interface: an interface of node node-1", "hook: PREROUTING", "rule: ", "rule: -p tcp --dport 30080 -j KUBE-EXT-",
			"endpoint: ", "destination: 10.244.", "source: It becomes node-1's own address", "node: To ", "reply: On node node-1"}},
		{"nftables", "outside/203.0.113.9", "172.18.0.2:30080", []string{"interface: an interface of node node-1", "hook: PREROUTING", "rule: tcp . 30080 : goto external-",
			"endpoint: ", "destination: 10.244.", "source: It becomes node-1's own address", "node: To ", "reply: On node node-1"}},
		{"iptables", "node/node-1", "web", []string{"interface: None", "hook: OUTPUT", "rule: ", "endpoint: ", "destination: ", "source: It becomes node-1's own address", "node: ", "reply: "}},
		{"iptables", "pod/tmp", "empty", []string{"name: ", "answer: 10.96.0.60", "interface: None", "hook: ", "rule: No rule matches", "verdict: REJECT", "ending: It is refused"}},
		{"nftables", "pod/tmp", "empty", []string{"name: ", "answer: 10.96.0.60", "interface: None", "hook: ", "rule: No rule matches", "verdict: REJECT", "ending: It is refused"}},
		{"ipvs", "pod/tmp", "empty", []string{"name: ", "answer: ", "interface: kube-ipvs0", "hook: ", "verdict: REJECT", "ending: It is refused"}},
		{"iptables", "pod/tmp", "headless:8080", []string{"name: ", "answer: 10.244.1.5, 10.244.2.7, 10.244.2.8", "interface: eth0 of Pod web-", "hook: ", "rule: No rule", "node: To ", "reply: Nowhere"}},
		{"iptables", "pod/tmp", "ext", []string{"name: ", "answer: An alias (CNAME): www.example.com."}},
		{"iptables", "pod/tmp", "web.default.svc.cluster.local", []string{"name: web.default.svc.cluster.local.default.svc.cluster.local.", "answer: 10.96.0.50", "interface: ",
			"hook: ", "rule: ", "endpoint: ", "destination: ", "source: ", "node: ", "reply: "}},
		{"iptables", "pod/tmp", "web:81", []string{"name: ", "answer: ", "interface: ", "hook: ", "rule: No rule", "ending: It waits"}},
		{"nftables", "pod/tmp", "web:81", []string{"name: ", "answer: ", "interface: ", "hook: ", "rule: No rule", "verdict: REJECT", "ending: It is refused"}},
	} {
		t.Run(test.mode+" "+test.from+" "+test.target, func(t *testing.T) {
			for seed := range uint64(20) {
				c := course(t, cluster(nil), path.Request{From: test.from, Target: test.target, Mode: test.mode}, seed)
				var keys []string
				for i := range c.Turns {
					keys = append(keys, key(&c.Turns[i]))
				}
				if len(keys) != len(test.want) || !slices.EqualFunc(keys, test.want, strings.HasPrefix) {
					t.Fatalf("seed %d:\n%s\nwant\n%s", seed, strings.Join(keys, "\n"), strings.Join(test.want, "\n"))
				}
			}
		})
	}
}

// TestSameSeed: equal seeds make equal courses, and others draw other endpoints.
func TestSameSeed(t *testing.T) {
	request := path.Request{From: "pod/tmp", Target: "web"}
	ends := map[string]bool{}
	for seed := range uint64(30) {
		a, b := course(t, cluster(nil), request, seed), course(t, cluster(nil), request, seed)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("seed %d makes two courses:\n%+v\n%+v", seed, a, b)
		}
		ends[a.End] = true
	}
	if len(ends) != 3 {
		t.Errorf("30 seeds end at %v, want at each of three endpoints", ends)
	}
}

// TestDraws: the draws that a turn tells lead to the endpoint that it says.
func TestDraws(t *testing.T) {
	for seed := range uint64(200) {
		c := course(t, cluster(nil), path.Request{From: "pod/tmp", Target: "web"}, seed)
		for _, turn := range c.Turns {
			if turn.Kind != Endpoint {
				continue
			}
			taken := 2
			for i, p := range []float64{1. / 3, 1. / 2} {
				if i < len(turn.Draws) && turn.Draws[i] < p {
					taken = i
					break
				}
			}
			want := []string{"10.244.1.5:8080", "10.244.2.7:8080", "10.244.2.8:8080"}[taken]
			if got := turn.Options[turn.Right]; got.Effect != "to "+want || len(turn.Draws) != min(taken+1, 2) {
				t.Errorf("seed %d: draws %v give %q, want %s", seed, turn.Draws, got.Text, want)
			}
		}
	}
}

// TestManyEndpoints: draws stay short and true when the probabilities are small.
func TestManyEndpoints(t *testing.T) {
	many := cluster(func(s *model.Snapshot) {
		for _, slice := range s.Slices {
			for i := range 400 {
				slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: []string{fmt.Sprintf("10.244.%d.%d", 10+i/200, 1+i%200)}, Node: "node-2"})
			}
		}
	})
	for _, mode := range []string{"iptables", "nftables", "ipvs"} {
		for seed := range uint64(20) {
			for _, turn := range course(t, many, path.Request{From: "pod/tmp", Target: "web", Mode: mode}, seed).Turns {
				if turn.Kind == Endpoint && mode == "iptables" {
					last := len(turn.Draws) - 1
					for i, draw := range turn.Draws {
						if p := 1 / float64(403-i); (draw < p) != (i == last) {
							t.Errorf("draw %d of %d is %v, with probability %v", i, len(turn.Draws), draw, p)
						}
					}
				}
			}
		}
	}
}

func TestNothingToChoose(t *testing.T) {
	s := cluster(nil)
	if _, err := Of(s, path.Request{From: "outside", Target: "ext"}, 1); err != ErrNoTurn {
		t.Errorf("outside to an ExternalName: %v", err)
	}
	if _, err := Of(s, path.Request{From: "pod/tmp", Target: "nothing"}, 1); err == nil || err == ErrNoTurn {
		t.Errorf("a Service that is not there: %v", err)
	}
}

func TestPick(t *testing.T) {
	c := course(t, cluster(nil), path.Request{From: "pod/tmp", Target: "web"}, 7)
	for i := range c.Turns {
		turn := &c.Turns[i]
		for j, o := range turn.Options {
			right, feedback := turn.Pick(j)
			if right != (j == turn.Right) || feedback == "" || !right && feedback != o.Wrong || right && feedback != turn.Why {
				t.Errorf("%q: option %d: %t %q", turn.Question, j, right, feedback)
			}
		}
	}
	if err := Walk(cluster(nil), path.Request{From: "pod/tmp", Target: "web"}, 7); err != nil {
		t.Error(err)
	}
}

func TestBrief(t *testing.T) {
	s := cluster(nil)
	p := path.Compile(s, "node-1", path.IPv4)
	var got []string
	for _, c := range p.Table("nat").Chains {
		for _, r := range c.Rules {
			got = append(got, brief(r))
		}
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"\n-d 10.96.0.50 -p tcp --dport 80 -j KUBE-SVC-", "\n--probability 0.33333 -j KUBE-SEP-", "\n! -s 10.244.0.0/16 -d 10.96.0.50 -p tcp --dport 80 -j KUBE-MARK-MASQ"} {
		if !strings.Contains(all, want) {
			t.Errorf("no rule is %q in:\n%s", want, all)
		}
	}
	for _, not := range []string{"comment", "-m ", "/32", "random", "mask "} {
		if strings.Contains(all, not) {
			t.Errorf("a rule has %q", not)
		}
	}
}
