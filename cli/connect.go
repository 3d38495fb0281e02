package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"svctour/cluster"
	"svctour/lab"
	"svctour/model"
)

// How long a command waits for the server's first answer, and until everything
// it may read has been listed.
const (
	answerTimeout = 10 * time.Second
	syncTimeout   = 30 * time.Second
)

// useLab says whether commands use the lab: it is running, and the person
// named no other cluster.
func useLab(g *globals) (kubeconfig string, ok bool) {
	if g.Kubeconfig != "" || g.Context != "" || os.Getenv("KUBECONFIG") != "" {
		return "", false
	}
	dir, err := labDir()
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
	o := cluster.Options{Kubeconfig: g.Kubeconfig, Context: g.Context, Namespace: g.Namespace}
	if kubeconfig, ok := useLab(g); ok {
		o.Kubeconfig, o.Lab = kubeconfig, true
		sayLab(g)
	}
	return o
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

// waitSynced gives the first snapshot that holds everything this user may
// read. It is an error when not even Services may be read.
func waitSynced(ctx context.Context, c *cluster.Connection) (*model.Snapshot, error) {
	waiting, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	trouble, seen := "", uint64(0)
	for {
		snapshot, err := c.Next(waiting, seen)
		switch {
		case err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			return nil, fmt.Errorf("read the cluster: not complete after %s. %s", syncTimeout, trouble)
		case err != nil:
			return nil, fmt.Errorf("read the cluster: %w", err)
		case !snapshot.Sync.Synced:
			trouble, seen = snapshot.Sync.Err, snapshot.Sequence
		case snapshot.Sync.Missing["services"] != "":
			return nil, fmt.Errorf("read the cluster's Services: %s", snapshot.Sync.Missing["services"])
		default:
			return snapshot, nil
		}
	}
}

// readCluster gives one complete snapshot of the chosen cluster, and the
// namespace that commands act in when they name none.
func readCluster(ctx context.Context, g *globals) (*model.Snapshot, string, error) {
	connection, err := connect(ctx, g)
	if err != nil {
		return nil, "", err
	}
	defer connection.Close()
	snapshot, err := waitSynced(ctx, connection)
	return snapshot, connection.Namespace(), err
}
