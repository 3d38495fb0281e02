package meter

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"svctour/model"
	"svctour/model/path"
)

var epoch = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

var aim = Aim{Client: model.Client{Kind: model.ClientPod, Namespace: "tour", Name: "tmp"}, Namespace: "tour", Service: "web", Host: "web", Port: 80}

// backend is a Pod of the Service.
type backend struct {
	name     string
	ready    bool
	deleting bool
	restarts int32
}

func webs(n int) []backend {
	var out []backend
	for i := range n {
		out = append(out, backend{name: fmt.Sprintf("web-%d", i+1), ready: true})
	}
	return out
}

// cluster is a namespace with a client and the Service's Pods, as of a time.
func cluster(seconds float64, pods []backend, change ...func(*model.Snapshot)) *model.Snapshot {
	yes, port := true, int32(8080)
	slice := &model.EndpointSlice{Meta: model.Meta{Namespace: "tour", Name: "web-x", Labels: map[string]string{model.ServiceNameLabel: "web"}}, AddressType: "IPv4",
		Ports: []model.EndpointPort{{Protocol: "TCP", Port: &port}}}
	s := model.Snapshot{
		Time: at(seconds), Sync: model.Sync{Synced: true}, Proxy: model.DefaultProxy(),
		DNS:        model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true, Evidence: model.Derived},
		Namespaces: []*model.Namespace{{Meta: model.Meta{Name: "tour", Labels: map[string]string{"kubernetes.io/metadata.name": "tour"}}}},
		Nodes:      []*model.Node{{Meta: model.Meta{Name: "node-1"}, Conditions: []model.Condition{{Type: "Ready", Status: "True"}}}},
		Pods: []*model.Pod{{Meta: model.Meta{Namespace: "tour", Name: "tmp"}, Node: "node-1", Phase: "Running", IPs: []string{"10.244.0.9"}, DNSPolicy: "ClusterFirst",
			Conditions: []model.Condition{{Type: "Ready", Status: "True"}}}},
		Services: []*model.Service{{Meta: model.Meta{Namespace: "tour", Name: "web"}, Type: model.ClusterIP, Selector: map[string]string{"app": "web"}, ClusterIPs: []string{"10.96.0.80"},
			IPFamilies: []string{"IPv4"}, Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "8080"}}}},
		Slices: []*model.EndpointSlice{slice},
	}
	for i, b := range pods {
		pod := &model.Pod{Meta: model.Meta{Namespace: "tour", Name: b.name, Labels: map[string]string{"app": "web"}}, Node: "node-1", Phase: "Running",
			IPs: []string{fmt.Sprintf("10.244.0.%d", 20+i)}, Containers: []model.Container{{Name: "web", Restarts: b.restarts}}}
		isReady := b.ready && !b.deleting
		if b.ready {
			pod.Conditions = []model.Condition{{Type: "Ready", Status: "True"}}
		}
		if b.deleting {
			pod.Deleting = at(seconds)
		}
		s.Pods = append(s.Pods, pod)
		slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: pod.IPs, Ready: &isReady, Serving: &yes, Terminating: &b.deleting, Node: "node-1",
			Target: &model.Ref{Kind: "Pod", Namespace: "tour", Name: b.name}})
	}
	for _, c := range change {
		c(&s)
	}
	return model.NewSnapshot(s)
}

func look(t testing.TB, s *model.Snapshot, a Aim, before *World) *World {
	t.Helper()
	target := "web"
	if (&World{aim: a}).byAddress() {
		target = a.Host + fmt.Sprintf(":%d", a.Port)
	}
	trace, err := path.Do(s, path.Request{Namespace: "tour", Target: target, From: "pod/tmp"})
	if err != nil {
		trace = nil
	}
	return Look(s, a, trace, before)
}

func answer(n int, seconds float64, said string) Sample {
	return Sample{Number: n, Start: at(seconds), Took: 2 * time.Millisecond, HTTP: 200, Port: uint16(40000 + n), Connected: true, Said: said}
}

func failure(n int, seconds float64, o Outcome) Sample {
	return Sample{Number: n, Start: at(seconds), Outcome: o}
}

func TestWhoAnswered(t *testing.T) {
	w := look(t, cluster(0, webs(3)), aim, nil)
	var tally *Tally
	tally = tally.Add(Batch{At: at(1), Samples: []Sample{
		answer(1, 0.9, "HTTP/1.1 200 OK Hostname: web-1"), answer(2, 0.9, "HTTP/1.1 200 OK web-2.web.tour.svc"), answer(3, 0.9, "HTTP/1.1 200 OK nothing"),
		answer(4, 0.9, "HTTP/1.1 200 OK web-1 asked for web-2"), answer(5, 0.9, "HTTP/1.1 200 OK web-10 xweb-1"),
		{Number: 6, Start: at(0.9), HTTP: 503, Connected: true, Outcome: Status, Said: "HTTP/1.1 503 web-3 is busy"},
	}}, w)
	if tally.Told != 6 || tally.Open != 3 || tally.Answered() != 6 || tally.Unanswered() != 0 {
		t.Fatalf("%+v", tally)
	}
	got := map[string]int{}
	for _, row := range tally.Pods {
		got[row.Pod] = row.Count
	}
	if want := map[string]int{"web-1": 1, "web-2": 1, "web-3": 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v answered, want %v", got, want)
	}
	if len(tally.Failed) != 1 || tally.Failed[0].Outcome != Status || tally.Failed[0].Cause.Pod != "web-3" || tally.Failed[0].Cause.Evidence != model.Observed {
		t.Errorf("the bad status is %+v", tally.Failed)
	}
	// Where the node led the connection settles the third and the fourth; nothing does the fifth.
	led := []Led{{Number: 3, To: netip.MustParseAddrPort("10.244.0.22:8080")}, {Number: 4, To: netip.MustParseAddrPort("10.244.0.21:8080")}}
	tally = tally.Add(Batch{At: at(2), Led: led}, w)
	if tally.Open != 1 || tally.Unnamed.Count != 0 || tally.Pods[1].Count != 2 || tally.Pods[2].Count != 2 || tally.Pods[2].Named != 1 {
		t.Errorf("%+v", tally)
	}
	tally = tally.Add(Batch{At: at(1).Add(nameTime)}, w)
	if tally.Open != 0 || tally.Unnamed.Count != 1 || tally.Answered() != 6 {
		t.Errorf("%+v", tally)
	}
	var strip []string
	for _, m := range tally.Strip {
		strip = append(strip, m.Pod)
	}
	if want := []string{"web-1", "web-2", "web-3", "web-2", "", "web-3"}; !slices.Equal(strip, want) {
		t.Errorf("the strip is %q, want %q", strip, want)
	}
}

// An answer of a Pod that the cluster has not told of yet is not lost.
func TestAnAnswerCanBeQuickerThanTheNews(t *testing.T) {
	w := look(t, cluster(0, webs(1)), aim, nil)
	var tally *Tally
	tally = tally.Add(Batch{At: at(1), Samples: []Sample{answer(1, 1, "HTTP/1.1 200 OK web-2")}}, w)
	if tally.Open != 1 {
		t.Fatalf("%+v", tally)
	}
	w = look(t, cluster(1.2, webs(2)), aim, w)
	if tally = tally.Add(Batch{At: at(1.2)}, w); tally.Open != 0 || len(tally.Pods) != 1 || tally.Pods[0].Pod != "web-2" {
		t.Errorf("%+v", tally)
	}
	// One that is gone may still have answered.
	w = look(t, cluster(2, webs(1)), aim, w)
	if tally = tally.Add(Batch{At: at(2.1), Samples: []Sample{answer(2, 2, "HTTP/1.1 200 OK web-2")}}, w); tally.Pods[0].Count != 2 {
		t.Errorf("%+v", tally)
	}
}

func TestCauses(t *testing.T) {
	deny := func(s *model.Snapshot) {
		s.Policies = []*model.NetworkPolicy{{Meta: model.Meta{Namespace: "tour", Name: "closed"}, Pods: model.LabelSelector{Labels: map[string]string{"app": "web"}}, Ingress: &[]model.PolicyRule{}}}
	}
	noDNS := func(s *model.Snapshot) { s.DNS.Serving = false }
	noService := func(s *model.Snapshot) { s.Services, s.Slices = nil, nil }
	address := aim
	address.Host = "10.96.0.80"
	otherPort := address
	otherPort.Port = 81
	unready := webs(2)
	unready[0].ready, unready[1].ready = false, false
	led := netip.MustParseAddrPort("10.244.0.20:8080")
	with := func(b backend) []backend { return append(webs(1), b) }
	for _, c := range []struct {
		name     string
		aim      Aim
		worlds   []*model.Snapshot
		sample   Sample
		led      netip.AddrPort
		why      Why
		pod      string
		evidence model.Evidence
	}{
		{"not ready", aim, []*model.Snapshot{cluster(0, webs(2)), cluster(5, unready)}, failure(1, 8, Refused), netip.AddrPort{}, NoEndpoint, "", model.Derived},
		{"not ready, and ready again since", aim, []*model.Snapshot{cluster(0, unready), cluster(9, webs(2))}, failure(1, 8, Refused), netip.AddrPort{}, NoEndpoint, "", model.Derived},
		{"no Pod", aim, []*model.Snapshot{cluster(0, nil)}, failure(1, 1, Refused), netip.AddrPort{}, NoEndpoint, "", model.Derived},
		{"deleted", aim, []*model.Snapshot{cluster(0, webs(2)), cluster(5, with(backend{"web-2", true, true, 0})), cluster(6, webs(1))}, failure(1, 5, Reset), netip.AddrPort{}, PodLeft, "web-2", model.Derived},
		{"deleted, led", aim, []*model.Snapshot{cluster(0, webs(2)), cluster(5, webs(1))}, failure(1, 5, Timeout), netip.MustParseAddrPort("10.244.0.21:8080"), PodLeft, "web-2", model.Observed},
		{"deleted long ago", aim, []*model.Snapshot{cluster(0, webs(2)), cluster(5, webs(1)), cluster(30, webs(1))}, failure(1, 29, Refused), netip.AddrPort{}, PortRefused, "web-1", model.Derived},
		{"killed", aim, []*model.Snapshot{cluster(0, webs(2)), cluster(5, with(backend{"web-2", true, false, 1}))}, failure(1, 4.5, Reset), netip.AddrPort{}, PodLeft, "web-2", model.Derived},
		{"refused", aim, []*model.Snapshot{cluster(0, webs(2))}, failure(1, 1, Refused), netip.AddrPort{}, PortRefused, "", model.Derived},
		{"refused, led", aim, []*model.Snapshot{cluster(0, webs(2))}, failure(1, 1, Refused), led, PortRefused, "web-1", model.Observed},
		{"policy", aim, []*model.Snapshot{cluster(0, webs(2), deny)}, failure(1, 1, Timeout), netip.AddrPort{}, Denied, "", model.Derived},
		{"policy, a Pod left", aim, []*model.Snapshot{cluster(0, webs(2), deny), cluster(1, webs(1), deny)}, failure(1, 1, Timeout), netip.AddrPort{}, Denied, "web-1", model.Derived},
		{"no rule", otherPort, []*model.Snapshot{cluster(0, webs(2))}, failure(1, 1, Timeout), netip.AddrPort{}, NoRule, "", model.Derived},
		{"DNS down", aim, []*model.Snapshot{cluster(0, webs(2), noDNS)}, failure(1, 1, Unresolved), netip.AddrPort{}, DNSDown, "", model.Derived},
		{"DNS down, silent", aim, []*model.Snapshot{cluster(0, webs(2), noDNS), cluster(2, webs(2))}, failure(1, 1, DNSSilent), netip.AddrPort{}, DNSDown, "", model.Derived},
		{"DNS silent", aim, []*model.Snapshot{cluster(0, webs(2))}, failure(1, 1, DNSSilent), netip.AddrPort{}, Unexplained, "", model.Unknown},
		{"no name", aim, []*model.Snapshot{cluster(0, webs(2), noService)}, failure(1, 1, Unresolved), netip.AddrPort{}, NoName, "", model.Derived},
		{"timed out", address, []*model.Snapshot{cluster(0, webs(2))}, failure(1, 1, Timeout), netip.AddrPort{}, Unexplained, "", model.Unknown},
		{"no answer", address, []*model.Snapshot{cluster(0, webs(2))}, Sample{Start: at(1), Connected: true, Outcome: Timeout}, led, NotAnswering, "web-1", model.Observed},
		{"reset", address, []*model.Snapshot{cluster(0, webs(2))}, failure(1, 1, Reset), netip.AddrPort{}, Unexplained, "", model.Unknown},
		{"status", aim, []*model.Snapshot{cluster(0, webs(2))}, Sample{Start: at(1), Outcome: Status, HTTP: 500, Said: "web-2"}, netip.AddrPort{}, AnsweredSo, "web-2", model.Observed},
	} {
		var w *World
		for _, s := range c.worlds {
			w = look(t, s, c.aim, w)
		}
		if got := w.Explain(&c.sample, c.led); got.Why != c.why || got.Pod != c.pod || got.Evidence != c.evidence || got.Why != Unexplained && got.Text == "" {
			t.Errorf("%s: %+v, want %q of Pod %q, %s", c.name, got, c.why, c.pod, c.evidence)
		}
	}
}

// Whatever comes in whatever batches, each request is counted once, a Tally that
// was given out does not change, and no more is kept than the bounds say.
func TestEachRequestIsCountedOnce(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		outcomes := []Outcome{OK, OK, OK, Status, Refused, Timeout, Reset, Unresolved, DNSSilent, Unreachable, Other}
		var w *World
		var tally *Tally
		told, now := 0, 0.0
		for range 30 {
			now += random.Float64() * 3
			pods := webs(random.IntN(4))
			for i := range pods {
				pods[i].ready, pods[i].deleting = random.IntN(3) > 0, random.IntN(4) == 0
			}
			w = look(t, cluster(now, pods), aim, w)
			batch := Batch{At: at(now)}
			for range random.IntN(60) {
				told++
				s := answer(told, now-random.Float64(), fmt.Sprintf("HTTP/1.1 200 OK web-%d", random.IntN(6)))
				if s.Outcome = outcomes[random.IntN(len(outcomes))]; s.Outcome == Status {
					s.HTTP = 500
				}
				batch.Samples = append(batch.Samples, s)
				if random.IntN(3) == 0 {
					batch.Led = append(batch.Led, Led{Number: s.Number, To: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 244, 0, byte(20 + random.IntN(4))}), 8080)})
				}
			}
			before := tally
			var was Tally
			if before != nil {
				was = *before
				was.Pods, was.Failed, was.Strip, was.waiting = slices.Clone(was.Pods), slices.Clone(was.Failed), slices.Clone(was.Strip), slices.Clone(was.waiting)
			}
			other := tally.Add(Batch{At: at(now), Samples: []Sample{failure(1<<30, now, Refused)}}, w)
			tally = tally.Add(batch, w)
			if other.Told == tally.Told && len(batch.Samples) != 1 || before != nil && !(reflect.DeepEqual(was.Pods, before.Pods) && reflect.DeepEqual(was.Failed, before.Failed) && reflect.DeepEqual(was.Strip, before.Strip) && reflect.DeepEqual(was.waiting, before.waiting)) {
				t.Fatalf("seed %d: an earlier tally changed", seed)
			}
			if tally.Told != told || tally.Answered()+tally.Unanswered() != told {
				t.Fatalf("seed %d: %d told, %d answered and %d not", seed, told, tally.Answered(), tally.Unanswered())
			}
			if len(tally.Strip) > stripLength || !slices.IsSortedFunc(tally.Strip, func(a, b Mark) int { return a.Number - b.Number }) || len(tally.waiting) > maxWaiting {
				t.Fatalf("seed %d: the strip %+v, %d wait", seed, tally.Strip, len(tally.waiting))
			}
		}
		tally = tally.Add(Batch{At: at(now + 60), Sent: told, Ended: true}, w)
		if tally.Open != 0 || tally.Lost() != 0 || tally.Answered()+tally.Unanswered() != told {
			t.Fatalf("seed %d: at the end %+v", seed, tally)
		}
	}
}

func TestLatency(t *testing.T) {
	w := look(t, cluster(0, webs(1)), aim, nil)
	batch := Batch{At: at(1)}
	for i := range 1000 {
		s := answer(i+1, 1, "web-1")
		s.Took = time.Duration(i+1) * time.Millisecond
		batch.Samples = append(batch.Samples, s)
	}
	var tally *Tally
	row := tally.Add(batch, w).Pods[0]
	if row.Count != 1000 || row.Share != 1 || row.Max != time.Second || row.P50 != 873*time.Millisecond || row.P99 != 998*time.Millisecond || row.Mean != 872500*time.Microsecond {
		t.Errorf("the last 256 of 1000: %+v", row)
	}
}

// A node remembers connections for minutes: the same port of the client's may have
// been that of a connection elsewhere.
func TestAConnectionOfBeforeIsNotTheRequest(t *testing.T) {
	w := look(t, cluster(0, webs(3)), aim, nil)
	service := netip.MustParseAddr(w.trace.Packet.Destination)
	web1, web2 := netip.MustParseAddrPort("10.244.0.20:8080"), netip.MustParseAddrPort("10.244.0.21:8080")
	for _, c := range []struct {
		name string
		led  []Led
		want string
	}{
		{"to another Service of the same Pods", []Led{{Number: 1, To: web1, Asked: service}, {Number: 1, To: web2, Asked: netip.MustParseAddr("10.96.9.9")}}, "web-1"},
		{"to a Pod itself", []Led{{Number: 1, To: web2, Asked: web2.Addr()}}, "web-2"},
		{"two that it may be", []Led{{Number: 1, To: web1, Asked: service}, {Number: 1, To: web2, Asked: web2.Addr()}}, ""},
		{"two looks at one", []Led{{Number: 1, To: web1, Asked: service}, {Number: 1, To: web1, Asked: service}}, "web-1"},
	} {
		var tally *Tally
		tally = tally.Add(Batch{At: at(1), Samples: []Sample{answer(1, 0.9, "HTTP/1.1 200 OK nothing")}}, w)
		tally = tally.Add(Batch{At: at(1).Add(nameTime), Led: c.led}, w)
		if got := tally.Strip[0].Pod; got != c.want || tally.Answered() != 1 {
			t.Errorf("%s: answered by %q, want %q", c.name, got, c.want)
		}
	}
}
