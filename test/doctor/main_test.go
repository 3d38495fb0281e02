// Package doctor holds the doctor against a lab: its verdict on what works, on
// what was broken in one place, and with what it may not read.
package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"svctour/cli"
	"svctour/cluster"
	"svctour/lab"
	"svctour/lab/addon"
	"svctour/model"
)

// The lab of all tests.
var (
	kubeconfig, dir string
	config          *rest.Config
	client          kubernetes.Interface
	objects         dynamic.Interface
	live            feed
)

// TestMain lets this test binary be svctour, for the lab's process and for the
// doctor, and runs one lab for all tests. Benchmarks and fuzzing need none.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "lab" || os.Args[1] == "kubectl" || os.Args[1] == "doctor") {
		code := cli.Main(context.Background(), cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args)
		tellMemory()
		os.Exit(code)
	}
	os.Exit(run(m))
}

// memoryFile is the variable that names a file for what a process held at most.
const memoryFile = "SVCTOUR_TEST_MEMORY"

// tellMemory writes the most memory that this process held, and how much of that
// is pages of the program's file, in kB: resident on Linux, where the kernel
// tells it, else what Go's runtime took from the system. (What wait4 tells of a
// child counts its parent's, too.)
func tellMemory() {
	file := os.Getenv(memoryFile)
	if file == "" {
		return
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	most, program := fmt.Sprint(stats.Sys>>10), "0"
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(text)) {
			if value, is := strings.CutPrefix(line, "VmHWM:"); is {
				most = strings.Fields(value)[0]
			}
			if value, is := strings.CutPrefix(line, "RssFile:"); is {
				program = strings.Fields(value)[0]
			}
		}
	}
	_ = os.WriteFile(file, []byte(most+" "+program), 0o600)
}

func run(m *testing.M) int {
	var err error
	if dir, err = os.MkdirTemp("", "svc-doctor-*"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	stop := sync.OnceFunc(func() {})
	startLab = sync.OnceValue(func() error {
		executable, err := os.Executable()
		if err != nil {
			return err
		}
		process, err := lab.Start(context.Background(), lab.StartOptions{Executable: executable, Dir: filepath.Join(dir, "lab")})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		stop = func() { cancel(); live.done.Wait(); process.Stop(context.Background()) }
		kubeconfig = process.Status().Kubeconfig
		return connect(ctx)
	})
	defer func() { stop() }()
	return m.Run()
}

var startLab func() error

// needLab starts the lab for the first test that asks.
func needLab(t testing.TB) {
	t.Helper()
	if err := startLab(); err != nil {
		t.Fatal(err)
	}
}

func connect(ctx context.Context) (err error) {
	if config, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return err
	}
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	if client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if objects, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	if err = addon.Enable(ctx, client, addon.DefaultPool); err != nil {
		return err
	}
	connection, err := cluster.Connect(ctx, cluster.Options{Kubeconfig: kubeconfig, Diagnose: true})
	if err != nil {
		return err
	}
	live.changed = make(chan struct{})
	live.done.Go(func() {
		defer connection.Close()
		live.follow(ctx, connection)
	})
	return nil
}

// feed hands every snapshot of the lab to all that wait.
type feed struct {
	mu      sync.Mutex
	latest  *model.Snapshot
	changed chan struct{} // closed when latest changes
	done    sync.WaitGroup
}

func (f *feed) follow(ctx context.Context, connection *cluster.Connection) {
	for seen := uint64(0); ; {
		snapshot, err := connection.Next(ctx, seen)
		if err != nil {
			return
		}
		seen = snapshot.Sequence
		f.mu.Lock()
		f.latest = snapshot
		close(f.changed)
		f.changed = make(chan struct{})
		f.mu.Unlock()
	}
}

// until looks at every snapshot until check is content; its last complaint is
// the error.
func (f *feed) until(ctx context.Context, check func(*model.Snapshot) error) error {
	ctx, cancel := context.WithTimeout(ctx, 45*time.Second)
	defer cancel()
	complaint := fmt.Errorf("there is no snapshot")
	for {
		f.mu.Lock()
		snapshot, changed := f.latest, f.changed
		f.mu.Unlock()
		if snapshot != nil && snapshot.Sync.Synced {
			if complaint = check(snapshot); complaint == nil {
				return nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return complaint
		}
	}
}
