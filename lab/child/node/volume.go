package node

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/spf13/afero"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/kubelet/events"

	"svctour/lab/child/process"
)

// volume is one volume of a Pod. What is in it is a file system that its
// containers share; tokens are made when they are read.
type volume struct {
	spec     *corev1.Volume
	files    afero.Fs
	provided map[string]func() ([]byte, error) // by path in the volume
	readOnly bool
}

const (
	directoryMode fs.FileMode = 0o755
	fileMode      fs.FileMode = 0o644
)

// setUp makes the Pod's volumes; false, with the kubelet's event, if one of
// them cannot be made yet.
func (p *pod) setUp(ctx context.Context) bool {
	made := map[string]*volume{}
	for i := range p.object.Spec.Volumes {
		spec := &p.object.Spec.Volumes[i]
		v, err := p.makeVolume(ctx, spec)
		if err != nil {
			p.event(nil, corev1.EventTypeWarning, events.FailedMountVolume, fmt.Sprintf("MountVolume.SetUp failed for volume %q : %s", spec.Name, err))
			return false
		}
		made[spec.Name] = v
	}
	p.volumes = made
	return true
}

func (p *pod) makeVolume(ctx context.Context, spec *corev1.Volume) (*volume, error) {
	v := &volume{spec: spec, files: afero.NewMemMapFs(), provided: map[string]func() ([]byte, error){}}
	switch {
	case spec.HostPath != nil:
		return v, p.host.mountPath(v, spec.HostPath)
	case spec.EmptyDir != nil:
		v.files = process.Limit(v.files, emptyDirLimit(spec.EmptyDir))
		return v, v.files.MkdirAll("/", directoryMode)
	case spec.ConfigMap != nil, spec.Secret != nil, spec.Projected != nil, spec.DownwardAPI != nil:
		v.readOnly = true
		return v, p.fill(ctx, v)
	}
	return nil, fmt.Errorf("the lab has no volumes of this kind: emptyDir, hostPath, configMap, secret, downwardAPI and projected exist")
}

// emptyDirLimit is how many bytes an emptyDir may hold: what a container may
// write, or less if its sizeLimit is less. With medium Memory a real one is full
// then too; on a node's disk the kubelet evicts the Pod instead.
func emptyDirLimit(source *corev1.EmptyDirVolumeSource) int64 {
	if limit := source.SizeLimit; limit != nil && limit.Sign() > 0 {
		return min(limit.Value(), process.WritableLimit)
	}
	return process.WritableLimit
}

// fill writes what a volume shows of API objects, as it is now.
func (p *pod) fill(ctx context.Context, v *volume) error {
	content := map[string][]byte{}
	var err error
	switch spec := v.spec; {
	case spec.ConfigMap != nil:
		err = p.fromConfigMap(ctx, content, spec.ConfigMap.Name, spec.ConfigMap.Items, spec.ConfigMap.Optional)
	case spec.Secret != nil:
		err = p.fromSecret(ctx, content, spec.Secret.SecretName, spec.Secret.Items, spec.Secret.Optional)
	case spec.DownwardAPI != nil:
		err = p.fromDownward(content, spec.DownwardAPI.Items)
	case spec.Projected != nil:
		for i := range spec.Projected.Sources {
			if err = p.project(ctx, v, content, &spec.Projected.Sources[i]); err != nil {
				break
			}
		}
	}
	if err != nil {
		return err
	}
	return replace(v.files, content)
}

// replace makes files hold content and nothing else.
func replace(files afero.Fs, content map[string][]byte) error {
	var gone []string
	err := afero.Walk(files, "/", func(name string, info fs.FileInfo, err error) error {
		if err == nil && !info.IsDir() && content[name] == nil {
			gone = append(gone, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range gone {
		if err := files.Remove(name); err != nil {
			return err
		}
	}
	for name, data := range content {
		if old, err := afero.ReadFile(files, name); err == nil && string(old) == string(data) {
			continue
		}
		if err := files.MkdirAll(path.Dir(name), directoryMode); err != nil {
			return err
		}
		if err := afero.WriteFile(files, name, data, fileMode); err != nil {
			return err
		}
	}
	return nil
}

// place puts the keys of an object under the names that items give them, all
// under their own if there are no items.
func place(into, data map[string][]byte, items []corev1.KeyToPath, optional *bool, kind string) error {
	if len(items) == 0 {
		for key, value := range data {
			into["/"+key] = nonNil(value)
		}
		return nil
	}
	for _, item := range items {
		value, has := data[item.Key]
		if !has {
			if optional != nil && *optional {
				continue
			}
			return fmt.Errorf("%s references non-existent %s key: %s", kind, kind, item.Key)
		}
		into[path.Join("/", item.Path)] = nonNil(value)
	}
	return nil
}

func nonNil(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

func (p *pod) fromConfigMap(ctx context.Context, into map[string][]byte, name string, items []corev1.KeyToPath, optional *bool) error {
	object, err := p.configMap(ctx, name, optional)
	if err != nil || object == nil {
		return err
	}
	data := map[string][]byte{}
	for key, value := range object.Data {
		data[key] = []byte(value)
	}
	for key, value := range object.BinaryData {
		data[key] = value
	}
	return place(into, data, items, optional, "configmap")
}

func (p *pod) fromSecret(ctx context.Context, into map[string][]byte, name string, items []corev1.KeyToPath, optional *bool) error {
	object, err := p.secret(ctx, name, optional)
	if err != nil || object == nil {
		return err
	}
	return place(into, object.Data, items, optional, "secret")
}

func (p *pod) fromDownward(into map[string][]byte, items []corev1.DownwardAPIVolumeFile) error {
	for _, item := range items {
		value, err := "", error(nil)
		switch {
		case item.FieldRef != nil:
			value, err = p.field(item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			for _, c := range p.containers() {
				if c.spec().Name == item.ResourceFieldRef.ContainerName {
					value, err = c.resource(item.ResourceFieldRef)
				}
			}
		}
		if err != nil {
			return err
		}
		into[path.Join("/", item.Path)] = []byte(value)
	}
	return nil
}

func (p *pod) project(ctx context.Context, v *volume, into map[string][]byte, source *corev1.VolumeProjection) error {
	switch {
	case source.ConfigMap != nil:
		return p.fromConfigMap(ctx, into, source.ConfigMap.Name, source.ConfigMap.Items, source.ConfigMap.Optional)
	case source.Secret != nil:
		return p.fromSecret(ctx, into, source.Secret.Name, source.Secret.Items, source.Secret.Optional)
	case source.DownwardAPI != nil:
		return p.fromDownward(into, source.DownwardAPI.Items)
	case source.ServiceAccountToken != nil:
		v.provided[path.Join("/", source.ServiceAccountToken.Path)] = p.token(source.ServiceAccountToken)
	}
	return nil
}

// token makes tokens of the Pod's service account when they are asked for, and
// keeps one until most of its life is over, as the kubelet's token manager.
func (p *pod) token(source *corev1.ServiceAccountTokenProjection) func() ([]byte, error) {
	request := authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		ExpirationSeconds: source.ExpirationSeconds,
		BoundObjectRef:    &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: p.object.Name, UID: p.object.UID},
	}}
	if source.Audience != "" {
		request.Spec.Audiences = []string{source.Audience}
	}
	namespace, account := p.object.Namespace, p.object.Spec.ServiceAccountName
	var mu sync.Mutex
	var last []byte
	var renew time.Time
	return func() ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		now := p.clock.Now()
		if last != nil && now.Before(renew) {
			return last, nil
		}
		made, err := p.client.CoreV1().ServiceAccounts(namespace).CreateToken(p.life, account, &request, metav1.CreateOptions{})
		if err != nil {
			return nil, fmt.Errorf("make a token of service account %q: %w", namespace+"/"+account, err)
		}
		last = []byte(made.Status.Token)
		renew = now.Add(made.Status.ExpirationTimestamp.Sub(now) * 8 / 10)
		return last, nil
	}
}

// refresh writes the Pod's volumes again after an API object that they show has
// changed. What was deleted stays in them as it was, as with the kubelet.
func (p *pod) refresh(ctx context.Context) {
	for _, v := range p.volumes {
		if v.readOnly {
			_ = p.fill(ctx, v)
		}
	}
}

// shows says whether a volume of the Pod shows this ConfigMap or Secret.
func shows(object *corev1.Pod, configMap, secret string) bool {
	for i := range object.Spec.Volumes {
		v := &object.Spec.Volumes[i]
		if v.ConfigMap != nil && configMap != "" && v.ConfigMap.Name == configMap || v.Secret != nil && secret != "" && v.Secret.SecretName == secret {
			return true
		}
		if v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			if source.ConfigMap != nil && configMap != "" && source.ConfigMap.Name == configMap || source.Secret != nil && secret != "" && source.Secret.Name == secret {
				return true
			}
		}
	}
	return false
}

// showsItself says whether a volume of the Pod shows its own labels or
// annotations.
func showsItself(object *corev1.Pod) bool {
	for i := range object.Spec.Volumes {
		v := &object.Spec.Volumes[i]
		if v.DownwardAPI != nil {
			return true
		}
		if v.Projected != nil && slices.ContainsFunc(v.Projected.Sources, func(s corev1.VolumeProjection) bool { return s.DownwardAPI != nil }) {
			return true
		}
	}
	return false
}

// mountPath is a folder or file of the node's own.
func (h *host) mountPath(v *volume, source *corev1.HostPathVolumeSource) error {
	kind := corev1.HostPathUnset
	if source.Type != nil {
		kind = *source.Type
	}
	name := path.Clean("/" + source.Path)
	info, err := h.disk.Stat(name)
	switch kind {
	case corev1.HostPathDirectory:
		if err != nil || !info.IsDir() {
			return fmt.Errorf("hostPath type check failed: %s is not a directory", source.Path)
		}
	case corev1.HostPathFile:
		if err != nil || info.IsDir() {
			return fmt.Errorf("hostPath type check failed: %s is not a file", source.Path)
		}
	case corev1.HostPathFileOrCreate:
		if err != nil {
			if err := afero.WriteFile(h.disk, name, nil, fileMode); err != nil {
				return err
			}
		}
	case corev1.HostPathUnset, corev1.HostPathDirectoryOrCreate:
		if err != nil {
			if err := h.disk.MkdirAll(name, directoryMode); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("hostPath type check failed: the lab's nodes have no %s", kind)
	}
	v.files = h.disk
	if name != "/" {
		v.files = afero.NewBasePathFs(h.disk, name)
	}
	return nil
}
