package tool_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
	"svctour/lab/child/program/shell"
	"svctour/lab/child/program/tool"
)

// said is what programs write, from any goroutine.
type said struct {
	sync.Mutex
	bytes.Buffer
}

func (s *said) Write(text []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	return s.Buffer.Write(text)
}

func (s *said) String() string {
	s.Lock()
	defer s.Unlock()
	return s.Buffer.String()
}

// FuzzTools runs every tool within this program: that it lives, and that
// none panics, is the test. The arguments are separated by newlines.
func FuzzTools(f *testing.F) {
	names := slices.Sorted(maps.Keys(tool.Commands))
	number := func(name string) uint8 { return uint8(slices.Index(names, name)) }
	for _, seed := range [][2]string{
		{"sed", "-n\n1,2p;/a/{s/\\(x\\)/\\1&/2g;d}\n/tmp/f"}, {"sed", "y/abc/de/"}, {"sed", "s"}, {"sed", "$!N;s/\\n//"}, {"grep", "-E\n(a|b)*[^c"}, {"grep", "-e\na\n-r\n/"},
		{"cut", "-d:\n-f1-3,5-"}, {"cut", "-c99999999999-1"}, {"cut", "-c-"}, {"tr", "a-z\nA-Z"}, {"tr", "-d\n[:alpha:]"}, {"tr", "z-a\n\\"}, {"sort", "-k\n2,1n\n-t\n:"}, {"sort", "-k0"},
		{"head", "-n\n-5"}, {"head", "-c\n99999999999999"}, {"tail", "-n\n+0"}, {"tail", "-c\n-9"}, {"tail", "-n\n99999999999999999999"}, {"seq", "1\n-1\n-9"}, {"seq", "1\n0\n2"}, {"seq", "-w\n1\n1e18"}, {"seq", "nan"},
		{"date", "+%Y%q%"}, {"date", "-d\n@99999999999999"}, {"printf", "%*d\n9"}, {"xargs", "-n\n0"}, {"xargs", "-I\n{}\necho\n{}"}, {"find", "/\n-name\n[\n-o\n!\n("}, {"find", "/\n-exec\necho\n{}\n;"},
		{"tar", "-xzf\n/tmp/f"}, {"tar", "cf\n-\n/tmp"}, {"base64", "-d"}, {"base64", "-w\n-1"}, {"timeout", "-1\nsleep\n1"}, {"sleep", "1e400"}, {"sleep", "-1"}, {"watch", "-n\n0\ntrue"}, {"kill", "-l\n999"},
		{"kill", "-9\n-1"}, {"env", "-i\nA=b\nenv"}, {"env", "-u"}, {"test", "!"}, {"[", "(\n]"}, {"cp", "-r\n/tmp\n/tmp/a/b"}, {"cp", "-r\n/\n/x"}, {"mv", "/\n/tmp/x"}, {"mv", "/tmp\n/tmp/x"}, {"rm", "-rf\n/"}, {"mkdir", "-p\n"}, {"ls", "-laRd\n/\n."}, {"ps", "aux"}, {"uniq", "-cd"},
	} {
		f.Add(number(seed[0]), seed[1], "pear 3\napple 10\n")
	}
	f.Fuzz(func(t *testing.T, which uint8, arguments, stdin string) {
		args := []string{names[int(which)%len(names)]}
		if arguments != "" {
			args = append(args, strings.Split(arguments, "\n")...)
		}
		files := process.Limit(process.NewFiles(nil), 1<<20)
		if err := afero.WriteFile(files, "/tmp/f", []byte(stdin), 0o644); err != nil {
			return
		}
		var errs said
		p := &process.Process{
			Args: args, Env: []string{"PATH=/bin"}, Dir: "/tmp", Files: files,
			Stdin: strings.NewReader(stdin), Stdout: io.Discard, Stderr: &errs,
			Machine: &process.Machine{Hostname: "web", Table: process.NewTable(), Programs: func(name string) process.Main {
				name, inside := strings.CutPrefix(name, "/bin/")
				if inside && name == "sh" {
					return shell.Main
				}
				return tool.Commands[name]
			}},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		p.Machine.Table.Run(ctx, tool.Commands[args[0]], p)
		// Scripts may make the shell panic, as those of its own test do.
		if text := errs.String(); strings.Contains(text, args[0]+": panic: ") {
			t.Errorf("%q: %s", args, text)
		}
	})
}
