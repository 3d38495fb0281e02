package meter

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestScript runs the script in the shells of this machine, with the programs
// that it has: each request is told once, and the shell ends with its input.
func TestScript(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() == "" {
			t.Error("a request of nobody")
		}
		fmt.Fprintf(w, "Hostname: web-1\n\n  * [%s\n", strings.Repeat("x", 3000))
	}))
	defer server.Close()
	ran := 0
	for _, with := range [][2]string{{"dash", "curl"}, {"bash", "wget"}, {"busybox ash", "busybox wget"}} {
		shell, client := strings.Fields(with[0]), strings.Fields(with[1])
		full, err := exec.LookPath(shell[0])
		at, err2 := exec.LookPath(client[0])
		if err != nil || err2 != nil {
			continue
		}
		ran++
		t.Run(with[0]+"/"+with[1], func(t *testing.T) {
			path := t.TempDir()
			link(t, at, filepath.Join(path, client[len(client)-1]))
			if timeout, err := exec.LookPath("timeout"); err == nil {
				link(t, timeout, filepath.Join(path, "timeout"))
			}
			cmd := exec.Command(full, append(shell[1:], "-c", script, "sh", server.URL+"/", mark)...)
			cmd.Env = []string{"PATH=" + path}
			sends(t, cmd, AtOnce+12)
		})
	}
	if ran == 0 {
		t.Skip("this machine has no shell with curl or wget")
	}
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}

// sends has a script send n requests, AtOnce at a time.
func sends(t *testing.T, cmd *exec.Cmd, n int) {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hung := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer hung.Stop()
	seen, sent, counted, ended := map[int]bool{}, 0, 0, false
	begin := func() {
		if sent++; sent <= n {
			fmt.Fprintln(in, sent)
		} else if sent == n+AtOnce {
			in.Close()
		}
	}
	for range AtOnce {
		begin()
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line, ok := Read(mark, lines.Text())
		switch {
		case !ok:
			t.Errorf("a line that is none: %q", lines.Text())
		case line.Sample == nil:
			counted, ended = line.Sent, line.End
		default:
			if s := line.Sample; seen[s.Number] || s.Outcome != OK || s.HTTP != 200 || !strings.Contains(s.Said, "Hostname: web-1") {
				t.Errorf("the sample %+v of %q", s, lines.Text())
			}
			if len(lines.Text()) > 1024 {
				t.Errorf("a line of %d bytes", len(lines.Text()))
			}
			seen[line.Sample.Number] = true
			begin()
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if len(seen) != n || counted != n || !ended {
		t.Errorf("%d requests were told, %d are counted, ended %v", len(seen), counted, ended)
	}
}
