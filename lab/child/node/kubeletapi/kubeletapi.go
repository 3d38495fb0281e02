// Package kubeletapi is the part of a kubelet's HTTP API that the API server
// calls for kubectl: logs, exec, attach and port-forward, besides the list of
// Pods. The paths, parameters, texts and status codes are those of
// pkg/kubelet/server/server.go of Kubernetes, the streams are its own
// k8s.io/cri-streaming; what runs in the containers is for a Runtime to say.
package kubeletapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/util/flushwriter"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/core/install" // teaches the scheme to read log options from a query
	"k8s.io/kubernetes/pkg/apis/core/v1/validation"
)

// Runtime is what the API is a door to. All its methods may be called at once,
// and have ended, with everything they started, when they return; they return
// soon after their context has ended.
type Runtime interface {
	// Pods are the Pods of the kubelet, each with its status as the kubelet
	// knows it. Neither the slice nor the Pods are changed.
	Pods() []*corev1.Pod
	// Pod is one of Pods; nil if there is none of that name.
	Pod(namespace, name string) *corev1.Pod
	// Joinable is nil if the container runs and, where UID is set, its Pod has
	// that UID; without a Container.Name it asks for the Pod's network only.
	// The error is what the client is told, with status 500, before a
	// connection is upgraded, such as `container not found ("web")`.
	Joinable(ctx context.Context, c Container) error

	// Logs writes a container's log as options want it. A nil stdout or stderr
	// is a stream that is not wanted. An error before the first Write is told
	// with status 400, with the texts of validateContainerLogStatus in
	// pkg/kubelet/kubelet_pods.go; once the log is found Logs writes, if only
	// nothing, before it waits, which lets a client see that it follows.
	Logs(ctx context.Context, c Container, options *corev1.PodLogOptions, stdout, stderr io.Writer) error
	// Exec runs a command in a container. The error for a status other than 0
	// is an exec.CodeExitError of k8s.io/utils/exec, perhaps wrapped.
	Exec(ctx context.Context, c Container, command []string, streams Streams) error
	// Attach joins the streams to those of the container's program, until that
	// ends or the client leaves.
	Attach(ctx context.Context, c Container, streams Streams) error
	// PortForward connects to a port on the Pod's loopback and copies between
	// it and stream in both directions, until either side ends.
	PortForward(ctx context.Context, c Container, port int32, stream io.ReadWriteCloser) error
}

// Container says which container is meant, or, with an empty Name, which Pod.
type Container struct {
	Namespace, Pod string
	UID            string // the Pod's; empty: whichever has the name
	Name           string
}

// Streams are the client's ends of a command's streams. Those that it did not
// ask for are nil. They end with the client's connection.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	TTY      bool // Err is nil then
	// Resize has the size of the client's terminal at the start and whenever it
	// changes; nil or closed when no further size will come.
	Resize <-chan TerminalSize
}

// TerminalSize is in characters.
type TerminalSize = remotecommand.TerminalSize

// Handler serves a Runtime. It does not authenticate: its server does, whose
// base context also ends the connections that this handler takes over.
func Handler(r Runtime) http.Handler {
	h := &handler{runtime: r, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	h.mux.HandleFunc("GET /pods", h.pods)
	h.mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", h.logs)
	for _, method := range []string{"GET ", "POST "} {
		for _, uid := range []string{"", "/{uid}"} {
			h.mux.HandleFunc(method+"/exec/{namespace}/{pod}"+uid+"/{container}", h.exec)
			h.mux.HandleFunc(method+"/attach/{namespace}/{pod}"+uid+"/{container}", h.attach)
			h.mux.HandleFunc(method+"/portForward/{namespace}/{pod}"+uid, h.portForward)
		}
	}
	return h.mux
}

type handler struct {
	runtime Runtime
	mux     *http.ServeMux
}

// fail answers as go-restful's WriteError does: the text and nothing else.
func fail(w http.ResponseWriter, status int, err error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, err.Error())
}

func container(r *http.Request) Container {
	return Container{
		Namespace: r.PathValue("namespace"), Pod: r.PathValue("pod"),
		UID: r.PathValue("uid"), Name: r.PathValue("container"),
	}
}

func (h *handler) pods(w http.ResponseWriter, _ *http.Request) {
	list := &corev1.PodList{Items: []corev1.Pod{}}
	for _, pod := range h.runtime.Pods() {
		list.Items = append(list.Items, *pod)
	}
	encoded, err := runtime.Encode(legacyscheme.Codecs.LegacyCodec(corev1.SchemeGroupVersion), list)
	if err != nil {
		fail(w, http.StatusInternalServerError, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(encoded)
}

// The kubelet answers these two with JSON, though nothing reads it so.
var (
	errUndecodable = errors.New(`{"message": "Unable to decode query."}`)
	errInvalid     = errors.New(`{"message": "Invalid request."}`)
)

func (h *handler) logs(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if tail := query.Get("tail"); tail == "all" {
		query.Del("tailLines")
	} else if tail != "" {
		query.Set("tailLines", tail)
	}
	options := &corev1.PodLogOptions{}
	if err := legacyscheme.ParameterCodec.DecodeParameters(query, corev1.SchemeGroupVersion, options); err != nil {
		fail(w, http.StatusBadRequest, errUndecodable)
		return
	}
	if options.Stream == nil {
		all := corev1.LogStreamAll
		options.Stream = &all
	}
	options.TypeMeta = metav1.TypeMeta{}
	if len(validation.ValidatePodLogOptions(options)) > 0 {
		fail(w, http.StatusUnprocessableEntity, errInvalid)
		return
	}
	c := container(r)
	pod := h.runtime.Pod(c.Namespace, c.Pod)
	if pod == nil {
		fail(w, http.StatusNotFound, fmt.Errorf("pod %q does not exist", c.Pod))
		return
	}
	if !has(pod, c.Name) {
		fail(w, http.StatusNotFound, fmt.Errorf("container %q not found in pod %q", c.Name, c.Pod))
		return
	}
	out := &started{Writer: flushwriter.Wrap(w)}
	var stdout, stderr io.Writer = out, out
	switch *options.Stream {
	case corev1.LogStreamStdout:
		stderr = nil
	case corev1.LogStreamStderr:
		stdout = nil
	}
	err := h.runtime.Logs(r.Context(), c, options, stdout, stderr)
	switch {
	case err == nil || r.Context().Err() != nil:
	case out.begun: // too late for a status: the kubelet's text ends the log
		io.WriteString(out, err.Error())
	default:
		fail(w, http.StatusBadRequest, err)
	}
}

// started knows whether anything was written: by one writer at a time, as
// http.ResponseWriter wants it.
type started struct {
	io.Writer
	begun bool
}

func (s *started) Write(p []byte) (int, error) {
	s.begun = true
	return s.Writer.Write(p)
}

func has(pod *corev1.Pod, name string) bool {
	named := func(c corev1.Container) bool { return c.Name == name }
	return slices.ContainsFunc(pod.Spec.Containers, named) ||
		slices.ContainsFunc(pod.Spec.InitContainers, named) ||
		slices.ContainsFunc(pod.Spec.EphemeralContainers, func(c corev1.EphemeralContainer) bool { return c.Name == name })
}
