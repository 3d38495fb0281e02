package node

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// logLimit is how many bytes of memory a container's log takes: its newest
// lines. The kubelet's containerLogMaxSize is 10Mi, on a disk.
const logLimit = 512 << 10

// entryBytes is what an entry takes beside its text, an empty line too.
const entryBytes = 96

// entry is one line of a log; the last line of a program that ended without a
// newline has none.
type entry struct {
	at      time.Time
	stream  string // stdout, stderr
	text    []byte
	newline bool
}

// logbook is the log of one attempt of a container, and where those who are
// attached to it listen.
type logbook struct {
	now func() time.Time

	mu       sync.Mutex
	entries  []entry
	dropped  int // entries that are gone from the front
	bytes    int
	partial  map[string][]byte
	closed   bool
	changed  chan struct{} // closed and replaced when anything changes
	watchers map[*watcher]struct{}
}

// watcher is an attached client: it gets both streams as they are written, not by line.
type watcher struct{ out, err io.Writer }

func newLogbook(now func() time.Time) *logbook {
	return &logbook{now: now, partial: map[string][]byte{}, changed: make(chan struct{}), watchers: map[*watcher]struct{}{}}
}

// writer is where the program's stream goes.
func (l *logbook) writer(stream string) io.Writer { return logWriter{l, stream} }

type logWriter struct {
	log    *logbook
	stream string
}

func (w logWriter) Write(p []byte) (int, error) {
	l := w.log
	l.mu.Lock()
	defer l.mu.Unlock()
	for watcher := range l.watchers {
		out := watcher.out
		if w.stream == "stderr" && watcher.err != nil {
			out = watcher.err
		}
		if out != nil {
			_, _ = out.Write(p) // a client that left is removed by the call that attached it
		}
	}
	rest := p
	for {
		line, after, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			break
		}
		l.append(entry{l.now(), w.stream, append(l.partial[w.stream], line...), true})
		l.partial[w.stream] = nil
		rest = after
	}
	if len(rest) > 0 && len(l.partial[w.stream])+len(rest) < logLimit {
		l.partial[w.stream] = append(l.partial[w.stream], rest...)
	}
	l.tell()
	return len(p), nil
}

func (l *logbook) append(e entry) {
	l.entries = append(l.entries, e)
	l.bytes += len(e.text) + entryBytes
	for l.bytes > logLimit && len(l.entries) > 1 {
		l.bytes -= len(l.entries[0].text) + entryBytes
		l.entries = l.entries[1:]
		l.dropped++
	}
}

func (l *logbook) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// close says that the program has ended.
func (l *logbook) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for _, stream := range []string{"stdout", "stderr"} {
		if rest := l.partial[stream]; len(rest) > 0 {
			l.append(entry{l.now(), stream, rest, false})
			l.partial[stream] = nil
		}
	}
	l.closed = true
	l.tell()
}

// since are the entries from number on, the number to ask for next, whether
// there will be no more, and a channel that is closed when there are.
func (l *logbook) since(number int) (entries []entry, next int, closed bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := max(number-l.dropped, 0)
	if from < len(l.entries) {
		entries = l.entries[from:len(l.entries):len(l.entries)]
	}
	return entries, l.dropped + len(l.entries), l.closed, l.changed
}

// attach lets w have everything written from now on, until detach.
func (l *logbook) attach(out, err io.Writer) (detach func()) {
	w := &watcher{out, err}
	l.mu.Lock()
	l.watchers[w] = struct{}{}
	l.mu.Unlock()
	return func() {
		l.mu.Lock()
		delete(l.watchers, w)
		l.mu.Unlock()
	}
}

// tail is the end of the log, for a termination message: at most bytes and
// lines of it.
func (l *logbook) tail(lines, limit int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []byte
	for _, e := range l.entries[max(len(l.entries)-lines, 0):] {
		out = append(out, e.text...)
		if e.newline {
			out = append(out, '\n')
		}
	}
	return string(out[max(len(out)-limit, 0):])
}
