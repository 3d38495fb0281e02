package diagnose

import (
	"time"

	"svctour/model"
)

var podCases = map[string]examples{
	"pod-unschedulable": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) {
			p.Node, p.IPs, p.Phase = "", nil, "Pending"
			p.Conditions = append(p.Conditions, model.Condition{Type: "PodScheduled", Status: "False", Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient cpu. no preemption"})
		})}},
		no: []example{{"cache", unready("cache", func(p *model.Pod) {
			p.Conditions = append(p.Conditions, model.Condition{Type: "PodScheduled", Status: "True"})
		})}},
	},
	"pod-image": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) { waits(p, "ImagePullBackOff") })}, {"cache", unready("cache", func(p *model.Pod) { waits(p, "InvalidImageName") })}},
		no:  []example{{"cache", unready("cache", func(p *model.Pod) { waits(p, "ContainerCreating") })}},
	},
	"pod-config": {
		yes: []example{
			{"cache", unready("cache", func(p *model.Pod) { waits(p, "CreateContainerConfigError") })},
			{"cache", func(w *world) {
				w.broken("cache", func(p *model.Pod) { waits(p, "ContainerCreating") })
				w.says("cache", "FailedMount", `MountVolume.SetUp failed for volume "tls": secret "tls" not found`)
			}},
		},
		no: []example{{"cache", func(w *world) { // it has come since
			w.says("cache", "FailedMount", `MountVolume.SetUp failed for volume "tls": secret "tls" not found`)
		}}},
	},
	"pod-network": {
		yes: []example{{"cache", func(w *world) {
			w.broken("cache", func(p *model.Pod) { waits(p, "ContainerCreating"); p.IPs = nil })
			w.says("cache", "FailedCreatePodSandBox", "Failed to create pod sandbox: plugin type=\"bridge\" failed (add): no IP addresses available in range set")
		}}},
		no: []example{{"cache", func(w *world) { // a second attempt went well
			w.broken("cache", func(p *model.Pod) { waits(p, "ContainerCreating") })
			w.says("cache", "FailedCreatePodSandBox", "Failed to create pod sandbox: timeout")
		}}},
	},
	"pod-service-variable": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) {
			crashed(&p.Containers[0], "Error", 1)
			p.Containers[0].Command = []string{"sh", "-c", "serve --port=$CACHE_PORT"}
		})}},
		no: []example{
			{"cache", unready("cache", func(p *model.Pod) { // no variables
				crashed(&p.Containers[0], "Error", 1)
				p.Containers[0].Command, p.ServiceLinks = []string{"sh", "-c", "serve --port=$CACHE_PORT"}, false
			})},
			{"cache", unready("cache", func(p *model.Pod) { // the Pod sets it itself
				crashed(&p.Containers[0], "Error", 1)
				p.Containers[0].Command, p.Containers[0].EnvNames = []string{"sh", "-c", "serve --port=$CACHE_PORT"}, []string{"CACHE_PORT"}
			})},
		},
	},
	"peers-not-published": {
		yes: []example{{"db", unready("db", func(p *model.Pod) {
			p.Containers[0].Readiness = &model.Probe{Kind: "exec", Command: []string{"connect", "db-1.db:5432"}}
		})}},
		no: []example{{"db", func(w *world) {
			w.find("db").PublishNotReady = true
			w.broken("db", func(p *model.Pod) {
				p.Containers[0].Readiness = &model.Probe{Kind: "exec", Command: []string{"connect", "db-1.db:5432"}}
			})
		}}},
	},
	"pod-out-of-memory": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) { crashed(&p.Containers[0], "OOMKilled", 137) })}},
		no:  []example{{"cache", unready("cache", func(p *model.Pod) { crashed(&p.Containers[0], "Error", 137) })}},
	},
	"liveness-kills": {
		yes: []example{
			{"cache", func(w *world) {
				w.broken("cache", func(p *model.Pod) {
					crashed(&p.Containers[0], "Error", 137)
					p.Containers[0].Liveness = &model.Probe{Kind: "tcp", Port: "9999"}
				})
				w.says("cache", "Unhealthy", "Liveness probe failed: dial tcp 10.244.0.9:9999: connect: connection refused")
			}},
			{"cache", func(w *world) {
				w.broken("cache", func(p *model.Pod) {
					p.Containers[0].Restarts, p.Containers[0].Startup = 3, &model.Probe{Kind: "http", Port: "6379", Path: "/up"}
				})
				w.says("cache", "Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503")
			}},
		},
		no: []example{
			{"cache", func(w *world) { // it crashes by itself
				w.broken("cache", func(p *model.Pod) { crashed(&p.Containers[0], "Error", 1) })
				w.says("cache", "BackOff", "Back-off restarting failed container")
			}},
			{"cache", func(w *world) { // once, long ago, and it lives
				each("cache", func(p *model.Pod) {
					p.Containers[0].Restarts, p.Containers[0].Liveness = 1, &model.Probe{Kind: "tcp", Port: "6379"}
				})(w)
				w.says("cache", "Unhealthy", "Liveness probe failed: timeout")
			}},
		},
	},
	"pod-port-conflict": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) {
			second := container("metrics", "", "TCP", 6379)
			crashed(&second, "Error", 1)
			p.Containers = append(p.Containers, second)
		})}},
		no: []example{{"cache", unready("cache", func(p *model.Pod) {
			second := container("metrics", "", "UDP", 6379)
			crashed(&second, "Error", 1)
			p.Containers = append(p.Containers, second)
		})}},
	},
	"pod-crashes": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) { crashed(&p.Containers[0], "Error", 1) })}},
		no:  []example{{"cache", each("cache", func(p *model.Pod) { p.Containers[0].Restarts = 2; p.Containers[0].LastReason = "Completed" })}},
	},
	"pod-init": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) {
			waits(p, "PodInitializing")
			p.InitContainers = []model.Container{{Name: "wait", State: "running"}}
		})}},
		no: []example{{"cache", unready("cache", func(p *model.Pod) {
			p.InitContainers = []model.Container{{Name: "wait", State: "terminated", Reason: "Completed"}, {Name: "proxy", Sidecar: true, State: "running", Ready: true}}
		})}},
	},
	"readiness-gate": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) { p.ReadinessGates, p.Containers[0].Ready = []string{"example.com/open"}, true })}},
		no: []example{{"cache", each("cache", func(p *model.Pod) {
			p.ReadinessGates, p.Conditions = []string{"example.com/open"}, append(p.Conditions, model.Condition{Type: "example.com/open", Status: "True"})
		})}},
	},
	"pod-node-down": {
		yes: []example{
			{"cache", func(w *world) {
				w.broken("cache", func(p *model.Pod) {
					for _, n := range w.Nodes {
						if n.Name == p.Node {
							n.Conditions[0].Status = "Unknown"
						}
					}
				})
			}},
			{"cache", unready("cache", func(p *model.Pod) { p.Node = "node-9" })},
		},
		no: []example{{"cache", func(w *world) { // another node is
			w.broken("cache", func(p *model.Pod) {
				for _, n := range w.Nodes {
					if n.Name != p.Node {
						n.Conditions[0].Status = "Unknown"
					}
				}
			})
		}}},
	},
	"pods-ended": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) { p.Phase, p.Reason = "Failed", "Evicted" })}},
		no:  []example{{"web", func(w *world) { w.backends("web")[0].Phase = "Failed" }}},
	},
	"pods-not-ready": {
		yes: []example{{"cache", unready("cache", func(p *model.Pod) { p.Containers[0].State, p.Containers[0].Reason = "waiting", "ContainerCreating" })}},
		no:  []example{{"cache", nothing}},
	},
	"some-pods-not-ready": {
		yes: []example{{"web", func(w *world) {
			p := w.backends("web")[0]
			p.Conditions[0].Status = "False"
			p.Containers[0].Ready, p.Containers[0].State, p.Containers[0].Reason = false, "waiting", "ImagePullBackOff"
		}}, {"web", func(w *world) { // its node is gone
			p := w.backends("web")[0]
			p.Conditions[0].Status = "False"
			for _, n := range w.Nodes {
				if n.Name == p.Node {
					n.Conditions[0].Status = "Unknown"
				}
			}
		}}, {"web", func(w *world) { // it has not been ready for long
			w.Time = time.Unix(1000, 0)
			p := w.backends("web")[0]
			p.Conditions[0].Status, p.Conditions[0].Since = "False", time.Unix(500, 0)
			p.Containers[0].Ready, p.Containers[0].Readiness = false, &model.Probe{Kind: "tcp", Port: "8080"}
		}}},
		no: []example{{"web", func(w *world) { // it is being made
			p := w.backends("web")[0]
			p.Conditions[0].Status = "False"
			p.Containers[0].Ready, p.Containers[0].State, p.Containers[0].Reason = false, "waiting", "ContainerCreating"
		}}, {"web", func(w *world) { // a moment ago
			w.Time = time.Unix(1000, 0)
			p := w.backends("web")[0]
			p.Conditions[0].Status, p.Conditions[0].Since = "False", time.Unix(990, 0)
			p.Containers[0].Ready, p.Containers[0].Readiness = false, &model.Probe{Kind: "tcp", Port: "8080"}
		}}},
	},
	"rollout-stuck": {
		yes: []example{{"web", func(w *world) {
			w.maker("web").Conditions = []model.Condition{{Type: "Progressing", Status: "False", Reason: "ProgressDeadlineExceeded", Message: `ReplicaSet "web-2" has timed out progressing.`}}
		}}},
		no: []example{{"web", func(w *world) {
			w.maker("web").Conditions = []model.Condition{{Type: "Progressing", Status: "True", Reason: "NewReplicaSetAvailable"}}
		}}},
	},
	"pod-restarts": {
		yes: []example{{"web", restarted(5, "Error", 1, 30*time.Second)}},
		no: []example{
			{"web", restarted(5, "Error", 1, time.Hour)}, {"web", restarted(1, "Error", 1, time.Minute)},
			{"web", restarted(5, "Unknown", 255, time.Minute)}, {"web", restarted(5, "Completed", 0, time.Minute)},
		},
	},
}

// waits is a Pod that does not run yet.
func waits(p *model.Pod, reason string) {
	p.Phase, p.Containers[0].State, p.Containers[0].Reason = "Pending", "waiting", reason
}

// restarted is a Pod of web's that came back some time ago.
func restarted(n int32, reason string, code int32, ago time.Duration) func(*world) {
	return func(w *world) {
		w.Time = time.Unix(1_000_000, 0)
		p := w.backends("web")[0]
		p.Conditions[0].Since = w.Time.Add(-ago)
		c := &p.Containers[0]
		c.Restarts, c.LastReason, c.LastExitCode = n, reason, code
	}
}
