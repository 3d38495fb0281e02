package stage

import (
	"fmt"
	"testing"

	"svctour/model"
	"svctour/model/scene"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

func many(pods, nodes int) *world {
	return newWorld(func(w *world) {
		w.nodes(nodes)
		w.dns(true)
		w.pod("tmp", 0, nil, true)
		var listed []*model.Pod
		for i := range pods {
			listed = append(listed, w.pod(fmt.Sprintf("web-7f6f4c9c5-%05d", i), i%nodes, app, i%17 != 0))
		}
		w.slice("web", 80, "TCP", listed...)
	})
}

// BenchmarkCompose is what a snapshot costs the stage before it is drawn: the
// scene, and its arrangement on a whole screen.
func BenchmarkCompose(b *testing.B) {
	for _, c := range []struct{ pods, nodes int }{{3, 3}, {200, 50}, {1000, 200}} {
		b.Run(fmt.Sprintf("%d Pods on %d nodes", c.pods, c.nodes), func(b *testing.B) {
			in := many(c.pods, c.nodes).input()
			b.ReportAllocs()
			for b.Loop() {
				Arrange(scene.Of(in), 198, 56)
			}
		})
	}
}

// BenchmarkFrame is one frame of an animation.
func BenchmarkFrame(b *testing.B) {
	s := many(200, 50).scene()
	p, t, f := Arrange(s, 198, 56), theme.New(theme.Options{}), frame.New(198, 56)
	way := s.Way(1, true)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m := At(way, i%Steps(way))
		f = f.Again()
		p.Draw(f, t, Show{Packet: &m})
	}
}
