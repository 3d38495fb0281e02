package shell_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"go.uber.org/goleak"

	"svctour/lab/child/process"
	"svctour/lab/child/program/shell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var programs = map[string]process.Main{
	"/bin/sh": shell.Main,
	"/bin/cat": process.Default(func(_ context.Context, p *process.Process) int {
		_, _ = io.Copy(p.Stdout, p.Stdin)
		return 0
	}),
	"/bin/hold": process.Default(func(ctx context.Context, p *process.Process) int {
		_, _ = fmt.Fprintln(p.Stdout, "holding")
		<-ctx.Done()
		return 0
	}),
	"/bin/env": func(_ context.Context, p *process.Process) int {
		for _, line := range p.Env {
			_, _ = fmt.Fprintln(p.Stdout, line)
		}
		return 0
	},
	"/bin/catch": func(ctx context.Context, p *process.Process) int {
		_, _ = fmt.Fprintln(p.Stdout, "holding")
		select {
		case s := <-p.Signals:
			_, _ = fmt.Fprintln(p.Stdout, "caught", int(s), "as", p.PID)
		case <-ctx.Done():
		}
		return 7
	},
}

func newProcess(t *testing.T, args ...string) *process.Process {
	t.Helper()
	files := process.NewFiles(nil)
	for name, text := range map[string]string{"/data/a.txt": "one\n", "/data/b.txt": "two\n", "/lib.sh": "hello() { echo hello $1; }\n"} {
		if err := files.MkdirAll(name[:strings.LastIndexByte(name, '/')+1], 0o755); err != nil {
			t.Fatal(err)
		}
		if err := afero.WriteFile(files, name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return &process.Process{
		Args: args, Env: []string{"PATH=/bin", "HOME=/root", "GREETING=hi"}, Dir: "/", Files: files,
		Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: io.Discard,
		Machine: &process.Machine{
			Hostname: "web", Table: process.NewTable(),
			Programs: func(name string) process.Main { return programs[name] },
		},
	}
}

func run(t *testing.T, stdin string, args ...string) (out, errs string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := newProcess(t, args...)
	var stdout, stderr bytes.Buffer
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(stdin), &stdout, &stderr
	status = p.Machine.Table.Run(ctx, shell.Main, p)
	return stdout.String(), stderr.String(), status
}

func TestScripts(t *testing.T) {
	for _, c := range []struct {
		script, out, errs string
		status            int
	}{
		{"echo a b; false", "a b\n", "", 1},
		{"x=1; while [ $x -le 3 ]; do echo $x; x=$((x+1)); done", "1\n2\n3\n", "", 0},
		{"echo one | cat | cat", "one\n", "", 0},
		{"cd /data; pwd; echo *; cat < a.txt", "/data\na.txt b.txt\none\n", "", 0},
		{"cat <<E\n$GREETING\nE", "hi\n", "", 0},
		{"echo x > /tmp/f; echo y >> /tmp/f; cat < /tmp/f", "x\ny\n", "", 0},
		{"foo; echo $?", "127\n", "sh: foo: not found\n", 0},
		{"foo", "", "sh: foo: not found\n", 127},
		{"set -e; false; echo no", "", "", 1},
		{"f() { return 3; }; f; echo $?", "3\n", "", 0},
		{"(exit 4); echo $?", "4\n", "", 0},
		{"cat < /none", "", "sh: can't open /none: no such file\n", 1},
		{"echo x > /none/y", "", "sh: can't create /none/y: nonexistent directory\n", 1},
		{"export A=b; env | { while read l; do [ $l = A=b ] && echo $l; done; true; }", "A=b\n", "", 0},
		{". /lib.sh; hello you", "hello you\n", "", 0},
		{"trap 'echo bye' EXIT; echo hi; exit 5", "hi\nbye\n", "", 5},
		{"cat & wait; echo done", "done\n", "", 0},
		{"command -v cat; type cat; command -v nothing", "/bin/cat\ncat is /bin/cat\n", "", 127},
		{"echo ~ ~root", "/root /root\n", "", 0},
		{"sh -c 'echo $0 $1' name arg", "name arg\n", "", 0},
		{"echo $$ $PPID; eval 'echo $$'", "1 0\n1\n", "", 0},
		{"for f in /data/*; do [ -f $f ] && echo $f; done", "/data/a.txt\n/data/b.txt\n", "", 0},
		{"cd /nowhere; echo $?", "2\n", "sh: cd: can't cd to /nowhere: No such file or directory\n", 0},
		{"echo no >/dev/null; echo err >&2", "", "err\n", 0},
		{"echo 'a b' | { read x y; echo $y $x; }", "b a\n", "", 0},
		{"exec sh -c 'echo $$; exit 9'", "1\n", "", 9},
		{"printf '%.3s|%-6.2s|%s %d%%\\n' abcdef xyz tail 5", "abc|xy    |tail 5%\n", "", 0},
		{"printf '%.2s.' abc d", "ab.d.", "", 0},
	} {
		out, errs, status := run(t, "", "sh", "-c", c.script)
		if out != c.out || errs != c.errs || status != c.status {
			t.Errorf("%s:\n got %q, %q, %d\nwant %q, %q, %d", c.script, out, errs, status, c.out, c.errs, c.status)
		}
	}
}

func TestScriptOnInput(t *testing.T) {
	out, errs, status := run(t, "echo one\nread x\nsecond\necho got $x\nif true\nthen cat\nfi\nrest\n", "sh")
	if out != "one\ngot second\nrest\n" || errs != "" || status != 0 {
		t.Errorf("%q, %q, %d", out, errs, status)
	}
}

// The machine's own files, users, programs and environment are out of reach.
func TestNothingOfTheMachine(t *testing.T) {
	t.Setenv("SVCTOUR_SECRET", "leaked")
	for _, script := range []string{
		"/bin/ls", "ls", "/usr/bin/env", "command -v ls", "type ls", "command -v /usr/bin/env", "cat < /etc/passwd", ". /etc/profile",
		"source /etc/passwd", "echo $SVCTOUR_SECRET", "cd /usr", "[ -e /etc/passwd ]", "echo /etc/*", "echo /proc/*",
		"cat <(echo x)", "eval 'cat <(echo x)'", "sh /etc/profile", "set | cat", "cd /proc && pwd", "echo ~daemon", "exec ls",
		"builtin . /etc/passwd", "[ -O / ]", "command . /etc/profile", "ls(){ :; }; unset -f ls; command -v ls",
	} {
		out, errs, _ := run(t, "", "sh", "-c", script)
		for _, sign := range []string{"leaked", "/usr/bin/env\n", "root:", "daemon:", "/usr/sbin", "/proc/1", "/etc/passwd\n", "/bin/ls\n"} {
			if strings.Contains(out, sign) {
				t.Errorf("%s: printed %q (%q)", script, out, errs)
			}
		}
	}
	if _, _, status := run(t, "", "sh", "-c", "[ -e /etc/passwd ] || cd /usr 2>/dev/null"); status == 0 {
		t.Error("a file of the machine is there")
	}
}

// held is a stream that says when the program has written to it.
type held struct {
	text  bytes.Buffer
	first chan struct{}
}

func (h *held) Write(text []byte) (int, error) {
	if h.text.Len() == 0 {
		defer close(h.first)
	}
	return h.text.Write(text)
}

func TestSignals(t *testing.T) {
	for _, c := range []struct {
		script string
		first  bool // is process 1
		out    string
		status int // 137: had to be killed
	}{
		{"hold", true, "holding\n", 137},
		{"hold; true", true, "holding\n", 137},
		{"hold; true", false, "holding\n", 143},
		{"exec catch", true, "holding\ncaught 15 as 1\n", 7},
		{"catch", true, "holding\ncaught 15 as 1\n", 7},
		{"trap 'echo end; exit 3' TERM; hold & wait", true, "holding\nend\n", 3},
		{"trap 'echo end; exit 3' TERM; echo x; while true; do true; done", true, "x\nend\n", 3},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		p := newProcess(t, "sh", "-c", c.script)
		out := &held{first: make(chan struct{})}
		p.Stdout = out
		if !c.first {
			p.Machine.Table.Start(ctx, programs["/bin/hold"], newProcess(t, "pause"))
		}
		r := p.Machine.Table.Start(ctx, shell.Main, p)
		<-out.first
		r.Signal(process.Terminate)
		if c.status == 137 {
			r.Kill()
		}
		if status := r.Wait(); status != c.status || out.text.String() != c.out {
			t.Errorf("%s: %q, %d, want %q, %d", c.script, out.text.String(), status, c.out, c.status)
		}
		for _, other := range p.Machine.Table.List() {
			other.Kill()
			other.Wait()
		}
		cancel()
	}
}

func TestLoopEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p := newProcess(t, "sh", "-c", "echo on; while :; do :; done")
	out := &held{first: make(chan struct{})}
	p.Stdout = out
	r := p.Machine.Table.Start(ctx, shell.Main, p)
	<-out.first
	cancel()
	r.Wait()
}

// typist types the next text once the screen shows what it waits for.
type typist struct {
	t     *testing.T
	steps [][2]string // what to wait for, what to type then
	keys  *io.PipeWriter
	seen  []byte
	ready chan string
}

func (y *typist) Write(text []byte) (int, error) {
	y.seen = append(y.seen, text...)
	for len(y.steps) > 0 {
		_, rest, found := bytes.Cut(y.seen, []byte(y.steps[0][0]))
		if !found {
			break
		}
		y.seen = rest
		y.ready <- y.steps[0][1]
		y.steps = y.steps[1:]
	}
	return len(text), nil
}

func TestPrompt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := newProcess(t, "sh")
	reader, writer := io.Pipe()
	screen := &typist{t: t, keys: writer, ready: make(chan string, 20), steps: [][2]string{
		{"/ # ", "echo o''ne\r"}, {"one\r\n", ""}, {"/ # ", "hold\r"}, {"holding\r\n", "\x03"},
		{"/ # ", "echo $?\r"}, {"130\r\n", ""}, {"/ # ", "cat\r"}, {"cat\r\n", "te''xt\r\x04"}, {"te''xt\r\nte''xt\r\n", ""},
		{"/ # ", "garbage\x03"}, {"/ # ", "cd /da\t\r"}, {"/data # ", "if true\r"}, {"> ", "then echo i''n; fi\r"}, {"in\r\n", ""},
		{"/data # ", "while :; do :; done\r\x03"},
		{"/data # ", "echo pasted lines, more than one at once; true\recho se''cond\rech"}, {"second\r\n", "o thi''rd\r"}, {"third\r\n", ""},
		{"/data # ", "exit 6\r"},
	}}
	total := len(screen.steps)
	process.NewTerminal(reader, screen, process.Size{Columns: 80, Rows: 24}).Connect(p)
	r := p.Machine.Table.Start(ctx, shell.Main, p)
	steps := 0
	for running := true; running; {
		select {
		case text := <-screen.ready:
			steps++
			_, _ = io.WriteString(writer, text)
		case <-r.Done():
			running = false
		}
	}
	_ = writer.Close()
	if r.Status() != 6 || steps != total {
		t.Errorf("status %d after %d of %d steps; then %q", r.Status(), steps, total, screen.seen)
	}
}
