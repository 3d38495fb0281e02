package convert

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"svctour/model"
)

func TestCorefile(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want model.Corefile
		bad  bool
	}{
		"kubeadm's": {".:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    ready\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n       pods insecure\n       fallthrough in-addr.arpa ip6.arpa\n       ttl 30\n    }\n    cache 30\n}\n", model.Corefile{Pods: "insecure", TTL: 30}, false},
		"short":     {".:53 {\n kubernetes cluster.local\n pods verified # of no plugin\n}\n", model.Corefile{Pods: "disabled", TTL: 5}, false},
		"all":       {".:53 {\n autopath @kubernetes\n kubernetes cluster.local {\n  pods verified\n  ttl 0 # none\n  ignore empty_service\n  endpoint_pod_names\n }\n}\n", model.Corefile{Pods: "verified", Autopath: true, IgnoreEmpty: true, EndpointPodNames: true}, false},
		"none":      {".:53 {\n forward . 1.1.1.1\n}\n", model.Corefile{}, true},
		"bad TTL":   {"kubernetes {\n ttl -1\n}\n", model.Corefile{}, true},
		"bad Pods":  {"kubernetes {\n pods some\n}\n", model.Corefile{}, true},
	} {
		got, err := Corefile(&corev1.ConfigMap{Data: map[string]string{"Corefile": c.text}})
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	for _, o := range []*corev1.ConfigMap{nil, {}} {
		if _, err := Corefile(o); err == nil {
			t.Errorf("%v: no error", o)
		}
	}
}
