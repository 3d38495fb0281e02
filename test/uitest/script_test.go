package uitest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent(),
		// It hands what the terminal has said to a program that has ended, for ever.
		goleak.IgnoreAnyFunction("github.com/charmbracelet/ultraviolet.(*TerminalReader).sendEvents"))
}

// TestScripts runs every script over the real program on an emulated terminal.
// README.md beside the scripts describes their commands.
func TestScripts(t *testing.T) {
	manifests, err := filepath.Abs(filepath.Join("testdata", "cluster"))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			s := &session{backend: uitest.NewBackend()}
			env.Values[key{}] = s
			env.Vars = append(env.Vars, "CLUSTER="+manifests)
			env.Defer(s.close)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"context": command(foreign), "escaped": command(escaped), "start": command(start), "cluster": command(showCluster), "frozen": command(frozen),
			"press": command(press), "type": command(typeText), "click": command(click), "await": await, "pass": command(pass),
			"resize": command(resize), "background": command(background), "reply": command(reply), "fail": command(fail),
			"hold": command(hold), "release": command(release), "endlab": command(endLab), "ran": command(ran),
			"snapshot": command(snapshot), "style": command(style), "written": command(written), "quits": command(quits), "left": command(left),
		},
	})
}

// key is of the session among a script's values.
type key struct{}

// session is what a script works with.
type session struct {
	backend  *uitest.Backend
	terminal *uitest.Terminal // nil before start
	contexts []shell.Choice
	objects  []any
	shown    uint64 // pictures of the cluster
	heard    int    // commands that were told by ran
	replies  replies
}

// replies are what kubectl answers to its verbs; "" stands for all others. They
// do not change.
type replies map[string]model.Reply

func (r replies) answer(args []string, _ string) model.Reply {
	if reply, ok := r[args[0]]; ok {
		return reply
	}
	return r[""]
}

func (s *session) close() {
	if s.terminal != nil {
		s.terminal.Close()
	}
}

// command makes a command of a script, one that cannot be negated.
func command(do func(ts *testscript.TestScript, s *session, args []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		ts.Check(do(ts, ts.Value(key{}).(*session), args))
	}
}

// escaped FILE…: a backslash escape of a file's becomes what it stands for in Go.
func escaped(ts *testscript.TestScript, _ *session, args []string) error {
	for _, file := range args {
		var out strings.Builder
		for line := range strings.Lines(ts.ReadFile(file)) {
			text, err := unescaped(strings.TrimSuffix(line, "\n"))
			if err != nil {
				return err
			}
			out.WriteString(text + "\n")
		}
		if err := os.WriteFile(ts.MkAbs(file), []byte(out.String()), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func unescaped(text string) (string, error) { return strconv.Unquote(`"` + text + `"`) }

// context NAME SERVER [PLUGIN], with escapes
func foreign(_ *testscript.TestScript, s *session, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: context NAME SERVER [PLUGIN]")
	}
	for i := range args {
		var err error
		if args[i], err = unescaped(args[i]); err != nil {
			return err
		}
	}
	choice := shell.Choice{Context: args[0], Server: args[1]}
	if len(args) > 2 {
		choice.Plugin = args[2]
	}
	s.contexts = append(s.contexts, choice)
	s.backend.SetContexts(s.contexts...)
	return nil
}

// start W H [lab | context NAME] [nocolor] [ascii]
func start(_ *testscript.TestScript, s *session, args []string) error {
	w, h, err := size(args)
	if err != nil {
		return err
	}
	options, profile, wide := ui.Options{}, colorprofile.TrueColor, false
	for args := args[2:]; len(args) > 0; args = args[1:] {
		switch args[0] {
		case "lab":
			options.Choice = &shell.Choice{Lab: true}
		case "context":
			at := slices.IndexFunc(s.contexts, func(c shell.Choice) bool { return len(args) > 1 && c.Context == args[1] })
			if at < 0 {
				return fmt.Errorf("there is no such context: %q", args)
			}
			options.Choice, args = &s.contexts[at], args[1:]
		case "nocolor":
			profile = colorprofile.Ascii
		case "ascii":
			options.Theme = theme.Options{ASCII: true}
		case "wide":
			wide = true
		default:
			return fmt.Errorf("start does not know %q", args[0])
		}
	}
	s.terminal, err = uitest.Start(s.backend, w, h, wide, profile, options)
	return err
}

func size(args []string) (w, h int, err error) {
	if len(args) < 2 {
		return 0, 0, errors.New("a size is W H")
	}
	if w, err = strconv.Atoi(args[0]); err != nil {
		return 0, 0, err
	}
	h, err = strconv.Atoi(args[1])
	return w, h, err
}

// cluster [FILE…]
func showCluster(ts *testscript.TestScript, s *session, args []string) error {
	s.objects = nil
	for _, file := range args {
		objects, err := uitest.Decode(ts.ReadFile(file))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		s.objects = append(s.objects, objects...)
	}
	return s.give("")
}

// frozen SENTENCE, with escapes
func frozen(_ *testscript.TestScript, s *session, args []string) error {
	sentence, err := unescaped(strings.Join(args, " "))
	if err != nil {
		return err
	}
	return s.give(sentence)
}

// give shows the cluster as it is; trouble says why it is not live.
func (s *session) give(trouble string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s.shown++
	picture := *uitest.World(s.objects...)
	picture.Sequence, picture.Sync.Err = s.shown, trouble
	return s.backend.Give(ctx, model.NewSnapshot(picture))
}

// press KEY…
func press(_ *testscript.TestScript, s *session, args []string) error {
	for _, k := range args {
		if err := s.terminal.Press(k); err != nil {
			return err
		}
	}
	return nil
}

// type TEXT
func typeText(_ *testscript.TestScript, s *session, args []string) error {
	for _, r := range strings.Join(args, " ") {
		k := string(r)
		if k == " " {
			k = "space"
		}
		if err := s.terminal.Press(k); err != nil {
			return err
		}
	}
	return nil
}

// click TEXT
func click(_ *testscript.TestScript, s *session, args []string) error {
	return s.terminal.Click(strings.Join(args, " "))
}

// [!] await TEXT…
func await(ts *testscript.TestScript, neg bool, args []string) {
	for _, text := range args {
		ts.Check(ts.Value(key{}).(*session).terminal.Await(text, neg))
	}
}

// pass DURATION
func pass(_ *testscript.TestScript, s *session, args []string) error {
	by, err := time.ParseDuration(strings.Join(args, ""))
	s.terminal.Pass(by)
	return err
}

// resize W H
func resize(_ *testscript.TestScript, s *session, args []string) error {
	w, h, err := size(args)
	if err == nil {
		s.terminal.Resize(w, h)
	}
	return err
}

// background light|dark
func background(_ *testscript.TestScript, s *session, args []string) error {
	return s.terminal.Background(slices.Equal(args, []string{"light"}))
}

// reply FILE [VERB…]
func reply(ts *testscript.TestScript, s *session, args []string) error {
	return s.reply(ts, args, func(text string) model.Reply { return model.Reply{Stdout: text} })
}

// fail FILE [VERB…]
func fail(ts *testscript.TestScript, s *session, args []string) error {
	return s.reply(ts, args, func(text string) model.Reply { return model.Reply{Stderr: text, Exit: 1} })
}

func (s *session) reply(ts *testscript.TestScript, args []string, of func(text string) model.Reply) error {
	if len(args) == 0 {
		return errors.New("usage: FILE [VERB…]")
	}
	next, answer := replies{}, of(ts.ReadFile(args[0]))
	if len(args) == 1 {
		next[""] = answer
	} else {
		maps.Copy(next, s.replies)
	}
	for _, verb := range args[1:] {
		next[verb] = answer
	}
	s.replies = next
	s.backend.SetAnswer(next.answer)
	return nil
}

func hold(_ *testscript.TestScript, s *session, _ []string) error {
	s.backend.Hold()
	return nil
}

func release(_ *testscript.TestScript, s *session, _ []string) error {
	s.backend.Release()
	return nil
}

// endlab WHY
func endLab(_ *testscript.TestScript, s *session, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.backend.EndLab(ctx, errors.New(strings.Join(args, " ")))
}

// ran prints the kubectl commands since the last time, with their namespace.
func ran(ts *testscript.TestScript, s *session, _ []string) error {
	all, out := s.backend.Ran(), ts.Stdout()
	for _, args := range all[s.heard:] {
		fmt.Fprintf(out, "%s: %s\n", args[0], strings.Join(args[1:], " "))
	}
	s.heard = len(all)
	return nil
}

// snapshot prints the screen once nothing moves.
func snapshot(ts *testscript.TestScript, s *session, _ []string) error {
	text, err := s.terminal.Settled()
	fmt.Fprintln(ts.Stdout(), text)
	return err
}

// style TEXT [#rrggbb]
func style(ts *testscript.TestScript, s *session, args []string) error {
	switch len(args) {
	case 1:
		if err := s.terminal.Await(args[0], false); err != nil {
			return err
		}
		fmt.Fprintln(ts.Stdout(), s.terminal.Style(args[0]))
		return nil
	case 2:
		return s.terminal.AwaitStyle(args[0], args[1])
	}
	return errors.New("usage: style TEXT [#rrggbb]")
}

// written prints, quoted, what the program has written.
func written(ts *testscript.TestScript, s *session, _ []string) error {
	fmt.Fprintf(ts.Stdout(), "%q\n", s.terminal.Written())
	return nil
}

// quits waits for the program's end and prints its farewell, as the command line does.
func quits(ts *testscript.TestScript, s *session, _ []string) error {
	farewell, err := s.terminal.Farewell()
	out := ts.Stdout()
	for _, line := range farewell {
		fmt.Fprintln(out, model.Printable(line))
	}
	return err
}

// left prints what becomes of the lab and of what was made.
func left(ts *testscript.TestScript, s *session, _ []string) error {
	fmt.Fprintf(ts.Stdout(), "namespaces made: %d\nremoved: %v\nlab kept: %v\n", s.backend.Namespaces(), s.backend.Cleaned(), s.backend.Kept())
	return nil
}
