package shell

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
	"mvdan.cc/sh/v3/syntax"
)

// keyboard is a terminal for the line editor: Ctrl-C empties the line and ends
// it, where the editor alone would end the input.
type keyboard struct {
	s           *shell
	interrupted bool
}

func (k *keyboard) Read(into []byte) (int, error) {
	buffer := make([]byte, max(1, len(into)/8))
	n, err := k.s.p.Stdin.Read(buffer)
	out := into[:0]
	for _, b := range buffer[:n] {
		if b == 3 {
			k.interrupted = true
			_, _ = io.WriteString(k.s.p.Terminal, "^C")
			out = append(out, 5, 21, '\r') // to the end, kill to the start, enter
			continue
		}
		out = append(out, b)
	}
	return len(out), err
}

func (k *keyboard) Write(text []byte) (int, error) { return k.s.p.Terminal.Write(text) }

// prompt reads and runs command lines from the terminal.
func (s *shell) prompt() int {
	terminal := s.p.Terminal
	keys := &keyboard{s: s}
	editor := term.NewTerminal(keys, "")
	editor.AutoCompleteCallback = s.complete
	status, text := 0, ""
	for s.ctx.Err() == nil {
		editor.SetPrompt(s.ps(text != ""))
		if size := terminal.Size(); size.Columns > 0 && size.Rows > 0 {
			_ = editor.SetSize(size.Columns, size.Rows)
		}
		terminal.SetRaw(true)
		s.settle()
		s.interrupted.Store(false) // from here on Ctrl-C is for the line being typed
		line, err := editor.ReadLine()
		terminal.SetRaw(false)
		if keys.interrupted {
			keys.interrupted, text, status = false, "", 130
			continue
		}
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			if s.ctx.Err() == nil {
				_, _ = io.WriteString(terminal, "\n")
			}
			break
		}
		text += line + "\n"
		file, problem := s.parse(text)
		if problem != nil && syntax.IsIncomplete(problem) {
			continue
		}
		text = ""
		if problem != nil {
			_, _ = fmt.Fprintf(terminal, "%s: syntax error: %v\n", s.name, problem)
			status = 2
			continue
		}
		for _, statement := range file.Stmts {
			status = s.run(statement)
			s.settle()
			if s.runner.Exited() && !s.interrupted.Load() {
				return status
			}
			if s.interrupted.Load() {
				_, _ = io.WriteString(terminal, "\n")
				break
			}
		}
	}
	return status
}

// ps is the prompt: PS1 with bash's and ash's \h, \u, \w, \W and \$, PS2 within
// a command.
func (s *shell) ps(more bool) string {
	name, text := "PS1", `\w \$ `
	if more {
		name, text = "PS2", "> "
	}
	if v, set := s.runner.Vars[name]; set {
		text = v.String()
	} else if value, set := s.p.Lookup(name); set {
		text = value
	}
	dir := s.runner.Dir
	base := dir[strings.LastIndexByte(dir, '/')+1:]
	if base == "" {
		base = "/"
	}
	host := ""
	if s.p.Machine != nil {
		host = s.p.Machine.Hostname
	}
	short := dir
	if rest, below := strings.CutPrefix(dir, "/root"); below && (rest == "" || rest[0] == '/') {
		short = "~" + rest
	}
	return strings.NewReplacer(`\h`, host, `\H`, host, `\u`, "root", `\w`, short, `\W`, base, `\$`, "#", `\n`, "\n", `\e`, "\x1b", `\[`, "", `\]`, "", `\\`, `\`).Replace(text)
}

// complete completes a file's name at the end of the line on Tab.
func (s *shell) complete(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		return "", 0, false
	}
	start := strings.LastIndexAny(line[:pos], " \t=><|;&") + 1
	word := line[start:pos]
	folder, prefix := "", word
	if slash := strings.LastIndexByte(word, '/'); slash >= 0 {
		folder, prefix = word[:slash+1], word[slash+1:]
	}
	p := *s.p
	p.Dir = s.runner.Dir
	common, count := "", 0
	if directory, err := p.Open(p.Path("./" + map[bool]string{true: folder, false: "."}[folder != ""])); err == nil && !strings.HasPrefix(folder, "/") {
		common, count = matches(directory, prefix)
	} else if directory, err := p.Open(folder); folder != "" && err == nil {
		common, count = matches(directory, prefix)
	}
	if count == 0 {
		return line, pos, true
	}
	if count == 1 {
		if info, err := p.Files.Stat(p.Path(folder + common)); err == nil && info.IsDir() {
			common += "/"
		} else {
			common += " "
		}
	}
	done := line[:start] + folder + common
	return done + line[pos:], len(done), true
}

type lister interface {
	Readdirnames(int) ([]string, error)
	Close() error
}

// matches is the longest common start of the names with a prefix, and their number.
func matches(directory lister, prefix string) (common string, count int) {
	defer func() { _ = directory.Close() }()
	names, _ := directory.Readdirnames(-1)
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) || prefix == "" && strings.HasPrefix(name, ".") {
			continue
		}
		if count++; count == 1 {
			common = name
			continue
		}
		for !strings.HasPrefix(name, common) {
			common = common[:len(common)-1]
		}
	}
	return common, count
}
