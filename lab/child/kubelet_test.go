package child

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// shell is a container that runs a script.
func shell(script string, mounts ...corev1.VolumeMount) corev1.Container {
	return corev1.Container{Name: "shell", Image: "busybox:1.36", Command: []string{"sh", "-c", script}, VolumeMounts: mounts}
}

// wantPod waits until check has nothing to complain about of a Pod.
func wantPod(t *testing.T, client kubernetes.Interface, ns, name string, check func(*corev1.Pod) error) *corev1.Pod {
	t.Helper()
	var found *corev1.Pod
	eventually(t, func(ctx context.Context) error {
		p, err := client.CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		found = p
		return check(p)
	})
	return found
}

func inPhase(phase corev1.PodPhase) func(*corev1.Pod) error {
	return func(p *corev1.Pod) error {
		if p.Status.Phase != phase {
			return fmt.Errorf("phase %s, want %s: %+v", p.Status.Phase, phase, p.Status.ContainerStatuses)
		}
		return nil
	}
}

func logOf(t *testing.T, client kubernetes.Interface, ns, name string, options corev1.PodLogOptions) string {
	t.Helper()
	text, err := client.CoreV1().Pods(ns).GetLogs(name, &options).DoRaw(t.Context())
	if err != nil && len(text) == 0 {
		return err.Error()
	}
	return string(text) // or what the API server says instead
}

func createConfigMap(t *testing.T, client kubernetes.Interface, ns, name, value string) {
	t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{"key": value}}
	if _, err := client.CoreV1().ConfigMaps(ns).Create(t.Context(), object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func showing(name, configMap string, optional bool) corev1.Volume {
	return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: configMap}, Optional: &optional,
	}}}
}

// TestAVolumeThatComesLate lets a Pod wait for its volume, in the node's network
// as in its own.
func TestAVolumeThatComesLate(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	var names []string
	for _, host := range []bool{true, false} {
		names = append(names, run(t, client, ns, corev1.PodSpec{
			HostNetwork: host, Volumes: []corev1.Volume{showing("v", "late", false)}, Containers: []corev1.Container{shell("sleep 1000")},
		}))
	}
	for _, name := range names {
		wantEvents(t, client, ns, name, `kubelet FailedMount MountVolume.SetUp failed for volume "v" : configmap "late" not found`)
	}
	createConfigMap(t, client, ns, "late", "here")
	for _, name := range names {
		wantPod(t, client, ns, name, inPhase(corev1.PodRunning))
	}
}

// TestActiveDeadline checks what the kubelet's active_deadline.go says.
func TestActiveDeadline(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	seconds, grace := int64(1), int64(0)
	running := run(t, client, ns, corev1.PodSpec{ActiveDeadlineSeconds: &seconds, TerminationGracePeriodSeconds: &grace, Containers: []corev1.Container{shell("sleep 1000"), shell("sleep 1000")}})
	waiting := run(t, client, ns, corev1.PodSpec{ActiveDeadlineSeconds: &seconds, Containers: []corev1.Container{{Image: "nginx:1.99-nope"}}})
	for name, reason := range map[string]string{running: "Error", waiting: "ContainerStatusUnknown"} {
		p := wantPod(t, client, ns, name, inPhase(corev1.PodFailed))
		if p.Status.Reason != "DeadlineExceeded" || p.Status.Message != "Pod was active on the node longer than the specified deadline" {
			t.Errorf("reason %q, message %q", p.Status.Reason, p.Status.Message)
		}
		for _, s := range p.Status.ContainerStatuses {
			if s.State.Terminated == nil || s.State.Terminated.Reason != reason || s.State.Terminated.ExitCode != 137 {
				t.Errorf("%s: state %+v, want the end %s", name, s.State, reason)
			}
		}
		if condition(p, corev1.PodReady) != corev1.ConditionFalse {
			t.Error("it is still ready")
		}
		wantEvents(t, client, ns, name, "kubelet DeadlineExceeded Pod was active on the node longer than the specified deadline")
	}
}

// TestAStatusThatSomebodyChanged is put right by the kubelet.
func TestAStatusThatSomebodyChanged(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	name := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.27"}}})
	ready := func(p *corev1.Pod) error {
		if got := condition(p, corev1.PodReady); got != corev1.ConditionTrue || p.Status.Phase != corev1.PodRunning {
			return fmt.Errorf("Ready is %s, phase %s", got, p.Status.Phase)
		}
		return nil
	}
	before := wantPod(t, client, ns, name, ready)
	for _, change := range []string{
		`{"conditions":[{"type":"Ready","status":"False"},{"type":"example.com/theirs","status":"True"}]}`,
		`{"phase":"Pending"}`, // within ten seconds of the first
	} {
		patch := []byte(`{"status":` + change + `}`)
		if _, err := client.CoreV1().Pods(ns).Patch(t.Context(), name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
			t.Fatal(err)
		}
		after := wantPod(t, client, ns, name, ready)
		if condition(after, "example.com/theirs") != corev1.ConditionTrue {
			t.Error("a condition that is not the kubelet's is gone")
		}
		for i, c := range after.Status.Conditions {
			if c.Type == corev1.PodReady && !c.LastTransitionTime.Equal(&before.Status.Conditions[i].LastTransitionTime) && before.Status.Conditions[i].Type == c.Type {
				t.Errorf("Ready since %v, was %v", c.LastTransitionTime, before.Status.Conditions[i].LastTransitionTime)
			}
		}
	}
}

// TestANodeThatSomebodyChanged is not parallel: for a moment the node takes no Pods.
func TestANodeThatSomebodyChanged(t *testing.T) {
	client := theLab(t)
	const name = "node-3"
	patch := []byte(`{"status":{"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown"}]}}`)
	if _, err := client.CoreV1().Nodes().PatchStatus(t.Context(), name, patch); err != nil {
		t.Fatal(err)
	}
	eventually(t, func(ctx context.Context) error {
		n, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && c.Reason == "KubeletReady" && len(n.Spec.Taints) == 0 {
				return nil
			}
		}
		return fmt.Errorf("conditions %+v, taints %v", n.Status.Conditions, n.Spec.Taints)
	})
}

// TestLogsOfContainersThatDoNotRun checks the kubelet's answers.
func TestLogsOfContainersThatDoNotRun(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	unknown := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.99-nope"}}})
	behind := run(t, client, ns, corev1.PodSpec{InitContainers: []corev1.Container{shell("sleep 1000")}, Containers: []corev1.Container{shell("true")}})
	count := "echo x >> /d/n; echo attempt $(wc -l < /d/n); exit 1"
	crashing := run(t, client, ns, corev1.PodSpec{
		Volumes:    []corev1.Volume{{Name: "d", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		Containers: []corev1.Container{shell(count, corev1.VolumeMount{Name: "d", MountPath: "/d"})},
	})
	eventually(t, func(context.Context) error { // between two waits it tries again
		if got := logOf(t, client, ns, unknown, corev1.PodLogOptions{}); !strings.Contains(got, "is waiting to start: trying and failing to pull image") {
			return fmt.Errorf("of an image that cannot be pulled: %q", got)
		}
		return nil
	})
	wantPod(t, client, ns, behind, func(p *corev1.Pod) error {
		if len(p.Status.InitContainerStatuses) == 0 || p.Status.InitContainerStatuses[0].State.Running == nil {
			return errors.New("the init container does not run yet")
		}
		return nil
	})
	if got := logOf(t, client, ns, behind, corev1.PodLogOptions{Container: "c0"}); !strings.Contains(got, `is waiting to start: PodInitializing`) {
		t.Errorf("while an init container runs: %q", got)
	}
	eventually(t, func(ctx context.Context) error {
		before := wantWaiting(t, client, ns, crashing, "CrashLoopBackOff").RestartCount
		newest, previous := logOf(t, client, ns, crashing, corev1.PodLogOptions{}), logOf(t, client, ns, crashing, corev1.PodLogOptions{Previous: true})
		after := wantWaiting(t, client, ns, crashing, "CrashLoopBackOff").RestartCount
		if want := fmt.Sprintf("attempt %d\n", before+1); before == after && (newest != want || previous != want) {
			t.Errorf("in the back-off: %q, with -p %q, want %q", newest, previous, want)
		} else if before != after {
			return errors.New("it was started meanwhile")
		}
		return nil
	})
}

// TestVolumesFollow changes what volumes show. What is mounted with subPath
// stays (website docs/concepts/storage/volumes.md, "Using subPath").
func TestVolumesFollow(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	createConfigMap(t, client, ns, "config", "one")
	const script = `
echo more >> /file || exit 1
until [ "$(cat /config/key)" = two ] && [ "$(cat /later/key)" = here ] && grep -q 'colour="blue"' /labels/all && grep -q 'note="new"' /labels/notes; do
  sleep 0.1
done
cat /file /sub /part/key
`
	mount := func(volume, path, sub string) corev1.VolumeMount {
		return corev1.VolumeMount{Name: volume, MountPath: path, SubPath: sub}
	}
	item := func(path, field string) corev1.DownwardAPIVolumeFile {
		return corev1.DownwardAPIVolumeFile{Path: path, FieldRef: &corev1.ObjectFieldSelector{FieldPath: field}}
	}
	folder := showing("folder", "config", false)
	folder.ConfigMap.Items = []corev1.KeyToPath{{Key: "key", Path: "deep/key"}}
	name := run(t, client, ns, corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Volumes: []corev1.Volume{
			showing("config", "config", false), showing("later", "later", true), folder,
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "labels", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
				Items: []corev1.DownwardAPIVolumeFile{item("all", "metadata.labels"), item("notes", "metadata.annotations")},
			}}},
		},
		InitContainers: []corev1.Container{shell("echo first > /scratch/file", mount("scratch", "/scratch", ""))},
		Containers: []corev1.Container{shell(script, mount("config", "/config", ""), mount("later", "/later", ""), mount("labels", "/labels", ""),
			mount("config", "/sub", "key"), mount("folder", "/part", "deep"), mount("scratch", "/file", "file"))},
	})
	wantPod(t, client, ns, name, inPhase(corev1.PodRunning))
	if err := client.CoreV1().ConfigMaps(ns).Delete(t.Context(), "config", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	createConfigMap(t, client, ns, "config", "two")
	createConfigMap(t, client, ns, "later", "here")
	patch := []byte(`{"metadata":{"labels":{"colour":"blue"},"annotations":{"note":"new"}}}`)
	if _, err := client.CoreV1().Pods(ns).Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	wantPod(t, client, ns, name, inPhase(corev1.PodSucceeded))
	if got := logOf(t, client, ns, name, corev1.PodLogOptions{}); got != "first\nmore\noneone" {
		t.Errorf("log %q", got)
	}
}

// TestAVolumeIsFull: with medium Memory a kubelet mounts a tmpfs of the size
// that sizeLimit says.
func TestAVolumeIsFull(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	size := resource.MustParse("1Mi")
	name := run(t, client, ns, corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Volumes: []corev1.Volume{{Name: "d", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{
			Medium: corev1.StorageMediumMemory, SizeLimit: &size,
		}}}},
		Containers: []corev1.Container{shell("yes | head -c 2000000 > /tmp/big; cp /tmp/big /d/big", corev1.VolumeMount{Name: "d", MountPath: "/d"})},
	})
	wantPod(t, client, ns, name, inPhase(corev1.PodFailed))
	if got := logOf(t, client, ns, name, corev1.PodLogOptions{}); !strings.Contains(got, "No space left on device") {
		t.Errorf("log %q", got)
	}
}

// TestAHostPort asks a Pod by its node's port.
func TestAHostPort(t *testing.T) {
	t.Parallel()
	client := theLab(t)
	ns := namespace(t, client)
	server := run(t, client, ns, corev1.PodSpec{Containers: []corev1.Container{{Image: "nginx:1.27", Ports: []corev1.ContainerPort{{ContainerPort: 80, HostPort: 8765}}}}})
	at := wantPod(t, client, ns, server, inPhase(corev1.PodRunning)).Status.HostIP
	asking := run(t, client, ns, corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers:    []corev1.Container{shell(fmt.Sprintf("until wget -q -T 2 -O- http://%s:8765; do sleep 0.1; done", at))},
	})
	wantPod(t, client, ns, asking, inPhase(corev1.PodSucceeded))
	if got := logOf(t, client, ns, asking, corev1.PodLogOptions{}); !strings.Contains(got, "Welcome to nginx!") {
		t.Errorf("answer %q", got)
	}
}
