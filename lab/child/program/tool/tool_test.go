package tool_test

import (
	"bytes"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"go.uber.org/goleak"

	"svctour/lab/child/process"
	"svctour/lab/child/program/shell"
	"svctour/lab/child/program/tool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const text = "pear 3\napple 10\nfig 2\napple 10\nPear 1\n"

func run(t *testing.T, script string) (out, errs string, status int, files afero.Fs) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	files = process.NewFiles(nil)
	if err := afero.WriteFile(files, "/tmp/f", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	p := &process.Process{
		Args: []string{"sh", "-c", script}, Env: []string{"PATH=/bin"}, Dir: "/tmp", Files: files,
		Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr,
		Machine: &process.Machine{Hostname: "web", Table: process.NewTable(), Programs: func(name string) process.Main {
			name, inside := strings.CutPrefix(name, "/bin/")
			if !inside {
				return nil
			}
			if name == "sh" {
				return shell.Main
			}
			return tool.Commands[name]
		}},
	}
	status = p.Machine.Table.Run(ctx, shell.Main, p)
	return stdout.String(), stderr.String(), status, files
}

// Every script prints and returns here what it does with busybox, where that is installed.
func TestAsBusybox(t *testing.T) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("busybox is not installed")
	}
	// Its shell may be built to prefer the programs on PATH to its own applets.
	applets := t.TempDir()
	if err := exec.CommandContext(t.Context(), busybox, "--install", "-s", applets).Run(); err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{
		"cat f", "cat - < f", "head -n 2 f", "head -1 f", "tail -n 2 f", "tail -n +4 f", "head -c 4 f",
		"grep apple f", "grep -c apple f", "grep -i pear f", "grep -v apple f", "grep -n fig f", "grep -o '[0-9]*' f",
		"grep -E 'fig|pear' f", "grep 'fig\\|pear' f", "grep -q nothing f", "grep -w app f", "grep -F . f", "grep '^a.*0$' f",
		"sort f", "sort -r f", "sort -u f", "sort -k2 -n f", "sort f | uniq -c", "sort f | uniq -d",
		"wc -l f", "wc -l < f", "wc < f", "wc f", "cut -d ' ' -f 2 f", "cut -c 1-3 f", "seq 3", "seq 2 2 6", "seq 3 -1 1",
		"echo a b c | xargs -n 1 echo", "echo x | xargs -I {} echo [{}]", "echo hi | base64", "echo aGkK | base64 -d",
		"md5sum f", "sha256sum f", "basename /a/b.txt .txt", "dirname /a/b", "echo a | tee g; cat g", "yes | head -n 2",
		"mkdir -p a/b; touch a/b/c; find a -type f; ls a; rm -r a; ls", "cp f g; cat g; mv g h; cat h", "mkdir d; rmdir d; ls",
		"cat none", "tr a-z A-Z < f", "tr -d '\\n' < f", "tr -s p < f", "sed s/p/X/ f", "sed 's/p/[&]/g' f", "sed -n 2p f", "sed '/apple/d' f", "sed '$d' f",
		"sed -E 's/([a-z]+) ([0-9]+)/\\2 \\1/' f", "sed -n 's/fig/FIG/p' f", "sed 's/\\(a\\)p/\\1-/' f", "env printf '%s-%d\\n' a 3", "env test a = b",
		"head none", "wc none", "cut -c1 none", "uniq none", "grep x none", "md5sum none", "ls none", "rm none", "mkdir /none/x", "rm -f none", "mkdir d; rm d; echo $?; rmdir d", "sleep 0.01", "sleep x 2>/dev/null",
		"timeout 5 true", "env -i A=b env", "ls -1", "false | true; echo $?",
		"mkdir p; echo x > p/y; tar cf - p | tar tf -; tar cf t.tar p; rm -r p; tar xf t.tar; cat p/y",
		"cat < f | while read a b; do echo $b $a; done",
	} {
		dir := t.TempDir()
		var wantOut, wantErr bytes.Buffer
		command := exec.CommandContext(t.Context(), busybox, "sh", "-c", "printf '"+strings.ReplaceAll(text, "\n", "\\n")+"' > f; "+script)
		command.Dir, command.Stdout, command.Stderr = dir, &wantOut, &wantErr
		command.Env = []string{"PATH=" + applets}
		_ = command.Run()
		out, errs, status, _ := run(t, script)
		if out != wantOut.String() || errs != wantErr.String() || status != command.ProcessState.ExitCode() {
			t.Errorf("%s:\n got %q, %q, %d\nwant %q, %q, %d", script, out, errs, status, wantOut.String(), wantErr.String(), command.ProcessState.ExitCode())
		}
	}
}

func TestTarCannotLeaveItsFolder(t *testing.T) {
	out, errs, status, _ := run(t, "mkdir a b; echo x > a/y; cd a; tar cf - ../a/y | tar xmf - -C ../b; cd ..; find b -type f")
	if out != "b/a/y\n" || errs != "" || status != 0 {
		t.Errorf("%q, %q, %d", out, errs, status)
	}
}

func TestUnsupportedIsAnError(t *testing.T) {
	for _, script := range []string{"sort -k1.2 f", "find . -delete", `grep '\(a\)\1' f`, "date -d yesterday", "ls -Z", "sed y/a/b/ f", "sed 1,2d f", "sed s/a/b/2 f", "sed -i s/a/b/ f"} {
		if out, errs, status, _ := run(t, script); status == 0 || errs == "" || out != "" {
			t.Errorf("%s: %q, %q, %d", script, out, errs, status)
		}
	}
}
