package shell

import (
	"context"
	"fmt"
	"strings"
	"time"

	"svctour/lab/child/process"
)

var signalNames = map[string]process.Signal{
	"HUP": 1, "1": 1, "INT": 2, "2": 2, "QUIT": 3, "3": 3, "USR1": 10, "10": 10, "USR2": 12, "12": 12, "TERM": 15, "15": 15,
}

// signals receives the shell's signals until it ends. Without a trap a signal
// ends it, unless it is process 1 or, with a prompt, the signal is SIGTERM.
func (s *shell) signals() {
	defer close(s.signalsDone)
	for {
		select {
		case <-s.stopSignals:
			return
		case <-s.ctx.Done():
			return
		case signal := <-s.p.Signals:
			if !s.receive(signal) {
				return
			}
		case done := <-s.settling:
			for more := true; more; {
				select {
				case signal := <-s.p.Signals:
					if !s.receive(signal) {
						return
					}
				default:
					more = false
				}
			}
			close(done)
		}
	}
}

// receive does what a signal does to the shell, and says whether that goes on.
func (s *shell) receive(signal process.Signal) bool {
	s.mu.Lock()
	action, trapped := s.traps[signal]
	if trapped && action != "" {
		s.pending = append(s.pending, signal)
	}
	s.mu.Unlock()
	switch {
	case trapped:
		s.wake()
	case s.interactive:
		if signal == process.Interrupt {
			s.interrupted.Store(true)
		}
	case s.p.PID != 1:
		s.ending.Store(128 + int32(signal))
		s.cancel()
		return false
	}
	return true
}

// settle returns once every signal sent before has been received, so that a
// Ctrl-C that ended one command does not end the next one too.
func (s *shell) settle() {
	done := make(chan struct{})
	select {
	case s.settling <- done:
		select {
		case <-done:
		case <-s.signalsDone:
		}
	case <-s.signalsDone:
	}
}

func (s *shell) wake() {
	select {
	case s.arrived <- struct{}{}:
	default:
	}
}

// trapped is what the trap of a signal that has come says to run, if any.
func (s *shell) trapped() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 {
		return ""
	}
	signal := s.pending[0]
	s.pending = s.pending[1:]
	return s.traps[signal]
}

// trap keeps the traps of signals; that of EXIT is the interpreter's.
func (s *shell) trap(args []string) ([]string, error) {
	rest := args[1:]
	if len(rest) > 0 && rest[0] == "--" {
		rest = rest[1:]
	}
	if len(rest) < 2 {
		return args, nil
	}
	action := rest[0]
	text := ""
	if action != "-" {
		var err error
		if text, err = s.confined(action); err != nil {
			return nil, err
		}
	}
	own := []string{"trap", "--", text}
	if action == "-" {
		own[2] = "-"
	}
	own = append(own[:1], own[2:]...)
	for _, name := range rest[1:] {
		name = strings.TrimPrefix(strings.ToUpper(name), "SIG")
		if name == "EXIT" || name == "0" {
			own = append(own, "EXIT")
			continue
		}
		if name == "ERR" {
			own = append(own, "ERR")
			continue
		}
		signal, known := signalNames[name]
		if !known {
			return nil, fmt.Errorf("trap: %s: invalid signal specification", name)
		}
		s.mu.Lock()
		if s.traps[signal] = text; action == "-" {
			delete(s.traps, signal)
		}
		s.mu.Unlock()
	}
	if len(own) == 2 {
		return []string{"true"}, nil
	}
	return own, nil
}

// beginning is how long a command in the background may take to start before
// the builtin wait takes it that none runs.
const beginning = 200 * time.Millisecond

// wait waits for a trapped signal or for the end of the commands that run in
// the background: the builtin that follows has nothing to wait for then.
func (s *shell) wait(ctx context.Context) {
	timer := time.NewTimer(beginning)
	defer timer.Stop()
	for begun := false; ; {
		s.mu.Lock()
		come, traps := len(s.pending) > 0, len(s.traps)
		s.mu.Unlock()
		live := s.live.Load() > 0
		if begun = begun || live; come || traps == 0 || begun && !live {
			return
		}
		select {
		case <-s.arrived:
		case <-timer.C:
			begun = true
		case <-ctx.Done():
			return
		}
	}
}
