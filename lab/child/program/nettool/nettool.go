// Package nettool is the network tools of the lab's images: what one runs in a
// Pod to see whether, and to where, a Service works. They speak and fail in the
// words and exit statuses of the real tools; an option that they do not know is
// an error, never ignored.
package nettool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"svctour/lab/child/process"
)

// Commands are the tools by name, in the flavour of Debian's packages; BusyBox
// has busybox' own.
var Commands = mains(map[string]run{
	"curl": curl, "nslookup": bindNslookup, "dig": dig, "host": host, "getent": getent, "nc": openbsdNc, "telnet": telnet,
	"ip": ip, "route": route, "ss": ss, "netstat": netstat, "ifconfig": ifconfig,
})

// Node are the tools for the packet filter of a node, which the image of
// kube-proxy has too.
var Node = mains(map[string]run{
	"iptables": iptables, "iptables-save": saveRules, "ip6tables-save": saveNoRules, "conntrack": conntrack, "nft": nft,
})

// BusyBox are the tools in busybox's flavour.
var BusyBox = mains(map[string]run{
	"nslookup": busyboxNslookup, "wget": busyboxWget, "nc": busyboxNc, "telnet": telnet,
	"ip": ip, "route": route, "netstat": netstat, "ifconfig": ifconfig,
})

func init() {
	Commands["ping"], BusyBox["ping"] = catching(iputilsPing), catching(busyboxPing)
}

type run func(c *command) int

// command is a tool while it runs.
type command struct {
	*process.Process
	ctx  context.Context
	name string
	args []string // without the name
}

func mains(table map[string]run) map[string]process.Main {
	out := make(map[string]process.Main, len(table))
	for name, tool := range table {
		out[name] = process.Default(func(ctx context.Context, p *process.Process) int {
			return tool(&command{Process: p, ctx: ctx, name: path.Base(p.Args[0]), args: p.Args[1:]})
		})
	}
	return out
}

func (c *command) printf(format string, values ...any) {
	_, _ = fmt.Fprintf(c.Stdout, format, values...)
}

func (c *command) errorf(format string, values ...any) {
	_, _ = fmt.Fprintf(c.Stderr, format, values...)
}

// fail says what went wrong, after the tool's name, and returns 1.
func (c *command) fail(format string, values ...any) int {
	c.errorf(c.name+": "+format+"\n", values...)
	return 1
}

// pause waits; false is the end of the tool.
func (c *command) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// option is one that was given: by its long name if it has one.
type option struct{ name, value string }

// badOption is an option that cannot be: as it was given, and why.
type badOption struct {
	given   string // with its dashes
	missing bool   // its value is missing; otherwise it is unknown
}

// getopt takes options from among other arguments, as getopt_long(3) does. The
// spec has a word for every option: "s,silent" or "m:,max-time:", with a colon
// if it takes a value, or only a letter, or only a long name.
func getopt(args []string, spec string) (opts []option, rest []string, bad *badOption) {
	type known struct {
		name  string
		value bool
	}
	table := map[string]known{}
	for _, word := range strings.Fields(spec) {
		value := strings.HasSuffix(word, ":")
		names := strings.Split(strings.ReplaceAll(word, ":", ""), ",")
		for _, name := range names {
			table[name] = known{names[len(names)-1], value}
		}
	}
	for ; len(args) > 0; args = args[1:] {
		arg := args[0]
		switch {
		case arg == "--":
			return opts, append(rest, args[1:]...), nil
		case len(arg) < 2 || arg[0] != '-':
			rest = append(rest, arg)
		case strings.HasPrefix(arg, "--"):
			name, value, given := strings.Cut(arg[2:], "=")
			k, is := table[name]
			if !is || len(name) == 1 || given && !k.value {
				return nil, nil, &badOption{given: arg}
			}
			if k.value && !given {
				if len(args) < 2 {
					return nil, nil, &badOption{given: arg, missing: true}
				}
				args = args[1:]
				value = args[0]
			}
			opts = append(opts, option{k.name, value})
		default:
			for letters := arg[1:]; letters != ""; letters = letters[1:] {
				k, is := table[letters[:1]]
				if !is {
					return nil, nil, &badOption{given: "-" + letters[:1]}
				}
				if !k.value {
					opts = append(opts, option{k.name, ""})
					continue
				}
				value := letters[1:]
				if value == "" {
					if len(args) < 2 {
						return nil, nil, &badOption{given: "-" + letters[:1], missing: true}
					}
					args = args[1:]
					value = args[0]
				}
				opts = append(opts, option{k.name, value})
				break
			}
		}
	}
	return opts, rest, nil
}

// String words it as getopt(3) does.
func (b *badOption) String() string {
	switch letter := strings.TrimPrefix(b.given, "-"); {
	case strings.HasPrefix(b.given, "--") && b.missing:
		return fmt.Sprintf("option '%s' requires an argument", b.given)
	case strings.HasPrefix(b.given, "--"):
		return fmt.Sprintf("unrecognized option '%s'", b.given)
	case b.missing:
		return fmt.Sprintf("option requires an argument -- '%s'", letter)
	default:
		return fmt.Sprintf("invalid option -- '%s'", letter)
	}
}

// isTimeout tells that nothing answered in time.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.Is(err, syscall.ETIMEDOUT) || errors.As(err, &timeout) && timeout.Timeout()
}

// reason is an error as strerror(3) words it.
func reason(err error) string {
	if isTimeout(err) {
		return "Connection timed out"
	}
	return process.Message(err)
}

// seconds reads a time that may have a fraction.
func seconds(text string) (time.Duration, bool) {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value < 0 || value > 1e9 {
		return 0, false
	}
	return time.Duration(value * float64(time.Second)), true
}

func (c *command) readFile(name string) ([]byte, error) {
	if name == "-" {
		name = "/dev/stdin"
	}
	file, err := c.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return readAll(file)
}

const createMode fs.FileMode = 0o644
