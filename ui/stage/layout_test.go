package stage

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

var scenes = flag.Int("scenes", 400, "random scenes that are laid out")

// screens are the sizes at which a stage is drawn: a tab, beside a lesson, whole
// screens, a projector.
var screens = [][2]int{{76, 9}, {75, 24}, {78, 36}, {118, 36}, {198, 56}, {298, 86}}

// random gives a world of any kind, most of them small.
func random(r *rand.Rand) *world {
	pick := func(of ...int) int { return of[r.IntN(len(of))] }
	nodes, pods := pick(1, 2, 3, 3, 5, 8, 13), pick(0, 1, 2, 3, 3, 5, 8, 21, 40)
	if r.IntN(60) == 0 {
		nodes, pods = pick(50, 200), pick(200, 500)
	}
	names := []string{"web-7f6f4c9c5-%05d", "web-%d", "a-very-long-name-of-a-pod-that-nobody-can-read-%d", "数据库-%d", "x\x1b[2J%d"}
	name := names[r.IntN(len(names))]
	return newWorld(func(w *world) {
		w.nodes(nodes)
		if r.IntN(4) > 0 {
			w.dns(r.IntN(6) > 0)
		}
		w.pod("tmp", r.IntN(nodes), nil, r.IntN(8) > 0)
		if r.IntN(8) == 0 {
			w.Pods[len(w.Pods)-1].IPs = nil
		}
		var listed []*model.Pod
		labels := app
		if r.IntN(8) == 0 {
			labels = map[string]string{"app": "wbe"}
		}
		for i := range pods {
			p := w.pod(fmt.Sprintf(name, i), r.IntN(nodes), labels, r.IntN(6) > 0)
			p.Containers[0].Restarts = int32(pick(0, 0, 0, 3))
			switch r.IntN(20) {
			case 0:
				p.Deleting = time.Unix(2000, 0)
			case 1:
				p.Node, p.IPs, p.Phase = "", nil, "Pending"
				continue
			case 2:
				p.Phase = "Failed"
				continue
			}
			listed = append(listed, p)
		}
		if len(listed) > 0 && labels["app"] == "web" {
			w.slice("web", 80, "TCP", listed...)
		}
		w.shape(r, nodes)
	})
}

// shape makes one of the kinds of Services, and a client for it.
func (w *world) shape(r *rand.Rand, nodes int) {
	svc := w.service
	for i := range r.IntN(20) * r.IntN(2) {
		svc.Ports = append(svc.Ports, model.ServicePort{Name: fmt.Sprintf("port-%d", i), Protocol: "TCP", Port: int32(100 + i), TargetPort: "http"})
	}
	kind := r.IntN(7)
	if kind == 1 || kind == 2 {
		for i := range svc.Ports {
			svc.Ports[i].NodePort = int32(30080 + i)
		}
		svc.ExternalTrafficPolicy = []string{"Cluster", "Local"}[r.IntN(2)]
	}
	switch kind {
	case 1:
		svc.Type = model.NodePort
	case 2:
		svc.Type = model.LoadBalancer
		if r.IntN(2) == 0 {
			svc.Ingress = []model.Ingress{{IP: "172.18.0.200"}}
		}
	case 3:
		svc.ClusterIPs = []string{model.None}
	case 4:
		*svc = model.Service{Meta: svc.Meta, Type: model.ExternalName, ExternalName: []string{"db.example.com", "nothing.tour.svc.cluster.local", strings.Repeat("long.", 40) + "example"}[r.IntN(3)]}
	case 5:
		w.Services = w.Services[1:]
	}
	switch r.IntN(4) {
	case 0:
		w.client = model.Client{Kind: model.ClientOutside}
		w.target = fmt.Sprintf("172.18.0.%d:30080", 2+r.IntN(nodes))
		if len(svc.Ingress) > 0 {
			w.target = "172.18.0.200:80"
		}
	case 1:
		w.client, w.name = model.Client{Kind: model.ClientNode, Name: fmt.Sprintf("node-%d", 1+r.IntN(nodes))}, ""
	}
}

// TestLayout: whatever the scene and the size, nothing overlaps, nothing sticks
// out, and every text stays in the room that it was given.
func TestLayout(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range *scenes {
		w := random(r)
		s := w.scene()
		for _, size := range screens {
			p := Arrange(s, size[0], size[1])
			if problem := p.problem(); problem != "" {
				f := frame.New(size[0], size[1])
				p.Draw(f, theme.New(theme.Options{}), Show{})
				t.Fatalf("scene %d (%s) at %v: %s\n%s", i, s.Kind, size, problem, f.Plain())
			}
			if again := Arrange(w.scene(), size[0], size[1]); !same(p, again) {
				t.Fatalf("scene %d at %v is arranged in two ways", i, size)
			}
		}
	}
}

func same(a, b *Picture) bool {
	x, y := *a, *b
	x.scene, y.scene = nil, nil
	return reflect.DeepEqual(x, y)
}

// problem says what is wrong with a picture; "" when nothing is.
func (p *Picture) problem() string {
	taken := make([]string, p.W*p.H)
	write := func(x, y, room int, spans []span, wire bool) string {
		words := ""
		for _, s := range spans {
			words += s.text
		}
		n := width(spans)
		switch {
		case n > room:
			return fmt.Sprintf("%q takes %d columns of %d", words, n, room)
		case x < 0 || y < 0 || y >= p.H || x+n > p.W:
			return fmt.Sprintf("%q at %d,%d sticks out", words, x, y)
		}
		for i := range n {
			at := y*p.W + x + i
			if taken[at] != "" {
				return fmt.Sprintf("%q lies on %q", words, taken[at])
			}
			taken[at] = words
			if wire && p.wires.at(point{x + i, y}) != 0 {
				return fmt.Sprintf("%q lies on a wire at %d,%d", words, x+i, y)
			}
		}
		return ""
	}
	for i := range p.texts {
		t := &p.texts[i]
		if why := write(t.x, t.y, t.w, t.spans, t.kind != door && !p.starts(t.point)); why != "" {
			return why
		}
	}
	for i := range p.bands {
		b := &p.bands[i]
		if why := write(b.at, b.y, p.W-b.at, b.label, true); why != "" {
			return "band: " + why
		}
	}
	for i := range p.boxes {
		a := p.boxes[i].area
		if a.X < 0 || a.Y < 0 || a.X+a.W > p.W || a.Y+a.H > p.H || a.W < 2 || a.H < 2 {
			return fmt.Sprintf("box %v sticks out", a)
		}
		for k := range i {
			if b := p.boxes[k].area; overlap(a, b) && !holds(a, b) && !holds(b, a) {
				return fmt.Sprintf("boxes %v and %v overlap", a, b)
			}
		}
	}
	for at, words := range taken {
		x, y := at%p.W, at/p.W
		for i := range p.boxes {
			if a := p.boxes[i].area; words != "" && p.boxes[i].card && y >= a.Y && y < a.Y+a.H && (x == a.X || x == a.X+a.W-1) {
				return fmt.Sprintf("%q lies on the side of box %v", words, a)
			}
		}
	}
	return ""
}

// starts says whether a wire begins at a text.
func (p *Picture) starts(at point) bool { return p.lanes.client != nil && at.y == p.lanes.client.y }

func overlap(a, b frame.Rect) bool {
	return a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H
}

func holds(a, b frame.Rect) bool {
	return a.X < b.X && a.Y < b.Y && a.X+a.W > b.X+b.W && a.Y+a.H > b.Y+b.H
}

// TestASmallChangeMovesLittle: a Pod that stops being ready, and one that comes,
// move no machine, and no Pod that was there before.
func TestASmallChangeMovesLittle(t *testing.T) {
	one := newWorld(three).scene()
	other := newWorld(func(w *world) {
		three(w)
		w.Slices[1].Endpoints[1].Ready = ptr(false)
	}).scene()
	more := newWorld(func(w *world) {
		three(w)
		p := w.pod("web-7f6f4c9c5-zzzzz", 1, app, true)
		p.Created = time.Unix(5000, 0)
		w.Slices[1].Endpoints = append(w.Slices[1].Endpoints, model.Endpoint{Addresses: p.IPs, Node: p.Node, Target: &model.Ref{Kind: "Pod", Namespace: "tour", Name: p.Name}})
	}).scene()
	for _, size := range screens[1:] {
		a := Arrange(one, size[0], size[1])
		for _, b := range []*Picture{Arrange(other, size[0], size[1]), Arrange(more, size[0], size[1])} {
			for i := range 3 {
				if a.boxes[i].area.X != b.boxes[i].area.X || a.boxes[i].area.W != b.boxes[i].area.W {
					t.Errorf("at %v: machine %d went from %v to %v", size, i, a.boxes[i].area, b.boxes[i].area)
				}
			}
			for key, at := range a.lanes.pods {
				if to := b.lanes.pods[key]; to.x != at.x {
					t.Errorf("at %v: %s went from %v to %v", size, key, at, to)
				}
			}
		}
	}
}

// TestFrames: at every size, in every theme and at every moment a picture fills
// its frame exactly.
func TestFrames(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	themes := []theme.Options{{}, {Light: true}, {NoColor: true}, {ASCII: true, NoColor: true}}
	for range *scenes / 4 {
		s := random(r).scene()
		size := [2]int{1 + r.IntN(220), 1 + r.IntN(70)}
		p := Arrange(s, size[0], size[1])
		for _, o := range themes {
			show := Show{Meter: func(key string) (Meter, bool) {
				return Meter{Count: r.IntN(100000), Share: r.Float64(), Latency: "1.2 ms"}, r.IntN(2) == 0
			}}
			if n := s.Ways(); n > 0 {
				way := s.Way(r.IntN(n), false)
				m := At(way, r.IntN(Steps(way)+2))
				show.Packet = &m
			}
			f := frame.New(size[0], size[1])
			if o.ASCII {
				f = frame.NewASCII(size[0], size[1])
			}
			p.Draw(f, theme.New(o), show)
			lines := strings.Split(f.Plain(), "\n")
			if len(lines) != size[1] {
				t.Fatalf("%d lines of %d", len(lines), size[1])
			}
			for _, l := range lines {
				if frame.Width(l) > size[0] {
					t.Fatalf("%q has %d columns of %d", l, frame.Width(l), size[0])
				}
				if o.ASCII && strings.ContainsFunc(l, func(r rune) bool { return r > '~' }) {
					t.Fatalf("%q is not plain ASCII", l)
				}
			}
		}
	}
}
