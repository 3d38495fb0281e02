package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// ErrNotKubernetes says that something answers at the server's address, but
// not a Kubernetes API server.
var ErrNotKubernetes = errors.New("what answers is not a Kubernetes API server")

// ErrClosed says that the connection was closed.
var ErrClosed = errors.New("the connection was closed")

// ServerError is trouble with one API server.
type ServerError struct {
	Server string // URL
	Err    error
}

func (e *ServerError) Error() string { return fmt.Sprintf("API server %s: %v", e.Server, e.Err) }
func (e *ServerError) Unwrap() error { return e.Err }

// Explain says in one clear sentence, for people, what is wrong. The text may
// hold words of the server or of the kubeconfig and is not safe for a terminal
// before model.Printable.
func Explain(err error) string {
	if err == nil {
		return ""
	}
	var (
		none      *NoKubeconfigError
		malformed *MalformedError
		choice    *ContextError
	)
	switch {
	case errors.As(err, &none), errors.As(err, &malformed), errors.As(err, &choice):
		return Sentence(err.Error())
	case errors.Is(err, context.Canceled):
		return "Cancelled."
	}
	server := "The API server"
	var at *ServerError
	if errors.As(err, &at) {
		server += " at " + at.Server
	}
	if s := explainStatus(server, err); s != "" {
		return s
	}
	if s := explainTLS(server, err); s != "" {
		return s
	}
	if s := explainNetwork(server, err); s != "" {
		return s
	}
	if strings.Contains(err.Error(), "getting credentials: ") {
		return Sentence("the kubeconfig's credential plugin gave no credentials: " + after(err, "getting credentials: "))
	}
	return Sentence(server + ": " + rootCause(err).Error())
}

// Explained is an error whose text is the one sentence for people, see Explain;
// it unwraps to the cause.
type Explained struct {
	Text string
	Err  error
}

func (e *Explained) Error() string { return e.Text }
func (e *Explained) Unwrap() error { return e.Err }

// ExplainError gives err with the text of Explain; nil for nil.
func ExplainError(err error) error {
	if err == nil {
		return nil
	}
	return &Explained{Text: Explain(err), Err: err}
}

// explainStatus explains what a server that answered said.
func explainStatus(server string, err error) string {
	switch {
	case errors.Is(err, ErrNotKubernetes):
		return server + " is not a Kubernetes API server: something else answers there."
	case apierrors.IsUnauthorized(err):
		return server + " does not accept these credentials (401 Unauthorized): they are wrong or have expired."
	case apierrors.IsForbidden(err):
		return Sentence(server + " forbids this (403 Forbidden): " + statusMessage(err))
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return Sentence(fmt.Sprintf("%s answers %d: %s", server, status.Status().Code, statusMessage(err)))
	}
	return ""
}

// explainTLS explains why no trusted connection came about.
func explainTLS(server string, err error) string {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Sentence(server + " has a certificate that is expired or not valid yet: " + invalid.Detail)
	case errors.As(err, &unknown):
		return server + " has a certificate signed by an authority that the kubeconfig does not trust."
	case errors.As(err, &host):
		return Sentence(server + " has a certificate for another name: " + host.Error())
	case errors.As(err, &invalid):
		return Sentence(server + " has a certificate that is not valid: " + invalid.Error())
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"):
		return server + " does not speak TLS: something else answers there."
	case errors.As(err, &alert) && strings.Contains(alert.Error(), "expired certificate"):
		return server + " refuses the kubeconfig's client certificate: it has expired."
	case errors.As(err, &alert):
		return Sentence(server + " ended the TLS handshake: " + alert.Error())
	}
	return ""
}

// explainNetwork explains why nothing answered.
func explainNetwork(server string, err error) string {
	var (
		dns     *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("%s cannot be found: DNS knows no host %q.", server, dns.Name)
	case errors.As(err, &dns):
		return Sentence(fmt.Sprintf("%s cannot be found: looking up host %q: %s", server, dns.Name, dns.Err))
	case errors.Is(err, syscall.ECONNREFUSED):
		return server + " cannot be reached: connection refused, nothing listens there."
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return server + " cannot be reached: there is no route to it."
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return server + " does not answer: timeout."
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return server + " closed the connection."
	}
	return ""
}

// statusMessage gives the server's own words.
func statusMessage(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Message != "" {
		return status.Status().Message
	}
	return rootCause(err).Error()
}

// rootCause strips the method and URL that net/http puts before an error.
func rootCause(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// after gives err's text behind the last occurrence of mark.
func after(err error, mark string) string {
	text := err.Error()
	return text[strings.LastIndex(text, mark)+len(mark):]
}

// Sentence begins s with a capital and ends it with a full stop.
func Sentence(s string) string {
	s = strings.TrimSpace(strings.Join(strings.Fields(s), " "))
	if s == "" {
		return s
	}
	if c := s[0]; 'a' <= c && c <= 'z' {
		s = string(c-'a'+'A') + s[1:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
