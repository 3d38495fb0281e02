package main

import "svctour/lessons"

// state is a state of a Service, and a moment in it, of which pictures are taken.
type state struct {
	name    string // of the files
	caption string // below the picture, as Markdown
	// step is the title of the step in states/lesson.md whose start state it is.
	step string
	at   string   // the moment, as still.Program.At has it
	keys []string // pressed once the step has begun
	// before and after are commands of svctour's that change the lab itself, and
	// change it back. leave are those that let the namespace go sooner.
	before, leave, after [][]string
	nodes                int // of the lab; 0: as many as it has by default
}

// states are all of them, in the order of the page.
func states() []state {
	onStage := []string{"2", "z"} // the stage, and that on the whole screen
	return []state{
		{name: "clusterip", step: "A ClusterIP", at: "start", keys: onStage,
			caption: "A ClusterIP Service with three Pods. Nothing is on its way."},
		{name: "clusterip-request", step: "A ClusterIP", at: "rule", keys: onStage,
			caption: "The client Pod has sent a request: the packet stands at the rule that sends it to a Pod."},
		{name: "clusterip-reply", step: "A ClusterIP", at: "reply", keys: onStage,
			caption: "The answer has come, and it is known which Pod has sent it."},
		{name: "clusterip-stream", step: "A ClusterIP", at: "stream", keys: onStage,
			caption: "A stream of requests: each Pod's count and share, and how long it takes."},
		{name: "nodeport", step: "A NodePort from outside", at: "start", keys: onStage,
			caption: "A NodePort Service and a client outside the cluster: the port is open on every node."},
		{name: "nodeport-local", step: "Traffic policy Local", at: "start", keys: onStage,
			caption: "With `externalTrafficPolicy: Local` a node without a Pod of the Service drops what comes from outside."},
		{name: "loadbalancer-pending", step: "A load balancer, pending", at: "start", keys: onStage,
			caption: "A load balancer that no one serves: its address stays pending, and what lies beneath it works."},
		{name: "loadbalancer", step: "A load balancer, served", at: "start", keys: onStage,
			before:  [][]string{{"lab", "addon", "enable", "load-balancer"}},
			after:   [][]string{{"lab", "addon", "disable", "load-balancer"}},
			caption: "A load balancer with an address."},
		{name: "headless", step: "Headless", at: "start", keys: onStage,
			caption: "A headless Service: its name leads to the Pods themselves."},
		{name: "externalname", step: "An ExternalName, out of the cluster", at: "start", keys: onStage,
			caption: "An ExternalName that leads out of the cluster."},
		{name: "externalname-service", step: "An ExternalName, to another Service", at: "start", keys: onStage,
			caption: "An ExternalName that leads to another Service."},
		{name: "empty-selector", step: "A selector that matches nothing", at: "start", keys: onStage,
			caption: "The selector matches no Pod: the Service has no endpoint."},
		{name: "not-ready", step: "A Pod that is not ready", at: "start", keys: onStage,
			caption: "A Pod is not ready, and gets nothing."},
		{name: "terminating", step: "A Pod that terminates", at: "start", keys: onStage,
			leave:   [][]string{{"kubectl", "-n", "tour", "delete", "pod", "web-old", "--force", "--grace-period=0"}},
			caption: "A Pod is being deleted: it gets no new connections."},
		{name: "dns-down", step: "DNS is down", at: "start", keys: onStage,
			before: [][]string{
				{"kubectl", "-n", "kube-system", "scale", "deployment", "coredns", "--replicas=0"},
				{"kubectl", "-n", "kube-system", "wait", "--for=delete", "pod", "--selector=k8s-app=kube-dns", "--timeout=60s"},
			},
			after: [][]string{
				{"kubectl", "-n", "kube-system", "scale", "deployment", "coredns", "--replicas=2"},
				{"kubectl", "-n", "kube-system", "rollout", "status", "deployment", "coredns", "--timeout=60s"},
			},
			caption: "CoreDNS has no Pods: the Service's address works, its name does not."},
		{name: "forty-pods", step: "Forty Pods on eight nodes", at: "start", keys: onStage, nodes: 8,
			caption: "Forty Pods on eight nodes."},
	}
}

// stepOf gives the index of the step of a title; -1 when there is none.
func stepOf(l *lessons.Lesson, title string) int {
	for i, step := range l.Steps {
		if step.Title == title {
			return i
		}
	}
	return -1
}
