package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"svctour/cluster"
	"svctour/cluster/kubectl"
	"svctour/cluster/reach"
	"svctour/lab"
	"svctour/lessons"
	"svctour/model"
	"svctour/model/path"
	"svctour/ui"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// tourNamespaces are where lessons are played: the first that is free or ours.
var tourNamespaces = []string{"tour", "svctour-tour"}

// runTour opens the app. choice skips the picker, lessonID opens a lesson.
func runTour(ctx context.Context, g *globals, choice *shell.Choice, lessonID string) error {
	in, out := asTerminal(g.In), asTerminal(g.Out)
	if in == nil || out == nil {
		return usageError(errors.New("the tour needs a terminal. In a script use `svctour trace`, `svctour dns` or `svctour lesson ID --auto`"))
	}
	list, err := lessons.Builtin()
	if err != nil {
		return err
	}
	if lessonID != "" {
		if _, err := lessons.Find(list, lessonID); err != nil {
			return usageError(err)
		}
	}
	log, restore, err := quiet()
	if err != nil {
		return err
	}
	defer restore()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	backend := &backend{globals: g, ctx: ctx}
	defer backend.close()
	app := ui.New(ctx, ui.Options{
		Backend: backend, Lessons: list, Choice: choice, Lesson: lessonID, Seed: uint64(time.Now().UnixNano()),
		Theme: theme.Options{NoColor: g.NoColor, ASCII: asciiOnly()},
	})
	options := []tea.ProgramOption{tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out)}
	if g.NoColor {
		options = append(options, tea.WithColorProfile(colorprofile.Ascii))
	}
	_, err = tea.NewProgram(app, options...).Run()
	cancel()
	if session := app.Session(); session != nil {
		session.Close()
	}
	backend.close()
	for _, u := range app.Unsaved() {
		if err := backend.SaveProgress(u.Cluster, u.Progress); err != nil {
			fmt.Fprintf(g.Err, "svctour: progress was not saved: %v\n", err)
		}
	}
	for _, text := range app.Farewell() {
		fmt.Fprintln(g.Out, model.Printable(text))
	}
	return tourEnd(err, log)
}

// tourEnd is what the end of Bubble Tea's loop comes to: nil when somebody ended
// it. ErrProgramKilled says nothing of that: it also wraps the end of a context,
// every error of the loop, and a panic, whose trace is in the log then.
func tourEnd(err error, log string) error {
	switch {
	case err == nil || errors.Is(err, tea.ErrInterrupted) || errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, tea.ErrProgramPanic):
		awaitTrace(log)
		return fmt.Errorf("the tour has crashed; where is written in %s", log)
	}
	return fmt.Errorf("run the tour: %w (more may be in %s)", err, log)
}

// traceTime is how long a panic's trace is waited for.
const traceTime = time.Second

// awaitTrace waits until Bubble Tea has written the trace of a panic to the log:
// of one in a command it does so only after it has ended the program.
func awaitTrace(log string) {
	for deadline := time.Now().Add(traceTime); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(log)
		_, trace, begun := strings.Cut(string(text), "Caught panic:")
		if err != nil || begun && strings.Contains(trace, "goroutine ") {
			return
		}
	}
}

// tourChoice is the cluster that flags name; nil leaves it to the picker.
func tourChoice(g *globals, useLab bool) (*shell.Choice, error) {
	switch {
	case useLab && (g.Context != "" || g.Kubeconfig != ""):
		return nil, usageError(errors.New("--lab and --context (or --kubeconfig) exclude each other"))
	case useLab:
		return &shell.Choice{Lab: true}, nil
	case g.Context == "" && g.Kubeconfig == "":
		return nil, nil
	}
	contexts, err := cluster.Contexts(cluster.Options{Kubeconfig: g.Kubeconfig, Context: g.Context, Namespace: g.Namespace})
	if err != nil {
		return nil, usageError(cluster.ExplainError(err))
	}
	if g.Context == "" {
		return nil, nil
	}
	var names []string
	for _, c := range contexts {
		if c.Name == g.Context {
			return &shell.Choice{Context: c.Name, Server: c.Server, Namespace: c.Namespace, Current: c.Current}, nil
		}
		names = append(names, fmt.Sprintf("%q", c.Name))
	}
	return nil, usageError(fmt.Errorf("there is no context %q in the kubeconfig; it has %s", g.Context, strings.Join(names, ", ")))
}

// asTerminal gives the file behind a stream if it is a terminal.
func asTerminal(stream any) *os.File {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	return file
}

// asciiOnly says whether the locale names a character set other than UTF-8.
func asciiOnly() bool {
	if runtime.GOOS == "windows" {
		return false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToUpper(os.Getenv(name)); value != "" {
			return !strings.Contains(value, "UTF-8") && !strings.Contains(value, "UTF8")
		}
	}
	return false
}

// backend is the app's way out: to the lab, to clusters, to the disk.
type backend struct {
	globals *globals
	ctx     context.Context // of the program

	mu      sync.Mutex
	process *lab.Process // the lab this program started; nil when it did not
	kept    bool
}

// close ends the lab that this program started, unless it is to be kept.
func (b *backend) close() {
	b.mu.Lock()
	process, kept := b.process, b.kept
	b.process = nil
	b.mu.Unlock()
	if process == nil || kept {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := process.Stop(ctx); err != nil {
		fmt.Fprintf(b.globals.Err, "svctour: stop the lab: %v\n", err)
	}
}

func (b *backend) Choices(context.Context) ([]shell.Choice, error) {
	choices := []shell.Choice{{Lab: true}}
	if dir, err := labDir(); err == nil {
		if status, err := lab.ReadStatus(dir); err == nil {
			choices[0].Running = status.Running
		}
	}
	contexts, err := cluster.Contexts(cluster.Options{Kubeconfig: b.globals.Kubeconfig})
	for _, c := range contexts {
		choices = append(choices, shell.Choice{Context: c.Name, Server: c.Server, Namespace: c.Namespace, Current: c.Current, Plugin: c.Plugin})
	}
	var none *cluster.NoKubeconfigError
	if errors.As(err, &none) && none.Err == nil {
		return choices, nil // nothing to choose besides the lab, and nothing wrong with that
	}
	return choices, cluster.ExplainError(err)
}

// options choose a cluster. It is an error to choose a lab that does not run:
// an empty path would be the person's own current context.
func (b *backend) options(c shell.Choice) (cluster.Options, error) {
	if !c.Lab {
		return cluster.Options{Kubeconfig: b.globals.Kubeconfig, Context: c.Context, Namespace: b.globals.Namespace, Diagnose: true, TerminalTaken: true}, nil
	}
	dir, err := labDir()
	if err != nil {
		return cluster.Options{}, err
	}
	status, err := lab.ReadStatus(dir)
	switch {
	case err != nil:
		return cluster.Options{}, err
	case !status.Running || status.Kubeconfig == "":
		return cluster.Options{}, lab.ErrNotRunning
	}
	return cluster.Options{Kubeconfig: status.Kubeconfig, Lab: true, Diagnose: true, TerminalTaken: true}, nil
}

func (b *backend) Probe(ctx context.Context, c shell.Choice) (string, error) {
	o, err := b.options(c)
	if err != nil {
		return "", err
	}
	version, err := cluster.Probe(ctx, o)
	if err != nil {
		return "", cluster.ExplainError(err)
	}
	return version, nil
}

func (b *backend) StartLab(ctx context.Context, report func(shell.Stage)) (bool, error) {
	dir, err := labDir()
	if err != nil {
		return false, err
	}
	if status, err := lab.ReadStatus(dir); err == nil && status.Running {
		return false, nil
	}
	executable, err := os.Executable()
	if err != nil {
		return false, fmt.Errorf("find this program, to start the lab: %w", err)
	}
	process, err := lab.Start(ctx, lab.StartOptions{Executable: executable, Dir: dir, Progress: func(s lab.Stage) {
		report(shell.Stage{Name: s.Name, Done: s.Done})
	}})
	if err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.process = process
	if b.ctx.Err() != nil { // the program ended meanwhile: close has been here already
		b.process = nil
		return false, errors.Join(b.ctx.Err(), process.Stop(context.WithoutCancel(ctx)))
	}
	return true, nil
}

func (b *backend) LabEnded(ctx context.Context) error {
	b.mu.Lock()
	process := b.process
	b.mu.Unlock()
	if process == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-process.Done():
		return process.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *backend) KeepLab() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return nil
	}
	if err := b.process.Keep(); err != nil {
		return err
	}
	b.kept = true
	return nil
}

func (b *backend) Connect(ctx context.Context, c shell.Choice) (shell.Session, error) {
	o, err := b.options(c)
	if err != nil {
		return nil, err
	}
	connection, err := cluster.Connect(ctx, o)
	if err != nil {
		return nil, cluster.ExplainError(err)
	}
	return &session{Connection: connection}, nil
}

// session narrows a connection to what the app may do with it.
type session struct {
	*cluster.Connection

	mu   sync.Mutex
	made string // the namespace that EnsureNamespace gave; "" before
}

func (s *session) EnsureNamespace(ctx context.Context) (string, error) {
	name, err := s.Connection.EnsureNamespace(ctx, tourNamespaces...)
	if err == nil {
		s.mu.Lock()
		s.made = name
		s.mu.Unlock()
	}
	return name, err
}

// Kubectl runs in a namespace unless the command names one itself.
func (s *session) Kubectl(ctx context.Context, namespace string, args []string, stdin string) model.Reply {
	return kubectl.Runner{Connection: s.Connection}.Run(ctx, namespace, args, stdin)
}

// Terminal runs where Kubectl does.
func (s *session) Terminal(ctx context.Context, namespace string, args []string) (shell.Child, error) {
	return kubectl.Runner{Connection: s.Connection}.Terminal(ctx, namespace, args)
}

// Observe lists a node's rules.
func (s *session) Observe(ctx context.Context, ask path.Ask, take func(path.Listing) error) error {
	return reach.Observe(ctx, s.Connection, ask, take)
}

// Clean removes the tour's namespace and no other of svctour's: a proof of
// lessons, a probe, or somebody else's tour may be at work there.
func (s *session) Clean(ctx context.Context) error {
	s.mu.Lock()
	made := s.made
	s.mu.Unlock()
	if made == "" {
		return nil
	}
	_, err := s.Connection.Clean(ctx, []string{made}, true)
	return err
}

// progressFile keeps the lessons' progress of one cluster.
func progressFile(cluster string) (string, error) {
	dir, err := stateDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(cluster))
	return filepath.Join(dir, "progress", hex.EncodeToString(sum[:8])+".json"), nil
}

func (b *backend) LoadProgress(cluster string) (map[string]lessons.Progress, error) {
	name, err := progressFile(cluster)
	if err != nil {
		return nil, err
	}
	progress := map[string]lessons.Progress{}
	data, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return progress, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &progress); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return progress, nil
}

func (b *backend) SaveProgress(cluster string, p lessons.Progress) error {
	b.mu.Lock() // saves come from commands, which run side by side
	defer b.mu.Unlock()
	progress, err := b.LoadProgress(cluster)
	if err != nil {
		progress = map[string]lessons.Progress{}
	}
	progress[p.Lesson] = p
	data, err := json.MarshalIndent(progress, "", "  ")
	if err != nil {
		return err
	}
	name, err := progressFile(cluster)
	if err != nil {
		return err
	}
	return writeFile(name, data)
}

// writeFile replaces a file in one step, readable by its owner alone.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
