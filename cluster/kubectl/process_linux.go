package kubectl

import (
	"os/exec"
	"syscall"
)

// isolate gives a child a session of its own: it has no terminal to ask on and
// is killed together with what it started; it also dies with this process.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
