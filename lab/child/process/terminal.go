package process

import (
	"io"
	"slices"
	"sync"
	"unicode/utf8"
)

// Size is a terminal's, in characters.
type Size struct{ Columns, Rows int }

// The control characters of a terminal's cooked mode (stty -a).
const (
	endOfFile = 4    // ^D
	backspace = 8    // ^H
	eraseKey  = 0x7f // ^?
	killLine  = 21   // ^U
	killWord  = 23   // ^W
	interrupt = 3    // ^C
	quit      = 28   // ^\
)

// pending bounds what a terminal keeps of its input, in bytes: the other end
// waits then.
const pending = 64 << 10

// Terminal is the line discipline between a program and the person at the
// other end of an exec or an attach (tty(4)). In cooked mode it echoes and lets
// a line be edited until it is ended; in raw mode bytes pass as they come.
// On output a newline becomes a carriage return and a newline in both.
type Terminal struct {
	in  io.Reader
	out io.Writer

	// keys is held while a key takes effect: once the mode has changed, no signal
	// of a key that was typed before is still to come.
	keys sync.Mutex

	mu         sync.Mutex
	cond       *sync.Cond
	size       Size
	raw        bool
	line       []byte // in cooked mode, not ended yet
	ready      []byte
	ends       []int // how many bytes of ready come before each ^D
	ended      bool
	foreground []*Running
	resized    chan struct{}

	outMu sync.Mutex
	last  byte
}

// NewTerminal makes a terminal; Connect starts reading its input.
func NewTerminal(in io.Reader, out io.Writer, size Size) *Terminal {
	t := &Terminal{in: in, out: out, size: size, resized: make(chan struct{}, 1)}
	t.cond = sync.NewCond(&t.mu)
	return t
}

// Connect makes the terminal the three streams of p and reads its input until
// that ends. It is called once, before p starts.
func (t *Terminal) Connect(p *Process) {
	p.Stdin, p.Stdout, p.Stderr, p.Terminal = t, t, t, t
	go t.receive()
}

// Size is the window's.
func (t *Terminal) Size() Size {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.size
}

// Resize says that the window has another size now.
func (t *Terminal) Resize(size Size) {
	t.mu.Lock()
	t.size = size
	t.mu.Unlock()
	select {
	case t.resized <- struct{}{}:
	default:
	}
}

// Resized says, to one receiver, that Size has changed (SIGWINCH).
func (t *Terminal) Resized() <-chan struct{} { return t.resized }

// SetRaw turns raw mode on or off and returns how it was before. What was
// typed in raw mode and not read takes effect as if it were typed now, so that
// a Ctrl-C that came a moment too early is not lost.
func (t *Terminal) SetRaw(raw bool) bool {
	t.keys.Lock()
	defer t.keys.Unlock()
	t.mu.Lock()
	before := t.raw
	t.raw = raw
	var typed []byte
	switch {
	case raw && len(t.line) > 0:
		t.ready, t.line = append(t.ready, t.line...), nil
	case before && !raw:
		typed, t.ready = t.ready, nil
	}
	t.cond.Broadcast()
	t.mu.Unlock()
	for _, b := range typed {
		t.cooked(b)
	}
	return before
}

func (t *Terminal) enter(r *Running) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.foreground = append(t.foreground, r)
}

func (t *Terminal) leave(r *Running) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.foreground = slices.DeleteFunc(t.foreground, func(other *Running) bool { return other == r })
}

// receive is the one reader of the terminal's input.
func (t *Terminal) receive() {
	buffer := make([]byte, 1024)
	for {
		n, err := t.in.Read(buffer)
		for _, b := range buffer[:n] {
			t.key(b)
		}
		if err != nil {
			t.mu.Lock()
			t.ready, t.line, t.ended = append(t.ready, t.line...), nil, true
			t.cond.Broadcast()
			t.mu.Unlock()
			return
		}
	}
}

// key handles one byte of input.
func (t *Terminal) key(b byte) {
	for {
		t.keys.Lock()
		t.mu.Lock()
		if !t.raw {
			t.mu.Unlock()
			t.cooked(b)
			t.keys.Unlock()
			return
		}
		if len(t.ready) < pending {
			t.ready = append(t.ready, b)
			t.cond.Broadcast()
			t.mu.Unlock()
			t.keys.Unlock()
			return
		}
		t.keys.Unlock()
		t.cond.Wait()
		t.mu.Unlock()
	}
}

// cooked lets one byte take effect in cooked mode; t.keys is held.
func (t *Terminal) cooked(b byte) {
	t.mu.Lock()
	echo, signal := t.edit(b)
	group := slices.Clone(t.foreground)
	t.mu.Unlock()
	if echo != "" {
		_, _ = io.WriteString(t, echo)
	}
	if signal != 0 {
		for _, r := range group {
			r.Signal(signal)
		}
	}
}

// edit is cooked mode: what to echo and which signal to send.
func (t *Terminal) edit(b byte) (echo string, signal Signal) {
	switch b {
	case interrupt:
		t.line, t.ready, t.ends = nil, nil, nil
		return "^C", Interrupt
	case quit:
		t.line, t.ready, t.ends = nil, nil, nil
		return "^\\", Quit
	case backspace, eraseKey:
		return t.erase(1), 0
	case killLine:
		return t.erase(utf8.RuneCount(t.line)), 0
	case killWord:
		end := len(t.line)
		for end > 0 && t.line[end-1] == ' ' {
			end--
		}
		for end > 0 && t.line[end-1] != ' ' {
			end--
		}
		return t.erase(utf8.RuneCount(t.line[end:])), 0
	case endOfFile:
		t.ready = append(t.ready, t.line...)
		if len(t.line) == 0 {
			t.ends = append(t.ends, len(t.ready))
		}
		t.line = nil
		t.cond.Broadcast()
		return "", 0
	case '\r', '\n':
		if len(t.ready) < pending {
			t.ready = append(append(t.ready, t.line...), '\n')
		}
		t.line = nil
		t.cond.Broadcast()
		return "\n", 0
	}
	if len(t.line) >= 4095 { // MAX_CANON of Linux: n_tty.c drops the rest
		return "\a", 0
	}
	t.line = append(t.line, b)
	if b < ' ' && b != '\t' {
		return "^" + string(rune(b+'@')), 0
	}
	return string([]byte{b}), 0
}

func (t *Terminal) erase(count int) string {
	echo := ""
	for ; count > 0 && len(t.line) > 0; count-- {
		r, size := utf8.DecodeLastRune(t.line)
		t.line = t.line[:len(t.line)-size]
		echo += "\b \b"
		if r < ' ' && r != '\t' {
			echo += "\b \b"
		}
	}
	return echo
}

// Read gives at most one line in cooked mode, and what is there in raw mode.
func (t *Terminal) Read(into []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		available := t.ready
		if len(t.ends) > 0 {
			if t.ends[0] == 0 {
				t.ends = t.ends[1:]
				return 0, io.EOF
			}
			available = t.ready[:t.ends[0]]
		}
		if len(available) > 0 {
			if newline := slices.Index(available, '\n'); newline >= 0 && !t.raw {
				available = available[:newline+1]
			}
			n := copy(into, available)
			t.ready = t.ready[n:]
			for i := range t.ends {
				t.ends[i] -= n
			}
			t.cond.Broadcast()
			return n, nil
		}
		if t.ended {
			return 0, io.EOF
		}
		t.cond.Wait()
	}
}

// Write writes to the other end.
func (t *Terminal) Write(text []byte) (int, error) {
	t.outMu.Lock()
	defer t.outMu.Unlock()
	out := make([]byte, 0, len(text)+8)
	for _, b := range text {
		if b == '\n' && t.last != '\r' {
			out = append(out, '\r')
		}
		out = append(out, b)
		t.last = b
	}
	if _, err := t.out.Write(out); err != nil {
		return 0, err
	}
	return len(text), nil
}
