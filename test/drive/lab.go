package drive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	_ "svctour/cli" // what is built below: a test's result is not to be kept when it changes
)

// The environment of tests that use this package.
const (
	BinaryEnv = "SVCTOUR_TEST_BINARY" // a built binary, to build none
)

// Lab is a lab that runs beside the test, started by the real binary.
type Lab struct {
	Binary string
	Home   string
	dir    string
}

// Module is the module's folder.
func Module() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Build builds a package of the module into a folder.
func Build(ctx context.Context, folder, name, pkg string) (string, error) {
	binary := filepath.Join(folder, name)
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, pkg)
	cmd.Dir = Module()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %q: %w\n%s", pkg, err, out)
	}
	return binary, nil
}

// Up starts a lab.
func Up(ctx context.Context, args ...string) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "svb-*") // short: it holds sockets
	if err != nil {
		return nil, err
	}
	l := &Lab{Binary: os.Getenv(BinaryEnv), Home: filepath.Join(dir, "home"), dir: dir}
	if l.Binary == "" {
		if l.Binary, err = Build(ctx, dir, "svctour", "."); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	if out, code, err := l.Run(ctx, append([]string{"lab", "up", "--detach"}, args...)...); err != nil || code != 0 {
		return nil, errors.Join(fmt.Errorf("lab up: exit code %d, %w\n%s", code, err, out), l.Down())
	}
	c, err := Connect(filepath.Join(l.Home, "lab", "kubeconfig"))
	if err != nil {
		return nil, errors.Join(err, l.Down())
	}
	c.Lab = l
	return c, nil
}

// Down ends the lab and removes its files.
func (l *Lab) Down() error {
	out, code, err := l.Run(context.Background(), "lab", "down")
	if err == nil && code != 0 {
		err = fmt.Errorf("lab down: exit code %d\n%s", code, out)
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

// Run runs the binary and gives both outputs together, and the exit code.
func (l *Lab) Run(ctx context.Context, args ...string) (string, int, error) {
	cmd := exec.CommandContext(ctx, l.Binary, args...)
	cmd.Env = append(os.Environ(), "SVCTOUR_HOME="+l.Home, "KUBECONFIG=", "NO_COLOR=1")
	file, err := os.CreateTemp(l.dir, "out") // not a pipe: a detached lab may hold that open
	if err != nil {
		return "", 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = nil
	}
	text, readErr := os.ReadFile(file.Name())
	return string(bytes.TrimSpace(text)), cmd.ProcessState.ExitCode(), errors.Join(err, readErr)
}
