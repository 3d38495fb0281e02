package stage

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"svctour/model"
	"svctour/model/scene"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

var update = flag.Bool("update", false, "rewrite the film strips in testdata")

// films are what happens on the stage: the five kinds of Services, and ways that
// end before their end.
func films() map[string]*world {
	kind := func(change func(*world)) *world {
		return newWorld(func(w *world) {
			three(w)
			change(w)
		})
	}
	return map[string]*world{
		"clusterip": kind(func(*world) {}),
		"nodeport": kind(func(w *world) {
			w.service.Type, w.service.Ports[0].NodePort = model.NodePort, 30080
			w.client, w.target = model.Client{Kind: model.ClientOutside}, "172.18.0.3:30080"
		}),
		"loadbalancer": kind(func(w *world) {
			w.service.Type, w.service.Ports[0].NodePort, w.service.Ingress = model.LoadBalancer, 30080, []model.Ingress{{IP: "172.18.0.200"}}
			w.client, w.target = model.Client{Kind: model.ClientOutside}, "172.18.0.200:80"
		}),
		"headless": kind(func(w *world) { w.service.ClusterIPs = []string{model.None} }),
		"externalname": kind(func(w *world) {
			*w.service = model.Service{Meta: w.service.Meta, Type: model.ExternalName, ExternalName: "db.example.com"}
			w.Slices, w.target = w.Slices[:1], "web:5432"
		}),
		"refused": kind(func(w *world) {
			w.service.Selector, w.Slices = map[string]string{"app": "wbe"}, w.Slices[:1]
		}),
		"dropped": kind(func(w *world) {
			w.service.Type, w.service.Ports[0].NodePort, w.service.ExternalTrafficPolicy = model.NodePort, 30080, "Local"
			w.Slices[1].Endpoints = w.Slices[1].Endpoints[:1]
			w.client, w.target = model.Client{Kind: model.ClientOutside}, "172.18.0.3:30080"
		}),
		"closed": kind(func(w *world) { w.service.ClusterIPs, w.target = []string{model.None}, "web:8080" }),
		"dnsdown": kind(func(w *world) {
			w.Slices[0].Endpoints[0].Ready, w.Slices[0].Endpoints[0].Serving, w.DNS.Serving = ptr(false), ptr(false), false
		}),
		"nosuchname": kind(func(w *world) { w.Services, w.Slices = w.Services[1:], w.Slices[:1] }),
		"terminating": kind(func(w *world) {
			w.Pods[2].Deleting = time.Unix(2000, 0)
			w.Slices[1].Endpoints[0].Ready, w.Slices[1].Endpoints[0].Terminating = ptr(false), ptr(true)
			w.Slices[1].Endpoints[2].Ready, w.Slices[1].Endpoints[2].Serving = ptr(false), ptr(false)
		}),
	}
}

// TestFilms: a packet walks its way, carries other addresses behind its
// translation, and ends where it ends.
func TestFilms(t *testing.T) {
	for name, w := range films() {
		t.Run(name, func(t *testing.T) {
			s := w.scene()
			p, plain := Arrange(s, 118, 36), theme.New(theme.Options{NoColor: true})
			var strip strings.Builder
			shot := func(title string, m *Moment) {
				f := frame.New(p.W, p.H)
				p.Draw(f, plain, Show{Packet: m})
				fmt.Fprintf(&strip, "== %s\n%s\n", title, f.Plain())
			}
			shot("idle", nil)
			if s.Ways() > 0 {
				way := s.Way(s.Ways()/2, false)
				at := 0
				for i := range way.Legs {
					n := legSteps(&way.Legs[i])
					m := At(way, at+n/2)
					shot(legNames[way.Legs[i].Kind], &m)
					if n < 8 {
						t.Errorf("leg %d has %d frames", i, n)
					}
					at += n
				}
				m := Rest(way)
				shot("end", &m)
			}
			compare(t, filepath.Join("testdata", "film-"+name+".txt"), strip.String())
		})
	}
}

var legNames = map[scene.LegKind]string{
	scene.Ask: "ask", scene.Answer: "answer", scene.Send: "send", scene.Translate: "translate", scene.Deliver: "deliver", scene.Reply: "reply",
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs (go test ./ui/stage -update rewrites it):\n%s", file, got)
	}
}
