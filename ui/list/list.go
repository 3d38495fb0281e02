// Package list is a windowed, searchable list: which rows match what was
// searched for, which of them the cursor is on, and which fit on the screen. It
// draws nothing: each screen draws its own rows.
package list

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// List is a list of rows. Its zero value is empty and ready for use.
type List struct {
	keys   []string // what each row is searched by, in lower case
	found  []int    // rows that match, in order
	cursor int      // in found
	first  int      // of found, in the first row of the window

	searching bool
	search    string
}

// Set gives the list its rows: for each the text that it is searched by. The
// cursor stays on its row, or goes to the next one that is shown, or else to the last.
func (l *List) Set(keys []string) {
	l.keys = make([]string, len(keys))
	for i, key := range keys {
		l.keys[i] = strings.ToLower(key)
	}
	l.look(l.Row())
}

// look finds the rows that match; the cursor goes to row if it is one of them.
func (l *List) look(row int) {
	words := strings.Fields(strings.ToLower(l.search))
	l.found = l.found[:0]
	for i, key := range l.keys {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(key, word) }) {
			l.found = append(l.found, i)
		}
	}
	at, _ := slices.BinarySearch(l.found, max(0, row))
	l.cursor = max(0, min(at, len(l.found)-1))
}

// Row is the row under the cursor, -1 when none matches.
func (l *List) Row() int {
	if l.cursor >= len(l.found) {
		return -1
	}
	return l.found[l.cursor]
}

// Go puts the cursor on a row. It says whether that is in the list now.
func (l *List) Go(row int) bool {
	at, found := slices.BinarySearch(l.found, row)
	if found {
		l.cursor = at
	}
	return found
}

// Step moves the cursor by one row; behind the last comes the first.
func (l *List) Step(by int) {
	if n := len(l.found); n > 0 {
		l.cursor = (l.cursor + by + n) % n
	}
}

// Len is how many rows match, Place which of them is under the cursor, from 0.
func (l *List) Len() int   { return len(l.found) }
func (l *List) Place() int { return l.cursor }

// Window gives the rows to draw where there is room for so many: all, or those
// around the cursor. It scrolls only as far as the cursor needs it.
func (l *List) Window(room int) []int {
	room = max(1, room)
	l.first = max(l.first, l.cursor-room+1) // the cursor is not below
	l.first = min(l.first, l.cursor, max(0, len(l.found)-room))
	return l.found[l.first:min(len(l.found), l.first+room)]
}

// Search begins to read what to search for.
func (l *List) Search() { l.searching = true }

// Searching says whether keys go into the search. Then every key is the list's.
func (l *List) Searching() bool { return l.searching }

// Searched is the text that is searched for; "" when every row matches.
func (l *List) Searched() string { return l.search }

// Key gives a key to the search; key is as Bubble Tea names it, text what it
// types. Rows match that contain every word. It says whether the key was used:
// enter ends the reading and belongs to the screen, too.
func (l *List) Key(key, text string) bool {
	row := l.Row()
	switch key {
	case "esc":
		l.searching, l.search = false, ""
	case "enter":
		l.searching = false
		return false
	case "backspace", "ctrl+h":
		if l.search == "" {
			l.searching = false
			return true
		}
		_, size := utf8.DecodeLastRuneInString(l.search)
		l.search = l.search[:len(l.search)-size]
	case "ctrl+u":
		l.search = ""
	default:
		if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return false
		}
		l.search += text
	}
	l.look(row)
	return true
}
