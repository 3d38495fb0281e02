//go:build unix

package kubectl

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

const stoppingChild = "CLUSTER_TEST_STOPPING_CHILD"

// TestStopKeyOfAChild presses ^Z while a child has the terminal: the child goes
// on, because no one could resume it.
func TestStopKeyOfAChild(t *testing.T) {
	if os.Getenv(stoppingChild) != "" { // the program that runs the child
		cmd := exec.Command("sh", "-c", `echo ready; read line; echo "went on after $line"`)
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
		if err := runInForeground(cmd); err != nil {
			t.Fatal(err)
		}
		fmt.Println("the terminal is back")
		return
	}
	controller, terminal, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { controller.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStopKeyOfAChild$")
	cmd.Env = append(os.Environ(), stoppingChild+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, terminal, terminal
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	lines, said := bufio.NewScanner(controller), strings.Builder{}
	for lines.Scan() {
		fmt.Fprintln(&said, lines.Text())
		if strings.HasPrefix(lines.Text(), "ready") {
			fmt.Fprint(controller, "\x1a", "this\n") // the kernel makes a signal of the first (termios(3), VSUSP)
		}
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), "went on after this") || !strings.Contains(said.String(), "the terminal is back") {
		t.Errorf("%v, the terminal shows:\n%s", err, said.String())
	}
}
