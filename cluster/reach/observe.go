package reach

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"

	"svctour/cluster"
	"svctour/model/path"
)

// maxDump bounds what is read of a node's rules, in bytes: some 300 000 rules.
const maxDump = 64 << 20

// maxComplaint bounds what is kept of a failing program's stderr, in bytes.
const maxComplaint = 4 << 10

// Observe reads the rules of one IP family from a node, with their counters
// where they have any: it runs iptables-save -c (ip6tables-save), or in mode
// nftables nft list table, in the node's kube-proxy Pod, which kubeadm labels
// k8s-app=kube-proxy, through the API server. In mode ipvs it runs ipset save,
// too; IPVS's virtual servers stay unseen, because kube-proxy's image has no
// program that lists them. It changes nothing. The error
// says for people why the node cannot be looked at.
func Observe(ctx context.Context, c *cluster.Connection, node, mode string, family path.Family) (*path.Observed, error) {
	pod, err := proxyPod(ctx, c, node)
	if err != nil {
		return nil, err
	}
	command, parse := []string{"iptables-save", "-c"}, path.Parse
	switch {
	case mode == path.ModeNFTables && family == path.IPv6:
		command, parse = []string{"nft", "list", "table", "ip6", path.NFTTable}, path.ParseNFT
	case mode == path.ModeNFTables:
		command, parse = []string{"nft", "list", "table", "ip", path.NFTTable}, path.ParseNFT
	case family == path.IPv6:
		command[0] = "ip6tables-save"
	}
	text, err := run(ctx, c, pod, command)
	if err != nil {
		return nil, fmt.Errorf("run %s in Pod %q: %w", command[0], pod.Namespace+"/"+pod.Name, err)
	}
	if mode != path.ModeIPVS {
		return parse(text, family)
	}
	sets, err := run(ctx, c, pod, []string{"ipset", "save"})
	if err != nil {
		return nil, fmt.Errorf("run ipset in Pod %q: %w", pod.Namespace+"/"+pod.Name, err)
	}
	return path.ParseIPVS(text, sets, "", family)
}

// proxyPod finds a kube-proxy Pod that runs on a node.
func proxyPod(ctx context.Context, c *cluster.Connection, node string) (*corev1.Pod, error) {
	pods, err := c.Client().CoreV1().Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{
		LabelSelector: "k8s-app=kube-proxy", FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String(),
	})
	if err != nil {
		return nil, cluster.ExplainError(c.FromServer(err))
	}
	for i := range pods.Items {
		if pod := &pods.Items[i]; pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil && len(pod.Spec.Containers) > 0 {
			return pod, nil
		}
	}
	return nil, fmt.Errorf("no Pod labelled k8s-app=kube-proxy runs on node %q", node)
}

// run runs a command in the first container of a Pod and gives its stdout.
// WebSocket comes first and SPDY after it, as in kubectl exec.
func run(ctx context.Context, c *cluster.Connection, pod *corev1.Pod, command []string) (string, error) {
	request := c.Client().CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: pod.Spec.Containers[0].Name, Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	spdy, err := remotecommand.NewSPDYExecutor(c.REST(), "POST", request.URL())
	if err != nil {
		return "", err
	}
	socket, err := remotecommand.NewWebSocketExecutor(c.REST(), "GET", request.URL().String())
	if err != nil {
		return "", err
	}
	executor, err := remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	})
	if err != nil {
		return "", err
	}
	var stdout dump
	var stderr complaint
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &stdout, Stderr: &stderr})
	var code exec.ExitError
	var status *apierrors.StatusError
	switch {
	case err == nil:
		return stdout.String(), nil
	case errors.As(err, &status):
		return "", cluster.ExplainError(c.FromServer(err))
	case errors.As(err, &code) && stderr.String() != "":
		return "", fmt.Errorf("exit code %d: %s", code.ExitStatus(), cluster.Sentence(stderr.String()))
	}
	return "", err
}

// complaint keeps the first few lines that a program writes, and drops the rest.
type complaint struct{ bytes.Buffer }

// Write implements io.Writer; it never fails.
func (c *complaint) Write(p []byte) (int, error) {
	if c.Len() < maxComplaint {
		c.Buffer.Write(p[:min(len(p), maxComplaint-c.Len())])
	}
	return len(p), nil
}

// dump takes maxDump bytes and refuses more.
type dump struct{ bytes.Buffer }

// Write implements io.Writer.
func (d *dump) Write(p []byte) (int, error) {
	if d.Len()+len(p) > maxDump {
		return 0, fmt.Errorf("more than %d MiB of rules", maxDump>>20)
	}
	return d.Buffer.Write(p)
}
