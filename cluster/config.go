// Package cluster is svctour's link to one Kubernetes cluster: it finds the
// cluster through a kubeconfig, watches it, hands out immutable snapshots, and
// acts on it through kubectl.
//
// The flow of a fact is reflector → convert → store → Connection.Next, which
// builds one model.Snapshot on demand (see docs and DESIGN). Nothing in this
// package writes to a terminal.
package cluster

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // auth-provider: oidc
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"svctour/model"
)

// Options choose a cluster and how it is watched. The zero value means the
// current context of the person's kubeconfig.
type Options struct {
	// Kubeconfig is the path of a kubeconfig file, as kubectl's --kubeconfig:
	// it replaces the KUBECONFIG list and ~/.kube/config.
	Kubeconfig string
	// Precedence are the files that are merged when Kubeconfig is "", the first
	// before the later ones; nil: those of the process's KUBECONFIG, or else
	// ~/.kube/config.
	Precedence []string
	// Context is a kubeconfig context; empty means the current one.
	Context string
	// Namespace replaces the context's namespace. It is where one looks when
	// the whole cluster cannot be read.
	Namespace string
	// Lab says that this is svctour's own lab; it is only passed on.
	Lab bool
	// TerminalTaken says that the terminal is not free for questions: a credential
	// plugin of the kubeconfig that has to ask there is told so.
	TerminalTaken bool
	// Diagnose reads what only a diagnosis needs, too: workloads of other kinds,
	// NetworkPolicies, Warning events.
	Diagnose bool
	// Policies reads NetworkPolicies, without the rest of what a diagnosis needs.
	Policies bool
	// Interval is the least time between two snapshots; 0 means 16 ms. In a
	// cluster so large that a snapshot takes long to build it grows by itself.
	Interval time.Duration
	// OnEvent, when set, is told of every watch event as it arrives, from the
	// watching goroutine: it must be quick. It exists to measure how long an
	// event takes to reach the screen.
	OnEvent func(Event)
}

// Event is one watch event as it arrived from the API server.
type Event struct {
	Time            time.Time
	Resource        string // "services", "pods", …
	Key             string // namespace/name
	ResourceVersion string
}

// ContextInfo is one context of the kubeconfig.
type ContextInfo struct {
	Name      string
	Server    string // API server URL; "" when the context names no known cluster
	Namespace string // "" when the context sets none
	Current   bool
	// Plugin is the command of the credential plugin that signs in
	// (users[].user.exec of the kubeconfig); "" without one.
	Plugin string
}

// NoKubeconfigError says that nothing configures a cluster.
type NoKubeconfigError struct {
	Paths []string // where was looked
	Err   error    // why a path given explicitly could not be read; may be nil
}

func (e *NoKubeconfigError) Error() string {
	quoted := make([]string, len(e.Paths))
	for i, p := range e.Paths {
		quoted[i] = fmt.Sprintf("%q", p)
	}
	where := strings.Join(quoted, ", ")
	if e.Err != nil {
		return fmt.Sprintf("kubeconfig %s: %v", where, rootCause(e.Err))
	}
	return fmt.Sprintf("no kubeconfig: nothing configures a cluster in %s", where)
}

func (e *NoKubeconfigError) Unwrap() error { return e.Err }

// MalformedError says that a kubeconfig file is there but cannot be understood.
type MalformedError struct{ Err error }

func (e *MalformedError) Error() string { return fmt.Sprintf("read the kubeconfig: %v", e.Err) }
func (e *MalformedError) Unwrap() error { return e.Err }

// ContextError says that a context does not exist, or that none was chosen.
type ContextError struct {
	Name      string   // "" when none was chosen and there is no current one
	Available []string // the nearest names first
}

func (e *ContextError) Error() string {
	const most = 8
	names := e.Available
	rest := ""
	if len(names) > most {
		rest = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	there := "the kubeconfig has no contexts"
	if len(quoted) > 0 {
		there = "the kubeconfig has " + strings.Join(quoted, ", ") + rest
	}
	if e.Name == "" {
		return "no context chosen and no current-context set: " + there
	}
	return fmt.Sprintf("context %q does not exist: %s", e.Name, there)
}

// rules are kubectl's loading rules: --kubeconfig, else the files of
// KUBECONFIG merged, else ~/.kube/config.
func (o Options) rules() *clientcmd.ClientConfigLoadingRules {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.Kubeconfig
	if o.Precedence != nil {
		rules.Precedence, rules.MigrationRules = o.Precedence, nil
	}
	rules.WarnIfAllMissing = false // would be printed; NoKubeconfigError says it
	return rules
}

// load reads and merges the kubeconfig files.
func (o Options) load() (*clientcmdapi.Config, error) {
	rules := o.rules()
	config, err := rules.Load()
	switch {
	case err == nil:
		return config, nil
	case o.Kubeconfig != "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)):
		return nil, &NoKubeconfigError{Paths: []string{o.Kubeconfig}, Err: err}
	default:
		return nil, &MalformedError{Err: err}
	}
}

// Contexts lists the contexts of the kubeconfig by name, with kubectl's
// precedence of files. It contacts no server. Errors: *NoKubeconfigError,
// *MalformedError.
func Contexts(o Options) ([]ContextInfo, error) {
	config, err := o.load()
	if err != nil {
		return nil, err
	}
	if clientcmdapi.IsConfigEmpty(config) {
		return nil, &NoKubeconfigError{Paths: o.rules().GetLoadingPrecedence()}
	}
	list := make([]ContextInfo, 0, len(config.Contexts))
	for name, c := range config.Contexts {
		info := ContextInfo{Name: name, Namespace: c.Namespace, Current: name == config.CurrentContext}
		if cl := config.Clusters[c.Cluster]; cl != nil {
			info.Server = cl.Server
		}
		if user := config.AuthInfos[c.AuthInfo]; user != nil && user.Exec != nil {
			info.Plugin = user.Exec.Command
		}
		list = append(list, info)
	}
	slices.SortFunc(list, func(a, b ContextInfo) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// target is a cluster that was chosen but not contacted yet.
type target struct {
	rest      *rest.Config
	base      *url.URL // of the API server
	context   string   // "" in a Pod without a kubeconfig
	namespace string
}

// resolve finds the cluster the options choose. Like kubectl it uses the Pod's
// own service account when it runs in a Pod and nothing is configured.
func (o Options) resolve() (*target, error) {
	config, err := o.load()
	if err != nil {
		return nil, err
	}
	t := &target{context: cmp.Or(o.Context, config.CurrentContext)}
	if clientcmdapi.IsConfigEmpty(config) {
		inCluster, err := rest.InClusterConfig()
		if err != nil || o.Context != "" {
			return nil, &NoKubeconfigError{Paths: o.rules().GetLoadingPrecedence()}
		}
		t.rest = inCluster
	} else if config.Contexts[t.context] == nil {
		return nil, &ContextError{Name: t.context, Available: model.Nearest(t.context, slices.Collect(maps.Keys(config.Contexts)))}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.Context}
	overrides.Context.Namespace = o.Namespace
	client := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(o.rules(), overrides)
	if t.rest == nil {
		if t.rest, err = client.ClientConfig(); err != nil {
			return nil, &MalformedError{Err: fmt.Errorf("context %q: %w", t.context, err)}
		}
	}
	if t.namespace, _, err = client.Namespace(); err != nil {
		return nil, &MalformedError{Err: fmt.Errorf("context %q: %w", t.context, err)}
	}
	if t.base, _, err = rest.DefaultServerUrlFor(t.rest); err != nil {
		return nil, &MalformedError{Err: fmt.Errorf("context %q: server %q: %w", t.context, t.rest.Host, err)}
	}
	prepare(t.rest)
	if o.TerminalTaken && t.rest.ExecProvider != nil {
		t.rest.ExecProvider.StdinUnavailable = true
		t.rest.ExecProvider.StdinUnavailableMessage = "svctour has the terminal; log in with another one"
	}
	return t, nil
}

// prepare sets what every client of svctour shares.
func prepare(config *rest.Config) {
	config.UserAgent = "svctour"
	config.QPS, config.Burst = 50, 100
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.WarningHandler = rest.NoWarnings{} // v1 Endpoints is deprecated, and the terminal is not ours to print on
}
