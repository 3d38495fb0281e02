// Package incluster is how a program inside the lab reaches the API server: as
// client-go's rest.InClusterConfig and kubeconfig files tell any program in a
// Pod, but by the files, the environment and the network of its process.Process
// and none of those of this machine.
package incluster

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/spf13/afero"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"svctour/lab/child/process"
)

// Where the ServiceAccount admission controller has a Pod's credentials
// mounted.
const (
	TokenFile     = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	AuthorityFile = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
)

// tokenPeriod is how long a token is used before its file is read again: less
// than the time that a kubelet leaves between replacing a token and its end
// (client-go's transport.NewCachedFileTokenSource).
const tokenPeriod = time.Minute

// Config is the way to the API server as rest.InClusterConfig finds it: the
// kubernetes Service's address from the environment, the credentials of the
// Pod's service account. The error is rest.ErrNotInCluster if p is given no
// such address.
func Config(p *process.Process) (*rest.Config, error) {
	host, port := environment(p, "KUBERNETES_SERVICE_HOST"), environment(p, "KUBERNETES_SERVICE_PORT")
	if host == "" || port == "" {
		return nil, rest.ErrNotInCluster
	}
	config := base(p)
	config.Host = "https://" + net.JoinHostPort(host, port)
	authority, err := afero.ReadFile(p.Files, AuthorityFile)
	if err != nil {
		return nil, fmt.Errorf("read the cluster's certificate authority: %w", err)
	}
	config.TLSClientConfig.CAData = authority
	if err := useTokenFile(config, p.Files, TokenFile); err != nil {
		return nil, err
	}
	return config, nil
}

// FromKubeconfig is the way to the API server that a kubeconfig in the
// program's files says, by its current context. The paths in it are the
// program's too, relative ones from the kubeconfig's folder. Tokens and
// certificates are supported, credential plugins and passwords are not.
func FromKubeconfig(p *process.Process, file string) (*rest.Config, error) {
	content, err := afero.ReadFile(p.Files, file)
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	parsed, err := clientcmd.Load(content)
	if err != nil {
		return nil, fmt.Errorf("decode the kubeconfig %q: %w", file, err)
	}
	current, ok := parsed.Contexts[parsed.CurrentContext]
	if !ok {
		return nil, fmt.Errorf("the kubeconfig %q has no context %q", file, parsed.CurrentContext)
	}
	cluster, ok := parsed.Clusters[current.Cluster]
	if !ok {
		return nil, fmt.Errorf("the kubeconfig %q has no cluster %q", file, current.Cluster)
	}
	user, ok := parsed.AuthInfos[current.AuthInfo]
	if !ok {
		return nil, fmt.Errorf("the kubeconfig %q has no user %q", file, current.AuthInfo)
	}
	if user.Exec != nil || user.AuthProvider != nil || user.Username != "" {
		return nil, fmt.Errorf("the user %q of the kubeconfig %q has neither a token nor a certificate", current.AuthInfo, file)
	}
	config := base(p)
	config.Host = cluster.Server
	config.BearerToken = user.Token
	tls := &config.TLSClientConfig
	tls.Insecure, tls.ServerName = cluster.InsecureSkipTLSVerify, cluster.TLSServerName
	folder := path.Dir(file)
	for _, part := range []struct {
		into *[]byte
		data []byte
		file string
	}{
		{&tls.CAData, cluster.CertificateAuthorityData, cluster.CertificateAuthority},
		{&tls.CertData, user.ClientCertificateData, user.ClientCertificate},
		{&tls.KeyData, user.ClientKeyData, user.ClientKey},
	} {
		*part.into = part.data
		if len(part.data) > 0 || part.file == "" {
			continue
		}
		if *part.into, err = afero.ReadFile(p.Files, from(folder, part.file)); err != nil {
			return nil, fmt.Errorf("read what the kubeconfig %q names: %w", file, err)
		}
	}
	if user.TokenFile != "" { // it goes before a token, as in client-go
		config.BearerToken = ""
		if err := useTokenFile(config, p.Files, from(folder, user.TokenFile)); err != nil {
			return nil, err
		}
	}
	return config, nil
}

// base is a configuration that touches nothing but p's network: the proxies in
// this machine's environment would be found otherwise.
func base(p *process.Process) *rest.Config {
	agent := "svctour-lab"
	if len(p.Args) > 0 {
		agent = path.Base(p.Args[0])
	}
	return &rest.Config{
		UserAgent: agent,
		Dial:      p.Net.DialContext,
		Proxy:     func(*http.Request) (*url.URL, error) { return nil, nil },
	}
}

func from(folder, file string) string {
	if path.IsAbs(file) {
		return file
	}
	return path.Join(folder, file)
}

// environment is the value of a variable, the last one of its name.
func environment(p *process.Process, key string) string {
	for i := len(p.Env) - 1; i >= 0; i-- {
		if name, value, _ := strings.Cut(p.Env[i], "="); name == key {
			return value
		}
	}
	return ""
}

func useTokenFile(config *rest.Config, files afero.Fs, file string) error {
	source := &tokens{files: files, file: file}
	if _, err := source.token(time.Now()); err != nil {
		return err
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &bearer{source, next} })
	return nil
}

// tokens is a file with a bearer token that is replaced now and then.
type tokens struct {
	files afero.Fs
	file  string

	mu   sync.Mutex
	last string
	read time.Time // when last was read
}

// token is the file's content, at most tokenPeriod old. A file that cannot be
// read any more leaves the last one in use.
func (t *tokens) token(now time.Time) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != "" && now.Sub(t.read) < tokenPeriod {
		return t.last, nil
	}
	content, err := afero.ReadFile(t.files, t.file)
	token := strings.TrimSpace(string(content))
	switch {
	case err == nil && token != "":
		t.last, t.read = token, now
	case t.last != "":
	case err != nil:
		return "", fmt.Errorf("read the token: %w", err)
	default:
		return "", fmt.Errorf("read the token: %q is empty", t.file)
	}
	return t.last, nil
}

// bearer sets the token of each request.
type bearer struct {
	tokens *tokens
	next   http.RoundTripper
}

func (b *bearer) RoundTrip(request *http.Request) (*http.Response, error) {
	token, err := b.tokens.token(time.Now())
	if err != nil {
		return nil, err
	}
	request = request.Clone(request.Context())
	request.Header.Set("Authorization", "Bearer "+token)
	return b.next.RoundTrip(request)
}

// WrappedRoundTripper lets client-go find the transport below.
func (b *bearer) WrappedRoundTripper() http.RoundTripper { return b.next }
