package lessons

import (
	"encoding/json"
	"strings"

	"svctour/model"
)

// Edit is what a command changes, as far as that can be told from its words: of
// kubectl apply, scale, delete, label, patch and run. ok is false for others.
func (in Invocation) Edit() (edit model.Edit, ok bool) {
	var words []string
	flags := map[string]string{}
	for i := 1; i < len(in.Args); i++ {
		word := in.Args[i]
		name, value, has := strings.Cut(word, "=")
		switch {
		case !strings.HasPrefix(word, "-") || word == "-":
			words = append(words, word)
		case has:
			flags[name] = value
		case i+1 < len(in.Args) && (word == "-f" || word == "-p" || word == "-l" || word == "--image" || word == "--replicas" || word == "--type" || word == "--patch"):
			i++
			flags[word] = in.Args[i]
		default:
			flags[word] = ""
		}
	}
	if len(in.Args) == 0 {
		return model.Edit{}, false
	}
	if in.Args[0] == "apply" {
		return model.Edit{Manifest: in.Stdin}, in.Stdin != ""
	}
	if in.Args[0] == "run" && len(words) == 1 && flags["--image"] != "" {
		return runs(words[0], flags)
	}
	if len(words) > 0 { // KIND/NAME
		if kind, name, has := strings.Cut(words[0], "/"); has {
			words = append([]string{kind, name}, words[1:]...)
		}
	}
	if len(words) < 2 {
		return model.Edit{}, false
	}
	object := model.Ref{Kind: kindOf(words[0]), Name: words[1]}
	switch in.Args[0] {
	case "delete":
		return model.Edit{Delete: &object}, len(words) == 2
	case "scale":
		return patched(object, "", `{"spec":{"replicas":`+flags["--replicas"]+`}}`), flags["--replicas"] != ""
	case "patch":
		data := flags["-p"] + flags["--patch"]
		return patched(object, flags["--type"], data), data != ""
	case "label":
		labels := map[string]any{}
		for _, word := range words[2:] {
			if name, gone := strings.CutSuffix(word, "-"); gone {
				labels[name] = nil
			} else if name, value, has := strings.Cut(word, "="); has {
				labels[name] = value
			}
		}
		data, err := json.Marshal(map[string]any{"metadata": map[string]any{"labels": labels}})
		return patched(object, "", string(data)), err == nil && len(labels) > 0
	}
	return model.Edit{}, false
}

func patched(object model.Ref, kind, data string) model.Edit {
	return model.Edit{Patch: &model.Patch{Object: object, Type: kind, Data: data}}
}

// runs is the Pod that kubectl run makes (kubectl/pkg/cmd/run): it carries the
// label run, unless others were asked for.
func runs(name string, flags map[string]string) (model.Edit, bool) {
	labels := map[string]string{"run": name}
	for _, flag := range []string{"--labels", "-l"} {
		if flags[flag] == "" {
			continue
		}
		labels = map[string]string{}
		for pair := range strings.SplitSeq(flags[flag], ",") {
			key, value, _ := strings.Cut(pair, "=")
			labels[key] = value
		}
	}
	pod, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": name, "labels": labels},
		"spec": map[string]any{"containers": []any{map[string]any{"name": name, "image": flags["--image"]}}},
	})
	return model.Edit{Manifest: string(pod)}, err == nil
}

// kindOf gives the kind that kubectl calls by one of these names.
func kindOf(resource string) string {
	switch strings.ToLower(resource) {
	case "pod", "pods", "po":
		return "Pod"
	case "service", "services", "svc":
		return "Service"
	case "deployment", "deployments", "deploy", "deployment.apps":
		return "Deployment"
	}
	return resource
}
