package cluster

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"svctour/model"
	"svctour/model/diagnose"
)

// askScript connects to an address with what a Pod has, and says how it went in
// one word. curl's exit codes are those of curl(1); busybox' wget only talks.
const askScript = `
if command -v curl >/dev/null 2>&1; then
  curl -s -o /dev/null -m 3 "http://$0/"
  case $? in 6) echo unresolved;; 7) echo refused;; 28) echo silent;; *) echo open;; esac
elif command -v wget >/dev/null 2>&1; then
  said=$(wget -T 3 -O /dev/null "http://$0/" 2>&1)
  case "$said" in *"bad address"*|*"not resolve"*) echo unresolved;; *efused*) echo refused;; *"timed out"*) echo silent;; *) echo open;; esac
else
  echo none
fi`

// ProbeFrom connects out of a client's Pod, by exec, to a Service by its name
// and its cluster IP, and to one of its Pods. It needs a shell and curl or wget
// in the client's first container, and makes no object.
func (c *Connection) ProbeFrom(ctx context.Context, client *model.Pod, service *model.Service, b diagnose.Backend) diagnose.FromClient {
	var out diagnose.FromClient
	ask := func(host string, port int32) diagnose.Reached {
		if out.Trouble != "" {
			return diagnose.NotTried
		}
		reached, err := c.askFrom(ctx, client, net.JoinHostPort(host, strconv.Itoa(int(port))))
		if err != nil {
			out.Trouble = err.Error()
		}
		return reached
	}
	if out.Name = ask(service.Name+"."+service.Namespace, b.Port.Port); out.Name == diagnose.Open {
		return out
	}
	out.Address, out.Backend = ask(service.ClusterIP(), b.Port.Port), ask(b.Pod.IP(), b.Number)
	return out
}

func (c *Connection) askFrom(ctx context.Context, client *model.Pod, address string) (diagnose.Reached, error) {
	if len(client.Containers) == 0 {
		return diagnose.NotTried, errors.New("it has no container")
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: client.Namespace, Name: client.Name},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: client.Containers[0].Name}}},
	}
	said, err := c.exec(ctx, pod, []string{"sh", "-c", askScript, address})
	if err != nil {
		return diagnose.NotTried, err
	}
	switch strings.TrimSpace(said) {
	case "open":
		return diagnose.Open, nil
	case "refused":
		return diagnose.Refused, nil
	case "silent":
		return diagnose.Silent, nil
	case "unresolved":
		return diagnose.Unresolved, nil
	case "none":
		return diagnose.NotTried, errors.New("it has neither curl nor wget")
	}
	return diagnose.NotTried, errors.New("its shell does not answer")
}
