package uitest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"

	"svctour/cluster/convert"
)

// Decode reads the objects of a World from YAML, as a cluster would tell them.
func Decode(manifests string) ([]any, error) {
	var out []any
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(manifests)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		object, _, err := scheme.Codecs.UniversalDeserializer().Decode(document, nil, nil)
		if err != nil {
			return nil, err
		}
		switch o := object.(type) {
		case *corev1.Pod:
			out = append(out, convert.Pod(o))
		case *corev1.Service:
			out = append(out, convert.Service(o))
		case *discoveryv1.EndpointSlice:
			out = append(out, convert.EndpointSlice(o))
		case *appsv1.Deployment:
			out = append(out, convert.Deployment(o))
		default:
			return nil, fmt.Errorf("a world has no %T", o)
		}
	}
}
