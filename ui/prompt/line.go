package prompt

import (
	"slices"
	"unicode"
)

// historyLimit is how many lines are kept.
const historyLimit = 200

// line is the line being edited, and those entered before it.
type line struct {
	text    []rune
	cursor  int
	history []string
	at      int    // in history; len(history) is the line being edited
	draft   []rune // that line, while an older one is looked at
}

func (l *line) set(text string) { l.text, l.cursor = []rune(text), len([]rune(text)) }

// insert puts text at the cursor; white space becomes blanks, and what cannot
// be printed is left out.
func (l *line) insert(text string) {
	var clean []rune
	for _, r := range text {
		if unicode.IsSpace(r) {
			r = ' '
		}
		if unicode.IsPrint(r) {
			clean = append(clean, r)
		}
	}
	l.text = slices.Insert(l.text, l.cursor, clean...)
	l.cursor += len(clean)
}

// edit changes the line as readline(3) does. key is as Bubble Tea names it,
// text what it types; false when the key is none of the editor's.
func (l *line) edit(key, text string) bool {
	switch key {
	case "left", "ctrl+b":
		l.cursor = max(0, l.cursor-1)
	case "right", "ctrl+f":
		l.cursor = min(len(l.text), l.cursor+1)
	case "home", "ctrl+a":
		l.cursor = 0
	case "end", "ctrl+e":
		l.cursor = len(l.text)
	case "backspace", "ctrl+h":
		if l.cursor > 0 {
			l.cursor--
			l.text = slices.Delete(l.text, l.cursor, l.cursor+1)
		}
	case "delete":
		if l.cursor < len(l.text) {
			l.text = slices.Delete(l.text, l.cursor, l.cursor+1)
		}
	case "ctrl+u":
		l.text, l.cursor = slices.Clone(l.text[l.cursor:]), 0
	case "ctrl+k":
		l.text = l.text[:l.cursor]
	case "ctrl+w":
		l.cutWord()
	case "up", "ctrl+p":
		l.recall(-1)
	case "down", "ctrl+n":
		l.recall(1)
	default:
		if text == "" {
			return false
		}
		l.insert(text)
	}
	return true
}

// cutWord deletes back to the start of the word before the cursor.
func (l *line) cutWord() {
	start := l.cursor
	for start > 0 && l.text[start-1] == ' ' {
		start--
	}
	for start > 0 && l.text[start-1] != ' ' {
		start--
	}
	l.text, l.cursor = slices.Delete(l.text, start, l.cursor), start
}

// recall goes through the history.
func (l *line) recall(step int) {
	to := l.at + step
	if to < 0 || to > len(l.history) {
		return
	}
	if l.at == len(l.history) {
		l.draft = slices.Clone(l.text)
	}
	if l.at = to; to == len(l.history) {
		l.set(string(l.draft))
		return
	}
	l.set(l.history[to])
}

// clear empties the line without entering it.
func (l *line) clear() {
	l.set("")
	l.at = len(l.history)
}

// enter ends a line: it goes into the history unless it repeats the last.
func (l *line) enter(text string) {
	if len(l.history) == 0 || l.history[len(l.history)-1] != text {
		l.history = append(l.history, text)
	}
	if over := len(l.history) - historyLimit; over > 0 {
		l.history = slices.Delete(l.history, 0, over)
	}
	l.at, l.draft = len(l.history), nil
	l.set("")
}
