package cluster

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const statusText = `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"reason":%q,"code":%d}`

func answer(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// serverConfig writes a kubeconfig for a server; ca is PEM, nil for none.
func serverConfig(t testing.TB, server string, ca []byte) string {
	t.Helper()
	trust := ""
	if ca != nil {
		trust = ", certificate-authority-data: " + base64.StdEncoding.EncodeToString(ca)
	}
	return kubeconfig(t, fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: %q%s}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
`, server, trust))
}

// certificate makes a self-signed certificate.
func certificate(t *testing.T, name string, until time.Time) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: until.Add(-time.Hour), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// tlsServer serves with a certificate of its own; it gives URL and PEM.
func tlsServer(t *testing.T, name string, until time.Time, handler http.Handler) (string, []byte) {
	t.Helper()
	cert, ca := certificate(t, name, until)
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	server.Config.ErrorLog = discardLog
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, ca
}

func TestProbe(t *testing.T) {
	isolated(t)
	version := answer(200, `{"major":"1","minor":"37","gitVersion":"v1.37.2"}`)
	soon := time.Now().Add(30 * time.Minute)
	plain := httptest.NewServer(version)
	defer plain.Close()
	good, goodCA := tlsServer(t, "127.0.0.1", soon, version)
	expired, expiredCA := tlsServer(t, "127.0.0.1", time.Now().Add(-time.Minute), version)
	other, otherCA := tlsServer(t, "kubernetes.default", soon, version)
	serve := func(code int, body string) string {
		url, ca := tlsServer(t, "127.0.0.1", soon, answer(code, body))
		return serverConfig(t, url, ca)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	hang := make(chan struct{})
	silent, silentCA := tlsServer(t, "127.0.0.1", soon, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer close(hang)
	deaf, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()

	for name, c := range map[string]struct{ config, version, err string }{
		"answers":              {serverConfig(t, good, goodCA), "v1.37.2", ""},
		"answers without TLS":  {serverConfig(t, plain.URL, nil), "v1.37.2", ""},
		"behind a path":        {serverConfig(t, plain.URL+"/k8s/clusters/c-1", nil), "v1.37.2", ""},
		"forbids even that":    {serve(403, fmt.Sprintf(statusText, "no", "Forbidden", 403)), "", ""},
		"unknown authority":    {serverConfig(t, good, otherCA), "", "signed by an authority that the kubeconfig does not trust."},
		"expired":              {serverConfig(t, expired, expiredCA), "", "has a certificate that is expired or not valid yet: "},
		"another name":         {serverConfig(t, other, otherCA), "", "has a certificate for another name: "},
		"refused":              {serverConfig(t, "https://"+closed.Addr().String(), nil), "", "https://" + closed.Addr().String() + " cannot be reached: connection refused, nothing listens there."},
		"no such host":         {serverConfig(t, "https://no-such-host.invalid:6443", nil), "", "cannot be found: "},
		"silent":               {serverConfig(t, silent, silentCA), "", "does not answer: timeout."},
		"silent before TLS":    {serverConfig(t, "https://"+deaf.Addr().String(), nil), "", "does not answer: timeout."},
		"plain HTTP for https": {serverConfig(t, strings.Replace(plain.URL, "http:", "https:", 1), nil), "", "does not speak TLS: something else answers there."},
		"unauthorized":         {serve(401, fmt.Sprintf(statusText, "Unauthorized", "Unauthorized", 401)), "", "does not accept these credentials (401 Unauthorized)"},
		"a web page":           {serve(200, "<html>Welcome</html>"), "", "is not a Kubernetes API server"},
		"another JSON":         {serve(200, `{"version":"1"}`), "", "is not a Kubernetes API server"},
		"a proxy's 403 page":   {serve(403, "<html>Forbidden</html>"), "", "is not a Kubernetes API server"},
		"a proxy's 502":        {serve(502, "Bad Gateway"), "", "is not a Kubernetes API server"},
		"a server's 500":       {serve(500, strings.Replace(fmt.Sprintf(statusText, "etcd is ESC down", "InternalError", 500), "ESC", `\u001b[31m`, 1)), "", "answers 500: etcd is \x1b[31m down."},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			if strings.HasPrefix(name, "silent") {
				cancel()
				ctx, cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
			}
			defer cancel()
			got, err := Probe(ctx, Options{Kubeconfig: c.config})
			if got != c.version {
				t.Errorf("got version %q, want %q", got, c.version)
			}
			if text := Explain(err); (err != nil) != (c.err != "") || !strings.Contains(text, c.err) {
				t.Errorf("got %q (%v), want %q", text, err, c.err)
			} else if err != nil && (!strings.HasPrefix(text, "The API server at http") || strings.Count(text, "\n") > 0) {
				t.Errorf("%q is not one sentence about a server", text)
			}
		})
	}
}

// A credential plugin that fails is named.
func TestProbeWithAFailingPlugin(t *testing.T) {
	isolated(t)
	config := kubeconfig(t, `apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, interactiveMode: IfAvailable}}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
`)
	_, err := Probe(context.Background(), Options{Kubeconfig: config})
	if got := Explain(err); !strings.Contains(got, "credential plugin gave no credentials") || !strings.Contains(got, "no-such-plugin") {
		t.Errorf("got %q (%v)", got, err)
	}
}

// needsShell skips a test whose credential plugin is a shell script, where there
// is no shell: on Windows.
func needsShell(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the test's credential plugin is a shell script, and there is no sh here")
	}
}

// pluginConfig writes a kubeconfig for a server that a shell script signs in to.
func pluginConfig(t *testing.T, server string, ca []byte, script string) string {
	t.Helper()
	needsShell(t)
	args, err := json.Marshal([]string{"-c", script})
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig(t, fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: %s, interactiveMode: IfAvailable}}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
`, server, base64.StdEncoding.EncodeToString(ca), args))
}

// A log-in may take longer than a server's answer, and a server with a plugin
// may be silent all the same.
func TestProbeWithinCountsTheAnswerAlone(t *testing.T) {
	isolated(t)
	const token = `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}'`
	server, ca := tlsServer(t, "127.0.0.1", time.Now().Add(30*time.Minute), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		io.WriteString(w, `{"major":"1","minor":"37","gitVersion":"v1.37.2"}`)
	}))
	const limit = 2 * time.Second
	began := time.Now()
	version, err := ProbeWithin(context.Background(), Options{Kubeconfig: pluginConfig(t, server, ca, "sleep 3; "+token)}, limit)
	if version != "v1.37.2" || err != nil || time.Since(began) < limit {
		t.Errorf("a slow plugin: %q, %v after %s", version, err, time.Since(began))
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, err = ProbeWithin(context.Background(), Options{Kubeconfig: pluginConfig(t, "https://"+silent.Addr().String(), ca, token)}, 200*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(Explain(err), "does not answer: timeout.") {
		t.Errorf("a silent server: %q (%v)", Explain(err), err)
	}
}

// A probe leaves no connection open.
func TestProbeWithinHangsUp(t *testing.T) {
	isolated(t)
	closed := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"major":"1","minor":"37","gitVersion":"v1.37.2"}`)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			close(closed)
		}
	}
	server.Start()
	defer server.Close()
	if _, err := ProbeWithin(t.Context(), Options{Kubeconfig: serverConfig(t, server.URL, nil)}, time.Minute); err != nil {
		t.Fatal(err)
	}
	select {
	case <-closed:
	case <-time.After(30 * time.Second):
		t.Error("the connection is still open")
	}
}

// Only who has no terminal to spare keeps a plugin from it.
func TestPluginMayAskOnTheTerminal(t *testing.T) {
	isolated(t)
	for _, taken := range []bool{false, true} {
		chosen, err := Options{Kubeconfig: pluginConfig(t, "https://127.0.0.1:1", nil, "exit 1"), TerminalTaken: taken}.resolve()
		if err != nil {
			t.Fatal(err)
		}
		if got := chosen.rest.ExecProvider.StdinUnavailable; got != taken {
			t.Errorf("terminal taken %t: its standard input is unavailable %t", taken, got)
		}
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	isolated(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Probe(ctx, Options{Kubeconfig: serverConfig(t, "https://127.0.0.1:1", nil)})
	if got := Explain(err); got != "Cancelled." {
		t.Errorf("got %q (%v)", got, err)
	}
}

func TestExplain(t *testing.T) {
	at := func(err error) error {
		return fmt.Errorf("doing something: %w", &ServerError{Server: "https://k8s.example", Err: err})
	}
	request := func(err error) error { return at(&url.Error{Op: "Get", URL: "https://k8s.example/version", Err: err}) }
	for want, err := range map[string]error{
		"": nil,
		`The API server at https://k8s.example forbids this (403 Forbidden): pods is forbidden: User "bob" may not.`: at(&apierrors.StatusError{
			ErrStatus: metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "pods is forbidden:\n  User \"bob\" may not"}}),
		"The API server at https://k8s.example cannot be reached: there is no route to it.":                           request(&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}),
		"The API server at https://k8s.example closed the connection.":                                                request(io.EOF),
		"The API server at https://k8s.example cannot be found: DNS knows no host \"k8s.example\".":                   request(&net.DNSError{Name: "k8s.example", IsNotFound: true}),
		"The API server at https://k8s.example cannot be found: looking up host \"k8s.example\": server misbehaving.": request(&net.DNSError{Name: "k8s.example", Err: "server misbehaving"}),
		"The API server at https://k8s.example refuses the kubeconfig's client certificate: it has expired.":          request(tls.AlertError(45)),
		"The API server does not answer: timeout.":                                                                    context.DeadlineExceeded,
		"Cancelled.": context.Canceled,
		"The API server at https://k8s.example: something new.": request(errors.New("something new")),
	} {
		if got := Explain(err); got != want {
			t.Errorf("%v:\n got %q\nwant %q", err, got, want)
		}
	}
}

// An explained error still is what it was.
func TestExplainErrorKeepsTheCause(t *testing.T) {
	refused := &ServerError{Server: "https://k8s.example", Err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}
	forbidden := &ServerError{Server: "https://k8s.example", Err: apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", errors.New("no"))}
	for _, cause := range []error{refused, forbidden, context.Canceled, &ContextError{Name: "x"}} {
		err := fmt.Errorf("look at a node: %w", ExplainError(cause))
		if !errors.Is(err, cause) || err.Error() != "look at a node: "+Explain(cause) || Explain(ExplainError(cause)) != Explain(cause) {
			t.Errorf("%v: got %v, explained again as %q", cause, err, Explain(ExplainError(cause)))
		}
	}
	if !apierrors.IsForbidden(ExplainError(forbidden)) || !errors.Is(ExplainError(refused), syscall.ECONNREFUSED) {
		t.Error("the cause is lost")
	}
	if err := ExplainError(nil); err != nil {
		t.Errorf("nothing is explained as %v", err)
	}
}
