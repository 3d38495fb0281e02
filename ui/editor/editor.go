// Package editor is where a person writes a manifest: the text, what is wrong
// with it at its lines, and what may be done with it. It does no I/O: the app
// has the text checked, and tells it what came of that.
package editor

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"charm.land/bubbles/v2/key"
	"charm.land/bubbles/v2/textarea"
	tea "charm.land/bubbletea/v2"

	"svctour/ui/shell"
)

const (
	// textLimit bounds the text, in characters: that of a longer manifest which is
	// given to be changed is twice its length.
	textLimit = 32 << 10
	// undoLimit is how many changes can be taken back.
	undoLimit = 100
	// wide is how many columns a line may have before the cursor takes more than
	// one step to pass it; every line is padded to it, so that it is not endless.
	wide = 300
)

// Editor is the text of one manifest while it is written. Make one with New. It
// lives on the UI goroutine.
type Editor struct {
	name  string
	given string // the text to begin with again
	area  textarea.Model
	undo  []moment

	revision int // of the text; grows with every change
	state    state
	problems []Problem // of the text as it was checked last
	why      string    // there was no check
}

// moment is the text and the cursor at one time.
type moment struct {
	text         string
	line, column int
}

// state is what is known of the text.
type state int

const (
	written  state = iota // it has changed since the last check, or there was none
	checking              // a check is under way
	checked
	unchecked // the check could not be made
)

// Wish is what a key asks the app for.
type Wish int

// What a key may ask for.
const (
	Nothing Wish = iota
	Check        // the text, at once
	Apply        // the text
	Leave        // the editor; the text stays
)

// New makes an editor of a manifest. Its text can be brought back to what it is
// now.
func New(name, text string) *Editor {
	e := &Editor{name: name, given: text, area: textarea.New()}
	a := &e.area
	a.Prompt, a.ShowLineNumbers, a.CharLimit, a.MaxHeight, a.MaxWidth = "", false, max(textLimit, 2*len(text)), 0, 0
	a.SetVirtualCursor(false)
	a.SetWidth(wide)
	a.KeyMap = keys()
	a.SetValue(text)
	a.MoveToBegin()
	a.Focus() // what it answers would let its own cursor blink
	return e
}

// keys are those of the text area, without the ones that have another meaning
// here, and without those that reach for the clipboard of the machine that the
// program runs on, which need not be the person's.
func keys() textarea.KeyMap {
	all := textarea.DefaultKeyMap()
	return textarea.KeyMap{
		CharacterForward: all.CharacterForward, CharacterBackward: all.CharacterBackward,
		LineNext: all.LineNext, LinePrevious: all.LinePrevious, LineStart: all.LineStart, LineEnd: all.LineEnd,
		PageUp: all.PageUp, PageDown: all.PageDown, InputBegin: all.InputBegin, InputEnd: all.InputEnd,
		WordForward: all.WordForward, WordBackward: all.WordBackward,
		DeleteCharacterBackward: all.DeleteCharacterBackward,
		DeleteAfterCursor:       all.DeleteAfterCursor, DeleteBeforeCursor: all.DeleteBeforeCursor,
		DeleteWordBackward: all.DeleteWordBackward, DeleteWordForward: all.DeleteWordForward,
	}
}

// Name is what the manifest is called: "web-svc.yaml".
func (e *Editor) Name() string { return e.name }

// Text is the text as it stands.
func (e *Editor) Text() string { return e.area.Value() }

// Revision tells one text from those before it.
func (e *Editor) Revision() int { return e.revision }

// Cursor is where the cursor stands, from 0; the column in characters.
func (e *Editor) Cursor() (line, column int) { return e.area.Line(), e.area.Column() }

// Page says how many lines are in sight.
func (e *Editor) Page(lines int) { e.area.SetHeight(max(1, lines)) }

// Key takes a key.
func (e *Editor) Key(msg tea.KeyPressMsg) Wish {
	switch msg.String() {
	case "esc", "ctrl+c":
		return Leave
	case "ctrl+s", "alt+enter":
		return Apply
	case "ctrl+t":
		return Check
	case "ctrl+g":
		e.Next()
	case "ctrl+z":
		e.takeBack()
	case "ctrl+r":
		e.change(func() { e.put(moment{text: e.given}) })
	case "enter":
		e.change(e.newLine)
	case "tab":
		e.change(func() { e.area.InsertString(strings.Repeat(" ", 2-e.area.Column()%2)) })
	case "shift+tab":
		e.change(e.outdent)
	case "delete", "ctrl+d":
		e.change(e.deleteForward)
	default:
		if key.Matches(msg, e.area.KeyMap.WordBackward) && !e.wordBefore() {
			e.area.MoveToBegin() // the text area would look for a word without an end
			break
		}
		e.change(func() { e.area, _ = e.area.Update(msg) }) // its commands are about a cursor that is not drawn
	}
	return Nothing
}

// Paste puts text at the cursor.
func (e *Editor) Paste(text string) {
	e.change(func() { e.area.InsertString(strings.ReplaceAll(text, "\r\n", "\n")) })
}

// Scroll moves the cursor by lines.
func (e *Editor) Scroll(lines int) {
	for ; lines < 0; lines++ {
		e.area.CursorUp()
	}
	for ; lines > 0; lines-- {
		e.area.CursorDown()
	}
}

// Go puts the cursor at the end of a line, from 0.
func (e *Editor) Go(line int) {
	e.area.MoveToBegin()
	for range e.area.LineCount() {
		if e.area.CursorEnd(); e.area.Line() >= line {
			break
		}
		e.area.CursorDown()
	}
	e.area.CursorEnd()
}

// change does something that may change the text, and notes whether it did.
func (e *Editor) change(do func()) {
	before := moment{text: e.area.Value(), line: e.area.Line(), column: e.area.Column()}
	do()
	if e.area.Value() == before.text {
		return
	}
	e.revision++
	e.state = written
	e.undo = append(e.undo, before)
	if over := len(e.undo) - undoLimit; over > 0 {
		e.undo = slices.Delete(e.undo, 0, over)
	}
}

// takeBack takes the last change back.
func (e *Editor) takeBack() {
	if len(e.undo) == 0 {
		return
	}
	last := e.undo[len(e.undo)-1]
	e.undo = e.undo[:len(e.undo)-1]
	e.put(last)
	e.revision++
	e.state = written
}

// put makes a moment the present one.
func (e *Editor) put(m moment) {
	e.area.SetValue(m.text)
	e.Go(m.line)
	e.area.SetCursorColumn(m.column)
}

// line is the line of the cursor.
func (e *Editor) line() string { return strings.Split(e.area.Value(), "\n")[e.area.Line()] }

// newLine begins a line as far in as the present one is, and further behind a
// field whose value begins below it. An item of a list is followed by its fields.
func (e *Editor) newLine() {
	before := string([]rune(e.line())[:e.area.Column()])
	text := strings.TrimLeft(before, " ")
	indent := len(before) - len(text)
	if strings.HasPrefix(text, "- ") && strings.Contains(text, ":") {
		indent += 2
	}
	if strings.HasSuffix(strings.TrimRight(text, " "), ":") {
		indent += 2
	}
	e.area.InsertString("\n" + strings.Repeat(" ", indent))
}

// outdent takes up to two blanks from the begin of the line.
func (e *Editor) outdent() {
	line, column := e.line(), e.area.Column()
	blanks := min(2, len(line)-len(strings.TrimLeft(line, " ")))
	for i := range blanks {
		e.area.SetCursorColumn(blanks - i)
		e.area, _ = e.area.Update(tea.KeyPressMsg{Code: tea.KeyBackspace})
	}
	e.area.SetCursorColumn(max(0, column-blanks))
}

// deleteForward takes away the letter under the cursor, or the line's end. The
// text area's own key takes a line's end with its last letter.
func (e *Editor) deleteForward() {
	line, column := e.Cursor()
	e.area, _ = e.area.Update(tea.KeyPressMsg{Code: tea.KeyRight})
	if l, c := e.Cursor(); l != line || c != column { // it is not the text's end
		e.area, _ = e.area.Update(tea.KeyPressMsg{Code: tea.KeyBackspace})
	}
}

// wordBefore says whether there is anything but white space before the cursor.
func (e *Editor) wordBefore() bool {
	lines := strings.Split(e.area.Value(), "\n")[:e.area.Line()+1]
	last := len(lines) - 1
	lines[last] = string([]rune(lines[last])[:e.area.Column()])
	return slices.ContainsFunc(lines, func(line string) bool {
		return strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsSpace(r) })
	})
}

// Checking notes that a check of the present text is under way.
func (e *Editor) Checking() { e.state = checking }

// Checked takes in what a check of a revision has found, or a sentence that says
// why there was none. It says whether that revision is the present one: else the
// text has changed, and the next check counts.
func (e *Editor) Checked(revision int, problems []Problem, why string) bool {
	if revision != e.revision {
		return false
	}
	e.state, e.why = checked, why
	e.problems = problems
	if why != "" {
		e.state = unchecked
	}
	lines := e.area.LineCount()
	for i := range e.problems {
		e.problems[i].Line = min(max(1, e.problems[i].Line), lines)
	}
	slices.SortStableFunc(e.problems, func(a, b Problem) int { return a.Line - b.Line })
	return true
}

// Wrong is how many problems keep the text from being applied.
func (e *Editor) Wrong() int {
	n := 0
	for i := range e.problems {
		if !e.problems[i].Warning {
			n++
		}
	}
	return n
}

// Next puts the cursor on the next line with a problem; behind the last comes
// the first.
func (e *Editor) Next() {
	if len(e.problems) == 0 {
		return
	}
	to := e.problems[0].Line
	for i := range e.problems {
		if e.problems[i].Line > e.area.Line()+1 {
			to = e.problems[i].Line
			break
		}
	}
	e.Go(to - 1)
}

// Actions are what can be done, for the footer and for the mouse.
func (e *Editor) Actions() []shell.Action {
	next := shell.Action{ID: "next", Keys: []string{"ctrl+g"}, Title: "next problem"}
	if len(e.problems) == 0 {
		next.Why = "there is no problem"
	}
	return []shell.Action{
		{ID: "apply", Keys: []string{"ctrl+s"}, Title: "apply"},
		{ID: "leave", Keys: []string{"esc"}, Title: "back, text kept"},
		next,
		{ID: "undo", Keys: []string{"ctrl+z"}, Title: "undo"},
		{ID: "reset", Keys: []string{"ctrl+r"}, Title: "begin again"},
		{ID: "check", Keys: []string{"ctrl+t"}, Title: "check now"},
	}
}

// Do performs an action by its ID, or goes to a line.
func (e *Editor) Do(id string, n int) Wish {
	switch id {
	case "apply":
		return Apply
	case "leave":
		return Leave
	case "check":
		return Check
	case "next":
		e.Next()
	case "undo":
		e.takeBack()
	case "reset":
		e.change(func() { e.put(moment{text: e.given}) })
	case "line":
		e.Go(n)
	}
	return Nothing
}

// summary says what is known of the text.
func (e *Editor) summary() string {
	warnings := len(e.problems) - e.Wrong()
	switch {
	case strings.TrimSpace(e.area.Value()) == "":
		return "nothing written yet"
	case e.state == checking:
		return "checking"
	case e.state == written:
		return "not checked yet"
	case e.state == unchecked:
		return "not checked"
	case e.Wrong() == 1:
		return "1 problem"
	case e.Wrong() > 1:
		return fmt.Sprintf("%d problems", e.Wrong())
	case warnings == 1:
		return "the API server would take it, with a warning"
	case warnings > 1:
		return fmt.Sprintf("the API server would take it, with %d warnings", warnings)
	}
	return "the API server would take it"
}
