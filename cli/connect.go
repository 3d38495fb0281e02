package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"svctour/cluster"
	"svctour/desk"
	"svctour/lab"
	"svctour/model"
)

// answerTimeout is how long a command waits for the server's first answer.
const answerTimeout = 10 * time.Second

// useLab says whether commands use the lab: it is running, and the person
// named no other cluster.
func useLab(g *globals) (kubeconfig string, ok bool) {
	if g.Kubeconfig != "" || g.Context != "" || g.Env.Get("KUBECONFIG") != "" {
		return "", false
	}
	dir, err := g.Env.LabDir()
	if err != nil {
		return "", false
	}
	status, err := lab.ReadStatus(dir)
	if err != nil || !status.Running {
		return "", false
	}
	return status.Kubeconfig, true
}

// clusterOptions choose the cluster that the flags name. It says on stderr
// when that is the lab.
func clusterOptions(g *globals) cluster.Options {
	o := g.kubeconfig()
	if kubeconfig, ok := useLab(g); ok {
		o.Kubeconfig, o.Lab = kubeconfig, true
		sayLab(g)
	}
	return o
}

// kubeconfig chooses the person's own cluster.
func (g *globals) kubeconfig() cluster.Options {
	return cluster.Options{Kubeconfig: g.Kubeconfig, Precedence: g.Env.Kubeconfigs(), Context: g.Context, Namespace: g.Namespace}
}

func sayLab(g *globals) {
	fmt.Fprintln(g.Err, "svctour: using the lab (choose another cluster with --context or KUBECONFIG)")
}

// connect links to the chosen cluster once its server has answered. Exit code
// 2 when the kubeconfig or the context is wrong, 1 when the server cannot be
// used.
func connect(ctx context.Context, g *globals) (*cluster.Connection, error) {
	return connectTo(ctx, clusterOptions(g))
}

func connectTo(ctx context.Context, o cluster.Options) (*cluster.Connection, error) {
	if _, err := cluster.ProbeWithin(ctx, o, answerTimeout); err != nil {
		return nil, explained(err)
	}
	connection, err := cluster.Connect(ctx, o)
	if err != nil {
		return nil, explained(err)
	}
	return connection, nil
}

// explained turns an error of package cluster into its one sentence and exit code.
func explained(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	sentence := cluster.ExplainError(err)
	var (
		none      *cluster.NoKubeconfigError
		malformed *cluster.MalformedError
		choice    *cluster.ContextError
	)
	if errors.As(err, &none) || errors.As(err, &malformed) || errors.As(err, &choice) {
		return usageError(sentence)
	}
	return sentence
}

// readCluster gives one complete snapshot of the chosen cluster, with its
// NetworkPolicies if asked for, and the namespace that commands act in when they
// name none.
func readCluster(ctx context.Context, g *globals, policies bool) (*model.Snapshot, string, error) {
	o := clusterOptions(g)
	o.Policies = policies
	connection, err := connectTo(ctx, o)
	if err != nil {
		return nil, "", err
	}
	defer connection.Close()
	snapshot, err := desk.Synced(ctx, connection)
	return snapshot, connection.Namespace(), err
}
