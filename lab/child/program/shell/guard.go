package shell

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"

	"svctour/lab/child/process"
)

// What a script may do to the program that runs it is bounded here. The
// interpreter starts goroutines of its own, for the left side of a pipe and for
// what runs in the background, where nothing would recover from a panic; and it
// recurses as deep as a script does, where the end of Go's stack is the end of
// the whole program.
//
// So each such part is replaced, in the tree that is run, by a command of
// ours: its handler is the first thing that the interpreter calls in its
// goroutine, and runs the part by the builtin eval, in the same runner, with a
// recover around it.

// These commands stand in rewritten scripts. A script that calls them itself only
// runs a part of itself again.
const (
	addedPrefix = "_SHELL_"
	partName    = addedPrefix + "PART"
	weighName   = addedPrefix + "WEIGH"
	fitsName    = addedPrefix + "FITS"
	nothingName = addedPrefix + "NOTHING"
)

// added says that a command is one of these.
func added(name string) bool {
	switch name {
	case partName, weighName, fitsName, nothingName:
		return true
	}
	return false
}

const (
	// maxScript is how long a text may be that is run.
	maxScript = 1 << 20
	// maxTree is how many nodes of a script may lie within each other.
	maxTree = 3000
	// maxFrames is how many calls of Go may be under way when a script is
	// parsed or a command starts. A call of a function is about ten.
	maxFrames = 6000
	// maxVariables is what all variables of a shell may take, in bytes.
	maxVariables = 8 << 20
	// maxArguments is what the arguments and the environment of a program may
	// take, in bytes: execve(2)'s, with a stack of 8 MiB.
	maxArguments = 2 << 20
	// maxValue is what the output of a substitution and the words of a command
	// may take, in bytes.
	maxValue = 4 << 20
	// maxExpanded is what all words of one command may expand to, in bytes.
	maxExpanded = 64 << 20
	// maxBraces is how many braces a word may have that is expanded.
	maxBraces = 50
	// maxParts is what the texts of parts may take together, and what those of
	// functions may, in bytes.
	maxParts = 16 << 20
	// maxTest is how many words the builtin test takes: it recurses over them.
	maxTest = 5000
)

// segmentationFault is the exit status of a shell that recursed too deep.
const segmentationFault = 128 + 11

var errTooDeep = errors.New("nested too deep")

// deep says that more than maxFrames calls are under way in this goroutine.
func deep() bool {
	var one [1]uintptr
	return runtime.Callers(maxFrames, one[:]) > 0
}

// shallow is a script as the parser reads it: in small pieces, so that it ends
// before the parser has recursed too deep.
type shallow struct{ rest string }

func (s *shallow) Read(into []byte) (int, error) {
	const piece = 256
	switch {
	case s.rest == "":
		return 0, io.EOF
	case deep():
		return 0, errTooDeep
	}
	n := copy(into[:min(len(into), piece)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// crash is the end of a shell, or of a part of it, whose reason has been printed.
type crash struct{ status int }

func (c crash) Error() string {
	if c.status == segmentationFault {
		return "Segmentation fault"
	}
	return "Killed"
}

// end says why the shell, or the part of it that ctx is of, ends here.
func (s *shell) end(ctx context.Context, status int, why string) error {
	_, _ = fmt.Fprintf(bare(interp.HandlerCtx(ctx).Stderr), "%s: %s\n", s.name, why)
	if part, is := ctx.Value(partKey{}).(*part); is {
		part.status = status
	}
	return crash{status}
}

// partKey is where the context of a command has the *part that it is in.
type partKey struct{}

type part struct {
	background bool
	status     int // if it ended by end
}

// inBackground says that a command was started with &.
func inBackground(ctx context.Context) bool {
	part, is := ctx.Value(partKey{}).(*part)
	return is && part.background
}

// part runs a part of a script: _SHELL_PART NUMBER [&].
func (s *shell) part(ctx context.Context, args []string) (err error) {
	hc := interp.HandlerCtx(ctx)
	text, known := s.partText(args[1:])
	if !known {
		_, _ = fmt.Fprintf(bare(hc.Stderr), "%s: %s: not found\n", s.name, args[0])
		return interp.ExitStatus(127)
	}
	done, err := s.p.Machine.Table.Fork()
	if err != nil {
		_, _ = fmt.Fprintf(bare(hc.Stderr), "%s: can't fork: %s\n", s.name, process.Message(err))
		return interp.ExitStatus(2)
	}
	defer done()
	own := &part{background: inBackground(ctx) || len(args) > 2}
	defer func() {
		if problem := recover(); problem != nil {
			_, _ = fmt.Fprintf(bare(hc.Stderr), "%s: panic: %s\n", s.name, process.CrashText(problem))
			own.status = process.Crashed
		}
		if own.status != 0 {
			err = hc.Builtin(ctx, []string{"exit", strconv.Itoa(own.status)})
		}
	}()
	return hc.Builtin(context.WithValue(ctx, partKey{}, own), []string{"eval", text})
}

func (s *shell) partText(args []string) (string, bool) {
	if len(args) == 0 {
		return "", false
	}
	number, err := strconv.Atoi(args[0])
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || number < 0 || number >= len(s.parts) {
		return "", false
	}
	return s.parts[number], true
}

// keep keeps the text of a part and gives its number.
func (s *shell) keep(text string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if number, is := s.numbers[text]; is {
		return number, nil
	}
	if s.kept += len(text); s.kept > maxParts {
		return 0, errors.New("out of memory")
	}
	s.parts = append(s.parts, text)
	s.numbers[text] = len(s.parts) - 1
	return len(s.parts) - 1, nil
}

// detach replaces a statement that the interpreter would run in a goroutine.
func (s *shell) detach(statement *syntax.Stmt, mark ...string) (*syntax.Stmt, error) {
	var text strings.Builder
	if err := syntax.NewPrinter().Print(&text, statement); err != nil {
		return nil, err
	}
	number, err := s.keep(text.String())
	if err != nil {
		return nil, err
	}
	return command(statement.Position, append([]string{partName, strconv.Itoa(number)}, mark...)...), nil
}

// command is a simple command of words that need no quotes, or only single ones.
func command(at syntax.Pos, words ...string) *syntax.Stmt {
	call := &syntax.CallExpr{}
	for _, word := range words {
		var part syntax.WordPart = &syntax.Lit{ValuePos: at, ValueEnd: at, Value: word}
		if !syntax.ValidName(word) {
			part = &syntax.SglQuoted{Left: at, Right: at, Value: word}
		}
		call.Args = append(call.Args, &syntax.Word{Parts: []syntax.WordPart{part}})
	}
	return &syntax.Stmt{Position: at, Cmd: call}
}

// rewriter changes a tree before it is run.
type rewriter struct {
	s     *shell
	nodes []syntax.Node // from the root to where the walk is
	err   error
}

// visit is the function for syntax.Walk.
func (r *rewriter) visit(node syntax.Node) bool {
	if node == nil {
		last := r.nodes[len(r.nodes)-1]
		r.nodes = r.nodes[:len(r.nodes)-1]
		if r.err == nil {
			r.err = r.leave(last)
		}
		return true
	}
	if r.err != nil {
		return false
	}
	if len(r.nodes) >= maxTree {
		r.err = errTooDeep
		return false
	}
	if r.err = r.s.confine(node); r.err != nil {
		return false
	}
	r.nodes = append(r.nodes, node)
	return true
}

// leave changes a node whose children are done.
func (r *rewriter) leave(node syntax.Node) (err error) {
	switch node := node.(type) {
	case *syntax.BinaryCmd:
		if node.Op == syntax.Pipe || node.Op == syntax.PipeAll {
			node.X, err = r.s.detach(node.X)
		}
	case *syntax.CmdSubst:
		// $(<FILE) would be read whole, whatever its size.
		if len(node.Stmts) == 1 && node.Stmts[0].Cmd == nil && len(node.Stmts[0].Redirs) > 0 {
			node.Stmts[0].Cmd = command(node.Stmts[0].Position, "cat").Cmd
		}
	case *syntax.Stmt:
		m := measure(node)
		if grows(node.Cmd) {
			node.Cmd = weighed(node.Cmd)
		}
		if m.multiplies() {
			node.Cmd, node.Redirs, node.Negated = m.fitted(node), nil, false
		}
		if node.Background || node.Disown {
			whole := *node
			whole.Background, whole.Disown, whole.Comments = false, false, nil
			replaced, problem := r.s.detach(&whole, "&")
			if problem != nil {
				return problem
			}
			node.Cmd, node.Redirs, node.Negated = replaced.Cmd, nil, false
		}
	}
	return err
}

// grows says whether a command makes a variable of others, or of an output.
func grows(cmd syntax.Command) bool {
	var assigns []*syntax.Assign
	switch cmd := cmd.(type) {
	case *syntax.CallExpr:
		assigns = cmd.Assigns
	case *syntax.DeclClause:
		assigns = cmd.Args
	}
	found := false
	for _, assign := range assigns {
		syntax.Walk(assign, func(node syntax.Node) bool {
			switch node.(type) {
			case *syntax.ParamExp, *syntax.CmdSubst:
				found = true
			case *syntax.ArithmExp: // a number
				return false
			}
			return !found
		})
	}
	return found
}

// weighed is a command that sets variables, and a look at their size.
func weighed(cmd syntax.Command) syntax.Command {
	statement := &syntax.Stmt{Position: cmd.Pos(), Cmd: cmd}
	return &syntax.Block{
		Lbrace: cmd.Pos(), Rbrace: cmd.End(),
		Stmts: []*syntax.Stmt{statement, quietly(command(cmd.End(), weighName))},
	}
}

// quietly is a command whose failure neither ends the shell (set -e) nor runs a
// trap for errors.
func quietly(statement *syntax.Stmt) *syntax.Stmt {
	return &syntax.Stmt{Position: statement.Position, Cmd: &syntax.BinaryCmd{
		OpPos: statement.Position, Op: syntax.AndStmt, X: statement, Y: command(statement.Position, nothingName),
	}}
}

// measured is what one statement expands, without the statements in it.
type measured struct {
	names      []string
	expansions int
	replaces   bool // a variable's parts by another variable
	braces     int
}

func measure(statement *syntax.Stmt) measured {
	var m measured
	syntax.Walk(statement, func(node syntax.Node) bool {
		switch node := node.(type) {
		case *syntax.Stmt:
			return node == statement
		case *syntax.ParamExp:
			m.expansions++
			if node.Param != nil && !slices.Contains(m.names, node.Param.Value) {
				m.names = append(m.names, node.Param.Value)
			}
			m.replaces = m.replaces || node.Repl != nil && !short(node.Repl.With)
		case *syntax.Lit:
			m.braces += strings.Count(node.Value, "{")
		}
		return true
	})
	return m
}

// short says that a word is a short literal.
func short(word *syntax.Word) bool { return word == nil || word.Lit() != "" && len(word.Lit()) <= 16 }

// multiplies says whether it may expand to much more than its variables hold.
func (m measured) multiplies() bool {
	return m.expansions > 8 || m.replaces || m.expansions > 0 && m.braces > 0
}

// fitted is a statement with a look, before it, at what it will expand to.
func (m measured) fitted(statement *syntax.Stmt) syntax.Command {
	own := *statement
	own.Background, own.Disown, own.Comments = false, false, nil
	kind := "sum"
	switch {
	case m.replaces:
		kind = "product"
	case m.braces > 0:
		kind = "braces"
	}
	look := command(statement.Position, fitsName, kind, strconv.Itoa(m.expansions), strings.Join(m.names, " "))
	if slices.ContainsFunc(m.names, func(name string) bool { return !syntax.ValidName(name) }) {
		all := &syntax.ParamExp{Dollar: statement.Position, Short: true, Param: &syntax.Lit{Value: "@"}}
		call := look.Cmd.(*syntax.CallExpr)
		call.Args = append(call.Args, &syntax.Word{Parts: []syntax.WordPart{&syntax.DblQuoted{Parts: []syntax.WordPart{all}}}})
	}
	return &syntax.Block{Lbrace: statement.Position, Rbrace: statement.End(), Stmts: []*syntax.Stmt{quietly(look), &own}}
}

// fits ends the shell if the next command would expand to too much:
// _SHELL_FITS HOW EXPANSIONS NAMES PARAMETER….
func (s *shell) fits(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	if len(args) < 4 {
		return interp.ExitStatus(2)
	}
	expansions, err := strconv.Atoi(args[2])
	if err != nil {
		return interp.ExitStatus(2)
	}
	largest := 0
	for _, name := range strings.Fields(args[3]) {
		if syntax.ValidName(name) {
			_, value := hc.Env.Get(name).Resolve(hc.Env)
			largest = max(largest, weight(value))
		}
	}
	parameters := 0
	for _, parameter := range args[4:] {
		parameters += len(parameter) + 16
	}
	largest = max(largest, parameters)
	const sequence = 16 << 10 // what the interpreter takes of a brace expansion at most
	switch expanded := float64(largest) * float64(expansions); {
	case args[1] == "product" && expanded*float64(largest) > maxExpanded, args[1] == "braces" && expanded*sequence > maxExpanded, expanded > maxExpanded:
		return s.end(ctx, 128+int(process.Kill), "out of memory")
	}
	return exit(hc.LastExitStatus)
}

// weight is what a variable takes, in bytes.
func weight(variable expand.Variable) int {
	size := len(variable.Str) + 16*len(variable.List)
	for _, element := range variable.List {
		size += len(element)
	}
	for key, element := range variable.Map {
		size += len(key) + len(element)
	}
	return size
}

// weigh ends the shell if its variables are too large. Its status is that of the
// command before it.
func (s *shell) weigh(ctx context.Context) error {
	hc := interp.HandlerCtx(ctx)
	total := 0
	for name, variable := range hc.Env.Each {
		if total += len(name) + weight(variable); total > maxVariables {
			return s.end(ctx, 128+int(process.Kill), "out of memory")
		}
	}
	return exit(hc.LastExitStatus)
}

// admit looks at a command before it starts: at how deep it is and how large.
func (s *shell) admit(ctx context.Context, args []string) error {
	if deep() {
		return s.end(ctx, segmentationFault, errTooDeep.Error())
	}
	size := 16 * len(args)
	for _, arg := range args {
		size += len(arg)
	}
	if collecting, is := interp.HandlerCtx(ctx).Stdout.(interface{ Len() int }); is {
		size = max(size, collecting.Len()) // the output of a substitution
	}
	if size > maxValue {
		return s.end(ctx, 128+int(process.Kill), "out of memory")
	}
	return nil
}

// collector is the output of a substitution as a program writes to it.
type collector struct {
	io.Writer
	size func() int
}

func (c collector) Write(text []byte) (int, error) {
	if c.size()+len(text) > maxValue {
		return 0, errors.New("out of memory")
	}
	return c.Writer.Write(text)
}

// recovering is a file that the interpreter copies in a goroutine of its own.
type recovering struct{ io.ReadWriteCloser }

func (r recovering) Read(into []byte) (n int, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			n, err = 0, errors.New(process.CrashText(problem))
		}
	}()
	return r.ReadWriteCloser.Read(into)
}

// bounded is the stream that a program gets.
func bounded(stream io.Writer) io.Writer {
	stream = bare(stream)
	if collecting, is := stream.(interface{ Len() int }); is {
		return collector{stream, collecting.Len}
	}
	return stream
}

// untraced is a stream of the shell, without the lines by which set -x tells of
// commands that no script has.
type untraced struct{ io.Writer }

func (u untraced) Write(text []byte) (int, error) {
	if bytes.HasPrefix(text, []byte("+ "+addedPrefix)) {
		return len(text), nil
	}
	return u.Writer.Write(text)
}

// bare is the stream itself.
func bare(stream io.Writer) io.Writer {
	if u, is := stream.(untraced); is {
		return u.Writer
	}
	return stream
}
