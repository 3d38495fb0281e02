package child

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"svctour/lab"
	"svctour/lab/folder"
)

func TestASecondLabIsRefused(t *testing.T) {
	theLab(t)
	process, err := startLab(t.Context(), filepath.Join(cluster.home, "lab"), 1)
	if err == nil {
		_ = process.Stop(t.Context())
		t.Fatal("a second lab has started")
	}
	if want := fmt.Sprintf("a lab is already running in %q (process %d)", filepath.Join(cluster.home, "lab"), cluster.process.Status().PID); !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	if status, err := lab.ReadStatus(filepath.Join(cluster.home, "lab")); err != nil || !status.Running {
		t.Errorf("the first lab is no longer running: %+v, %v", status, err)
	}
}

func TestFilesAreClosedToOthers(t *testing.T) {
	theLab(t)
	for name, want := range map[string]os.FileMode{".": 0o700, folder.Kubeconfig: 0o600, folder.Status: 0o600, folder.Log: 0o600, folder.Data: 0o700} {
		info, err := os.Stat(filepath.Join(filepath.Join(cluster.home, "lab"), name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

// TestTheLabEndsWithItsParent: also with one that is killed; nothing stays.
func TestTheLabEndsWithItsParent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	parent := exec.Command(os.Args[0], dir)
	parent.Env = append(os.Environ(), role+"=parent")
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if _, atoi := strconv.Atoi(strings.TrimSpace(line)); err != nil || atoi != nil {
		_ = parent.Process.Kill()
		t.Fatalf("the parent says %q, %v", line, err)
	}
	status, err := lab.ReadStatus(dir)
	if err != nil || !status.Running {
		t.Fatalf("status %+v, %v", status, err)
	}
	address := server(t, status.Kubeconfig)
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, func(context.Context) error { return nothingLeft(dir, address) })
}

// server is the address of the API server in a kubeconfig.
func server(t *testing.T, kubeconfig string) string {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Host
}

func nothingLeft(dir, address string) error {
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the folder is still there (%v)", err)
	}
	if conn, err := net.Dial("tcp", address); err == nil {
		conn.Close()
		return fmt.Errorf("%s still accepts connections", address)
	}
	if status, err := lab.ReadStatus(dir); err != nil || status.Running || status.PID != 0 {
		return fmt.Errorf("status %+v, %v", status, err)
	}
	return nil
}

// TestALabThatIsKilled leaves files; they do not count, and the next lab
// clears them. That one is kept by its parent, and ended by Down.
func TestALabThatIsKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lab")
	first, err := startLab(t.Context(), dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	process, err := os.FindProcess(first.Status().PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-first.Done()
	if first.Err() == nil {
		t.Error("a lab that was killed has no error")
	}
	if _, err := os.Stat(filepath.Join(dir, folder.Kubeconfig)); err != nil {
		t.Errorf("a killed lab has cleaned up: %v", err)
	}
	if status, err := lab.ReadStatus(dir); err != nil || status.Running || status.PID != 0 {
		t.Errorf("status of a killed lab: %+v, %v", status, err)
	}
	if _, err := lab.Kubeconfig(dir); !errors.Is(err, lab.ErrNotRunning) {
		t.Errorf("kubeconfig of a killed lab: %v", err)
	}
	second, err := startLab(t.Context(), dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Keep(); err != nil {
		t.Fatal(err)
	}
	if status, err := lab.ReadStatus(dir); err != nil || !status.Running || len(status.Nodes) != 2 {
		t.Errorf("status %+v, %v", status, err)
	}
	address := server(t, second.Status().Kubeconfig)
	if err := lab.Down(t.Context(), dir); err != nil {
		t.Error(err)
	}
	<-second.Done()
	if err := nothingLeft(dir, address); err != nil {
		t.Error(err)
	}
	if err := lab.Down(t.Context(), dir); !errors.Is(err, lab.ErrNotRunning) {
		t.Errorf("a second Down: %v", err)
	}
}

// TestAStartThatIsGivenUp leaves nothing either, whenever it is given up.
func TestAStartThatIsGivenUp(t *testing.T) {
	for _, last := range []lab.Stage{{Name: "etcd", Done: true}, {Name: "kube-apiserver"}, {Name: "scheduler and controllers"}} {
		dir := filepath.Join(t.TempDir(), "lab")
		ctx, cancel := context.WithCancel(t.Context())
		_, err := lab.Start(ctx, lab.StartOptions{
			Executable: os.Args[0], Args: []string{dir, "1"}, Dir: dir, Nodes: 1,
			Progress: func(s lab.Stage) {
				if s == last {
					cancel()
				}
			},
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("given up at %v: %v", last, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("given up at %v: the folder is still there (%v)", last, err)
		}
		cancel()
	}
}
