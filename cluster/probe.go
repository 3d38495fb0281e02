package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
)

// Probe asks the chosen API server for its version and gives it ("v1.37.2").
// It is bounded by ctx and leaves nothing running. Every error has one clear
// sentence: Explain(err).
func Probe(ctx context.Context, o Options) (string, error) {
	return probe(ctx, o, nil)
}

// ProbeWithin is Probe with a limit for the server's answer alone: what a
// credential plugin of the kubeconfig takes before it does not count, for a
// person may have to log in. When the limit is over the error is
// context.DeadlineExceeded, as it is when ctx's own deadline is.
func ProbeWithin(ctx context.Context, o Options, limit time.Duration) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var timer *time.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	// client-go runs the plugin above this round tripper (rest.Config.TransportConfig).
	return probe(ctx, o, func(next http.RoundTripper) http.RoundTripper {
		return noting{next, func() {
			if timer == nil {
				timer = time.AfterFunc(limit, func() { cancel(context.DeadlineExceeded) })
			}
		}}
	})
}

// noting is a round tripper that says when it sends.
type noting struct {
	http.RoundTripper
	sends func()
}

func (n noting) RoundTrip(request *http.Request) (*http.Response, error) {
	n.sends()
	return n.RoundTripper.RoundTrip(request)
}

// WrappedRoundTripper lets its connections be closed (k8s.io/apimachinery/pkg/util/net).
func (n noting) WrappedRoundTripper() http.RoundTripper { return n.RoundTripper }

func probe(ctx context.Context, o Options, wrap transport.WrapperFunc) (string, error) {
	t, err := o.resolve()
	if err != nil {
		return "", err
	}
	t.rest.Wrap(wrap)
	client, err := rest.HTTPClientFor(t.rest)
	if err != nil {
		return "", &MalformedError{Err: fmt.Errorf("context %q: %w", t.context, err)}
	}
	defer utilnet.CloseIdleConnectionsFor(client.Transport)
	return askVersion(ctx, client, t.base)
}

// askVersion GETs /version, which every API server answers cheaply and for
// every user (ClusterRole system:public-info-viewer). A server that forbids
// even that is alive and gives "". Errors are *ServerError.
func askVersion(ctx context.Context, client *http.Client, base *url.URL) (string, error) {
	fail := func(err error) (string, error) { return "", &ServerError{Server: base.String(), Err: err} }
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("version").String(), nil)
	if err != nil {
		return fail(err)
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fail(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fail(err)
	}
	if response.StatusCode == http.StatusOK {
		var info struct {
			GitVersion string `json:"gitVersion"`
		}
		if json.Unmarshal(body, &info) != nil || info.GitVersion == "" {
			return fail(ErrNotKubernetes)
		}
		return info.GitVersion, nil
	}
	var status metav1.Status
	if json.Unmarshal(body, &status) != nil || status.Kind != "Status" {
		return fail(fmt.Errorf("%w (HTTP %s)", ErrNotKubernetes, response.Status))
	}
	if response.StatusCode == http.StatusForbidden {
		return "", nil
	}
	return fail(&apierrors.StatusError{ErrStatus: status})
}
