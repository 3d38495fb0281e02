package kubectl

import "os/exec"

// runInForeground runs the child on this process's console.
func runInForeground(cmd *exec.Cmd) error { return cmd.Run() }
