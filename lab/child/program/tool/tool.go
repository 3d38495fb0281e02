// Package tool is the small commands of a container that need no network. They
// behave as busybox's, in their words and exit statuses; what an option or
// script asks for that they cannot do is an error, never another result.
package tool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"syscall"

	"svctour/lab/child/process"
)

// command is a tool while it runs.
type command struct {
	*process.Process
	ctx  context.Context
	name string
	args []string // without the name
	out  *bufio.Writer
	opts map[byte]string // options given, with their values
}

type run func(c *command) int

type entry struct {
	options string // as getopt(3): a colon follows one that takes a value
	run     run
}

// Commands are the tools by name.
var Commands = commands()

func commands() map[string]process.Main {
	table := map[string]entry{
		"cat": {"u", cat}, "echo": {"", echo}, "true": {"", yes0}, "false": {"", no},
		"env": {"", env}, "printenv": {"", printenv}, "hostname": {"fis", hostname}, "date": {"uR", date}, "sleep": {"", sleep},
		"ls": {"la1AhdR", ls}, "head": {"n:c:qv", head}, "tail": {"n:fFc:q", tail}, "grep": {"civnoEqrRwlFshHe:xL", grep},
		"printf": {"", inShell}, "test": {"", inShell}, "[": {"", inShell}, "tr": {"dsc", tr}, "sed": {"ne:Er", sed},
		"sort": {"nruk:t:", sortLines}, "uniq": {"cdu", uniq}, "wc": {"lwcm", wc}, "cut": {"d:f:c:s", cut},
		"seq": {"s:w", seq}, "tee": {"a", tee}, "xargs": {"", xargs}, "ps": {"", ps}, "kill": {"", kill},
		"pwd": {"LP", pwd}, "mkdir": {"pm:", mkdir}, "rm": {"rRf", rm}, "rmdir": {"", rmdir}, "cp": {"rRapf", cp}, "mv": {"f", mv},
		"touch": {"c", touch}, "find": {"", find}, "id": {"ugn", id}, "whoami": {"", whoami}, "uname": {"amns", uname},
		"which": {"a", which}, "yes": {"", yes}, "base64": {"dw:", base64Tool}, "md5sum": {"", sum("md5")},
		"sha256sum": {"", sum("sha256")}, "basename": {"", basename}, "dirname": {"", dirname}, "time": {"", timeTool},
		"timeout": {"", timeout}, "watch": {"", watch}, "clear": {"", clearScreen}, "tar": {"", tarTool}, "nproc": {"", nproc},
	}
	made := make(map[string]process.Main, len(table))
	for name, e := range table {
		made[name] = process.Default(e.main)
	}
	return made
}

// verbatim are the commands whose options are not getopt's.
var verbatim = []string{"echo", "true", "false", "printf", "test", "[", "env", "xargs", "ps", "kill", "find", "time", "timeout", "watch", "tar", "yes", "date", "sleep", "basename", "head", "tail", "seq"}

func (e entry) main(ctx context.Context, p *process.Process) int {
	c := &command{Process: p, ctx: ctx, name: path.Base(p.Args[0]), args: p.Args[1:], out: bufio.NewWriter(p.Stdout), opts: map[byte]string{}}
	if !slices.Contains(verbatim, c.name) {
		if status := c.getopt(e.options); status != 0 {
			return status
		}
	}
	status := e.run(c)
	if err := c.out.Flush(); err != nil && status == 0 {
		status = 1
	}
	return status
}

// getopt is getopt(3): options may come after other arguments.
func (c *command) getopt(options string) int {
	var rest []string
	for args := c.args; len(args) > 0; args = args[1:] {
		arg := args[0]
		if arg == "--" {
			rest = append(rest, args[1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		if strings.HasPrefix(arg, "--") {
			return c.usage("unrecognized option '%s'", arg)
		}
		for letters := arg[1:]; letters != ""; letters = letters[1:] {
			at := strings.IndexByte(options, letters[0])
			if at < 0 || letters[0] == ':' {
				return c.usage("invalid option -- '%c'", letters[0])
			}
			if at+1 == len(options) || options[at+1] != ':' {
				c.opts[letters[0]] = ""
				continue
			}
			value := letters[1:]
			if value == "" {
				if len(args) < 2 {
					return c.usage("option requires an argument -- '%c'", letters[0])
				}
				args = args[1:]
				value = args[0]
			}
			if before, twice := c.opts[letters[0]]; twice && letters[0] == 'e' {
				value = before + "\n" + value
			}
			c.opts[letters[0]] = value
			break
		}
	}
	c.args = rest
	return 0
}

func (c *command) has(letter byte) bool { _, is := c.opts[letter]; return is }

func (c *command) printf(format string, values ...any) { _, _ = fmt.Fprintf(c.out, format, values...) }

// fail says what went wrong and returns 1.
func (c *command) fail(format string, values ...any) int {
	_ = c.out.Flush()
	_, _ = fmt.Fprintf(c.Stderr, c.name+": "+format+"\n", values...)
	return 1
}

func (c *command) usage(format string, values ...any) int {
	c.fail(format, values...)
	if c.name == "grep" || c.name == "ls" || c.name == "sort" {
		return 2
	}
	return 1
}

// input opens what a name means: - is the standard input.
func (c *command) input(name string) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(c.Stdin), nil
	}
	return c.Open(name)
}

// inputs calls each for every file named, or for the standard input, and says
// which cannot be read.
func (c *command) inputs(names []string, each func(name string, in io.Reader) error) int {
	if len(names) == 0 {
		names = []string{"-"}
	}
	status := 0
	for _, name := range names {
		in, err := c.input(name)
		if err != nil {
			if slices.Contains([]string{"cat", "tail", "uniq", "md5sum", "sha256sum"}, c.name) {
				name = "can't open '" + name + "'"
			}
			status = c.fail("%s: %s", name, process.Message(err))
			continue
		}
		err = each(name, in)
		_ = in.Close()
		if errors.Is(err, errStop) {
			return status
		}
		if err != nil && c.ctx.Err() == nil {
			status = c.fail("%s: %s", map[bool]string{true: "read error", false: name}[name == "-"], process.Message(err))
		}
	}
	return status
}

var errStop = errors.New("stop")

// most is what a tool keeps in memory of what it reads, in bytes. With more it
// fails as a program that gets no further memory.
const most = 64 << 20

// readAll reads in to its end.
func readAll(in io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, most+1))
	if err == nil && len(text) > most {
		err = syscall.ENOMEM
	}
	return text, err
}

// lines calls each for every line of in, without its newline.
func lines(in io.Reader, each func(line string) error) error {
	reader := bufio.NewReader(in)
	for {
		line, err := readLine(reader)
		if line != "" {
			if problem := each(strings.TrimSuffix(line, "\n")); problem != nil {
				return problem
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads to the end of a line.
func readLine(reader *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, err := reader.ReadSlice('\n')
		if line = append(line, part...); err != bufio.ErrBufferFull {
			return string(line), err
		}
		if len(line) > most {
			return "", syscall.ENOMEM
		}
	}
}

// child runs another command with this one's streams.
func (c *command) child(ctx context.Context, args, environ []string, stdin io.Reader) int {
	_ = c.out.Flush()
	child := c.Child(args)
	if environ != nil {
		child.Env = environ
	}
	if stdin != nil {
		child.Stdin = stdin
	}
	r, err := c.Start(ctx, child)
	if err != nil {
		c.fail("can't execute '%s': %s", args[0], process.Message(err))
		if process.Message(err) == "Permission denied" {
			return 126
		}
		return 127
	}
	return r.Wait()
}
