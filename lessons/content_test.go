package lessons

import (
	"testing"

	"svctour/model"
)

// Every check of the built-in lessons is false at the step's start and after
// each listed mistake, and true after the solution, over made-up snapshots.
// test/lessons proves the same with the real commands on the lab.
func TestChecksOfTheBuiltinLessons(t *testing.T) {
	three := func(w *world) {
		w.scale(3)
		w.addPod(map[string]string{"run": "tmp"}).Name = "tmp"
	}
	served := func(change func(*model.Service)) func(*world) {
		return func(w *world) { three(w); w.setService(webService(change)) }
	}
	nodePort := func(s *model.Service) { s.Type, s.Ports[0].NodePort = model.NodePort, 30080 }
	balancer := func(s *model.Service) { s.Type, s.Ports[0].NodePort = model.LoadBalancer, 31234 }
	twoPorts := func(s *model.Service) {
		s.Ports[0].Name = "http"
		s.Ports = append(s.Ports, model.ServicePort{Name: "more", Protocol: "TCP", Port: 8080, TargetPort: "80"})
	}
	headless := func(s *model.Service) { s.ClusterIPs = []string{model.None} }
	deployed := func(w *world) {
		w.deploys = append(w.deploys, &model.Deployment{Meta: model.Meta{Namespace: testNamespace, Name: "web"}})
	}
	anyPort := func(change func(*model.Service)) *model.Service {
		s := webService(nodePort)
		s.Name, s.Ports = "web-any", []model.ServicePort{{Protocol: "TCP", Port: 80, TargetPort: "80", NodePort: 31000}}
		if change != nil {
			change(s)
		}
		return s
	}
	replaceOne := func(w *world) { w.deletePod("web-01"); w.addPod(webLabels) }
	nothing := func(*world) {}
	tests := []struct {
		lesson, step string
		start        func(*world)
		wrong        []func(*world) // each in place of the solution
		solve        func(*world)
	}{
		{"clusterip", "Three Pods", nothing,
			[]func(*world){func(w *world) { deployed(w); w.scale(1) }, func(w *world) { w.scale(3); w.pods[0].Conditions[0].Status = "False" }},
			func(w *world) { deployed(w); w.scale(3) }},
		{"clusterip", "A client", func(w *world) { w.scale(3) },
			[]func(*world){func(w *world) { w.addPod(webLabels).Name = "tmp" }, func(w *world) { w.addPod(nil).Name = "temp" }}, three},
		{"clusterip", "Delete one", three, []func(*world){func(w *world) { w.scale(2) }, func(w *world) { w.scale(4) }}, replaceOne},
		{"clusterip", "The Service", three, []func(*world){
			func(w *world) {
				w.setService(webService(func(s *model.Service) { s.Selector = map[string]string{"app": "wbe"} }))
			},
			func(w *world) { w.setService(webService(func(s *model.Service) { s.Ports[0].TargetPort = "8080" })) },
			func(w *world) { w.setService(webService(func(s *model.Service) { s.Type = model.NodePort })) },
			func(w *world) { w.setService(webService(func(s *model.Service) { s.Ports[0].Port = 8080 })) },
			func(w *world) { w.setService(webService(twoPorts)) },
			func(w *world) { w.setService(webService(headless)) },
		}, served(nil)},
		{"clusterip", "More Pods", served(nil), []func(*world){func(w *world) { w.scale(4) }, func(w *world) { w.scale(6) }}, func(w *world) { w.scale(5) }},
		{"clusterip", "Back to three", func(w *world) { served(nil)(w); w.scale(5) }, []func(*world){func(w *world) { w.scale(0) }}, func(w *world) { w.scale(3) }},
		{"clusterip", "Delete one more", served(nil), []func(*world){
			func(w *world) { w.scale(2) },
			func(w *world) {
				replaceOne(w)
				w.services[0] = webService(func(s *model.Service) { s.ClusterIPs = []string{"10.96.0.99"} })
				w.setService(w.services[0])
			},
		}, replaceOne},
		{"nodeport", "Two lines", served(nil), []func(*world){
			func(w *world) {
				w.setService(webService(func(s *model.Service) { nodePort(s); s.ClusterIPs = []string{"10.96.0.99"} }))
			},
			func(w *world) { w.setService(webService(balancer)) },
			func(w *world) { w.setService(webService(func(s *model.Service) { nodePort(s); twoPorts(s) })) },
		}, func(w *world) { w.setService(webService(nodePort)) }},
		{"nodeport", "Let the API server choose", served(nodePort),
			[]func(*world){func(w *world) {
				w.setService(anyPort(func(s *model.Service) { s.Type, s.Ports[0].NodePort = model.ClusterIP, 0 }))
			}},
			func(w *world) { w.setService(anyPort(nil)) }},
		{"loadbalancer", "One word", served(nil), []func(*world){
			func(w *world) { w.setService(webService(nodePort)) },
			func(w *world) { w.setService(webService(func(s *model.Service) { s.Type = model.LoadBalancer })) },
			func(w *world) {
				w.setService(webService(func(s *model.Service) { balancer(s); s.Ports[0].Port = 8080 }))
			},
		}, func(w *world) { w.setService(webService(balancer)) }},
		{"loadbalancer", "Be the controller", served(balancer),
			[]func(*world){func(w *world) {
				w.setService(webService(func(s *model.Service) { balancer(s); s.Labels = map[string]string{"tried": "yes"} }))
			}},
			func(w *world) {
				w.setService(webService(func(s *model.Service) { balancer(s); s.Ingress = []model.Ingress{{IP: "203.0.113.10"}} }))
			}},
		{"loadbalancer", "Take it down", served(balancer), []func(*world){func(w *world) { w.scale(0) }, func(w *world) { w.scale(0); w.services = nil }},
			func(w *world) { w.services = nil }},
	}
	checked := 0
	list, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.lesson+"/"+test.step, func(t *testing.T) {
			l, err := Find(list, test.lesson)
			if err != nil {
				t.Fatal(err)
			}
			at := stepNamed(t, l, test.step)
			for i, fix := range append([]func(*world){test.solve}, test.wrong...) {
				w := newWorld()
				test.start(w)
				p := newPlay(t, l, Progress{})
				p.Goto(at)
				observe(t, p, w.snapshot())
				if p.Preparing() {
					t.Fatalf("the start state is not recognised: %s", p.Step().Given.Until)
				}
				if p.Done(at) {
					t.Fatal("done before anything was done")
				}
				fix(w)
				observe(t, p, w.snapshot())
				if want := i == 0; p.Done(at) != want {
					t.Errorf("fix %d (0 is the solution): done is %v", i, p.Done(at))
				}
			}
		})
	}
	for _, l := range list {
		for _, s := range l.Steps {
			if s.Checked() && !s.check.replies {
				checked++
			}
		}
	}
	if checked != len(tests) {
		t.Errorf("%d steps are checked over the cluster, %d are tested here", checked, len(tests))
	}
}

// An address that a cluster's own controller assigned counts too.
func TestLoadBalancerLessonWhereAControllerIs(t *testing.T) {
	list, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	w.scale(3)
	w.addPod(map[string]string{"run": "tmp"}).Name = "tmp"
	w.setService(webService(func(s *model.Service) {
		s.Type, s.Ports[0].NodePort, s.Ingress = model.LoadBalancer, 31234, []model.Ingress{{Hostname: "lb.example.com"}}
	}))
	p := newPlay(t, list[2], Progress{})
	at := stepNamed(t, list[2], "Be the controller")
	p.Goto(at)
	observe(t, p, w.snapshot())
	if !p.Done(at) {
		t.Error("the address is in the status: the step is done")
	}
}

// A Service that the next steps cannot be played with, and a client that passes
// for a server, are no start state: its commands are run.
func TestStartStatesOfTheBuiltinLessons(t *testing.T) {
	list, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]string{
		"the-name": model.ClusterIP, "more-pods": model.ClusterIP, "back-to-three": model.ClusterIP, "delete-one-more": model.ClusterIP,
		"outside": model.ClusterIP, "three-ports": model.NodePort, "one-word": model.ClusterIP,
		"pending": model.LoadBalancer, "be-the-controller": model.LoadBalancer, "take-it-down": model.LoadBalancer,
	}
	for _, l := range list {
		for at, step := range l.Steps {
			kind, ok := kinds[step.ID]
			if !ok {
				continue
			}
			delete(kinds, step.ID)
			for _, test := range []struct {
				name   string
				spoil  func(*model.Service, *model.Pod)
				begins bool
			}{
				{"as it should be", func(*model.Service, *model.Pod) {}, true},
				{"another port", func(s *model.Service, _ *model.Pod) { s.Ports[0].Port = 8080 }, false},
				{"one port more", func(s *model.Service, _ *model.Pod) {
					s.Ports = append(s.Ports, model.ServicePort{Name: "more", Protocol: "TCP", Port: 8080, TargetPort: "80"})
				}, false},
				{"headless", func(s *model.Service, _ *model.Pod) { s.ClusterIPs = []string{model.None} }, kind != model.ClusterIP}, // no other can be
				{"a client with the servers' label", func(_ *model.Service, tmp *model.Pod) { tmp.Labels = webLabels }, false},
			} {
				w := newWorld()
				w.scale(3)
				if step.ID == "back-to-three" {
					w.scale(5)
				}
				tmp := w.addPod(map[string]string{"run": "tmp"})
				tmp.Name = "tmp"
				service := webService(func(s *model.Service) { s.Type = kind })
				test.spoil(service, tmp)
				w.setService(service)
				p := newPlay(t, l, Progress{})
				p.Goto(at)
				observe(t, p, w.snapshot())
				if p.Preparing() == test.begins {
					t.Errorf("%s, %s: begun is %v", step.ID, test.name, !p.Preparing())
				}
			}
		}
	}
	if len(kinds) > 0 {
		t.Errorf("no such steps: %v", kinds)
	}
}
