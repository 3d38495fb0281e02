package stage_test

import (
	"fmt"
	"os"
	"testing"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/stage"
	"svctour/ui/theme"
)

func TestTry(t *testing.T) {
	var w, h int
	fmt.Sscanf(os.Getenv("SIZE"), "%dx%d", &w, &h)
	if w == 0 {
		w, h = 76, 16
	}
	show := func(title string, w2 *world, m int) {
		sc := w2.scene()
		p := stage.Arrange(sc, w, h)
		s := frame.New(w, h)
		sh := stage.Show{}
		if m >= 0 && sc.Ways() > 0 {
			mo := stage.At(sc.Way(min(1, sc.Ways()-1), false), m)
			sh.Packet = &mo
		}
		p.Draw(s, theme.New(theme.Options{}), sh)
		fmt.Println("==", title)
		if os.Getenv("COLOR") != "" {
			fmt.Println(s.Render())
		} else {
			fmt.Println(s.Plain())
		}
	}
	show("clusterip", newWorld(three), -1)
	for _, m := range []int{8, 20, 30, 50, 64, 80} {
		show(fmt.Sprint("moment ", m), newWorld(three), m)
	}
	show("nodeport", newWorld(func(w *world) {
		three(w)
		w.service.Type = model.NodePort
		w.service.Ports[0].NodePort = 30080
		w.client = model.Client{Kind: model.ClientOutside}
		w.target = "172.18.0.3:30080"
	}), -1)
	show("lb", newWorld(func(w *world) {
		three(w)
		w.service.Type = model.LoadBalancer
		w.service.Ports[0].NodePort = 30080
		w.service.Ingress = []model.Ingress{{IP: "172.18.0.200"}}
		w.client = model.Client{Kind: model.ClientOutside}
		w.target = "172.18.0.200:80"
	}), 70)
	show("lb pending", newWorld(func(w *world) {
		three(w)
		w.service.Type = model.LoadBalancer
		w.service.Ports[0].NodePort = 30080
		w.client = model.Client{Kind: model.ClientOutside}
		w.target = "172.18.0.3:30080"
	}), -1)
	show("empty", newWorld(func(w *world) {
		three(w)
		w.service.Selector = map[string]string{"app": "wbe"}
		w.Slices = w.Slices[:1]
	}), -1)
	show("headless", newWorld(func(w *world) {
		three(w)
		w.service.ClusterIPs = []string{"None"}
	}), -1)
	show("dns down", newWorld(func(w *world) {
		three(w)
		w.Snapshot.Services = w.Snapshot.Services[:1]
		w.Slices = nil
		w.Pods = nil
		w.nodes(0)
		w.dns(false)
		w.pod("tmp", 0, nil, true)
		w.slice("web", 80, "TCP", w.pod("web-1", 0, app, true))
	}), -1)
	show("external", newWorld(func(w *world) {
		three(w)
		*w.service = model.Service{Meta: w.service.Meta, Type: model.ExternalName, ExternalName: "db.example.com"}
		w.Slices = w.Slices[:1]
	}), -1)
	show("forty", newWorld(func(w *world) {
		w.nodes(8)
		w.dns(true)
		w.pod("tmp", 0, nil, true)
		var pods []*model.Pod
		for i := range 40 {
			pods = append(pods, w.pod(fmt.Sprintf("web-7f6f4c9c5-%05d", i), i%8, app, i != 13))
		}
		w.slice("web", 80, "TCP", pods...)
	}), -1)
}
