package tool

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

func yes0(*command) int { return 0 }
func no(*command) int   { return 1 }

func echo(c *command) int {
	args, end := c.args, "\n"
	if len(args) > 0 && args[0] == "-n" {
		args, end = args[1:], ""
	}
	c.printf("%s%s", strings.Join(args, " "), end)
	return 0
}

func env(c *command) int {
	environ, args := slices.Clone(c.Env), c.args
	if len(args) > 0 && (args[0] == "-i" || args[0] == "-") {
		environ, args = []string{}, args[1:]
	}
	for len(args) > 1 && args[0] == "-u" {
		environ = slices.DeleteFunc(environ, func(v string) bool { return strings.HasPrefix(v, args[1]+"=") })
		args = args[2:]
	}
	for len(args) > 0 && strings.Contains(args[0], "=") {
		name, _, _ := strings.Cut(args[0], "=")
		environ = slices.DeleteFunc(environ, func(v string) bool { return strings.HasPrefix(v, name+"=") })
		environ, args = append(environ, args[0]), args[1:]
	}
	if len(args) > 0 {
		if strings.HasPrefix(args[0], "-") {
			return c.fail("invalid option %s", args[0])
		}
		return c.child(c.ctx, args, environ, nil)
	}
	for _, v := range environ {
		c.printf("%s\n", v)
	}
	return 0
}

func printenv(c *command) int {
	if len(c.args) == 0 {
		return env(c)
	}
	status := 0
	for _, name := range c.args {
		value, set := c.Lookup(name)
		if !set {
			status = 1
			continue
		}
		c.printf("%s\n", value)
	}
	return status
}

func hostname(c *command) int {
	if len(c.args) > 0 {
		return c.fail("sethostname: Operation not permitted")
	}
	if c.has('f') {
		c.printf("%s\n", c.canonical())
		return 0
	}
	if !c.has('i') {
		c.printf("%s\n", c.Machine.Hostname)
		return 0
	}
	var addresses []string
	for _, i := range c.Net.Interfaces() {
		for _, address := range i.Addresses {
			if !i.Loopback {
				addresses = append(addresses, address.Addr().String())
			}
		}
	}
	c.printf("%s\n", strings.Join(addresses, " "))
	return 0
}

// canonical is the host's full name: the first that /etc/hosts gives to the
// address of its hostname.
func (c *command) canonical() string {
	text, _ := afero.ReadFile(c.Files, "/etc/hosts")
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 1 && slices.Contains(fields[1:], c.Machine.Hostname) {
			return fields[1]
		}
	}
	return c.Machine.Hostname
}

func date(c *command) int {
	now, format := time.Now().UTC(), "+%a %b %e %H:%M:%S UTC %Y"
	for _, arg := range c.args {
		switch {
		case arg == "-u":
		case strings.HasPrefix(arg, "+"):
			format = arg
		default:
			return c.fail("invalid date '%s'", arg)
		}
	}
	layouts := map[byte]string{
		'Y': "2006", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'M': "04", 'S': "05", 'a': "Mon", 'b': "Jan", 'A': "Monday",
		'B': "January", 'F': "2006-01-02", 'T': "15:04:05", 'y': "06", 'Z': "MST", 'z': "-0700", 'I': "03", 'p': "PM", 'R': "15:04", 'j': "002",
		'D': "01/02/06", 'c': "Mon Jan _2 15:04:05 2006",
	}
	for i := 1; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			c.printf("%c", format[i])
			continue
		}
		i++
		switch layout, known := layouts[format[i]]; {
		case known:
			c.printf("%s", now.Format(layout))
		case format[i] == 's':
			c.printf("%d", now.Unix())
		case format[i] == 'N':
			c.printf("%09d", now.Nanosecond())
		case format[i] == '%':
			c.printf("%%")
		case format[i] == 'n':
			c.printf("\n")
		default:
			return c.fail("unsupported format %%%c", format[i])
		}
	}
	c.printf("\n")
	return 0
}

// span is a time as sleep and timeout read it: 1.5, 2m, 1h30m is none.
func span(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	if text == "infinity" || text == "inf" {
		return 1 << 62, nil
	}
	unit, digits := time.Second, text
	if text != "" {
		if u, is := units[text[len(text)-1]]; is {
			unit, digits = u, text[:len(text)-1]
		}
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n >= 0 && n < 1e9) || strings.ContainsAny(digits, "xXpPeE_") {
		return 0, fmt.Errorf("invalid number '%s'", text)
	}
	return time.Duration(min(n*float64(unit), 1<<62)), nil
}

func sleep(c *command) int {
	if len(c.args) == 0 {
		return c.usage("missing operand")
	}
	total := time.Duration(0)
	for _, arg := range c.args {
		d, err := span(arg)
		if err != nil {
			return c.fail("%v", err)
		}
		total = min(1<<62, total+d)
	}
	timer := time.NewTimer(total)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.ctx.Done():
	}
	return 0
}

func seq(c *command) int {
	n := []int64{1, 1, 1}
	for i, arg := range c.args {
		v, err := strconv.ParseInt(arg, 10, 64)
		if err != nil || i > 2 {
			return c.fail("invalid number '%s'", arg)
		}
		n[i] = v
	}
	first, step, last := int64(1), int64(1), n[0]
	switch len(c.args) {
	case 0:
		return c.usage("missing operand")
	case 2:
		first, last = n[0], n[1]
	case 3:
		first, step, last = n[0], n[1], n[2]
	}
	if step == 0 {
		return c.fail("increment must not be 0")
	}
	for i := first; (step > 0 && i <= last || step < 0 && i >= last) && c.ctx.Err() == nil; i += step {
		if _, err := fmt.Fprintln(c.out, i); err != nil {
			return 1
		}
	}
	return 0
}

func tee(c *command) int {
	outs, status := []io.Writer{c.Stdout}, 0
	flag := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if c.has('a') {
		flag = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	for _, name := range c.args {
		file, err := c.OpenFile(name, flag, 0o644)
		if err != nil {
			status = c.fail("%s: %s", name, process.Message(err))
			continue
		}
		defer func() { _ = file.Close() }()
		outs = append(outs, file)
	}
	if _, err := io.Copy(io.MultiWriter(outs...), c.Stdin); err != nil {
		return 1
	}
	return status
}

func xargs(c *command) int {
	args, count, replace := c.args, 0, ""
	for len(args) > 1 && (args[0] == "-n" || args[0] == "-I") {
		if args[0] == "-I" {
			replace = args[1]
		} else if n, err := strconv.Atoi(args[1]); err == nil && n > 0 {
			count = n
		} else {
			return c.fail("invalid number '%s'", args[1])
		}
		args = args[2:]
	}
	if len(args) > 0 && strings.HasPrefix(args[0], "-") {
		return c.fail("unsupported option %s", args[0])
	}
	if len(args) == 0 {
		args = []string{"echo"}
	}
	text, err := readAll(c.Stdin)
	if err != nil {
		return 1
	}
	if strings.ContainsAny(string(text), `'"\`) && replace == "" {
		return c.fail("quotes in the input are not supported")
	}
	status := 0
	note := func(code int) {
		if code != 0 {
			status = map[bool]int{true: code, false: 123}[code >= 126]
		}
	}
	if replace != "" {
		for line := range strings.Lines(string(text)) {
			var one []string
			for _, arg := range args {
				one = append(one, strings.ReplaceAll(arg, replace, strings.TrimSpace(line)))
			}
			note(c.child(c.ctx, one, nil, strings.NewReader("")))
		}
		return status
	}
	words := strings.Fields(string(text))
	if count == 0 {
		count = max(1, len(words))
	}
	if len(words) == 0 {
		return c.child(c.ctx, args, nil, strings.NewReader(""))
	}
	for chunk := range slices.Chunk(words, count) {
		if c.ctx.Err() == nil {
			note(c.child(c.ctx, slices.Concat(args, chunk), nil, strings.NewReader("")))
		}
	}
	return status
}

func ps(c *command) int {
	c.printf("PID   USER     TIME  COMMAND\n")
	for _, r := range c.Machine.Table.List() {
		c.printf("%5d root      0:00 %s\n", r.PID, strings.Join(r.Args(), " "))
	}
	return 0
}

func kill(c *command) int {
	signal, args := process.Terminate, c.args
	numbers := map[string]process.Signal{"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15}
	if len(args) > 1 && strings.HasPrefix(args[0], "-") {
		name := strings.TrimPrefix(strings.TrimPrefix(args[0], "-"), "SIG")
		if args = args[1:]; name == "s" && len(args) > 1 {
			name, args = strings.TrimPrefix(args[0], "SIG"), args[1:]
		}
		n, err := strconv.Atoi(name)
		if known, is := numbers[name]; is {
			n = int(known)
		} else if err != nil || n < 0 || n > 64 {
			return c.fail("bad signal name '%s'", name)
		}
		signal = process.Signal(n)
	}
	if len(args) == 0 {
		return c.fail("you need to specify whom to kill")
	}
	status := 0
	for _, arg := range args {
		pid, err := strconv.Atoi(arg)
		if err != nil {
			status = c.fail("invalid number '%s'", arg)
			continue
		}
		r := c.Machine.Table.Find(pid)
		switch {
		case r == nil:
			status = c.fail("can't kill pid %d: No such process", pid)
		case signal == process.Kill && pid == 1, signal == 0:
			// A namespace's process 1 gets no SIGKILL from inside it.
		default:
			r.Signal(signal)
		}
	}
	return status
}

func pwd(c *command) int    { c.printf("%s\n", c.Path(".")); return 0 }
func whoami(c *command) int { c.printf("root\n"); return 0 }
func nproc(c *command) int  { c.printf("1\n"); return 0 }

func id(c *command) int {
	switch {
	case c.has('n'):
		c.printf("root\n")
	case c.has('u'), c.has('g'):
		c.printf("0\n")
	default:
		c.printf("uid=0(root) gid=0(root) groups=0(root)\n")
	}
	return 0
}

func which(c *command) int {
	status := 0
	for _, name := range c.args {
		full, _, err := process.LookPath(c.Process, name)
		if err != nil {
			status = 1
			continue
		}
		c.printf("%s\n", full)
	}
	return status
}

func yes(c *command) int {
	text := "y"
	if len(c.args) > 0 {
		text = strings.Join(c.args, " ")
	}
	for c.ctx.Err() == nil {
		if _, err := fmt.Fprintln(c.out, text); err != nil {
			return 1
		}
	}
	return 0
}

func base64Tool(c *command) int {
	return c.inputs(c.args, func(_ string, in io.Reader) error {
		text, err := readAll(in)
		if err != nil {
			return err
		}
		if c.has('d') {
			plain, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
			_, _ = c.out.Write(plain)
			return err
		}
		width := 76
		if c.has('w') {
			if width, err = strconv.Atoi(c.opts['w']); err != nil || width < 0 {
				return fmt.Errorf("invalid number '%s'", c.opts['w'])
			}
		}
		code := base64.StdEncoding.EncodeToString(text)
		for ; width > 0 && len(code) > width; code = code[width:] {
			c.printf("%s\n", code[:width])
		}
		c.printf("%s%s", code, map[bool]string{true: "\n"}[width > 0])
		return nil
	})
}

func sum(kind string) run {
	return func(c *command) int {
		return c.inputs(c.args, func(name string, in io.Reader) error {
			var digest hash.Hash = sha256.New()
			if kind == "md5" {
				digest = md5.New()
			}
			if _, err := io.Copy(digest, in); err != nil {
				return err
			}
			c.printf("%x  %s\n", digest.Sum(nil), name)
			return nil
		})
	}
}

func dirname(c *command) int {
	if len(c.args) != 1 {
		return c.usage("missing operand")
	}
	c.printf("%s\n", path.Dir(c.args[0]))
	return 0
}

func timeTool(c *command) int {
	if len(c.args) == 0 {
		return c.usage("missing operand")
	}
	began := time.Now()
	status := c.child(c.ctx, c.args, nil, nil)
	took := time.Since(began)
	_, _ = fmt.Fprintf(c.Stderr, "real\t%dm %.2fs\n", int(took.Minutes()), took.Seconds()-60*float64(int(took.Minutes())))
	return status
}

func timeout(c *command) int {
	if len(c.args) < 2 {
		return c.usage("usage: timeout SECS PROG ARGS")
	}
	limit, err := span(c.args[0])
	if err != nil {
		return c.fail("%v", err)
	}
	child := c.Child(c.args[1:])
	r, err := c.Start(c.ctx, child)
	if err != nil {
		c.fail("can't execute '%s': %s", c.args[1], process.Message(err))
		return 127
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-r.Done():
		return r.Status()
	case <-timer.C:
	}
	r.Signal(process.Terminate)
	r.Wait()
	return 143
}

func watch(c *command) int {
	args, every := c.args, 2*time.Second
	if len(args) > 1 && args[0] == "-n" {
		d, err := span(args[1])
		if err != nil {
			return c.fail("%v", err)
		}
		args, every = args[2:], max(d, 100*time.Millisecond)
	}
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return c.usage("usage: watch [-n SEC] PROG ARGS")
	}
	line := strings.Join(args, " ")
	for {
		var out bytes.Buffer
		child := c.Child([]string{"sh", "-c", line})
		child.Stdin, child.Stdout, child.Stderr = strings.NewReader(""), &out, &out
		if r, err := c.Start(c.ctx, child); err == nil {
			r.Wait()
		} else {
			return c.fail("can't execute 'sh': %s", process.Message(err))
		}
		c.printf("\x1b[H\x1b[JEvery %.1fs: %s\t%s\n\n%s", every.Seconds(), line, time.Now().UTC().Format(time.DateTime), out.String())
		if c.out.Flush() != nil || !pause(c.ctx, every) {
			return 0
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func clearScreen(c *command) int { c.printf("\x1b[H\x1b[J"); return 0 }

func uname(c *command) int {
	values := map[byte]string{'s': "Linux", 'n': c.Machine.Hostname, 'm': "x86_64"}
	var parts []string
	for _, letter := range []byte("snm") {
		if c.has(letter) || c.has('a') || letter == 's' && len(c.opts) == 0 {
			parts = append(parts, values[letter])
		}
	}
	c.printf("%s\n", strings.Join(parts, " "))
	return 0
}
