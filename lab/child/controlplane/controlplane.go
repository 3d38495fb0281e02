// Package controlplane runs a real Kubernetes control plane inside this
// process: etcd, kube-apiserver, kube-scheduler and the controllers of
// kube-controller-manager whose doing a learner can notice. It needs no root
// and no container, listens on loopback only, and keeps its files in one
// folder. Kubernetes keeps its feature gates and metrics in package variables:
// a process can run one control plane in its life.
package controlplane

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/grpclog"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/klog/v2"
)

// The components that Start starts, as Options.Stage names them. The API
// server is done when WaitReady has returned.
const (
	Etcd      = "etcd"
	APIServer = "kube-apiserver"
)

// Options say where and how.
type Options struct {
	Dir  string   // required: for data, certificates and keys
	Log  *os.File // required: what the components log
	Dial Dialer   // required: into the cluster's network
	// Stage is told which component is being started, and when it serves;
	// may be nil.
	Stage func(component string, done bool)
}

// ControlPlane is a running control plane.
type ControlPlane struct {
	// Config reaches the API server as User, who may do everything.
	Config *rest.Config
	// Address is where the API server listens, as HOST:PORT of this machine.
	Address string
	// KubeletTLS is what the nodes' kubelets serve with.
	KubeletTLS *tls.Config

	etcd     *etcd
	stopping atomic.Bool
	server   *apiServer
	client   *http.Client
	cancel   context.CancelFunc
	stage    func(string, bool)
}

// Start starts etcd and the API server and returns once the API server
// accepts requests; see StartControllers and WaitReady for the rest. The
// caller must call Stop.
func Start(ctx context.Context, options Options) (_ *ControlPlane, err error) {
	stage := options.Stage
	if stage == nil {
		stage = func(string, bool) {}
	}
	if err := setVersion(); err != nil {
		return nil, err
	}
	if err := logTo(options.Log); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	c := &ControlPlane{cancel: cancel, stage: stage}
	defer func() {
		if err != nil {
			c.Stop()
		}
	}()
	// The API server ends the process if it is stopped while it starts. That
	// would leave the lab's files behind; what called is left to die instead.
	klog.OsExit = func(code int) {
		if c.stopping.Load() || ctx.Err() != nil {
			runtime.Goexit()
		}
		os.Exit(code)
	}
	keys := &keyring{folder: filepath.Join(options.Dir, "pki")}
	if err := os.MkdirAll(keys.folder, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for keys: %w", err)
	}
	stage(Etcd, false)
	if c.etcd, err = startEtcd(ctx, options.Dir, options.Log.Name()); err != nil {
		return nil, err
	}
	stage(Etcd, true)
	stage(APIServer, false)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the API server: %w", err)
	}
	var kubelet *kubeletTLS
	if c.server, kubelet, err = startAPIServer(ctx, c.etcd, keys, listener, options); err != nil {
		listener.Close()
		return nil, err
	}
	c.Address, c.KubeletTLS = c.server.address, kubelet.config
	c.Config = &rest.Config{
		Host:            "https://" + c.server.address,
		BearerToken:     c.server.token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.server.authority},
		ContentConfig:   rest.ContentConfig{ContentType: "application/vnd.kubernetes.protobuf", AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json"},
		RateLimiter:     flowcontrol.NewFakeAlwaysRateLimiter(),
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.server.authority)
	c.client = &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	}
	if err := c.server.wait(ctx, c.client, "/version"); err != nil {
		return nil, err
	}
	return c, nil
}

// StartControllers starts the scheduler and the controllers. They end with ctx.
func (c *ControlPlane) StartControllers(ctx context.Context) error {
	if err := startControllers(ctx, c.Config, c.server.authority); err != nil {
		return err
	}
	return startScheduler(ctx, c.Config)
}

// WaitReady returns once the API server's /readyz says ok.
func (c *ControlPlane) WaitReady(ctx context.Context) error {
	defer c.client.CloseIdleConnections()
	err := c.server.wait(ctx, c.client, "/readyz")
	if err == nil {
		c.stage(APIServer, true)
	}
	return err
}

// Authority is the certificate of the authority that signed the API server's,
// PEM-encoded.
func (c *ControlPlane) Authority() []byte { return c.server.authority }

// Token is User's bearer token.
func (c *ControlPlane) Token() string { return c.server.token }

// Done yields the API server's error should it end by itself.
func (c *ControlPlane) Done() <-chan error { return c.server.done }

// shutdownTime is how long the API server may take to end, which it does not
// need: the process is about to, and the data is thrown away.
const shutdownTime = 500 * time.Millisecond

// Stop ends everything and returns when nothing writes into the folder any
// more.
func (c *ControlPlane) Stop() {
	c.stopping.Store(true)
	c.cancel()
	if c.server != nil {
		select {
		case <-c.server.done:
		case <-time.After(shutdownTime):
		}
	}
	if c.etcd != nil {
		c.etcd.stop()
	}
}

// logTo sends everything that the components log through their various
// libraries to w. Nothing of it may reach a terminal.
func logTo(w io.Writer) error {
	set := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(set)
	var errs []error
	for name, value := range map[string]string{"logtostderr": "false", "alsologtostderr": "false", "stderrthreshold": "FATAL"} {
		errs = append(errs, set.Set(name, value))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("set up klog: %w", err)
	}
	klog.SetOutput(w)
	log.SetOutput(w)
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, w, w))
	return nil
}
