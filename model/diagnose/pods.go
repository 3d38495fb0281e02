package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"svctour/model"
)

// notReady are the selected Pods that are no ready endpoints.
func (s *Subject) notReady() []*model.Pod {
	var out []*model.Pod
	for _, pod := range s.selected {
		if !pod.Ready() {
			out = append(out, pod)
		}
	}
	return out
}

// dead says whether the selector matches Pods, none of which is ready.
func (s *Subject) dead() bool { return s.selects() && len(s.selected) > 0 && len(s.ready) == 0 }

// podRule makes a rule's check: when no Pod is ready, it looks at each that is
// not, and the first finding about one is taken.
func podRule(check func(*Subject, *model.Pod) *Finding) func(*Subject) []Finding {
	return func(s *Subject) []Finding {
		if !s.dead() {
			return nil
		}
		for _, pod := range s.selected {
			if f := check(s, pod); f != nil {
				f.Severity = Error
				return []Finding{*f}
			}
		}
		return nil
	}
}

// containers are those whose state counts for readiness.
func containers(pod *model.Pod) []*model.Container {
	var out []*model.Container
	for i := range pod.InitContainers {
		if pod.InitContainers[i].Sidecar {
			out = append(out, &pod.InitContainers[i])
		}
	}
	for i := range pod.Containers {
		out = append(out, &pod.Containers[i])
	}
	return out
}

func condition(pod *model.Pod, kind string) *model.Condition {
	for i := range pod.Conditions {
		if pod.Conditions[i].Type == kind {
			return &pod.Conditions[i]
		}
	}
	return nil
}

func containerField(c *model.Container, field string) string {
	return fmt.Sprintf("status.containerStatuses[%s].%s", c.Name, field)
}

// The scheduler finds no node for the Pod.
var podUnscheduled = Rule{
	ID: "pod-unschedulable", Lane: LanePods,
	Title:   "The Pods are not scheduled",
	Explain: "The scheduler finds no node with room, the right labels or tolerated taints. Its message says how many nodes fail for which reason.",
	Source:  "https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		c := condition(pod, "PodScheduled")
		if pod.Node != "" || c == nil || c.Status != "False" {
			return nil
		}
		return &Finding{
			Confidence: Certain,
			Headline:   fmt.Sprintf("Pod %s has no node: %s", pod.Name, firstSentence(c.Message)),
			Cause:      "A Pod that is not scheduled has no address and cannot be an endpoint.",
			Evidence:   []Fact{observed("Pod", pod.Meta, "status.conditions[PodScheduled]", c.Reason+": "+c.Message)},
			Fix:        command("Make room, or change what the Pod asks for; the message says what is missing.", "kubectl describe pod %s -n %s", pod.Name, pod.Namespace),
		}
	}),
}

// The image cannot be pulled.
var podImage = Rule{
	ID: "pod-image", Lane: LanePods,
	Title:   "An image cannot be pulled",
	Explain: "The name or the tag is wrong, or the registry wants credentials (imagePullSecrets).",
	Source:  "https://kubernetes.io/docs/concepts/containers/images/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range allContainers(pod) {
			if c.State != "waiting" || !slices.Contains([]string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}, c.Reason) {
				continue
			}
			return &Finding{
				Confidence: Certain,
				Headline:   fmt.Sprintf("Image %s of Pod %s cannot be pulled (%s)", c.Image, pod.Name, c.Reason),
				Cause:      orElse(c.Message, "The container does not start, so that the Pod is not ready."),
				Evidence:   []Fact{observed("Pod", pod.Meta, containerField(c, "state.waiting.reason"), c.Reason), observed("Pod", pod.Meta, "spec.containers["+c.Name+"].image", c.Image)},
				Fix:        s.setImage(pod, c),
			}
		}
		return nil
	}),
}

func (s *Subject) setImage(pod *model.Pod, c *model.Container) Fix {
	if owner := s.owner(pod); strings.HasPrefix(owner, "Deployment/") {
		return command("Use an image that exists, or give credentials for it.", "kubectl set image %s %s=IMAGE -n %s", strings.ToLower(owner), c.Name, pod.Namespace)
	}
	return command("Use an image that exists, or give credentials for it.", "kubectl describe pod %s -n %s", pod.Name, pod.Namespace)
}

// A ConfigMap or Secret is missing.
var podConfig = Rule{
	ID: "pod-config", Lane: LanePods,
	Title:   "A container cannot be created",
	Explain: "It names a ConfigMap, a Secret, a key or a volume that does not exist.",
	Source:  "https://kubernetes.io/docs/tasks/configure-pod-container/configure-pod-configmap/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range allContainers(pod) {
			if c.State == "waiting" && slices.Contains([]string{"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}, c.Reason) {
				return &Finding{
					Confidence: Certain,
					Headline:   fmt.Sprintf("Container %s of Pod %s cannot be created: %s", c.Name, pod.Name, orElse(c.Message, c.Reason)),
					Cause:      "The container does not start, so that the Pod is not ready.",
					Evidence:   []Fact{observed("Pod", pod.Meta, containerField(c, "state.waiting"), c.Reason+": "+c.Message)},
					Fix:        command("Create what is missing, or correct its name.", "kubectl describe pod %s -n %s", pod.Name, pod.Namespace),
				}
			}
		}
		for _, e := range s.events["Pod "+pod.Key()] {
			if e.Reason == "FailedMount" && pod.Phase == "Pending" {
				return &Finding{
					Confidence: Certain,
					Headline:   fmt.Sprintf("A volume of Pod %s cannot be mounted: %s", pod.Name, e.Message),
					Cause:      "Containers start when every volume is there.",
					Evidence:   []Fact{observed("Event", e.Meta, e.Reason, e.Message)},
					Fix:        command("Create what is missing, or correct its name.", "kubectl describe pod %s -n %s", pod.Name, pod.Namespace),
				}
			}
		}
		return nil
	}),
}

// A Service's variable is taken for the program's own.
var podVariableCollision = Rule{
	ID: "pod-service-variable", Lane: LanePods,
	Title: "A Service's environment variable collides with the program's own",
	Explain: "For every Service of its namespace a new Pod gets variables: a Service named app sets APP_PORT=tcp://10.96.1.2:80. " +
		"A program that reads APP_PORT for itself gets an address instead of a number. Set enableServiceLinks: false, or rename the Service.",
	Source: "https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		if !pod.ServiceLinks {
			return nil
		}
		for _, c := range allContainers(pod) {
			if !crashes(c) {
				continue
			}
			for _, other := range s.snapshot.Services {
				if other.Namespace != pod.Namespace || other.ClusterIP() == "" || other.Headless() {
					continue
				}
				name := strings.ToUpper(strings.ReplaceAll(other.Name, "-", "_"))
				variable := mentioned(c, name)
				if variable == "" {
					continue
				}
				return &Finding{
					Confidence: Likely,
					Headline:   fmt.Sprintf("Service %s sets %s in Pod %s, which reads it for itself", other.Name, variable, pod.Name),
					Cause:      fmt.Sprintf("%s=tcp://%s:%d is set in every Pod of the namespace made after the Service; container %s uses that variable, and crashes.", variable, other.ClusterIP(), firstPort(other), c.Name),
					Evidence: []Fact{
						observed("Pod", pod.Meta, "spec.containers["+c.Name+"].command", short(strings.Join(c.Command, " "))),
						observed("Service", other.Meta, "metadata.name", other.Name),
						{Object: about("Pod", pod.Meta), Field: "env " + variable, Value: fmt.Sprintf("tcp://%s:%d", other.ClusterIP(), firstPort(other)), Kind: model.Derived},
						observed("Pod", pod.Meta, "spec.enableServiceLinks", "true"),
						crashFact(pod, c),
					},
					Fix: s.templateFix(pod, "Switch the Services' variables off; DNS does their work.", object{"enableServiceLinks": false}),
				}
			}
		}
		return nil
	}),
}

// mentioned is a variable of a Service's that a container's command reads and
// its own env does not set; "" when there is none.
func mentioned(c *model.Container, prefix string) string {
	text := strings.Join(c.Command, "\n")
	for _, suffix := range []string{"_PORT", "_SERVICE_PORT", "_SERVICE_HOST"} {
		variable := prefix + suffix
		for _, form := range []string{"$" + variable, "${" + variable, "$(" + variable, "env." + variable, "'" + variable + "'", `"` + variable + `"`} {
			if at := strings.Index(text, form); at >= 0 && !identifier(text, at+len(form)) && !slices.Contains(c.EnvNames, variable) {
				return variable
			}
		}
	}
	return ""
}

func identifier(text string, at int) bool {
	return at < len(text) && (text[at] == '_' || text[at] >= 'A' && text[at] <= 'Z' || text[at] >= 'a' && text[at] <= 'z' || text[at] >= '0' && text[at] <= '9')
}

// A StatefulSet's Pods wait for each other's names.
var podPeersNotReady = Rule{
	ID: "peers-not-published", Lane: LanePods,
	Title: "Pods wait for the names of peers that are not ready",
	Explain: "A headless Service publishes ready Pods only. Pods that become ready when they have found their peers never do: set " +
		"publishNotReadyAddresses: true on the Service that the peers use.",
	Source: "https://kubernetes.io/docs/reference/kubernetes-api/service-resources/service-v1/#ServiceSpec, publishNotReadyAddresses",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		if !s.Service.Headless() || s.Service.PublishNotReady {
			return nil
		}
		for _, c := range containers(pod) {
			for _, probe := range []*model.Probe{c.Readiness, c.Startup} {
				if probe == nil || probe.Kind != "exec" || c.State != "running" || !namesService(strings.Join(probe.Command, " "), s.Name) {
					continue
				}
				return &Finding{
					Confidence: Likely,
					Headline:   fmt.Sprintf("Pod %s is ready only when it finds a peer by its name, and %s publishes ready Pods only", pod.Name, s.Name),
					Cause:      "No Pod is ready, so no peer has a name; without a peer's name none becomes ready.",
					Evidence: []Fact{
						observed("Pod", pod.Meta, "spec.containers["+c.Name+"].readinessProbe.exec", short(strings.Join(probe.Command, " "))),
						observed("Service", s.Service.Meta, "spec.publishNotReadyAddresses", "false"),
					},
					Fix: patched("Publish the Pods' names before they are ready.", "Service", s.Service.Meta, "merge", spec(object{"publishNotReadyAddresses": true})),
				}
			}
		}
		return nil
	}),
}

// namesService says whether a command has a host under the Service's name.
func namesService(text, service string) bool {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n:/'\"=,()[]", r) }) {
		labels := strings.Split(word, ".")
		if labels[0] == service || len(labels) > 1 && labels[1] == service {
			return true
		}
	}
	return false
}

// A container was killed for its memory.
var podOutOfMemory = Rule{
	ID: "pod-out-of-memory", Lane: LanePods,
	Title:   "A container is killed for using too much memory",
	Explain: "The kernel kills a container that exceeds its memory limit. Raise the limit or lower what the program uses.",
	Source:  "https://kubernetes.io/docs/tasks/configure-pod-container/assign-memory-resource/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range allContainers(pod) {
			if c.LastReason != "OOMKilled" && c.Reason != "OOMKilled" {
				continue
			}
			return &Finding{
				Confidence: Certain,
				Headline:   fmt.Sprintf("Container %s of Pod %s is killed for its memory, again and again", c.Name, pod.Name),
				Cause:      "It exceeds its memory limit; it is an endpoint only between its starts.",
				Evidence:   []Fact{observed("Pod", pod.Meta, containerField(c, "lastState.terminated.reason"), "OOMKilled"), observed("Pod", pod.Meta, containerField(c, "restartCount"), fmt.Sprint(c.Restarts))},
				Fix:        command("Raise the limit, or find the leak.", "kubectl set resources %s -n %s --limits=memory=SIZE", strings.ToLower(s.owner(pod)), pod.Namespace),
			}
		}
		return nil
	}),
}

// A container ends as soon as it starts.
var podCrashLoop = Rule{
	ID: "pod-crashes", Lane: LanePods,
	Title:   "A container crashes after each start",
	Explain: "The kubelet waits longer before each restart, up to five minutes. The log of the run before says why it ended.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range containers(pod) {
			if !crashes(c) {
				continue
			}
			return &Finding{
				Confidence: Certain,
				Headline:   fmt.Sprintf("Container %s of Pod %s crashes: %s", c.Name, pod.Name, crashText(c)),
				Cause:      "The Pod is an endpoint only in the moments in which it runs and is ready.",
				Evidence:   []Fact{crashFact(pod, c), observed("Pod", pod.Meta, containerField(c, "restartCount"), fmt.Sprint(c.Restarts))},
				Fix:        command("Read what it said before it ended.", "kubectl logs %s -n %s -c %s --previous", pod.Name, pod.Namespace, c.Name),
			}
		}
		return nil
	}),
}

// crashes says whether a container ends again and again, or just has.
func crashes(c *model.Container) bool {
	return c.State == "waiting" && c.Reason == "CrashLoopBackOff" || c.State == "terminated" || c.Restarts > 0 && !c.Ready && c.LastReason != "" && c.LastExitCode != 0
}

func crashText(c *model.Container) string {
	reason, code := c.LastReason, c.LastExitCode
	if c.State == "terminated" {
		reason, code = c.Reason, c.ExitCode
	}
	if reason == "" {
		return c.Reason
	}
	return fmt.Sprintf("exit code %d (%s)", code, reason)
}

func crashFact(pod *model.Pod, c *model.Container) Fact {
	return observed("Pod", pod.Meta, containerField(c, "state"), strings.TrimSpace(c.State+" "+c.Reason+", last "+crashText(c)))
}

// An init container does not finish.
var podInit = Rule{
	ID: "pod-init", Lane: LanePods,
	Title:   "An init container does not finish",
	Explain: "Containers start after every init container has succeeded, in order.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/init-containers/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for i := range pod.InitContainers {
			c := &pod.InitContainers[i]
			done := c.State == "terminated" && c.ExitCode == 0 || c.Sidecar && c.State == "running"
			if done || c.State == "" || pod.Phase != "Pending" {
				continue
			}
			return &Finding{
				Confidence: Certain,
				Headline:   fmt.Sprintf("Init container %s of Pod %s has not finished (%s)", c.Name, pod.Name, strings.TrimSpace(c.State+" "+c.Reason)),
				Cause:      "The Pod's containers wait for it.",
				Evidence:   []Fact{observed("Pod", pod.Meta, "status.initContainerStatuses["+c.Name+"].state", strings.TrimSpace(c.State+" "+c.Reason))},
				Fix:        command("Its log says what it waits for.", "kubectl logs %s -n %s -c %s", pod.Name, pod.Namespace, c.Name),
			}
		}
		return nil
	}),
}

// The readiness probe asks a port that nobody declares.
var podProbePort = Rule{
	ID: "probe-port", Lane: LanePods,
	Title:   "The readiness probe asks another port than the container's",
	Explain: "A probe of a port on which nothing listens fails forever, and the Pod never becomes an endpoint. Name the port, and probe the name.",
	Source:  "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range containers(pod) {
			field, probe := "readinessProbe", c.Readiness
			if c.Startup != nil && c.Startup.Port != "" && !declared(pod, c.Startup.Port) {
				field, probe = "startupProbe", c.Startup
			}
			if probe == nil || probe.Port == "" || c.Ready || c.State != "running" || declared(pod, probe.Port) || len(containerPorts(pod)) == 0 {
				continue
			}
			right := containerPorts(pod)[0]
			for i := range s.Service.Ports {
				if n := targetNumber(&s.Service.Ports[i], pod); n > 0 && declared(pod, fmt.Sprint(n)) {
					right.Port = n
					break
				}
			}
			f := &Finding{
				Confidence: Likely,
				Headline:   fmt.Sprintf("The %s of Pod %s asks port %s; the container declares %s", field, pod.Name, probe.Port, podPortsText(pod)),
				Cause:      "The container runs, but its probe fails, so that the Pod is not ready and no endpoint.",
				Evidence: []Fact{
					observed("Pod", pod.Meta, "spec.containers["+c.Name+"]."+field, probeText(probe)),
					observed("Pod", pod.Meta, "ports", podPortsText(pod)),
					observed("Pod", pod.Meta, "status.conditions[Ready]", "False"),
				},
			}
			for _, e := range s.events["Pod "+pod.Key()] {
				if e.Reason == "Unhealthy" {
					f.Evidence = append(f.Evidence, observed("Event", e.Meta, e.Reason, short(e.Message)))
					break
				}
			}
			f.Fix = s.containerFix(pod, c, fmt.Sprintf("Probe port %d.", right.Port), object{field: probeBody(probe, right.Port)})
			return f
		}
		return nil
	}),
}

func probeBody(p *model.Probe, port int32) object {
	switch p.Kind {
	case "http":
		return object{"httpGet": object{"path": p.Path, "port": port}}
	case "grpc":
		return object{"grpc": object{"port": port}}
	}
	return object{"tcpSocket": object{"port": port}}
}

func probeText(p *model.Probe) string {
	switch p.Kind {
	case "http":
		return fmt.Sprintf("httpGet :%s%s", p.Port, p.Path)
	case "exec":
		return "exec " + short(strings.Join(p.Command, " "))
	}
	return p.Kind + " :" + p.Port
}

// A probe fails, for whatever reason.
var podProbeFails = Rule{
	ID: "probe-fails", Lane: LanePods,
	Title:   "The Pods run, but their probe fails",
	Explain: "Containers run and are not ready: the startup or readiness probe fails, or has not succeeded yet. The kubelet's event has the answer that it got.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, c := range containers(pod) {
			probe := c.Readiness
			if probe == nil {
				probe = c.Startup
			}
			if c.Ready || c.State != "running" || probe == nil {
				continue
			}
			f := &Finding{
				Confidence: Likely,
				Headline:   fmt.Sprintf("Container %s of Pod %s runs, but its probe (%s) does not succeed", c.Name, pod.Name, probeText(probe)),
				Cause:      "A Pod that is not ready is no endpoint.",
				Evidence:   []Fact{observed("Pod", pod.Meta, containerField(c, "ready"), "false"), observed("Pod", pod.Meta, "spec.containers["+c.Name+"].readinessProbe", probeText(probe))},
				Fix:        command("See what the probe was answered; correct the probe, or the program.", "kubectl describe pod %s -n %s", pod.Name, pod.Namespace),
			}
			for _, e := range s.events["Pod "+pod.Key()] {
				if e.Reason == "Unhealthy" {
					f.Cause, f.Confidence = e.Message, Certain
					f.Evidence = append(f.Evidence, observed("Event", e.Meta, e.Reason, short(e.Message)))
					break
				}
			}
			return f
		}
		return nil
	}),
}

// A readiness gate is not open.
var podReadinessGate = Rule{
	ID: "readiness-gate", Lane: LanePods,
	Title:   "A readiness gate is closed",
	Explain: "Besides its containers a Pod may wait for conditions that some controller sets, for example a load balancer's.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-readiness-gate",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		for _, gate := range pod.ReadinessGates {
			if c := condition(pod, gate); c == nil || c.Status != "True" {
				value := "not set"
				if c != nil {
					value = c.Status
				}
				return &Finding{
					Confidence: Certain,
					Headline:   fmt.Sprintf("Pod %s waits for its readiness gate %s", pod.Name, gate),
					Cause:      "No controller has set the condition to True.",
					Evidence:   []Fact{observed("Pod", pod.Meta, "status.conditions["+gate+"]", value)},
					Fix:        Fix{Explain: "See whether the controller that sets it runs, or take the gate out of the Pod's template."},
				}
			}
		}
		return nil
	}),
}

// The Pods' node is gone.
var podNodeDown = Rule{
	ID: "pod-node-down", Lane: LanePods,
	Title:   "The Pods' node is not ready",
	Explain: "When a kubelet stops reporting, the node controller marks its Pods not ready, and they are no endpoints any more.",
	Source:  "https://kubernetes.io/docs/concepts/architecture/nodes/#condition",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		node := s.snapshot.Node(pod.Node)
		if pod.Node == "" || s.unread("nodes") || node != nil && node.Ready() {
			return nil
		}
		if node == nil {
			return &Finding{
				Confidence: Certain, Headline: fmt.Sprintf("Node %s of Pod %s does not exist any more", pod.Node, pod.Name),
				Cause:    "Nobody runs the Pod.",
				Evidence: []Fact{observed("Pod", pod.Meta, "spec.nodeName", pod.Node)},
				Fix:      command("Delete the Pod, so that another is made.", "kubectl delete pod %s -n %s", pod.Name, pod.Namespace),
			}
		}
		return &Finding{
			Confidence: Certain, Headline: fmt.Sprintf("Node %s of Pod %s is not ready", pod.Node, pod.Name),
			Cause:    "Its Pods are marked not ready and are no endpoints.",
			Evidence: []Fact{observed("Node", node.Meta, "status.conditions[Ready]", "not True")},
			Fix:      command("See why.", "kubectl describe node %s", pod.Node),
		}
	}),
}

// All Pods have ended.
var podEnded = Rule{
	ID: "pods-ended", Lane: LanePods,
	Title:   "The Pods have ended",
	Explain: "Pods that have succeeded or failed are no endpoints. A server runs in a Deployment, which replaces what ends.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.selected) > 0 || len(s.ended) == 0 {
			return nil
		}
		pod := s.ended[0]
		return []Finding{{
			Severity: Error, Confidence: Certain,
			Headline: fmt.Sprintf("Pod %s has ended (%s), and nothing replaces it", pod.Name, strings.TrimSpace(pod.Phase+" "+pod.Reason)),
			Cause:    orElse(pod.Message, "A Pod that has ended is no endpoint."),
			Evidence: []Fact{observed("Pod", pod.Meta, "status.phase", pod.Phase)},
			Fix:      command("Run the server in a Deployment; look at why it ended.", "kubectl logs %s -n %s", pod.Name, pod.Namespace),
		}}
	},
}

// The Pods have just begun.
var podStarting = Rule{
	ID: "pods-not-ready", Lane: LanePods,
	Title:   "No Pod is ready",
	Explain: "The selector matches Pods, none of which is ready. If they have just been made, wait.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-conditions",
	Check: podRule(func(s *Subject, pod *model.Pod) *Finding {
		value := pod.Phase
		for _, c := range allContainers(pod) {
			if c.State == "waiting" {
				value += ", container " + c.Name + " waiting: " + c.Reason
				break
			}
		}
		return &Finding{
			Confidence: Certain,
			Headline:   fmt.Sprintf("None of %s is ready", count(len(s.selected), "matching Pod")),
			Cause:      "A Pod that is not ready is no endpoint. If it was made a moment ago, it may just be starting.",
			Evidence:   []Fact{observed("Pod", pod.Meta, "status", value)},
			Fix:        command("See what it waits for.", "kubectl describe pod %s -n %s", pod.Name, pod.Namespace),
		}
	}),
}

// Some Pods are ready, and others are not.
var someNotReady = Rule{
	ID: "some-pods-not-ready", Lane: LanePods,
	Title:   "Some of the Pods are not ready",
	Explain: "The Service works with the Pods that are ready; capacity is missing. A container that crashes, or an image that cannot be pulled, does not get better by itself.",
	Source:  "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/",
	Check: func(s *Subject) []Finding {
		if !s.selects() || len(s.ready) == 0 {
			return nil
		}
		for _, pod := range s.notReady() {
			for _, c := range allContainers(pod) {
				stuck := c.State == "waiting" && c.Reason != "ContainerCreating" && c.Reason != "PodInitializing" && c.Reason != ""
				if !stuck && !crashes(c) {
					continue
				}
				return []Finding{{
					Severity: Warning, Confidence: Certain,
					Headline: fmt.Sprintf("Pod %s is not ready: container %s is %s", pod.Name, c.Name, strings.TrimSpace(c.State+" "+c.Reason)),
					Cause:    fmt.Sprintf("%d of %s are ready and answer.", len(s.ready), count(len(s.selected), "Pod")),
					Evidence: []Fact{observed("Pod", pod.Meta, containerField(c, "state"), strings.TrimSpace(c.State+" "+c.Reason))},
					Fix:      command("See why.", "kubectl describe pod %s -n %s", pod.Name, pod.Namespace),
				}}
			}
		}
		return nil
	},
}

// allContainers are init containers and the others.
func allContainers(pod *model.Pod) []*model.Container {
	var out []*model.Container
	for i := range pod.InitContainers {
		out = append(out, &pod.InitContainers[i])
	}
	for i := range pod.Containers {
		out = append(out, &pod.Containers[i])
	}
	return out
}

// templateFix changes the Pod's spec, in the template of what makes it.
func (s *Subject) templateFix(pod *model.Pod, explain string, fields object) Fix {
	kind, name, _ := strings.Cut(s.owner(pod), "/")
	switch kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		return patched(explain, kind, model.Meta{Namespace: pod.Namespace, Name: name}, "strategic", spec(object{"template": spec(fields)}))
	}
	return Fix{Explain: explain + " A Pod's own spec is fixed: make it anew."}
}

// containerFix changes a container, in the template of what makes its Pod.
func (s *Subject) containerFix(pod *model.Pod, c *model.Container, explain string, fields object) Fix {
	fields["name"] = c.Name
	list := "containers"
	if c.Sidecar {
		list = "initContainers"
	}
	return s.templateFix(pod, explain, object{list: []any{fields}})
}

func orElse(text, other string) string {
	if text != "" {
		return text
	}
	return other
}

func firstSentence(text string) string {
	if before, _, found := strings.Cut(text, ". "); found {
		return before
	}
	return text
}

// short cuts a text that may be of any length.
func short(text string) string {
	const most = 120
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

func firstPort(s *model.Service) int32 {
	if len(s.Ports) == 0 {
		return 0
	}
	return s.Ports[0].Port
}
