package kubectl

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// inspectManifest refuses a manifest that holds anything but writable objects
// in namespace (or in none, which kubectl fills in). It splits the text with
// the same code as kubectl (cli-runtime's resource.StreamVisitor), so that both
// see the same objects.
func inspectManifest(manifest, namespace string) error {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifest), 4096)
	found := false
	for {
		var document runtime.RawExtension
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refuse("the manifest cannot be read: %v", err)
		}
		raw := bytes.TrimSpace(document.Raw)
		if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
			continue // as StreamVisitor does
		}
		found = true
		if err := inspectObject(raw, namespace); err != nil {
			return err
		}
	}
	if !found {
		return refuse("the manifest holds no object")
	}
	return nil
}

func inspectObject(raw []byte, namespace string) error {
	var object map[string]any
	if err := json.Unmarshal(raw, &object); err != nil {
		return refuse("the manifest cannot be read: %v", err)
	}
	for key := range object {
		// kubectl takes any object with a field "items" for a list, in any
		// spelling of its case (unstructuredJSONScheme.decode).
		if strings.EqualFold(key, "items") {
			return refuse("the manifest holds a list: write its objects one by one, with %q between them", "---")
		}
	}
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	known := false
	for _, k := range kinds {
		known = known || k.kind == kind && k.version == apiVersion
	}
	if !known {
		return refuse("svctour does not write kind %q of %q: only objects that live in its own namespaces", kind, apiVersion)
	}
	metadata, ok := object["metadata"].(map[string]any)
	if !ok {
		return refuse("%s has no metadata", kind)
	}
	switch ns := metadata["namespace"].(type) {
	case nil:
	case string:
		if ns != "" && ns != namespace {
			return refuse("%s is for namespace %q: svctour writes only into its own, here %q", kind, ns, namespace)
		}
	default:
		return refuse("%s has a namespace that is not text", kind)
	}
	return nil
}
