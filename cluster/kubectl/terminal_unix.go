//go:build unix

package kubectl

import (
	"os"
	"os/exec"
	ossignal "os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// runInForeground makes the child the terminal's foreground process group, and
// takes the terminal back when it has ended. A process in the background that
// does so gets SIGTTOU (tcsetpgrp(3)), which would stop it. The child inherits
// that ^Z is ignored (execve(2)): nothing here could resume a child that stopped,
// as a shell does, and editors see that they have not been started by one.
func runInForeground(cmd *exec.Cmd) error {
	terminal, ok := cmd.Stdin.(*os.File)
	if !ok {
		return cmd.Run()
	}
	fd := int(terminal.Fd())
	ours, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	if err != nil {
		return cmd.Run() // not a terminal
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: fd}
	ossignal.Ignore(syscall.SIGTTOU, syscall.SIGTSTP)
	defer ossignal.Reset(syscall.SIGTTOU, syscall.SIGTSTP)
	err = cmd.Run()
	if back := unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, ours); err == nil {
		err = back
	}
	return err
}
