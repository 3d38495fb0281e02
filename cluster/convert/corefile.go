package convert

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"svctour/model"
)

// Corefile reads what decides CoreDNS' answers for the cluster's zone from the
// ConfigMap that kubeadm writes: kube-system/coredns, key Corefile. Defaults
// are those of the plugin kubernetes (plugin/kubernetes/README.md of CoreDNS
// v1.15.0): Pods disabled, a TTL of 5 s. Without such a plugin it is an error.
func Corefile(o *corev1.ConfigMap) (model.Corefile, error) {
	if o == nil {
		return model.Corefile{}, fmt.Errorf("no ConfigMap")
	}
	source := fmt.Sprintf("ConfigMap %s/%s", o.Namespace, o.Name)
	text, ok := o.Data["Corefile"]
	if !ok {
		return model.Corefile{}, fmt.Errorf("%s: no key Corefile", source)
	}
	out, found, inside := model.Corefile{Pods: "disabled", TTL: 5}, false, false
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch {
		case words[0] == "kubernetes" && !found:
			found, inside = true, words[len(words)-1] == "{"
		case words[0] == "}":
			inside = false
		case words[0] == "autopath" && len(words) > 1 && words[len(words)-1] == "@kubernetes":
			out.Autopath = true
		case !inside:
		case words[0] == "pods" && len(words) == 2:
			out.Pods = words[1]
		case words[0] == "ttl" && len(words) == 2:
			ttl, err := strconv.ParseUint(words[1], 10, 32)
			if err != nil || ttl > 3600 {
				return model.Corefile{}, fmt.Errorf("%s: ttl %q: want 0 to 3600", source, words[1])
			}
			out.TTL = uint32(ttl)
		case words[0] == "ignore" && len(words) == 2 && words[1] == "empty_service":
			out.IgnoreEmpty = true
		case words[0] == "endpoint_pod_names":
			out.EndpointPodNames = true
		}
	}
	switch {
	case !found:
		return model.Corefile{}, fmt.Errorf("%s: no plugin kubernetes", source)
	case out.Pods != "disabled" && out.Pods != "insecure" && out.Pods != "verified":
		return model.Corefile{}, fmt.Errorf("%s: pods %q: want disabled, insecure or verified", source, out.Pods)
	}
	return out, nil
}
