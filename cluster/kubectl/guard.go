package kubectl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The guard stands before the embedded kubectl. It knows every command, flag and
// output form that it lets through and refuses the rest, so that a command typed
// in svctour's prompt reads anything of this one cluster, but writes only into
// namespaces that svctour made, and touches nothing of this machine. It reads
// flags exactly as pflag does, because what it takes for a flag's value kubectl
// must not take for a flag.

// command is a kubectl command line that the guard lets through.
type command struct {
	writes    bool
	namespace string // of -n; "" when not given
	all       bool   // -A
	manifest  bool   // -f -: objects come on stdin
	terminal  bool   // it needs a terminal
	executes  bool   // it runs a program in a Pod, or talks with one
}

// refusal is a sentence for the person: why a command is not run.
type refusal string

func (r refusal) Error() string { return string(r) }

func refuse(format string, args ...any) error { return refusal(fmt.Sprintf(format, args...)) }

// inspect decides whether args, without a leading "kubectl", may be run. Its
// error is a refusal.
func inspect(args []string) (command, error) { return inspectFor(args, false) }

// inspectFor is inspect for a command that may have a terminal.
func inspectFor(args []string, terminal bool) (command, error) {
	name, known, rest, err := find(args)
	if err != nil {
		return command{}, err
	}
	p := parser{verb: name, flags: known.flags, terminal: terminal}
	if err := p.parse(rest); err != nil {
		return command{}, err
	}
	if p.dash && !known.dash {
		return command{}, refuse("%q takes no \"--\"", "kubectl "+name)
	}
	if known.terminal && !terminal {
		return command{}, refuse("there is no terminal for %q here: use a terminal of your own for it", "kubectl "+name)
	}
	c := command{writes: known.writes, terminal: known.terminal, executes: name == "exec" || name == "attach"}
	for _, flag := range p.given {
		if err := c.take(&p, flag); err != nil {
			return command{}, err
		}
	}
	if known.args != nil {
		if err := known.args(p.positional, c.manifest); err != nil {
			return command{}, err
		}
	}
	return c, nil
}

// find gives the command that args begin with, and what follows.
func find(args []string) (name string, known verb, rest []string, err error) {
	if len(args) == 0 {
		return "", verb{}, nil, refuse("type a kubectl command, for example %q", "get pods")
	}
	if strings.HasPrefix(args[0], "-") {
		return "", verb{}, nil, refuse("put the command first and flags such as %q after it", args[0])
	}
	words := 1
	for words < min(len(args), 3) && !strings.HasPrefix(args[words], "-") {
		words++
	}
	for n := words; n > 0; n-- {
		name := strings.Join(args[:n], " ")
		if v, ok := verbs[name]; ok {
			return name, v, args[n:], nil
		}
		if harm, ok := others[name]; ok {
			return "", verb{}, nil, refuse("svctour does not run %q here: it %s. Use a terminal of your own for it", "kubectl "+name, harm)
		}
	}
	return "", verb{}, nil, unknown(args[:words])
}

// take looks at a flag whose value decides whether the command may be run.
func (c *command) take(p *parser, flag given) error {
	switch flag.name {
	case "--namespace", "--filename":
		if n := p.count(flag.name); n > 1 {
			return refuse("%s is given %d times; give it once", flag.name, n)
		}
	}
	switch flag.name {
	case "--namespace":
		if flag.value == "" {
			return refuse("--namespace is empty")
		}
		c.namespace = flag.value
	case "--filename":
		if flag.value != "-" {
			return refuse("here --filename can only be %q: svctour hands the manifest over itself", "-")
		}
		c.manifest = true
	case "--all-namespaces":
		all, err := strconv.ParseBool(flag.value)
		if flag.stated && err != nil {
			return refuse("--all-namespaces is true or false, not %q", flag.value)
		}
		c.all = all || !flag.stated
	case "--output":
		return inspectOutput(flag.value)
	case "--template":
		if !strings.Contains(flag.value, "{") {
			return refuse("--template is the template itself here, for example %q: svctour reads no file of this machine", "{{.metadata.name}}")
		}
	}
	return nil
}

// inspectOutput refuses the forms of --output that read a file.
func inspectOutput(value string) error {
	form, _, _ := strings.Cut(value, "=")
	switch {
	case value == "", slices.Contains(plainForms, strings.ToLower(value)), slices.Contains(inlineForms, form):
		return nil
	case slices.Contains(fileForms, form):
		return refuse("output form %q reads a file of this machine: give the template itself, for example %q", form, "-o=go-template={{.metadata.name}}")
	}
	return refuse("svctour does not know output form %q: it knows %s", form, strings.Join(append(slices.Clone(plainForms), inlineForms...), ", "))
}

// given is one flag of a command line.
type given struct {
	name   string // by the long name where the guard looks at the value
	value  string
	stated bool // value was there
}

// longNames give the long form of the shorthands that the guard looks at.
var longNames = map[string]string{"-n": "--namespace", "-A": "--all-namespaces", "-o": "--output"}

// parser reads a command line as pflag does.
type parser struct {
	verb     string
	flags    map[string]bool
	terminal bool // what asks on a terminal is allowed

	positional []string
	given      []given
	dash       bool     // "--" was there
	rest       []string // what follows it is not ours to read
}

func (p *parser) parse(args []string) error {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		var err error
		switch {
		case arg == "--":
			p.dash, p.rest = true, args
			return nil
		case strings.HasPrefix(arg, "--"):
			args, err = p.long(arg, args)
		case strings.HasPrefix(arg, "-") && arg != "-":
			args, err = p.short(arg[1:], args)
		default:
			p.positional = append(p.positional, arg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// long reads --name, --name=value or --name value.
func (p *parser) long(arg string, args []string) ([]string, error) {
	name, value, stated := strings.Cut(arg, "=")
	takes, err := p.known(name)
	if err != nil {
		return nil, err
	}
	if takes && !stated {
		if len(args) == 0 {
			return nil, refuse("flag %s needs a value", name)
		}
		value, stated, args = args[0], true, args[1:]
	}
	p.add(name, value, stated)
	return args, nil
}

// short reads a group of one-letter flags: -Aw, -nweb, -n=web, -n web.
func (p *parser) short(group string, args []string) ([]string, error) {
	for group != "" {
		name := "-" + group[:1]
		takes, err := p.known(name)
		if err != nil {
			return nil, err
		}
		group = group[1:]
		switch {
		case strings.HasPrefix(group, "="):
			if len(group) == 1 {
				return nil, refuse("flag %s needs a value", name)
			}
			p.add(name, group[1:], true)
			return args, nil
		case !takes:
			p.add(name, "", false)
		case group != "":
			p.add(name, group, true)
			return args, nil
		case len(args) == 0:
			return nil, refuse("flag %s needs a value", name)
		default:
			p.add(name, args[0], true)
			return args[1:], nil
		}
	}
	return args, nil
}

// known says whether a flag takes a value, or why it may not be given.
func (p *parser) known(name string) (takesValue bool, err error) {
	if takes, ok := p.flags[name]; ok {
		return takes, nil
	}
	command := "kubectl " + p.verb
	switch harm := harms[name]; {
	case harm == asksPerson && p.terminal && p.asks(name):
		return false, nil
	case harm == "":
		if near := nearFlag(name, p.flags); near != "" {
			return false, refuse("svctour does not know flag %q of %q: did you mean %q?", name, command, near)
		}
		return false, refuse("svctour does not know flag %q of %q: use a terminal of your own for it", name, command)
	case harm == otherCluster, name == "--raw", name == "--kubeconfig":
		return false, refuse("flag %s is not for here: the commands act on the cluster that is shown, as you", name)
	case name == "-A" || name == "--all-namespaces":
		return false, refuse("%q writes; it cannot be done in all namespaces at once", command)
	case harm == asksPerson:
		return false, refuse("there is no terminal for %q here; leave %s out", command, name)
	default:
		return false, refuse("flag %s of %q is not for here: it %s. Use a terminal of your own for it", name, command, harm)
	}
}

// asks says whether the command has this flag that asks on a terminal: --tty goes
// with --stdin, and delete alone has --interactive.
func (p *parser) asks(name string) bool {
	_, stdin := p.flags["--stdin"]
	if name == "-t" || name == "--tty" {
		return stdin
	}
	return p.verb == "delete"
}

func (p *parser) add(name, value string, stated bool) {
	if long, ok := longNames[name]; ok {
		name = long
	}
	if _, files := p.flags["--filename"]; name == "-f" && files { // of logs it means follow
		name = "--filename"
	}
	p.given = append(p.given, given{name, value, stated})
}

func (p *parser) count(name string) int {
	n := 0
	for _, flag := range p.given {
		if flag.name == name {
			n++
		}
	}
	return n
}
