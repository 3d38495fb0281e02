package lab

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// detach keeps the console's Ctrl-C from the child.
func detach(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// terminate ends a process; there is no way to ask one of another console.
func terminate(process *os.Process) error { return process.Kill() }
