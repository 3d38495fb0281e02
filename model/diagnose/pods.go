package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

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
func (s *Subject) dead() bool {
	return s.selects() && len(s.selected) > 0 && !slices.ContainsFunc(s.selected, (*model.Pod).Ready)
}

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
				if s.Service.PublishNotReady && pod.Phase == "Running" { // it has a name, and may answer
					f.Severity = Warning
				}
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

func (s *Subject) setImage(pod *model.Pod, c *model.Container) Fix {
	if owner := s.owner(pod); strings.HasPrefix(owner, "Deployment/") {
		return command("Use an image that exists, or give credentials for it.", "set image %s %s=IMAGE -n %s", strings.ToLower(owner), c.Name, pod.Namespace)
	}
	return command("Use an image that exists, or give credentials for it.", "describe pod %s -n %s", pod.Name, pod.Namespace)
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
func short(text string) string { return clip(text, 120) }

// clip cuts a text that is longer than most runes.
func clip(text string, most int) string {
	n := 0
	for i := range text {
		if n == most-1 && len(text)-i > utf8.UTFMax {
			return text[:i] + "…"
		}
		n++
	}
	return text
}

func firstPort(s *model.Service) int32 {
	if len(s.Ports) == 0 {
		return 0
	}
	return s.Ports[0].Port
}

func times(n int32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// failing is the probe of a running container that keeps it from being ready,
// with the kubelet's event that has a text; nil without.
func (s *Subject) failing(pod *model.Pod, text string) (*model.Container, *model.Probe, string, *model.Event) {
	for _, e := range s.events["Pod "+pod.Key()] {
		kind, said, is := strings.Cut(e.Message, " probe failed: ")
		if e.Reason != "Unhealthy" || !is || !strings.Contains(said, text) {
			continue
		}
		for _, c := range containers(pod) {
			switch {
			case c.Ready || c.State != "running":
			case kind == "Readiness" && c.Readiness != nil:
				return c, c.Readiness, "readinessProbe", e
			case kind == "Startup" && c.Startup != nil:
				return c, c.Startup, "startupProbe", e
			}
		}
	}
	return nil, nil, "", nil
}
