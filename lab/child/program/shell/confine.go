package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"svctour/lab/child/process"
)

// The interpreter takes $$ and $PPID from the machine, so scripts are rewritten
// to use these.
const (
	pidName    = "_SHELL_PID"
	parentName = "_SHELL_PPID"
)

// parse parses a script, takes out what would reach the machine, and what would
// end the program that runs it.
func (s *shell) parse(text string) (*syntax.File, error) {
	if len(text) > maxScript {
		return nil, errors.New("the script is too long")
	}
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(&shallow{text}, s.name)
	if err != nil {
		return nil, err
	}
	r := &rewriter{s: s}
	syntax.Walk(file, r.visit)
	return file, r.err
}

// confine takes out of one node what would reach the machine.
func (s *shell) confine(node syntax.Node) error {
	switch node := node.(type) {
	case *syntax.FuncDecl:
		return s.declare(node)
	case *syntax.ProcSubst:
		return errors.New("process substitution is not supported")
	case *syntax.ParamExp:
		switch {
		case node.Param == nil:
		case node.Param.Value == "$":
			node.Param.Value = pidName
		case node.Param.Value == "PPID":
			node.Param.Value = parentName
		}
	case *syntax.CallExpr:
		return braces(node.Args)
	case *syntax.WordIter:
		return braces(node.Items)
	case *syntax.ArrayElem:
		return braces([]*syntax.Word{node.Value})
	case *syntax.UnaryTest:
		if node.Op == syntax.TsUsrOwn || node.Op == syntax.TsGrpOwn {
			node.Op = syntax.TsExists // every file is root's, as the shell is
		}
	}
	return nil
}

// braces refuses words with more braces than anything writes: the interpreter
// would recurse over them.
func braces(words []*syntax.Word) error {
	for _, word := range words {
		if word == nil {
			continue
		}
		count := 0
		for _, part := range word.Parts {
			if literal, is := part.(*syntax.Lit); is {
				count += strings.Count(literal.Value, "{")
			}
		}
		if count > maxBraces {
			return errors.New("too many braces in one word")
		}
	}
	return nil
}

// confined is a text that the interpreter parses by itself (eval), rewritten.
func (s *shell) confined(text string) (string, error) {
	file, err := s.parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = syntax.NewPrinter().Print(&out, file)
	return out.String(), err
}

// environment is the process's environment, with what the interpreter would
// otherwise take from the machine.
type environment struct {
	p         *process.Process
	temporary string // TMPDIR, if set
}

func (e environment) Get(name string) expand.Variable {
	value, set := e.p.Lookup(name)
	exported := set
	switch {
	case name == "TMPDIR" && e.temporary != "":
		value, set = e.temporary, true
	case set:
	case name == pidName:
		value, set = strconv.Itoa(e.p.PID), true
	case name == parentName:
		value, set = strconv.Itoa(e.p.Parent), true
	case name == "UID", name == "EUID", name == "GID":
		value, set = "0", true
	case name == "HOME", name == "HOME root":
		value, set, exported = "/root", true, name == "HOME"
	case strings.HasPrefix(name, "HOME "):
		// The home of another user: none is known, the word stays as it is.
		value, set = "~"+strings.TrimPrefix(name, "HOME "), true
	}
	if !set {
		return expand.Variable{}
	}
	return expand.Variable{Set: true, Exported: exported, Kind: expand.String, Str: value}
}

func (e environment) Each(each func(string, expand.Variable) bool) {
	seen := map[string]bool{}
	for i := len(e.p.Env) - 1; i >= 0; i-- {
		name, _, found := strings.Cut(e.p.Env[i], "=")
		if found && !seen[name] && syntax.ValidName(name) {
			if seen[name] = true; !each(name, e.Get(name)) {
				return
			}
		}
	}
	if !seen["HOME"] {
		each("HOME", e.Get("HOME"))
	}
}

// exported is the environment of a command.
func exported(env expand.Environ) []string {
	values := map[string]string{}
	var names []string
	env.Each(func(name string, v expand.Variable) bool {
		if _, seen := values[name]; !seen {
			names = append(names, name)
		}
		if delete(values, name); v.IsSet() && v.Exported && v.Kind == expand.String {
			values[name] = v.Str
		}
		return true
	})
	list := make([]string, 0, len(values))
	done := map[string]bool{}
	for _, name := range names {
		if value, is := values[name]; is && !done[name] {
			done[name] = true
			list = append(list, name+"="+value)
		}
	}
	return list
}

// program is how a program looks that has no file.
type program struct{ name string }

func (p program) Name() string     { return p.name }
func (program) Size() int64        { return 0 }
func (program) Mode() fs.FileMode  { return 0o755 }
func (program) ModTime() time.Time { return time.Time{} }
func (program) IsDir() bool        { return false }
func (program) Sys() any           { return nil }

// call sees every simple command before it runs: it keeps builtins from the
// machine, runs traps, and feeds what reads the shell's own input.
func (s *shell) call(ctx context.Context, args []string) ([]string, error) {
	if s.interrupted.Load() {
		return nil, errInterrupted
	}
	if err := s.admit(ctx, args); err != nil {
		return nil, err
	}
	if added(args[0]) {
		return args, nil
	}
	hc := interp.HandlerCtx(ctx)
	args, err := s.rewrite(ctx, hc, args)
	if errors.As(err, new(crash)) {
		return nil, err
	}
	if err != nil {
		return []string{own + "fail", err.Error()}, nil
	}
	if action := s.trapped(); action != "" {
		text, err := s.confined(action)
		if err != nil {
			return []string{own + "fail", err.Error()}, nil
		}
		for i, arg := range args {
			if strings.HasPrefix(arg, own) {
				return args, nil // at the next command
			}
			quoted, err := syntax.Quote(arg, syntax.LangBash)
			if err != nil {
				return args, nil
			}
			if i == 0 {
				text += "\n"
			}
			text += quoted + " "
		}
		return []string{"eval", text}, nil
	}
	return args, nil
}

func (s *shell) rewrite(ctx context.Context, hc interp.HandlerContext, args []string) ([]string, error) {
	name := args[0]
	if (name == "command" || name == "builtin") && len(args) > 1 && !strings.HasPrefix(args[1], "-") {
		return s.rewrite(ctx, hc, args[1:])
	}
	switch name {
	case "eval":
		text, err := s.confined(strings.Join(args[1:], " "))
		return []string{"eval", text}, err
	case ".", "source":
		if len(args) < 2 {
			return nil, errors.New(name + ": filename argument required")
		}
		text, err := readFile(s.at(hc.Dir, ""), args[1])
		if err != nil {
			return nil, fmt.Errorf("%s: can't open '%s': %s", name, args[1], process.Message(err))
		}
		text, err = s.confined(text)
		return []string{"eval", text}, err
	case "trap":
		return s.trap(args)
	case "printf":
		return precise(args), nil
	case "wait":
		s.wait(ctx)
	case "kill", "ulimit", "umask", "newgrp", "fc", "bg", "fg", "jobs", "help", "history", "suspend":
		return append([]string{own + name}, args[1:]...), nil
	case "command", "type":
		return s.lookup(args), nil
	case "cd":
		if len(args) == 2 && args[1] != "-" {
			if info, err := s.stat(ctx, s.at(hc.Dir, "").Path(args[1]), true); err != nil || !info.IsDir() {
				return []string{own + "cd", args[1]}, nil
			}
		}
	case "test", "[":
		return test(args)
	case "shift":
		if len(args) > 1 && strings.HasPrefix(args[1], "-") {
			return nil, fmt.Errorf("shift: Illegal number: %s", args[1])
		}
	case "unset":
		return args, unset(args[1:])
	case "alias":
		return args, alias(args[1:])
	case "exec":
		s.become.Store(len(args) > 1)
	case "mapfile", "readarray":
		from := hc.Stdin
		if from == io.Reader(s.stdin) {
			from = s.p.Stdin
		}
		text, err := mapfile(args, from)
		return []string{"eval", text}, err
	case "read":
		if err := s.weigh(ctx); errors.As(err, new(crash)) {
			return nil, err
		}
		if hc.Stdin == io.Reader(s.stdin) {
			s.supply()
		}
	}
	return args, nil
}

// mapfile is the builtin as an assignment: the interpreter's reads without end.
func mapfile(args []string, from io.Reader) (string, error) {
	name, delimiter, drop := "MAPFILE", "\n", false
	rest := args[1:]
	for ; len(rest) > 0 && strings.HasPrefix(rest[0], "-"); rest = rest[1:] {
		switch {
		case rest[0] == "-t":
			drop = true
		case rest[0] == "-d" && len(rest) > 1:
			if delimiter = rest[1][:min(1, len(rest[1]))]; delimiter == "" {
				delimiter = "\x00"
			}
			rest = rest[1:]
		default:
			return "", fmt.Errorf("%s: invalid option %q", args[0], rest[0])
		}
	}
	if len(rest) > 0 {
		name = rest[0]
	}
	if len(rest) > 1 || !syntax.ValidName(name) {
		return "", fmt.Errorf("%s: %q: not a valid identifier", args[0], name)
	}
	var content []byte
	if from != nil {
		var err error
		if content, err = io.ReadAll(io.LimitReader(from, maxScript)); err != nil {
			return "", err
		}
	}
	if len(content) == maxScript {
		return "", fmt.Errorf("%s: out of memory", args[0])
	}
	var text strings.Builder
	text.WriteString(name + "=(")
	for part := range strings.SplitAfterSeq(string(content), delimiter) {
		if part == "" {
			continue
		}
		if drop {
			part = strings.TrimSuffix(part, delimiter)
		}
		quoted, err := syntax.Quote(strings.ReplaceAll(part, "\x00", ""), syntax.LangBash)
		if err != nil {
			return "", fmt.Errorf("%s: %w", args[0], err)
		}
		text.WriteString(quoted + " ")
	}
	return text.String() + ")", nil
}

// test is the builtin with what the interpreter cannot do, or would recurse
// over, taken out.
func test(args []string) ([]string, error) {
	if len(args) > maxTest {
		return nil, errors.New(args[0] + ": too many arguments")
	}
	args = slices.Clone(args)
	for i := 1; i+1 < len(args); i++ {
		switch operator, operand := args[i], args[i+1]; {
		case operator == "-O" || operator == "-G": // every file is root's, as the shell is
			args[i] = "-e"
		case (operator == "-v" || operator == "-R") && operand == "":
			args[i], args[i+1] = "-n", "" // no variable has this name
		}
	}
	return args, nil
}

// unset refuses what no variable can be called, and subscripts that the
// interpreter would parse by itself.
func unset(names []string) error {
	for _, name := range names {
		_, subscript, _ := strings.Cut(name, "[")
		if name == "" || len(subscript) > 100 || strings.ContainsAny(subscript, "$`<>(") {
			return fmt.Errorf("unset: %q: bad variable name", name)
		}
	}
	return nil
}

// alias refuses what the interpreter would parse by itself and that is more
// than words.
func alias(definitions []string) error {
	for _, definition := range definitions {
		name, text, _ := strings.Cut(definition, "=")
		if strings.ContainsAny(text, "$`<>(") || len(text) > 1<<10 {
			return fmt.Errorf("alias: %q: only an alias of plain words is supported", name)
		}
	}
	return nil
}

func (s *shell) function(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, declared := s.functions[name]
	return declared
}

// declare takes note of a function and of what it takes.
func (s *shell) declare(node *syntax.FuncDecl) error {
	size := int(node.End().Offset() - node.Pos().Offset())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.declared += size - s.functions[node.Name.Value]
	s.functions[node.Name.Value] = size
	if s.declared > maxParts {
		return errors.New("out of memory")
	}
	return nil
}

// lookup sends "command -v" and "type" of anything but a builtin
// past the interpreter, which would look for a file of the machine.
func (s *shell) lookup(args []string) []string {
	for _, arg := range args[1:] {
		if !strings.HasPrefix(arg, "-") && !interp.IsBuiltin(arg) && !syntax.IsKeyword(arg) {
			return append([]string{own + args[0]}, args[1:]...)
		}
	}
	return args
}

// builtin is the shell's part of what was sent past the interpreter.
func (s *shell) builtin(child *process.Process, name string) error {
	switch name {
	case "fail":
		_, _ = fmt.Fprintf(child.Stderr, "%s: %s\n", s.name, child.Args[1])
		return interp.ExitStatus(2)
	case "cd":
		_, err := s.p.Files.Stat(child.Path(child.Args[1]))
		why := "Not a directory"
		if err != nil {
			why = process.Message(err)
		}
		_, _ = fmt.Fprintf(child.Stderr, "%s: cd: can't cd to %s: %s\n", s.name, child.Args[1], why)
		return interp.ExitStatus(2)
	}
	missing := false
	for _, arg := range child.Args[1:] {
		if strings.HasPrefix(arg, "-") {
			continue
		}
		full, main, _ := process.LookPath(child, arg)
		function := s.function(arg)
		switch {
		case name == "type" && (function || interp.IsBuiltin(arg)):
			_, _ = fmt.Fprintf(child.Stdout, "%s is a shell %s\n", arg, map[bool]string{true: "function", false: "builtin"}[function])
		case function || interp.IsBuiltin(arg):
			_, _ = fmt.Fprintln(child.Stdout, arg)
		case main == nil && name == "type":
			missing = true
			_, _ = fmt.Fprintf(child.Stderr, "%s: not found\n", arg)
		case main == nil:
			missing = true
		case name == "type":
			_, _ = fmt.Fprintf(child.Stdout, "%s is %s\n", arg, full)
		default:
			_, _ = fmt.Fprintln(child.Stdout, full)
		}
	}
	if missing {
		return interp.ExitStatus(127)
	}
	return nil
}

// supply gives the interpreter's input the next line of the shell's.
func (s *shell) supply() {
	if s.fed.Load() {
		return
	}
	text, err := readLine(s.p.Stdin)
	ended := err != nil
	s.fed.Store(ended)
	s.feeding.Go(func() {
		defer s.p.Recover()
		_, _ = io.WriteString(s.feed, text)
		if ended {
			_ = s.feed.Close()
		}
	})
}
