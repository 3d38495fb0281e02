package child

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"svctour/lab"
)

// The test binary is also the lab's process, and the parent that is killed:
// this variable says which.
const role = "SVCTOUR_LAB_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "lab":
		os.Exit(beLab())
	case "parent":
		os.Exit(beParent())
	}
	os.Setenv(role, "lab") // what the tests start is a lab
	code := m.Run()
	if cluster.process != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if err := cluster.process.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		cancel()
		os.RemoveAll(cluster.home)
	}
	os.Exit(code)
}

func beLab() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	nodes, err := strconv.Atoi(os.Args[2])
	if err == nil {
		err = RunChild(ctx, os.Stdin, os.Stdout, lab.Options{Dir: os.Args[1], Nodes: nodes})
	}
	if err != nil {
		return 1
	}
	return 0
}

// beParent starts a lab, says so, and waits to be killed.
func beParent() int {
	os.Setenv(role, "lab")
	process, err := startLab(context.Background(), os.Args[1], 1)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println(process.Status().PID)
	<-process.Done()
	return 0
}

func startLab(ctx context.Context, dir string, nodes int) (*lab.Process, error) {
	return lab.Start(ctx, lab.StartOptions{Executable: os.Args[0], Args: []string{dir, strconv.Itoa(nodes)}, Dir: dir, Nodes: nodes})
}

// cluster is the one lab that most tests share, each in its own namespace.
var cluster struct {
	once    sync.Once
	home    string
	process *lab.Process
	client  kubernetes.Interface
	err     error
}

func theLab(t *testing.T) kubernetes.Interface {
	t.Helper()
	cluster.once.Do(func() {
		if cluster.home, cluster.err = os.MkdirTemp("", "lab"); cluster.err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if cluster.process, cluster.err = startLab(ctx, filepath.Join(cluster.home, "lab"), lab.DefaultNodes); cluster.err != nil {
			return
		}
		config, err := clientcmd.BuildConfigFromFlags("", cluster.process.Status().Kubeconfig)
		if err != nil {
			cluster.err = err
			return
		}
		config.QPS = -1
		cluster.client, cluster.err = kubernetes.NewForConfig(config)
	})
	if cluster.err != nil {
		t.Fatal(cluster.err)
	}
	return cluster.client
}

// patience is how long a condition may take on a slow machine.
const patience = 40 * time.Second

// eventually waits until check has nothing to complain about.
func eventually(t *testing.T, check func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var last error
	err := poll(ctx, func() (bool, error) {
		if err := check(ctx); err != nil {
			if ctx.Err() == nil {
				last = err
			}
			return false, nil
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("after %v: %v", patience, last)
	}
}
