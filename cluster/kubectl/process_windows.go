package kubectl

import (
	"os/exec"
	"syscall"
)

// isolate keeps a child from the console's Ctrl-C and its window.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP, HideWindow: true}
}
