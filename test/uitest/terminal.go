package uitest

import (
	"bytes"
	"context"
	"fmt"
	"image/color"
	"io"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"svctour/ui"
)

// hurry is how many times faster than in reality timers go.
const hurry = 10

// Terminal is the real program, its renderer and its event loop, on an emulated
// terminal. It is worked by keys, and read from the screen.
type Terminal struct {
	Backend *Backend

	app     *ui.App
	program *tea.Program
	end     context.CancelFunc
	keys    *inbox        // what the terminal sends
	ended   chan struct{} // closed when the program has ended
	pumped  chan struct{} // closed when the terminal answers nothing any more
	err     error         // of the program, once it has ended

	mu      sync.Mutex
	changed *sync.Cond // something was written, or has happened
	changes int
	screen  *vt.Emulator
	wide    bool         // draws characters of ambiguous width on two columns
	written bytes.Buffer // all of it
	pressed int          // keys and clicks that the program has taken in
	sent    int          // keys and clicks
	now     time.Time    // for the program; see Start
	running int          // commands whose message the app has not been given yet
	parked  int          // those of them that wait for what the test does, or for a timer
}

// Start starts the program on a terminal of w×h cells with a dark background,
// which with wide draws characters of ambiguous width two columns wide.
// Its timers go faster than in reality. What it reads from the clock, such as
// how long a question has stood, goes on by Pass, and by some milliseconds a frame.
func Start(backend *Backend, w, h int, wide bool, profile colorprofile.Profile, options ui.Options) (*Terminal, error) {
	if options.Lessons == nil {
		list, err := Lessons()
		if err != nil {
			return nil, err
		}
		options.Lessons = list
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &Terminal{
		Backend: backend, end: cancel, keys: newInbox(), ended: make(chan struct{}), pumped: make(chan struct{}),
		screen: vt.NewEmulator(w, h), wide: wide, now: Epoch,
	}
	t.changed = sync.NewCond(&t.mu)
	backend.parked = t.parks
	options.Backend, options.Seed = backend, 1
	options.Now = func() time.Time {
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.now
	}
	options.Timer = func(after time.Duration, fire func(time.Time) tea.Msg) tea.Cmd {
		if after < aFrame {
			t.Pass(after)
			return func() tea.Msg { return fire(options.Now()) }
		}
		return func() tea.Msg {
			t.parks(1)
			defer t.parks(-1)
			timer := time.NewTimer(after / hurry)
			defer timer.Stop()
			select {
			case at := <-timer.C:
				return fire(at)
			case <-ctx.Done():
				return nil
			}
		}
	}
	t.app = ui.New(ctx, options)
	t.program = tea.NewProgram(counting{t.app, t}, tea.WithContext(ctx), tea.WithInput(t.keys), tea.WithOutput(t),
		tea.WithEnvironment([]string{"TERM=xterm-256color"}), tea.WithWindowSize(w, h), tea.WithColorProfile(profile),
		tea.WithoutSignalHandler(), tea.WithFilter(t.filter))
	go func() { // what the terminal answers to questions
		defer close(t.pumped)
		io.Copy(t.keys, t.screen)
	}()
	go func() {
		_, t.err = t.program.Run()
		close(t.ended)
		t.happened()
	}()
	return t, nil
}

// Close ends the program, if it has not ended, and everything that it began.
func (t *Terminal) Close() error {
	t.end()
	<-t.ended
	t.keys.Close()
	err := t.screen.InputPipe().(io.Closer).Close()
	<-t.pumped
	return err
}

// Write is how the program writes to the terminal. A program whose input is no
// terminal leaves the terminal's line discipline as it is: that makes a carriage
// return and a newline of every newline (termios(3), ONLCR).
func (t *Terminal) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.written.Write(p)
	drawn := bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))
	if t.wide {
		drawn = widened(drawn)
	}
	_, err := t.screen.Write(drawn)
	t.changes++
	t.changed.Broadcast()
	return len(p), err
}

// widened adds a second column to each character of ambiguous width: to all that
// are no ASCII and not wide anyway.
func widened(p []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(p) {
		out.WriteRune(r)
		if r > unicode.MaxASCII && ansi.StringWidth(string(r)) == 1 {
			out.WriteByte(' ')
		}
	}
	return out.Bytes()
}

// happened tells those who wait that something has changed.
func (t *Terminal) happened() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changes++
	t.changed.Broadcast()
}

// question is asked on the program's own goroutine.
type question struct {
	ask      func()
	answered chan struct{}
}

// counting is the app whose commands are counted.
type counting struct {
	tea.Model
	t *Terminal
}

// Init implements tea.Model.
func (c counting) Init() tea.Cmd { return c.t.count(c.Model.Init()) }

// Update implements tea.Model.
func (c counting) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	model, cmd := c.Model.Update(msg)
	return counting{model, c.t}, c.t.count(cmd)
}

// done is the message of a command that was counted.
type done struct{ msg tea.Msg }

// count counts a command, from now until the app is given its message.
func (t *Terminal) count(cmd tea.Cmd) tea.Cmd {
	if cmd == nil {
		return nil
	}
	t.runs(1)
	return func() tea.Msg {
		msg := cmd()
		list := reflect.ValueOf(msg)
		if msg != nil && list.Kind() == reflect.Slice && list.Type().Elem() == reflect.TypeFor[tea.Cmd]() { // a batch or a sequence
			for i := range list.Len() {
				list.Index(i).Set(reflect.ValueOf(t.count(list.Index(i).Interface().(tea.Cmd))))
			}
		} else if msg != nil {
			return done{msg}
		}
		t.runs(-1)
		return msg
	}
}

func (t *Terminal) runs(by int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running += by
	t.changes++
	t.changed.Broadcast()
}

func (t *Terminal) parks(by int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parked += by
	t.changes++
	t.changed.Broadcast()
}

// filter sees every message before the app does.
func (t *Terminal) filter(_ tea.Model, msg tea.Msg) tea.Msg {
	if counted, ok := msg.(done); ok {
		t.runs(-1)
		msg = counted.msg
	}
	switch msg := msg.(type) {
	case question:
		msg.ask()
		close(msg.answered)
		return nil
	case tea.KeyPressMsg, tea.MouseClickMsg:
		t.mu.Lock()
		t.pressed++
		t.mu.Unlock()
	}
	t.happened()
	return msg
}

// ask runs a question between two messages: what was handled before has been
// drawn. It says whether the program still runs.
func (t *Terminal) ask(ask func()) bool {
	q := question{ask, make(chan struct{})}
	t.program.Send(q)
	select {
	case <-q.answered:
		return true
	case <-t.ended:
		return false
	}
}

// until waits until a condition holds, which is asked after each change while the
// terminal is locked. When it gives up it shows the screen.
func (t *Terminal) until(what string, holds func() bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	defer context.AfterFunc(ctx, t.happened)()
	t.mu.Lock()
	defer t.mu.Unlock()
	for !holds() {
		select {
		case <-t.ended:
			return fmt.Errorf("the program has ended, and %s has not come; %v\n%s", what, t.err, t.text())
		case <-ctx.Done():
			return fmt.Errorf("%s has not come in %v:\n%s", what, patience, t.text())
		default:
			t.changed.Wait()
		}
	}
	return nil
}

// text is the screen's text; the terminal is locked.
func (t *Terminal) text() string {
	lines := strings.Split(t.screen.String(), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// Await waits until the screen has a text, or with gone until it has it not.
func (t *Terminal) Await(text string, gone bool) error {
	what := fmt.Sprintf("%q", text)
	if gone {
		what = "a screen without " + what
	}
	return t.until(what, func() bool { return strings.Contains(t.text(), text) != gone })
}

// AwaitWritten waits until the program has written some bytes.
func (t *Terminal) AwaitWritten(text string) error {
	return t.until(fmt.Sprintf("%q", text), func() bool { return strings.Contains(t.written.String(), text) })
}

// AwaitStyle waits until a text stands on the screen in a style.
func (t *Terminal) AwaitStyle(text, style string) error {
	return t.until(fmt.Sprintf("%q in %s", text, style), func() bool { return t.styleOf(text) == style })
}

// styleOf is the colour of a text's first cell; "" when it is not on the screen.
func (t *Terminal) styleOf(text string) string {
	x, y, ok := t.find(text)
	if !ok {
		return ""
	}
	cell := t.screen.CellAt(x, y)
	if cell == nil || cell.Style.Fg == nil {
		return "plain"
	}
	r, g, b, _ := cell.Style.Fg.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}

// find is where a text begins.
func (t *Terminal) find(text string) (x, y int, ok bool) {
	for y, line := range strings.Split(t.screen.String(), "\n") {
		if before, _, ok := strings.Cut(line, text); ok {
			return ansi.StringWidth(before), y, true
		}
	}
	return 0, 0, false
}

// Style is the colour of the first cell of a text on the screen, as #rrggbb;
// "plain" for the terminal's own, "" when the text is not there.
func (t *Terminal) Style(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.styleOf(text)
}

// Written is every byte that the program has written.
func (t *Terminal) Written() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written.String()
}

// Settled waits until no command goes on by itself, nothing moves and the screen
// shows what the app has to show, and gives its text.
func (t *Terminal) Settled() (string, error) {
	for {
		t.mu.Lock()
		before := t.changes
		t.mu.Unlock()
		var want string
		moves := true
		if !t.ask(func() { want, moves = t.app.Frame().Plain(), t.app.Screen().Animating() }) {
			return "", fmt.Errorf("the program has ended: %v", t.err)
		}
		t.mu.Lock()
		got, rests := t.text(), t.running == t.parked
		t.mu.Unlock()
		if rests && !moves && got == trimmed(want) {
			return got, nil
		}
		if err := t.until("a screen at rest", func() bool { return t.changes != before }); err != nil {
			return "", err
		}
	}
}

// trimmed is a text without the spaces at the ends of its lines.
func trimmed(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// Press presses a key, named as by Bubble Tea, once the one before was handled.
func (t *Terminal) Press(name string) error {
	key, ok := codes[name]
	if !ok {
		key = tea.Key{Code: []rune(name)[0], Text: name}
	}
	if got := tea.KeyPressMsg(key).String(); got != name {
		return fmt.Errorf("key %q is %q", name, got)
	}
	return t.strike(func() {
		if key.Text != "" {
			t.screen.SendText(key.Text)
			return
		}
		t.screen.SendKey(uv.KeyPressEvent(key))
	})
}

// Click clicks on a text of the screen.
func (t *Terminal) Click(text string) error {
	if err := t.Await(text, false); err != nil {
		return err
	}
	return t.strike(func() {
		x, y, _ := t.find(text)
		t.screen.SendMouse(uv.MouseClickEvent{X: x, Y: y, Button: uv.MouseLeft})
	})
}

// strike sends a key or a click and waits until the app has handled it.
func (t *Terminal) strike(send func()) error {
	t.mu.Lock()
	t.sent++
	sent := t.sent
	send()
	t.mu.Unlock()
	if err := t.until("the key", func() bool { return t.pressed >= sent }); err != nil {
		return err
	}
	t.ask(func() {})
	return nil
}

// Resize gives the terminal another size.
func (t *Terminal) Resize(w, h int) {
	t.mu.Lock()
	t.screen.Resize(w, h)
	t.mu.Unlock()
	t.program.Send(tea.WindowSizeMsg{Width: w, Height: h})
}

// Background makes the terminal's background light or dark, and tells the
// program, which has asked to be told (mode 2031).
func (t *Terminal) Background(light bool) error {
	if err := t.AwaitWritten(ansi.SetModeLightDark); err != nil {
		return err
	}
	back, report := color.Color(color.Black), ansi.LightDarkReport(true)
	if light {
		back, report = color.White, ansi.LightDarkReport(false)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.screen.SetDefaultBackgroundColor(back)
	t.screen.SendText(report)
	return nil
}

// Pass lets the program's clock go on.
func (t *Terminal) Pass(by time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = t.now.Add(by)
}

// Farewell waits for the program's end and gives what it says then.
func (t *Terminal) Farewell() ([]string, error) {
	select {
	case <-t.ended:
		return t.app.Farewell(), t.err
	case <-time.After(patience):
		t.mu.Lock()
		defer t.mu.Unlock()
		return nil, fmt.Errorf("the program does not end:\n%s", t.text())
	}
}

// inbox is a pipe that never makes its writer wait.
type inbox struct {
	mu     sync.Mutex
	filled *sync.Cond
	bytes  bytes.Buffer
	closed bool
}

func newInbox() *inbox {
	i := &inbox{}
	i.filled = sync.NewCond(&i.mu)
	return i
}

func (i *inbox) Write(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.filled.Signal()
	return i.bytes.Write(p)
}

func (i *inbox) Read(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for i.bytes.Len() == 0 && !i.closed {
		i.filled.Wait()
	}
	if i.bytes.Len() == 0 {
		return 0, io.EOF
	}
	return i.bytes.Read(p)
}

func (i *inbox) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.filled.Broadcast()
	return nil
}
