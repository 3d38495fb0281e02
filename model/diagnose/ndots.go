package diagnose

import (
	"svctour/model"
	"svctour/model/endpoints"
)

// clients are the Pods whose look-ups are worth a thought: the one that asks,
// or those of some Pods of the namespace that run and are no backend.
func (s *Subject) clients(among []*model.Pod) []*model.Pod {
	if s.Client != nil {
		return []*model.Pod{s.Client}
	}
	var out []*model.Pod
	for _, pod := range among {
		if pod.Phase == "Running" && !pod.Terminating() && !endpoints.Matches(s.selector(), pod.Labels) {
			out = append(out, pod)
		}
	}
	return out
}

// oddly says whether a Pod looks names up in another way than most.
func oddly(pod *model.Pod) bool {
	return pod.DNS != nil || pod.HostNetwork || pod.DNSPolicy == "Default" || pod.DNSPolicy == "None"
}

// selector is the Service's, one that nothing matches if it has none.
func (s *Subject) selector() map[string]string {
	if s.Service == nil || len(s.Service.Selector) == 0 {
		return map[string]string{"": ""}
	}
	return s.Service.Selector
}

func (d *Doctor) domain() string {
	if d.snapshot.DNS.Domain != "" {
		return d.snapshot.DNS.Domain
	}
	return "cluster.local"
}
