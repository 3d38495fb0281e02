package live

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"svctour/model"
	"svctour/model/path"
	"svctour/model/scene"
	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

var plainTheme = theme.New(theme.Options{})

// cluster has a Service web with n endpoints, in slices of 100, and a client.
func cluster(n int) *model.Snapshot {
	yes, port := true, int32(80)
	s := model.Snapshot{Sequence: 1, Sync: model.Sync{Synced: true}, Proxy: model.DefaultProxy(),
		DNS: model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Evidence: model.Derived}}
	for i := range 3 {
		name := fmt.Sprintf("node-%d", i)
		s.Nodes = append(s.Nodes, &model.Node{Meta: model.Meta{Name: name, UID: name}, PodCIDRs: []string{fmt.Sprintf("10.244.%d.0/24", i)},
			Addresses: []model.NodeAddress{{Type: "InternalIP", Address: fmt.Sprintf("172.18.0.%d", i+2)}}})
	}
	pod := func(name, ip, node string, labels map[string]string) *model.Pod {
		return &model.Pod{Meta: model.Meta{Namespace: "tour", Name: name, UID: "pod-" + name, Labels: labels}, Node: node, Phase: "Running",
			IPs: []string{ip}, DNSPolicy: "ClusterFirst", Conditions: []model.Condition{{Type: "Ready", Status: "True"}}}
	}
	s.Pods = append(s.Pods, pod("tmp", "10.244.0.9", "node-0", nil))
	s.Services = []*model.Service{{Meta: model.Meta{Namespace: "tour", Name: "web", UID: "svc-web"}, Type: model.ClusterIP,
		Selector: map[string]string{"app": "web"}, ClusterIPs: []string{"10.96.142.31"}, IPFamilies: []string{"IPv4"},
		Ports: []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "80"}}}}
	for i := range n {
		if i%100 == 0 {
			name := fmt.Sprintf("web-%03d", i/100)
			s.Slices = append(s.Slices, &model.EndpointSlice{Meta: model.Meta{Namespace: "tour", Name: name, UID: name, Labels: map[string]string{model.ServiceNameLabel: "web"}},
				AddressType: "IPv4", Ports: []model.EndpointPort{{Protocol: "TCP", Port: &port}}})
		}
		name, ip, node := fmt.Sprintf("web-6d4b75cb6d-%05d", i), fmt.Sprintf("10.%d.%d.%d", 128+i/62500, i/250%250, i%250+1), fmt.Sprintf("node-%d", i%3)
		s.Pods = append(s.Pods, pod(name, ip, node, map[string]string{"app": "web"}))
		slice := s.Slices[len(s.Slices)-1]
		slice.Endpoints = append(slice.Endpoints, model.Endpoint{Addresses: []string{ip}, Ready: &yes, Serving: &yes, Node: node,
			Target: &model.Ref{Kind: "Pod", Namespace: "tour", Name: name, UID: "pod-" + name}})
	}
	return model.NewSnapshot(s)
}

var webFocus = Focus{Namespace: "tour", Service: "web", Client: "pod/tmp", Target: "web", Name: "web"}

var allPanes = []Pane{Stage, Endpoints, DNS, Path}

func drawn(v View, p Pane, w, h, scroll int) string {
	s := frame.New(w, h)
	v.Draw(s, plainTheme, p, scroll)
	return s.Plain()
}

// One state is drawn at several sizes at the same time, as when a class looks at
// one screen.
func TestAStateIsDrawnAtSeveralSizesAtOnce(t *testing.T) {
	type at struct {
		pane         Pane
		rules        bool
		w, h, scroll int
	}
	var places []at
	for _, p := range allPanes {
		for _, rules := range []bool{false, true} {
			places = append(places, at{p, rules, 78, 12, 0}, at{p, rules, 78, 12, 100}, at{p, rules, 140, 40, 0}, at{p, rules, 140, 40, 1 << 20})
		}
	}
	s := cluster(120)
	alone := map[at]string{}
	for _, place := range places {
		alone[place] = drawn(View{State: Compute(s, webFocus), Rules: place.rules}, place.pane, place.w, place.h, place.scroll)
	}
	state := Compute(s, webFocus)
	var wait sync.WaitGroup
	for _, place := range places {
		wait.Go(func() {
			for range 3 {
				if got := drawn(View{State: state, Rules: place.rules}, place.pane, place.w, place.h, place.scroll); got != alone[place] {
					t.Errorf("%+v beside others:\n%s\nalone:\n%s", place, got, alone[place])
				}
			}
		})
	}
	wait.Wait()
}

// What a pane costs to draw does not grow with the Service.
func TestOnlyWhatIsInSightIsMade(t *testing.T) {
	cost := func(v View, p Pane) float64 {
		s := frame.New(140, 20)
		return testing.AllocsPerRun(20, func() { v.Draw(s, plainTheme, p, 30) })
	}
	small, large := Compute(cluster(60), webFocus), Compute(cluster(5000), webFocus)
	for _, rules := range []bool{false, true} {
		for _, p := range allPanes {
			few, many := View{State: small, Rules: rules}, View{State: large, Rules: rules}
			if p != DNS && p != Stage && many.Rows(p, plainTheme, 140).Len() < 5000 {
				t.Errorf("pane %d has %d rows", p, many.Rows(p, plainTheme, 140).Len())
			}
			if a, b := cost(few, p), cost(many, p); b > a*1.5 {
				t.Errorf("pane %d, rules %v: %.0f allocations for 5,000 endpoints, %.0f for 60", p, rules, b, a)
			}
		}
	}
}

// Rows do not depend on which were made before, and the rules of a path stand
// under the way that meets them.
func TestRowsOfAPathWithRules(t *testing.T) {
	state := Compute(cluster(40), webFocus)
	for _, w := range []int{30, 76, 120} {
		v := View{State: state, Rules: true}
		rows := v.Rows(Path, plainTheme, w)
		forward := plain(made(rows))
		backward := make([]frame.Line, rows.Len())
		for i := rows.Len() - 1; i >= 0; i-- {
			backward[i] = v.Rows(Path, plainTheme, w).Row(i)
		}
		if got := plain(backward); got != forward {
			t.Fatalf("at %d: from the end\n%s\nfrom the start\n%s", w, got, forward)
		}
		text := strings.Join(strings.Fields(forward), "")
		for i := range state.Trace.Outcomes {
			for _, h := range state.Trace.Outcomes[i].Hops {
				if rule := strings.Join(strings.Fields(h.Rule), ""); !strings.Contains(text, rule) {
					t.Fatalf("at %d: the rule %q of outcome %d is not there", w, h.Rule, i)
				}
			}
		}
		if strings.HasSuffix(forward, "\n") {
			t.Errorf("at %d: a row is missing at the end", w)
		}
	}
}

// turned is the cluster with one endpoint that is not ready any more.
func turned(s *model.Snapshot) *model.Snapshot {
	next := *s
	next.Sequence++
	no, slice := false, *s.Slices[0]
	slice.Endpoints = slices.Clone(slice.Endpoints)
	slice.Endpoints[0].Ready = &no
	next.Slices = append([]*model.EndpointSlice{&slice}, s.Slices[1:]...)
	return model.NewSnapshot(next)
}

func TestChangesAreMarkedForAWhile(t *testing.T) {
	p, before := New("tour", 1), cluster(3)
	p.Take(p.Work()(before, webFocus))
	if p.Animating() {
		t.Fatal("a first picture is no news")
	}
	p.Take(p.Work()(turned(before), webFocus))
	marked := func() bool {
		v, _ := p.View()
		return strings.Contains(drawn(v, Endpoints, 100, 10, 0), " ~ ")
	}
	for tick := range calm {
		if !marked() || !p.Animating() {
			t.Fatalf("calm after %d ticks", tick)
		}
		p.Handle(shell.Tick{})
	}
	if marked() || p.Animating() {
		t.Error("still marked")
	}
}

// What comes in while a state is computed is in the next.
func TestNothingIsLostWhileAStateIsComputed(t *testing.T) {
	p, s := New("tour", 1), cluster(3)
	p.Take(p.Work()(s, webFocus))
	node, family := p.Watches()
	if node != "node-0" || family != path.IPv4 {
		t.Fatalf("watches %q %q", node, family)
	}
	work := p.Work()
	if !p.Handle(shell.Rules{Node: node, Family: family, Err: "no kube-proxy"}) {
		t.Fatal("a look at the node makes another state")
	}
	p.Take(work(s, webFocus))
	if p.State().Seen != nil {
		t.Fatal("the state is of before the look")
	}
	computed := p.State().Trace
	p.Take(p.Work()(s, webFocus))
	if seen := p.State().Seen; seen == nil || seen.Err != "no kube-proxy" {
		t.Fatal("the look is lost")
	}
	if p.State().Trace != computed {
		t.Error("one picture was computed twice")
	}
	late := p.Work()
	p.Forget()
	p.Take(p.Work()(s, webFocus))
	if p.State().Seen != nil {
		t.Error("what was seen before is told of the next focus")
	}
	if late(s, webFocus).Seen == nil {
		t.Error("work under way sees what it began with")
	}
}

// A request is answered by the Pod that the answer names, in a state that knows
// of it; an answer that is not waited for changes nothing.
func TestARequestIsAnsweredOnce(t *testing.T) {
	p, s := New("tour", 1), cluster(3)
	p.Take(p.Work()(s, webFocus))
	intent, problem := p.Send()
	request, ok := intent.(shell.Request)
	if !ok || problem != "" || !p.Waiting() {
		t.Fatalf("%#v, %q", intent, problem)
	}
	reply := model.Reply{Stdout: "HTTP/1.1 200 OK\n\nI am web-6d4b75cb6d-00001\n"}
	if p.Handle(shell.Answered{Serial: request.Serial + 1, Reply: reply}) {
		t.Error("the answer to another request was taken")
	}
	if !p.Handle(shell.Answered{Serial: request.Serial, Reply: reply}) || !p.Waiting() {
		t.Fatal("who answered has to be computed")
	}
	p.Take(p.Work()(s, webFocus))
	v, _ := p.View()
	if got := drawn(v, Path, 120, 20, 0); p.Waiting() || !strings.Contains(got, "200 OK, from tour/web-6d4b75cb6d-00001 (the answer names it)") || v.Walk == nil || v.Walk.Outcome != 1 {
		t.Errorf("walks %+v:\n%s", v.Walk, got)
	}
	if p.Handle(shell.Answered{Serial: request.Serial, Reply: reply}) {
		t.Error("the answer was taken twice")
	}
}

func TestTextsAreLaidOutOncePerWidth(t *testing.T) {
	x, text := NewTexts(), "A **Service** has a *name*.\n"
	first, again, other := x.Story(text, plainTheme, 40), x.Story(text, plainTheme, 40), x.Story(text, plainTheme, 10)
	if &first[0] != &again[0] {
		t.Error("it was laid out twice")
	}
	if len(other) < 2 || plain(first) != plain(Story(text, plainTheme, 40)) || plain(other) != plain(Story(text, plainTheme, 10)) {
		t.Errorf("%q, %q", plain(first), plain(other))
	}
	_ = append(first, frame.L("more", plainTheme.Text))
	if got := x.Story(text, plainTheme, 40); len(got) != len(first) {
		t.Errorf("%q: what was kept has grown", plain(got))
	}
	for i := range 3 * textsKept {
		x.Story(fmt.Sprint(i), plainTheme, 40)
	}
	if len(x.laid.made) > textsKept {
		t.Errorf("%d texts are kept", len(x.laid.made))
	}
}

// A client of another namespace looks names up in its own, whatever Service the
// panes are about.
func TestNamesAreLookedUpInTheClientsNamespace(t *testing.T) {
	s := *cluster(2)
	pod := func(namespace, ip string) *model.Pod {
		return &model.Pod{Meta: model.Meta{Namespace: namespace, Name: "asker"}, Node: "node-1", Phase: "Running", IPs: []string{ip}}
	}
	web := s.Services[0]
	s.Namespaces = []*model.Namespace{{Meta: model.Meta{Name: web.Namespace}}, {Meta: model.Meta{Name: "elsewhere"}}}
	s.Pods = append(slices.Clone(s.Pods), pod(web.Namespace, "10.244.9.1"), pod("elsewhere", "10.244.9.2"))
	s.DNS = model.DNS{Domain: "cluster.local", Servers: []string{"10.96.0.10"}, Serving: true, Evidence: model.Derived}
	for client, want := range map[string]path.EndKind{"pod/asker": path.EndArrives, "pod/elsewhere/asker": path.EndNoName} {
		v := Compute(model.NewSnapshot(s), Focus{Namespace: web.Namespace, Service: web.Name, Client: client, Target: web.Name + ":80", Name: web.Name})
		if v.Trace == nil || v.Resolution == nil {
			t.Fatalf("%s: %s %s", client, v.TraceErr, v.ResolveErr)
		}
		if got := v.Trace.Outcomes[0].End.Kind; got != want {
			t.Errorf("from %s: the way ends as %s, want %s: %q", client, got, want, v.Trace.Notes)
		}
		if found := len(v.Resolution.Answers) > 0; found != (want == path.EndArrives) {
			t.Errorf("from %s: the name has the answers %+v", client, v.Resolution.Answers)
		}
	}
}

// A Pod that went stays in the picture for a moment, and no longer, also when the
// cluster is quiet afterwards.
func TestWhatWentLeavesThePicture(t *testing.T) {
	p := New("tour", 1)
	few := cluster(2)
	p.Take(p.Work()(cluster(3), webFocus))
	p.Take(p.Work()(few, webFocus))
	gone := func() (n int) {
		for _, m := range p.State().Scene.Machines {
			for _, pod := range m.Pods {
				if pod.State == scene.Gone {
					n++
				}
			}
		}
		return n
	}
	if gone() != 1 {
		t.Fatalf("%d Pods have gone", gone())
	}
	for i := 0; !p.Handle(shell.Tick{}); i++ {
		if i > 2*calm {
			t.Fatal("no new picture is due")
		}
	}
	if p.Take(p.Work()(few, webFocus)); gone() != 0 {
		t.Errorf("%d Pods are still there", gone())
	}
}
