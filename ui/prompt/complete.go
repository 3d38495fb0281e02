package prompt

import (
	"slices"
	"strings"

	"svctour/model"
)

// verbs are the kubectl commands that the prompt completes, with what follows:
// "kind" an object, "pod" a Pod.
var verbs = map[string]string{
	"get": "kind", "describe": "kind", "delete": "kind", "edit": "kind", "scale": "kind", "expose": "kind", "label": "kind",
	"annotate": "kind", "patch": "kind", "wait": "kind", "logs": "pod", "exec": "pod", "attach": "pod", "port-forward": "pod",
	"apply": "", "create": "", "run": "", "rollout": "", "set": "", "explain": "kind only", "events": "", "top": "", "version": "",
	"api-resources": "", "cluster-info": "", "auth": "",
}

// resources are the kinds of which the snapshot has names.
var resources = []struct {
	names []string
	list  func(s *model.Snapshot, namespace string) []string
}{
	{[]string{"pods", "pod", "po"}, func(s *model.Snapshot, ns string) []string {
		return namesIn(s.Pods, ns, func(p *model.Pod) *model.Meta { return &p.Meta })
	}},
	{[]string{"services", "service", "svc"}, func(s *model.Snapshot, ns string) []string {
		return namesIn(s.Services, ns, func(o *model.Service) *model.Meta { return &o.Meta })
	}},
	{[]string{"endpointslices", "endpointslice"}, func(s *model.Snapshot, ns string) []string {
		return namesIn(s.Slices, ns, func(o *model.EndpointSlice) *model.Meta { return &o.Meta })
	}},
	{[]string{"endpoints", "ep"}, func(s *model.Snapshot, ns string) []string {
		return namesIn(s.Endpoints, ns, func(o *model.Endpoints) *model.Meta { return &o.Meta })
	}},
	{[]string{"deployments", "deployment", "deploy"}, func(s *model.Snapshot, ns string) []string {
		return namesIn(s.Deployments, ns, func(o *model.Deployment) *model.Meta { return &o.Meta })
	}},
	{[]string{"replicasets", "replicaset", "rs"}, func(s *model.Snapshot, ns string) []string {
		return namesIn(s.ReplicaSets, ns, func(o *model.ReplicaSet) *model.Meta { return &o.Meta })
	}},
	{[]string{"nodes", "node", "no"}, func(s *model.Snapshot, _ string) []string {
		return namesIn(s.Nodes, "", func(o *model.Node) *model.Meta { return &o.Meta })
	}},
	{[]string{"namespaces", "namespace", "ns"}, func(s *model.Snapshot, _ string) []string {
		return namesIn(s.Namespaces, "", func(o *model.Namespace) *model.Meta { return &o.Meta })
	}},
	{[]string{"configmaps", "secrets", "jobs", "daemonsets", "statefulsets", "networkpolicies", "all"}, nil},
}

func namesIn[T any](objects []*T, namespace string, meta func(*T) *model.Meta) []string {
	var names []string
	for _, o := range objects {
		if m := meta(o); namespace == "" || m.Namespace == namespace {
			names = append(names, m.Name)
		}
	}
	return names
}

// Complete completes the word at the cursor from the snapshot. With several
// ways to go on it adds what they share and offers them.
func (p *Prompt) Complete(s *model.Snapshot, namespace string) {
	head := string(p.text[:p.cursor])
	words := strings.Fields(head)
	word := ""
	if head != "" && head[len(head)-1] != ' ' {
		word, words = words[len(words)-1], words[:len(words)-1]
	}
	if len(words) > 0 && words[0] == "kubectl" {
		words = words[1:]
	}
	stem := word[:strings.LastIndexByte(word, '/')+1]
	if strings.HasPrefix(word, namespaceFlag) {
		stem = namespaceFlag
	}
	candidates := candidatesFor(s, words, word, namespace)
	var fits []string
	for _, c := range candidates {
		if strings.HasPrefix(stem+c, word) {
			fits = append(fits, c)
		}
	}
	slices.Sort(fits)
	fits = slices.Compact(fits)
	p.offered = nil
	switch len(fits) {
	case 0:
		return
	case 1:
		p.Insert((stem + fits[0])[len(word):] + " ")
		return
	}
	if more := (stem + shared(fits))[len(word):]; more != "" {
		p.Insert(more)
	}
	p.offered = fits
}

const namespaceFlag = "--namespace="

// switches are the long flags of the completed verbs that never take the next
// word as their value: booleans, and flags whose value must follow an "="
// (pflag's NoOptDefVal).
var switches = []string{
	"all", "all-containers", "all-namespaces", "all-pods", "allow-missing-template-keys", "cascade", "disable-compression", "dry-run",
	"follow", "force", "help", "ignore-errors", "ignore-not-found", "insecure-skip-tls-verify", "insecure-skip-tls-verify-backend",
	"interactive", "list", "local", "match-server-version", "no-headers", "now", "output-patch", "output-watch-events", "overwrite", "prefix",
	"previous", "quiet", "record", "recursive", "save-config", "server-print", "show-events", "show-kind", "show-labels",
	"show-managed-fields", "stdin", "timestamps", "tty", "validate", "wait", "warnings-as-errors", "watch", "watch-only", "windows-line-endings",
}

// takesNext says whether the word after a flag is its value. For an unknown flag
// it says yes: it is better to offer nothing than a word that cannot stand there.
func takesNext(verb, flag string) bool {
	if name, long := strings.CutPrefix(flag, "--"); long {
		return !strings.Contains(name, "=") && !slices.Contains(switches, name)
	}
	letters := "AhiqRtw"
	if verb == "logs" {
		letters += "fp"
	}
	rest := strings.TrimLeft(flag[1:], letters) // "-it", "-Ao"
	return len(rest) == 1
}

// candidatesFor lists what may stand after words. Namespaces are the only values
// of flags that it knows.
func candidatesFor(s *model.Snapshot, words []string, word, namespace string) []string {
	if s == nil {
		s = &model.Snapshot{}
	}
	if last := len(words) - 1; strings.HasPrefix(word, namespaceFlag) || last >= 0 && (words[last] == "-n" || words[last] == "--namespace") {
		return objectNames(s, "namespaces", "")
	}
	if len(words) == 0 {
		all := make([]string, 0, len(verbs))
		for verb := range verbs {
			all = append(all, verb)
		}
		return all
	}
	var positional []string
	for i := 1; i < len(words); i++ {
		flag := words[i]
		if flag == "--" {
			return nil
		}
		if !strings.HasPrefix(flag, "-") {
			positional = append(positional, flag)
			continue
		}
		name, value, _ := strings.Cut(flag, "=")
		if takesNext(words[0], flag) {
			if i++; i == len(words) {
				return nil // the word is its value
			}
			value = words[i]
		}
		switch name {
		case "-n", "--namespace":
			namespace = value
		case "-A", "--all-namespaces":
			namespace = ""
		}
	}
	if strings.HasPrefix(word, "-") {
		return nil
	}
	if kind, _, ok := strings.Cut(word, "/"); ok {
		return objectNames(s, kind, namespace)
	}
	switch verbs[words[0]] {
	case "pod":
		if len(positional) == 0 {
			return objectNames(s, "pods", namespace)
		}
	case "kind", "kind only":
		if len(positional) == 0 {
			var kinds []string
			for _, r := range resources {
				kinds = append(kinds, r.names...)
			}
			return kinds
		}
		if verbs[words[0]] == "kind" {
			return objectNames(s, positional[0], namespace)
		}
	}
	return nil
}

func objectNames(s *model.Snapshot, kind, namespace string) []string {
	for _, r := range resources {
		if r.list != nil && slices.Contains(r.names, kind) {
			return r.list(s, namespace)
		}
	}
	return nil
}

// shared is the longest prefix that all have in common.
func shared(all []string) string {
	out := all[0]
	for _, s := range all[1:] {
		for !strings.HasPrefix(s, out) {
			out = out[:len(out)-1]
		}
	}
	return out
}
