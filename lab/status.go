package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"svctour/lab/folder"
	"svctour/lab/hostport"
)

// Duration is a time.Duration that JSON writes as text, such as 2.41s.
type Duration time.Duration

// String is the duration, rounded to hundredths of a second.
func (d Duration) String() string { return time.Duration(d).Round(10 * time.Millisecond).String() }

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// NodeStatus is one node of a lab.
type NodeStatus struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
}

// Status is what is known of a lab from outside: the LabStatus of svctour's
// JSON.
type Status struct {
	// Running says that a lab is ready. With a PID but not running, it is
	// still starting.
	Running       bool         `json:"running"`
	Version       string       `json:"version,omitempty"`    // of Kubernetes
	Kubeconfig    string       `json:"kubeconfig,omitempty"` // path
	PID           int          `json:"pid,omitempty"`
	Nodes         []NodeStatus `json:"nodes,omitempty"`
	ResidentBytes int64        `json:"ResidentBytes,omitempty"` // 0: unknown
	StartedIn     Duration     `json:"startedIn,omitempty"`     // from its start until it was ready
	// HostPorts are what is reachable on this machine's loopback.
	HostPorts []hostport.State `json:"hostPorts,omitempty"`
}

// ReadStatus is the status of the lab in dir, not running if there is none.
// Files of a lab that was killed do not count: a lab that lives holds a lock.
func ReadStatus(dir string) (Status, error) {
	s := Status{}
	pid, alive, err := folder.Holder(dir)
	if err != nil || !alive {
		return s, err
	}
	content, err := os.ReadFile(filepath.Join(dir, folder.Status))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.PID = pid
	case err != nil:
		return s, fmt.Errorf("read the lab's status: %w", err)
	default:
		read := Status{}
		if err := json.Unmarshal(content, &read); err != nil {
			return s, fmt.Errorf("read the lab's status %q: %w", filepath.Join(dir, folder.Status), err)
		}
		s = read
		if s.PID != pid { // written by a lab before this one, which is starting
			s = Status{}
			s.PID = pid
		}
	}
	s.ResidentBytes = ResidentBytes(s.PID)
	return s, nil
}

// Kubeconfig is the content of the kubeconfig of the lab in dir.
func Kubeconfig(dir string) ([]byte, error) {
	s, err := ReadStatus(dir)
	if err != nil {
		return nil, err
	}
	if !s.Running {
		return nil, ErrNotRunning
	}
	content, err := os.ReadFile(s.Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read the lab's kubeconfig: %w", err)
	}
	return content, nil
}

// ErrNotRunning says that no lab is running.
var ErrNotRunning = errors.New("no lab is running")

// Write makes s what ReadStatus says of the lab in dir.
func (s Status) Write(dir string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the lab's status: %w", err)
	}
	return folder.WriteFile(filepath.Join(dir, folder.Status), append(content, '\n'))
}
