// Package reach looks into a cluster beyond its API objects: the rules of a
// node, the ports of a Pod, and what a client in the cluster can connect to.
package reach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"

	"svctour/cluster"
	"svctour/model/diagnose"
)

// ProbePod connects to a port of a Pod in two ways, and makes no object: at the
// Pod's address, by a GET / through the API server's Pod proxy, and at its
// loopback, by a port-forward, which the kubelet opens inside of the Pod.
func ProbePod(ctx context.Context, c *cluster.Connection, namespace, pod string, port int32) diagnose.Answer {
	var answer diagnose.Answer
	body, err := c.Client().CoreV1().Pods(namespace).ProxyGet("http", pod, strconv.Itoa(int(port)), "/", nil).Stream(ctx)
	if err == nil {
		body.Close()
	}
	said := words(err)
	switch {
	case err == nil:
		answer.Address = diagnose.Open
	case ctx.Err() != nil:
		answer.Trouble = "no answer in time"
	case strings.Contains(said, "connection refused"):
		answer.Address = diagnose.Refused
	case apierrors.IsForbidden(err) && strings.Contains(said, "pods/proxy"):
		answer.Trouble = err.Error()
	case strings.Contains(said, "error trying to reach service"):
		if strings.Contains(said, "malformed HTTP") || strings.Contains(said, "EOF") || strings.Contains(said, "reset") {
			answer.Address = diagnose.Open // it speaks, though not HTTP
		} else {
			answer.Trouble = err.Error()
		}
	default: // a status of the program's own
		answer.Address = diagnose.Open
	}
	if answer.Address != diagnose.Refused {
		return answer
	}
	reached, err := loopback(ctx, c, namespace, pod, port)
	if err != nil {
		answer.Trouble = err.Error()
	}
	answer.Loopback = reached
	return answer
}

// words is all text of an error, with the body of the server's answer, which
// client-go keeps among the error's causes.
func words(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	var status *apierrors.StatusError
	if errors.As(err, &status) && status.ErrStatus.Details != nil {
		for _, cause := range status.ErrStatus.Details.Causes {
			text += "\n" + cause.Message
		}
	}
	return text
}

// loopback connects to a port inside of a Pod.
func loopback(ctx context.Context, c *cluster.Connection, namespace, pod string, port int32) (diagnose.Reached, error) {
	transport, upgrader, err := spdy.RoundTripperFor(c.REST())
	if err != nil {
		return diagnose.NotTried, fmt.Errorf("forward a port: %w", err)
	}
	request := c.Client().CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward")
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, request.URL())
	connection, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
	if err != nil {
		return diagnose.NotTried, fmt.Errorf("forward a port: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()
	defer connection.Close()

	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	stream := func(kind string) (httpstream.Stream, error) {
		headers.Set(corev1.StreamType, kind)
		return connection.CreateStream(headers)
	}
	failure, err := stream(corev1.StreamTypeError)
	if err != nil {
		return diagnose.NotTried, fmt.Errorf("forward a port: %w", err)
	}
	failure.Close() // only read from
	data, err := stream(corev1.StreamTypeData)
	if err != nil {
		return diagnose.NotTried, fmt.Errorf("forward a port: %w", err)
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = data.Read(make([]byte, 1))
	}()
	_, _ = io.WriteString(data, "GET / HTTP/1.0\r\n\r\n")
	said := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(failure, 1<<16))
		said <- string(text)
	}()
	defer func() { connection.Close(); <-answered }()
	judge := func(text string) (diagnose.Reached, error) {
		switch {
		case strings.Contains(text, "refused"):
			return diagnose.Refused, nil
		case text != "":
			return diagnose.NotTried, fmt.Errorf("forward a port: %s", text)
		}
		return diagnose.Open, nil
	}
	select {
	case text := <-said:
		return judge(text)
	case <-answered: // data, or the end: then the failure says why
		select {
		case text := <-said:
			return judge(text)
		case <-ctx.Done():
			return diagnose.Open, nil
		}
	case <-ctx.Done():
		return diagnose.NotTried, ctx.Err()
	}
}
