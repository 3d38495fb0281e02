package controlplane

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/pflag"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/server/egressselector"
	"k8s.io/client-go/rest"
	basecompatibility "k8s.io/component-base/compatibility"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/cmd/kube-apiserver/app/options"

	"svctour/lab"
)

// User is who the kubeconfig's token stands for, as in a kubeadm cluster.
const User = "kubernetes-admin"

// tokenFile is the file by which the API server is told of User's token. It is
// there while the API server starts.
const tokenFile = "tokens.csv"

// apiServer is the running API server and what a client needs to reach it.
type apiServer struct {
	address   string // 127.0.0.1:PORT
	token     string
	authority []byte // PEM
	done      chan error
}

// apiServerFlags are kube-apiserver's flags: what kubeadm would set, less what a lab
// does without.
func apiServerFlags(keys *keyring, token string, served pair, ca []byte) ([]string, error) {
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the service account key: %w", err)
	}
	signingPEM, err := encodeKey(signing)
	if err != nil {
		return nil, fmt.Errorf("encode the service account key: %w", err)
	}
	serviceAccountKey := keys.write("sa.key", signingPEM)
	flags := []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=127.0.0.1",
		"--advertise-address=" + lab.GatewayAddress,
		"--tls-cert-file=" + keys.write("apiserver.crt", served.Certificate),
		"--tls-private-key-file=" + keys.write("apiserver.key", served.Key),
		"--kubelet-certificate-authority=" + keys.write("ca.crt", ca),
		"--token-auth-file=" + keys.write(tokenFile, fmt.Appendf(nil, "%s,%s,%s,system:masters\n", token, User, User)),
		"--authorization-mode=Node,RBAC",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + serviceAccountKey,
		"--service-account-signing-key-file=" + serviceAccountKey,
		"--service-cluster-ip-range=" + lab.ServiceCIDR,
		"--allow-privileged=true",
		// The endpoints of Service kubernetes are the lab's to write: a
		// reconciler would publish the random port.
		"--endpoint-reconciler-type=none",
		"--enable-priority-and-fairness=false",
		"--profiling=false",
		"--event-ttl=1h",
	}
	return flags, keys.err
}

// startAPIServer starts kube-apiserver on listener; it serves soon after, and
// is ready when /readyz says so.
func startAPIServer(ctx context.Context, store *etcd, keys *keyring, listener net.Listener, o Options) (*apiServer, *kubeletTLS, error) {
	ca, err := newAuthority("svctour lab")
	if err != nil {
		return nil, nil, err
	}
	served, err := ca.issue("kube-apiserver", "127.0.0.1", "localhost", lab.KubernetesServiceAddress, lab.GatewayAddress,
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
	if err != nil {
		return nil, nil, err
	}
	kubelet, err := newKubeletTLS(ca)
	if err != nil {
		return nil, nil, err
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return nil, nil, fmt.Errorf("make a token: %w", err)
	}
	token := base64.RawURLEncoding.EncodeToString(random)
	flags, err := apiServerFlags(keys, token, served, ca.pem)
	if err != nil {
		return nil, nil, errors.Join(err, keys.remove(tokenFile))
	}
	server := &apiServer{address: listener.Addr().String(), token: token, authority: ca.pem, done: make(chan error, 1)}
	run, err := prepareAPIServer(ctx, flags, store, listener, o)
	// The token is for who may read the kubeconfig, and the API server has read
	// it, or never will.
	err = errors.Join(err, keys.remove(tokenFile))
	if err != nil {
		return nil, nil, fmt.Errorf("configure the API server: %w", err)
	}
	go func() { server.done <- run(ctx) }()
	return server, kubelet, nil
}

// through makes every connection of some purpose with dial.
func through(dial Dialer) egressselector.Lookup {
	return func(egressselector.NetworkContext) (utilnet.DialFunc, error) { return utilnet.DialFunc(dial), nil }
}

// prepareAPIServer does what kube-apiserver's own command does before it runs.
func prepareAPIServer(ctx context.Context, flags []string, store *etcd, listener net.Listener, o Options) (func(context.Context) error, error) {
	s := options.NewServerRunOptions()
	set := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, part := range s.Flags().FlagSets {
		set.AddFlagSet(part)
	}
	if err := set.Parse(flags); err != nil {
		return nil, err
	}
	s.SecureServing.Listener = listener
	s.SecureServing.BindPort = listener.Addr().(*net.TCPAddr).Port
	s.Etcd.StorageConfig.Transport.EgressLookup = through(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return store.listener.DialContext(ctx)
	})
	s.KubeletConfig.Lookup = through(o.Dial)
	registry := s.GenericServerRunOptions.ComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return nil, err
	}
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	// This replaces klog's logger by one that would write to stderr.
	streams := &logsapi.LoggingOptions{ErrorStream: o.Log, InfoStream: o.Log}
	if err := logsapi.ValidateAndApplyWithOptions(s.Logs, streams, registry.FeatureGateFor(basecompatibility.DefaultKubeComponent)); err != nil {
		return nil, err
	}
	completed, err := s.Complete(ctx)
	if err != nil {
		return nil, err
	}
	if errs := completed.Validate(); len(errs) != 0 {
		return nil, errs[0]
	}
	config, err := app.NewConfig(completed)
	if err != nil {
		return nil, err
	}
	transport := config.KubeAPIs.ControlPlane.ProxyTransport.Clone()
	transport.DialContext = o.Dial
	config.KubeAPIs.ControlPlane.ProxyTransport = transport
	complete, err := config.Complete()
	if err != nil {
		return nil, err
	}
	chain, err := app.CreateServerChain(complete)
	if err != nil {
		return nil, err
	}
	prepared, err := chain.PrepareRun()
	if err != nil {
		return nil, err
	}
	return prepared.Run, nil
}

// wait blocks until path answers 200.
func (s *apiServer) wait(ctx context.Context, client *http.Client, path string) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last := "no answer"
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+s.address+path, nil)
		if err != nil {
			return fmt.Errorf("ask for %s: %w", path, err)
		}
		// Without it, nothing is answered before the default roles are there.
		request.Header.Set("Authorization", "Bearer "+s.token)
		if response, err := client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			last = response.Status
		} else {
			last = err.Error()
		}
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("the API server ended: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("wait for %s (%s): %w", path, last, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
