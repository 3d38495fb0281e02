package behaviour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	corev1 "k8s.io/api/core/v1"

	"svctour/test/drive"
)

// ask makes a step's request and gives its result: "ok" and the answer, or
// refused, unreachable, timeout, reset, unresolved, http STATUS, nxdomain,
// nodata, servfail; of a command "exit CODE" and what it wrote.
func (w *world) ask(ctx context.Context, s step) string {
	out := map[string]bool{}
	for range max(s.Times, 1) {
		result := w.plain(ctx, w.once(ctx, s))
		if s.Either && (result == "timeout" || result == "unreachable") {
			result = "no answer"
		}
		out[result] = true
	}
	var all []string
	for result := range out {
		all = append(all, result)
	}
	slices.Sort(all)
	return strings.Join(all, " / ")
}

func (w *world) once(ctx context.Context, s step) string {
	text := s.HTTP + s.UDP + s.DNS + s.Ping + s.Run
	text, err := w.expand(ctx, text)
	if err != nil {
		return "error " + err.Error()
	}
	switch {
	case s.HTTP != "":
		return w.http(ctx, s.From, text)
	case s.UDP != "":
		at, port, _ := strings.Cut(text, " ")
		port, options, _ := strings.Cut(port, " ")
		return w.dig(ctx, s.From, strings.Fields("@"+at+" -p "+port+" who.test A "+options)...)
	case s.DNS != "":
		return w.dig(ctx, s.From, append([]string{"+search"}, strings.Fields(text)...)...)
	case s.Ping != "":
		out, err := w.run(ctx, s.From, "ping", "-c", "1", "-W", "2", text)
		switch {
		case err != nil:
			return "error " + err.Error()
		case out.Code == 0:
			return "ok"
		default:
			return "timeout"
		}
	case s.Log != "":
		log, err := w.CoreV1().Pods(w.namespace).GetLogs(s.Log, &corev1.PodLogOptions{}).DoRaw(ctx)
		if err != nil {
			return "error " + err.Error()
		}
		lines := strings.Split(strings.TrimSpace(string(log)), "\n")
		return strings.Fields(lines[len(lines)-1] + " -")[0]
	default:
		out, err := w.run(ctx, s.From, "sh", "-c", text)
		if err != nil {
			return "error " + err.Error()
		}
		return strings.TrimSpace(fmt.Sprintf("exit %d: %s", out.Code, strings.Join(strings.Fields(out.Stdout+" "+out.Stderr), " ")))
	}
}

func (w *world) run(ctx context.Context, from string, command ...string) (drive.Output, error) {
	namespace, pod, err := w.client(ctx, from)
	if err != nil {
		return drive.Output{}, err
	}
	return w.Exec(ctx, namespace, pod, command...)
}

// http asks with curl, whose exit codes are in curl(1); which error of connect
// it was is in its words.
func (w *world) http(ctx context.Context, from, target string) string {
	if from == "outside" {
		return w.fromOutside(ctx, target)
	}
	out, err := w.run(ctx, from, "curl", "-sv", "-m", "5", "-w", "%{http_code}", target)
	if err != nil {
		return "error " + err.Error()
	}
	switch out.Code {
	case 0:
		body, status := out.Stdout[:max(len(out.Stdout)-3, 0)], out.Stdout[max(len(out.Stdout)-3, 0):]
		if status != "200" {
			return "http " + status
		}
		return "ok " + strings.TrimSpace(body)
	case 6:
		return "unresolved"
	case 7:
		for _, known := range []struct{ words, class string }{
			{"Connection refused", "refused"}, {"No route to host", "unreachable"}, {"Network is unreachable", "unreachable"}, {"Host is unreachable", "unreachable"},
		} {
			if strings.Contains(out.Stderr, known.words) {
				return known.class
			}
		}
	case 28:
		return "timeout"
	case 52, 56:
		return "reset"
	}
	return fmt.Sprintf("curl exit %d: %s", out.Code, out.Stderr)
}

// dig asks once, and reads the answer section.
func (w *world) dig(ctx context.Context, from string, args ...string) string {
	out, err := w.run(ctx, from, append([]string{"dig", "+tries=1", "+time=2"}, args...)...)
	if err != nil {
		return "error " + err.Error()
	}
	_, header, _ := strings.Cut(out.Stdout, "status: ")
	status, _, _ := strings.Cut(header, ",")
	switch {
	case strings.Contains(out.Stdout, "connection refused"):
		return "refused"
	case strings.Contains(out.Stdout, "timed out"):
		return "timeout"
	case strings.Contains(out.Stdout, "unreachable"):
		return "unreachable"
	case status != "NOERROR":
		return strings.ToLower(status)
	}
	_, answer, _ := strings.Cut(out.Stdout, "ANSWER SECTION:\n")
	answer, _, _ = strings.Cut(answer, "\n\n")
	var records []string
	for row := range strings.Lines(answer) {
		if fields := strings.Fields(row); len(fields) > 4 && fields[0] != ";;" {
			records = append(records, w.plain(ctx, strings.Join(fields[3:], " ")))
		}
	}
	if len(records) == 0 {
		return "nodata"
	}
	slices.Sort(records)
	return "ok " + strings.Join(records, ", ")
}

// fromOutside asks from this machine, which a lab's host port makes a client at
// its gateway. A host port takes every connection: it closes at once what is
// refused inside, and what is not answered after its own time-out.
func (w *world) fromOutside(ctx context.Context, target string) string {
	if w.Lab != nil {
		where, err := url.Parse(target)
		if err != nil {
			return "error " + err.Error()
		}
		port, free, err := w.expose(ctx, where.Host)
		if err != nil {
			return "error " + err.Error()
		}
		defer free()
		where.Host = net.JoinHostPort("127.0.0.1", port)
		target = where.String()
	}
	ctx, cancel := context.WithTimeout(ctx, 7*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "error " + err.Error()
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext}
	began := time.Now()
	reply, err := transport.RoundTrip(request)
	switch {
	case err != nil && w.Lab != nil && time.Since(began) > 4*time.Second:
		return "timeout"
	case os.IsTimeout(err) || errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case err != nil:
		return "error " + err.Error()
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		return "error " + err.Error()
	}
	return "ok " + strings.TrimSpace(string(body))
}

// expose forwards a free port of this machine into the lab.
func (w *world) expose(ctx context.Context, to string) (port string, free func(), err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	port = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	if err := listener.Close(); err != nil {
		return "", nil, err
	}
	out, code, err := w.Lab.Run(ctx, "lab", "expose", port+":"+to)
	if err == nil && code != 0 {
		err = fmt.Errorf("lab expose: exit code %d: %s", code, out)
	}
	return port, func() { _, _, _ = w.Lab.Run(context.WithoutCancel(ctx), "lab", "unexpose", port) }, err
}

// proxies says on which nodes a kube-proxy runs.
func (w *world) proxies(ctx context.Context) (map[string]bool, error) {
	pods, err := w.CoreV1().Pods("kube-system").List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-proxy"})
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i := range pods.Items {
		out[pods.Items[i].Spec.NodeName] = out[pods.Items[i].Spec.NodeName] || drive.Ready(&pods.Items[i])
	}
	return out, nil
}
