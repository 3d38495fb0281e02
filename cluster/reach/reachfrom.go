package reach

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	utilrand "k8s.io/apimachinery/pkg/util/rand"

	"svctour/cluster"
	"svctour/cluster/convert"
	"svctour/model"
	"svctour/model/diagnose"
)

// askScript connects to each of its arguments with what a container has, and
// prints a line of one word for each: how it went. A server may accept and then
// wait for more than a GET, so a missing answer does not mean that there was no
// connection. curl tells when it was connected (curl(1), time_connect), nc -z
// only connects (the words are those of busybox, OpenBSD and nmap), and a
// time-out of wget says nothing. Whatever else happens, also a crash of the
// program, is "unknown".
const askScript = `
for a in "$@"; do
port=${a##*:} host=${a%:*} host=${host#[} host=${host%]}
if command -v curl >/dev/null 2>&1; then
  connected=$(curl -s -o /dev/null -m 3 -w '%{time_connect}' "http://$a/")
  case "$? $connected" in
    "6 "*) echo unresolved;;
    "7 "*) echo refused;;
    "28 "*[.,]000000) echo silent;;
    "0 "*|*[.,]*[1-9]*) echo open;;
    *) echo unknown;;
  esac
elif command -v nc >/dev/null 2>&1; then
  said=$(nc -z -v -w 3 "$host" "$port" 2>&1 </dev/null)
  case "$? $said" in
    *"bad address"*|*getaddrinfo*|*"not resolve"*|*"lookup failed"*) echo unresolved;;
    *efused*) echo refused;;
    *"timed out"*|*TIMEOUT*) echo silent;;
    "0 "*) echo open;;
    *) echo unknown;;
  esac
elif command -v wget >/dev/null 2>&1; then
  said=$(wget -T 3 -O /dev/null "http://$a/" 2>&1)
  case "$said" in
    *"bad address"*|*"not resolve"*) echo unresolved;;
    *efused*) echo refused;;
    *"server returned"*|*"awaiting response"*|*"getting response"*|*"bad header"*|*"reset by peer"*|*"written to"*|*saved*|*100%*) echo open;;
    *) echo unknown;;
  esac
else
  echo none
fi
done 2>/dev/null`

// askCommand is the script as a command.
func askCommand(addresses []string) []string {
	return append([]string{"sh", "-c", askScript, "sh"}, addresses...)
}

// probeNamespace begins the names of the namespaces that AskAlone makes. Their
// Pod ends by itself after probeDeadline, whatever became of svctour.
const (
	probeNamespace = "svctour-probe"
	probeDeadline  = 3 * time.Minute
	removeTimeout  = 10 * time.Second
	pollEvery      = 250 * time.Millisecond
)

// ErrNoTool says that a container has no shell, or none of curl, nc and wget.
var ErrNoTool = errors.New("it has no shell with curl, nc or wget")

// AskFrom connects to addresses (host:port) out of the first container of a
// Pod, by exec, and says how each went. It makes no object. The error is
// ErrNoTool when the container cannot do it.
func AskFrom(ctx context.Context, c *cluster.Connection, client *model.Pod, addresses []string) ([]diagnose.Reached, error) {
	if len(client.Containers) == 0 {
		return nil, errors.New("it has no container")
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: client.Namespace, Name: client.Name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: client.Containers[0].Name}}},
	}
	said, err := output(ctx, c, pod, askCommand(addresses))
	switch {
	case err != nil && noShell(err.Error()):
		return nil, ErrNoTool
	case err != nil:
		return nil, err
	}
	return reached(said, len(addresses))
}

// noShell says whether an exec failed because the container has no sh: by the
// words of runc and crun, or by POSIX' exit codes for a command that is missing.
func noShell(text string) bool {
	for _, words := range []string{"executable file not found", "no such file or directory", "exit code 126", "exit code 127"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// reached reads what askScript said.
func reached(said string, want int) ([]diagnose.Reached, error) {
	words := map[string]diagnose.Reached{
		"open": diagnose.Open, "refused": diagnose.Refused, "silent": diagnose.Silent, "unresolved": diagnose.Unresolved,
	}
	var out []diagnose.Reached
	for _, word := range strings.Fields(said) {
		switch word {
		case "none":
			return nil, ErrNoTool
		case "unknown":
			return nil, errors.New("its curl, nc or wget says nothing that is understood")
		}
		answer, known := words[word]
		if !known {
			break
		}
		out = append(out, answer)
	}
	if len(out) != want {
		return nil, errors.New("its shell does not answer")
	}
	return out, nil
}

// AskBeside does what AskFrom does in an ephemeral container of the Pod, for
// one that has no shell. The container ends when it has asked; Kubernetes keeps
// it in the Pod's list until the Pod is deleted (KEP-277).
func AskBeside(ctx context.Context, c *cluster.Connection, client *model.Pod, image string, addresses []string) ([]diagnose.Reached, error) {
	name := "svctour-" + utilrand.String(5)
	container := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: name, Image: image, Command: askCommand(addresses), SecurityContext: restricted(), ImagePullPolicy: corev1.PullIfNotPresent,
	}}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"ephemeralContainers": []any{container}}})
	if err != nil {
		return nil, err
	}
	pods := c.Client().CoreV1().Pods(client.Namespace)
	if _, err := pods.Patch(ctx, client.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "ephemeralcontainers"); err != nil {
		return nil, cluster.ExplainError(c.FromServer(err))
	}
	_, answers, err := asked(ctx, c, client.Namespace, client.Name, name, len(addresses))
	return answers, err
}

// AskAlone does what AskFrom does in a Pod of its own, in a namespace made for
// it, which is removed before it returns, also when ctx has ended. The client
// is the Pod as it was.
func AskAlone(ctx context.Context, c *cluster.Connection, image string, addresses []string) (client *model.Pod, answers []diagnose.Reached, err error) {
	namespace, err := c.EnsureNamespace(ctx, probeNamespace+"-"+utilrand.String(5))
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		removing, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		c.StopWorkloads(removing, namespace)
		if gone := c.Client().CoreV1().Namespaces().Delete(removing, namespace, metav1.DeleteOptions{}); gone != nil {
			err = errors.Join(err, fmt.Errorf("remove namespace %q (svctour clean does it): %w", namespace, c.FromServer(gone)))
		}
	}()
	no, deadline, grace := false, int64(probeDeadline.Seconds()), int64(0)
	made, err := c.Client().CoreV1().Pods(namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "client", Labels: map[string]string{cluster.OwnerLabel: cluster.OwnerName}},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, ActiveDeadlineSeconds: &deadline, TerminationGracePeriodSeconds: &grace,
			AutomountServiceAccountToken: &no, EnableServiceLinks: &no,
			Containers: []corev1.Container{{Name: "client", Image: image, Command: askCommand(addresses), SecurityContext: restricted()}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, nil, cluster.ExplainError(c.FromServer(err))
	}
	pod, answers, err := asked(ctx, c, namespace, made.Name, "client", len(addresses))
	if err != nil {
		return nil, nil, err
	}
	client = convert.Pod(pod)
	client.Phase = string(corev1.PodRunning) // as it was when it asked
	return client, answers, nil
}

// restricted is what the Pod security standard of that name asks for.
func restricted() *corev1.SecurityContext {
	yes, no, nobody := true, false, int64(65534)
	return &corev1.SecurityContext{
		RunAsNonRoot: &yes, RunAsUser: &nobody, AllowPrivilegeEscalation: &no,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// asked waits until a container has ended, and reads what it said.
func asked(ctx context.Context, c *cluster.Connection, namespace, pod, container string, want int) (*corev1.Pod, []diagnose.Reached, error) {
	pods := c.Client().CoreV1().Pods(namespace)
	said := "its container has not started"
	ended := func() error {
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
		return errors.New("no answer in time: " + said)
	}
	var got *corev1.Pod
	for {
		var err error
		got, err = pods.Get(ctx, pod, metav1.GetOptions{})
		if ctx.Err() != nil {
			return nil, nil, ended()
		}
		if err != nil {
			return nil, nil, cluster.ExplainError(c.FromServer(err))
		}
		state := stateOf(got, container)
		if state.Terminated != nil {
			break
		}
		if w := state.Waiting; w != nil && (strings.HasPrefix(w.Reason, "ErrImage") || strings.HasPrefix(w.Reason, "Image") || strings.HasSuffix(w.Reason, "Error")) {
			return nil, nil, fmt.Errorf("%s: %s", w.Reason, w.Message)
		}
		for _, condition := range got.Status.Conditions {
			if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
				said = condition.Message
			}
		}
		select {
		case <-ctx.Done():
			return nil, nil, ended()
		case <-time.After(pollEvery):
		}
	}
	limit := int64(64 << 10)
	log, err := pods.GetLogs(pod, &corev1.PodLogOptions{Container: container, LimitBytes: &limit}).Stream(ctx)
	if err != nil {
		return nil, nil, cluster.ExplainError(c.FromServer(err))
	}
	defer log.Close()
	text, err := io.ReadAll(log)
	if err != nil {
		return nil, nil, err
	}
	answers, err := reached(string(text), want)
	return got, answers, err
}

func stateOf(pod *corev1.Pod, container string) corev1.ContainerState {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == container {
				return list[i].State
			}
		}
	}
	return corev1.ContainerState{}
}

// Connections lists what a node's kernel follows of one client's connections,
// by conntrack -L in the node's kube-proxy Pod, whose name it gives. It changes
// nothing.
func Connections(ctx context.Context, c *cluster.Connection, node, client string) (pod string, list []diagnose.Connection, err error) {
	proxy, err := proxyPod(ctx, c, node)
	if err != nil {
		return "", nil, err
	}
	text, err := output(ctx, c, proxy, []string{"conntrack", "-L", "--orig-src", client})
	if err != nil {
		return "", nil, fmt.Errorf("run conntrack in Pod %q: %w", proxy.Namespace+"/"+proxy.Name, err)
	}
	return proxy.Name, diagnose.ParseConnections(text), nil
}
