// Command screens takes the pictures of docs/screens.md: it brings about each
// state of a Service on a lab, has the app draw it there, and writes the page.
//
//	go run ./test/screens -o docs/screens
//	go run ./test/screens -o /tmp/screens -only dns-down
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"svctour/desk"
	"svctour/lessons"
	"svctour/test/drive"
)

// size is that of a screen, in cells.
type size struct{ w, h int }

func (s size) String() string { return fmt.Sprintf("%dx%d", s.w, s.h) }

// sizes are a small terminal, a usual one, and a projector.
func sizes() []size { return []size{{80, 24}, {120, 40}, {200, 60}} }

// patience bounds one state, on a slow machine.
const patience = 3 * time.Minute

func main() {
	out := flag.String("o", "docs/screens", "the folder of the pictures; the page is written beside it")
	only := flag.String("only", "", "take only the pictures whose names begin so, and leave the page as it is")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *out, *only)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, only string) error {
	l, err := load(filepath.Join(drive.Module(), "test", "screens", "states"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	wanted := slices.DeleteFunc(states(), func(s state) bool { return !strings.HasPrefix(s.name, only) })
	byNodes := slices.SortedStableFunc(slices.Values(wanted), func(a, b state) int { return cmp.Compare(a.nodes, b.nodes) })
	for len(byNodes) > 0 {
		n := slices.IndexFunc(byNodes, func(s state) bool { return s.nodes != byNodes[0].nodes })
		if n < 0 {
			n = len(byNodes)
		}
		if err := onLab(ctx, l, byNodes[:n], out); err != nil {
			return err
		}
		byNodes = byNodes[n:]
	}
	if only != "" {
		return nil
	}
	return os.WriteFile(filepath.Join(filepath.Dir(filepath.Clean(out)), "screens.md"), page(states(), filepath.Base(out)), 0o644)
}

func load(folder string) (*lessons.Lesson, error) {
	list, err := lessons.Load(os.DirFS(folder))
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// onLab takes the pictures of states that want the same number of nodes.
func onLab(ctx context.Context, l *lessons.Lesson, wanted []state, out string) (err error) {
	var args []string
	if n := wanted[0].nodes; n > 0 {
		args = []string{fmt.Sprintf("--nodes=%d", n)}
	}
	cluster, err := drive.Up(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cluster.Lab.Down()) }()
	for _, s := range wanted {
		began := time.Now()
		if err := take(ctx, cluster.Lab, l, s, out); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Printf("%-22s %.1f s\n", s.name, time.Since(began).Seconds())
	}
	return nil
}

// take brings a state about, takes its pictures and removes it.
func take(ctx context.Context, lab *drive.Lab, l *lessons.Lesson, s state, out string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := runAll(ctx, lab, s.before); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, runAll(context.WithoutCancel(ctx), lab, s.after)) }()
	d := desk.New(desk.Options{
		Environment: append(os.Environ(), "SVCTOUR_HOME="+lab.Home, "KUBECONFIG="), Executable: lab.Binary, LabDir: filepath.Join(lab.Home, "lab"),
		Namespaces: []string{"tour"}, Rights: desk.Everything(), // no one else is on this lab
	})
	step := stepOf(l, s.step)
	if step < 0 {
		return fmt.Errorf("there is no step %q", s.step)
	}
	open := d.Still(ctx, l, step, false)
	open.Resize(sizes()[0].w, sizes()[0].h)
	defer func() {
		err = errors.Join(err, runAll(context.WithoutCancel(ctx), lab, s.leave), open.Close())
	}()
	if err := open.Ready(ctx); err != nil {
		return err
	}
	for _, key := range s.keys {
		if err := open.Press(key); err != nil {
			return err
		}
	}
	for _, size := range sizes() {
		if err := draw(ctx, open, s, size, out); err != nil {
			return err
		}
	}
	return nil
}

// draw takes the pictures of one size, on a dark and on a light background.
func draw(ctx context.Context, open *desk.Still, s state, size size, out string) error {
	open.Resize(size.w, size.h)
	if err := open.Ready(ctx); err != nil {
		return err
	}
	if err := open.At(ctx, s.at); err != nil {
		return err
	}
	for _, light := range []bool{false, true} {
		open.Background(light)
		if err := os.WriteFile(filepath.Join(out, fileOf(s, size, light)), open.SVG(s.caption), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// runAll runs commands of svctour's one after the other.
func runAll(ctx context.Context, lab *drive.Lab, commands [][]string) error {
	for _, args := range commands {
		if out, code, err := lab.Run(ctx, args...); err != nil || code != 0 {
			return errors.Join(fmt.Errorf("svctour %q: exit code %d\n%s", args, code, out), err)
		}
	}
	return nil
}

// fileOf is the name of a picture's file.
func fileOf(s state, size size, light bool) string {
	background := "dark"
	if light {
		background = "light"
	}
	return fmt.Sprintf("%s-%s-%s.svg", s.name, size, background)
}
