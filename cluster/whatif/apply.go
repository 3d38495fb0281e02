package whatif

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubectl/pkg/util"
	"k8s.io/kubernetes/pkg/api/legacyscheme"

	"svctour/model"
)

// apply makes an edit in the world.
func (w *world) apply(edit model.Edit) error {
	switch {
	case edit.Manifest != "" && edit.Patch == nil && edit.Delete == nil:
		return eachObject(edit.Manifest, w.applyObject)
	case edit.Patch != nil && edit.Manifest == "" && edit.Delete == nil:
		return w.applyPatch(edit.Patch)
	case edit.Delete != nil && edit.Manifest == "" && edit.Patch == nil:
		return w.applyDelete(*edit.Delete)
	}
	return errors.New("an edit is a manifest, a patch or a deletion")
}

// eachObject reads the objects of a manifest, those of its lists too.
func eachObject(text string, use func(*unstructured.Unstructured) error) error {
	decoder := utilyaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	objects := 0
	for {
		doc := &unstructured.Unstructured{}
		err := decoder.Decode(&doc.Object)
		switch {
		case errors.Is(err, io.EOF) && objects == 0:
			return errors.New("no objects passed to apply")
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the manifest: %w", err)
		case len(doc.Object) == 0:
			continue
		}
		objects++
		if !doc.IsList() {
			if err := use(doc); err != nil {
				return err
			}
			continue
		}
		err = doc.EachListItem(func(item runtime.Object) error {
			return use(item.(*unstructured.Unstructured)) // what a list of unstructured objects has
		})
		if err != nil {
			return err
		}
	}
}

// applyObject creates an object, or changes it into this one, as kubectl apply
// does: by the difference between what was applied last, what there is, and what
// is wanted (kubectl/pkg/cmd/apply/patcher.go).
func (w *world) applyObject(doc *unstructured.Unstructured) error {
	switch {
	case doc.GetKind() == "" || doc.GetAPIVersion() == "":
		return errors.New("error validating data: apiVersion and kind must be set")
	case doc.GetName() == "" && doc.GetGenerateName() != "":
		return fmt.Errorf("from %s: cannot use generate name with apply", doc.GetGenerateName())
	case doc.GetName() == "":
		return errors.New("resource name may not be empty")
	}
	k := kindOf(doc.GetKind())
	if k == nil || k.GroupVersionKind != doc.GroupVersionKind() {
		w.tell(id{doc.GetKind(), w.in(doc.GetNamespace()), doc.GetName()}, "", "", "what "+doc.GetAPIVersion()+" "+doc.GetKind()+" "+doc.GetName()+" changes")
		return nil
	}
	i := k.at(w.in(doc.GetNamespace()), doc.GetName())
	doc.SetNamespace(i.namespace)
	wanted, err := util.GetModifiedConfiguration(doc, true, unstructured.UnstructuredJSONScheme)
	if err != nil {
		return fmt.Errorf("read the manifest: %w", err)
	}
	current, err := w.object(k, i)
	if err != nil {
		return err
	}
	if current == nil {
		created, err := k.decode(wanted)
		if err != nil {
			return err
		}
		return w.create(k, i, created)
	}
	if _, err := k.decode(wanted); err != nil { // a mistake may be in what the difference does not show
		return err
	}
	applied, err := util.GetOriginalConfiguration(current)
	if err != nil {
		return fmt.Errorf("read what was applied to %s %s: %w", k.Kind, i.key(), err)
	}
	is, err := json.Marshal(current)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", k.Kind, i.key(), err)
	}
	merge, err := strategicpatch.NewPatchMetaFromStruct(current)
	if err != nil {
		return fmt.Errorf("compare %s %s: %w", k.Kind, i.key(), err)
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(applied, wanted, is, merge, true)
	if err != nil {
		return fmt.Errorf("compare %s %s: %w", k.Kind, i.key(), err)
	}
	return w.patch(k, i, "", "strategic", patch)
}

func (w *world) applyPatch(p *model.Patch) error {
	k := kindOf(p.Object.Kind)
	if k == nil {
		return fmt.Errorf("what a patch of a %s changes cannot be told", p.Object.Kind)
	}
	data, err := utilyaml.ToJSON([]byte(p.Data))
	if err != nil {
		return fmt.Errorf("unable to parse %q: %w", p.Data, err)
	}
	return w.patch(k, k.at(w.in(p.Object.Namespace), p.Object.Name), p.Subresource, p.Type, data)
}

// patch changes an object as the API server does
// (apiserver/pkg/endpoints/handlers/patch.go).
func (w *world) patch(k *kind, i id, subresource, how string, patch []byte) error {
	current, err := w.object(k, i)
	if err != nil {
		return err
	}
	if current == nil {
		return w.missing(k, i)
	}
	is, err := json.Marshal(current)
	if err != nil {
		return fmt.Errorf("write %s %s: %w", k.Kind, i.key(), err)
	}
	var patched []byte
	switch how {
	case "", "strategic":
		patched, err = strategicpatch.StrategicMergePatch(is, patch, current)
	case "merge":
		patched, err = jsonpatch.MergePatch(is, patch)
	case "json":
		var steps jsonpatch.Patch
		if steps, err = jsonpatch.DecodePatch(patch); err == nil {
			if patched, err = steps.Apply(is); err != nil {
				return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
			}
		}
	default:
		return fmt.Errorf("--type must be one of [json merge strategic], not %q", how)
	}
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	after, err := k.decode(patched)
	if err != nil {
		return err
	}
	return w.update(k, i, subresource, after, current)
}

// applyDelete takes an object away, with what it owns.
func (w *world) applyDelete(ref model.Ref) error {
	k := kindOf(ref.Kind)
	if k == nil {
		return fmt.Errorf("what the deletion of a %s changes cannot be told", ref.Kind)
	}
	i := k.at(w.in(ref.Namespace), ref.Name)
	current, err := w.object(k, i)
	if err != nil {
		return err
	}
	if current == nil {
		return w.missing(k, i)
	}
	about, err := meta.Accessor(current)
	if err != nil {
		return fmt.Errorf("read %s %s: %w", k.Kind, i.key(), err)
	}
	w.remove(i, string(about.GetUID()))
	return nil
}

// in gives the namespace of an object that may name none.
func (w *world) in(namespace string) string {
	if namespace == "" {
		return w.namespace
	}
	return namespace
}

func (w *world) missing(k *kind, i id) error {
	return apierrors.NewNotFound(schema.GroupResource{Group: k.Group, Resource: k.resource}, i.name)
}

// decode reads an object as the API server does, with its defaults. A field that
// there is none of is an error, as it is for kubectl.
func (k *kind) decode(text []byte) (runtime.Object, error) {
	codecs := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)
	object, is, err := codecs.UniversalDeserializer().Decode(text, &k.GroupVersionKind, nil)
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", k.Kind, k.Version, k.Kind, err))
	}
	if *is != k.GroupVersionKind {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the object is a %s, not a %s", is.Kind, k.Kind))
	}
	legacyscheme.Scheme.Default(object)
	object.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	return object, nil
}

// checkNamespace refuses what is made in a namespace that is not there
// (apiserver/pkg/admission/plugin/namespace/lifecycle).
func (w *world) checkNamespace(i id) error {
	if i.namespace == "" || w.before.Sync.Missing["namespaces"] != "" || w.before.Cluster.Namespace != "" {
		return nil
	}
	if w.namespaces.get("", i.namespace) == nil {
		return apierrors.NewNotFound(corev1.Resource("namespaces"), i.namespace)
	}
	return nil
}
