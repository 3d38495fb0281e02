package diagnose

import (
	"fmt"
	"slices"

	"svctour/model"
)

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
