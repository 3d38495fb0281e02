package editor

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"pgregory.net/rapid"

	"svctour/ui/frame"
	"svctour/ui/theme"
)

func press(code rune, mod tea.KeyMod) tea.KeyPressMsg { return tea.KeyPressMsg{Code: code, Mod: mod} }

func letter(r rune) tea.KeyPressMsg { return tea.KeyPressMsg{Code: r, Text: string(r)} }

// plain is an editor as simple as one can be: a text and a place in it.
type plain struct {
	text []rune
	at   int
	undo []plain
}

func (p *plain) change(text []rune, at int) {
	if string(text) == string(p.text) {
		p.at = at
		return
	}
	p.undo = append(p.undo, plain{text: p.text, at: p.at})
	if len(p.undo) > undoLimit {
		p.undo = p.undo[1:]
	}
	p.text, p.at = text, at
}

func (p *plain) replace(from, to int, with string) {
	text := append(append(append([]rune{}, p.text[:from]...), []rune(with)...), p.text[to:]...)
	p.change(text, from+len([]rune(with)))
}

// start and end are those of the line, in runes.
func (p *plain) start() int {
	at := p.at
	for at > 0 && p.text[at-1] != '\n' {
		at--
	}
	return at
}

func (p *plain) end() int {
	at := p.at
	for at < len(p.text) && p.text[at] != '\n' {
		at++
	}
	return at
}

func (p *plain) cursor() (line, column int) {
	return strings.Count(string(p.text[:p.at]), "\n"), p.at - p.start()
}

// goTo is for keys that the text area decides by the width of letters.
func (p *plain) goTo(line, column int) {
	p.at = 0
	for range line {
		p.at = p.end() + 1
	}
	p.at += column
}

func TestEditingAgainstAPlainText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, p := New("a.yaml", "kind: Service\n  - port: 80"), &plain{text: []rune("kind: Service\n  - port: 80")}
		letters := rapid.SampledFrom([]rune("ab: -é界#\"'"))
		t.Repeat(map[string]func(*rapid.T){
			"type":      func(t *rapid.T) { r := letters.Draw(t, "letter"); e.Key(letter(r)); p.replace(p.at, p.at, string(r)) },
			"paste":     func(t *rapid.T) { e.Paste("x:\r\n  y"); p.replace(p.at, p.at, "x:\n  y") },
			"backspace": func(*rapid.T) { e.Key(press(tea.KeyBackspace, 0)); p.replace(max(0, p.at-1), p.at, "") },
			"delete": func(*rapid.T) {
				e.Key(press(tea.KeyDelete, 0))
				at := p.at
				p.replace(at, min(len(p.text), at+1), "")
				p.at = at
			},
			"left":  func(*rapid.T) { e.Key(press(tea.KeyLeft, 0)); p.at = max(0, p.at-1) },
			"right": func(*rapid.T) { e.Key(press(tea.KeyRight, 0)); p.at = min(len(p.text), p.at+1) },
			"home":  func(*rapid.T) { e.Key(press(tea.KeyHome, 0)); p.at = p.start() },
			"end":   func(*rapid.T) { e.Key(press(tea.KeyEnd, 0)); p.at = p.end() },
			"up": func(t *rapid.T) {
				before, _ := p.cursor()
				e.Key(press(tea.KeyUp, 0))
				line, column := e.Cursor()
				if line != max(0, before-1) {
					t.Fatalf("up from line %d leads to line %d", before, line)
				}
				p.goTo(line, column)
			},
			"down": func(t *rapid.T) {
				before, _ := p.cursor()
				e.Key(press(tea.KeyDown, 0))
				line, column := e.Cursor()
				if line != min(strings.Count(string(p.text), "\n"), before+1) {
					t.Fatalf("down from line %d leads to line %d", before, line)
				}
				p.goTo(line, column)
			},
			"words": func(*rapid.T) { // must come to an end, and stay inside
				e.Key(press(tea.KeyLeft, tea.ModAlt))
				e.Key(press(tea.KeyRight, tea.ModCtrl))
				p.goTo(e.Cursor())
			},
			"cut line": func(*rapid.T) {
				e.Key(press('u', tea.ModCtrl))
				if from := p.start(); from < p.at {
					p.replace(from, p.at, "")
				} else { // the text area joins it with the line above
					p.replace(max(0, p.at-1), p.at, "")
				}
			},
			"enter": func(*rapid.T) {
				before := string(p.text[p.start():p.at])
				text := strings.TrimLeft(before, " ")
				indent := len(before) - len(text)
				if strings.HasPrefix(text, "- ") && strings.Contains(text, ":") {
					indent += 2
				}
				if strings.HasSuffix(strings.TrimRight(text, " "), ":") {
					indent += 2
				}
				e.Key(press(tea.KeyEnter, 0))
				p.replace(p.at, p.at, "\n"+strings.Repeat(" ", indent))
			},
			"tab": func(*rapid.T) {
				_, column := p.cursor()
				e.Key(press(tea.KeyTab, 0))
				p.replace(p.at, p.at, strings.Repeat(" ", 2-column%2))
			},
			"outdent": func(*rapid.T) {
				e.Key(press(tea.KeyTab, tea.ModShift))
				from, at := p.start(), p.at
				line := string(p.text[from:p.end()])
				n := min(2, len(line)-len(strings.TrimLeft(line, " ")))
				p.replace(from, from+n, "")
				p.at = max(from, at-n)
			},
			"undo": func(*rapid.T) {
				e.Key(press('z', tea.ModCtrl))
				if n := len(p.undo); n > 0 {
					last, undo := p.undo[n-1], p.undo[:n-1]
					*p = plain{text: last.text, at: last.at, undo: undo}
				}
			},
			"": func(t *rapid.T) {
				if got := e.Text(); got != string(p.text) {
					t.Fatalf("the text is %q, want %q", got, string(p.text))
				}
				line, column := p.cursor()
				if l, c := e.Cursor(); l != line || c != column {
					t.Fatalf("the cursor is at %d:%d, want %d:%d in %q", l, c, line, column, string(p.text))
				}
			},
		})
	})
}

// A word is not looked for where there is none, and every size can be drawn.
func TestNoTextHangsOrBreaksTheEditor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := New("a.yaml", rapid.StringOf(rapid.SampledFrom([]rune(" \n\tab:-\x1b\u202e界é\u200d👩[{&*"))).Draw(t, "text"))
		keys := rapid.SliceOfN(rapid.SampledFrom([]tea.KeyPressMsg{
			press(tea.KeyLeft, tea.ModAlt), press(tea.KeyRight, tea.ModAlt), press('w', tea.ModCtrl), press('k', tea.ModCtrl), press('d', tea.ModAlt),
			press(tea.KeyPgDown, 0), press(tea.KeyPgUp, 0), press(tea.KeyEnd, tea.ModCtrl), press('g', tea.ModCtrl), letter('x'),
		}), 0, 20).Draw(t, "keys")
		for _, k := range keys {
			e.Key(k)
		}
		e.Checked(e.Revision(), append(Parse(e.Text()).Problems(), Problem{Line: 99, Text: "far \x1b[2J below"}), "")
		for _, size := range [][2]int{{40, 10}, {8, 3}, {80, 22}} {
			s := frame.New(size[0], size[1])
			e.Draw(s, theme.New(theme.Options{}))
			if strings.ContainsAny(s.Plain(), "\x1b\u202e") {
				t.Fatalf("an escape reaches the frame:\n%q", s.Plain())
			}
		}
	})
}

func TestTheCursorIsInSight(t *testing.T) {
	var lines []string
	for i := range 200 {
		lines = append(lines, fmt.Sprintf("line%d: %s", i+1, strings.Repeat("x", 200)))
	}
	e := New("a.yaml", strings.Join(lines, "\n"))
	for _, line := range []int{0, 100, 199} {
		e.Go(line)
		s := frame.New(60, 12)
		e.Draw(s, theme.New(theme.Options{}))
		if want := fmt.Sprintf("line %d, column ", line+1); !strings.Contains(s.Plain(), want) || !strings.Contains(s.Plain(), fmt.Sprintf(" %d xxx", line+1)) {
			t.Errorf("line %d:\n%s", line+1, s.Plain())
		}
	}
}

func TestAReviewOfAnEarlierTextIsDropped(t *testing.T) {
	e := New("a.yaml", "kind: x")
	e.Checking()
	old := e.Revision()
	e.Key(letter('y'))
	if e.Checked(old, []Problem{{Line: 1, Text: "late"}}, "") || e.Wrong() != 0 {
		t.Error("what was found in an earlier text is told of this one")
	}
	if !e.Checked(e.Revision(), []Problem{{Line: 1, Text: "a", Warning: true}, {Line: 7, Text: "b"}}, "") || e.Wrong() != 1 {
		t.Errorf("%d problems", e.Wrong())
	}
}

// A key stroke takes no longer than a frame may, also in the longest text.
func BenchmarkKey(b *testing.B) {
	e := New("a.yaml", strings.Repeat("    - name: something\n", textLimit/23))
	e.Go(700)
	for b.Loop() {
		e.Key(letter('x'))
		e.Key(press(tea.KeyBackspace, 0))
	}
}
