// Package learner plays people who learn with the app: they sit at a desk of
// their own in front of an emulated terminal, and go on by what their screen says.
package learner

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// What a footer offers, in the order in which a learner takes it up.
var (
	unsure   = regexp.MustCompile(`\bs sure\b`)
	question = regexp.MustCompile(`\b1-(\d) (predict|pick|answer)\b`)
	wrong    = regexp.MustCompile(`✗ (\d) `)
	onward   = regexp.MustCompile(`⏎ (\S+(?: \S+)*)`)
	place    = regexp.MustCompile(`\bstep (\d+)/(\d+)\b`)
)

// again are what a footer offers while the cluster has not yet shown what a command
// leads to: a learner waits first.
var again = map[string]bool{"run again": true, "prepare again": true, "try again": true}

// waiting are what a footer calls ⏎ while it does nothing.
var waiting = map[string]bool{"running": true, "preparing": true, "starting": true}

// Move is a key that leads on in a lesson, and what the footer calls it.
type Move struct {
	Key  string // as tmux names it: "1", "s", "Enter"
	Name string // "predict", "sure", "run", "next"
	Of   int    // how many answers there are to choose from; 0 for no question
}

// Again says whether the move repeats what was done: whoever is patient waits
// first for what that leads to.
func (m Move) Again() bool { return again[m.Name] }

// Next reads from a screen what leads on; ok is false when nothing does for now.
func Next(screen string) (m Move, ok bool) {
	footer := Footer(screen)
	switch {
	case strings.Contains(footer, "by its number"):
		name := "answer"
		switch {
		case strings.Contains(footer, "what you expect"):
			name = "predict"
		case strings.Contains(footer, "where the packet goes"):
			name = "pick"
		}
		return Move{Key: "1", Name: name}, true
	case unsure.MatchString(footer), strings.Contains(footer, "say how sure you are"):
		return Move{Key: "s", Name: "sure"}, true
	}
	if found := question.FindStringSubmatch(footer); found != nil {
		key := 1
		for slices.Contains(tried(screen), fmt.Sprint(key)) {
			key++
		}
		return Move{Key: fmt.Sprint(key), Name: found[2], Of: int(found[1][0] - '0')}, true
	}
	if found := onward.FindStringSubmatch(footer); found != nil && !waiting[found[1]] {
		return Move{Key: "Enter", Name: found[1]}, true
	}
	return Move{}, false
}

// tried are the answers that a screen says are wrong.
func tried(screen string) (numbers []string) {
	for _, found := range wrong.FindAllStringSubmatch(screen, -1) {
		numbers = append(numbers, found[1])
	}
	return numbers
}

// Footer is the last line of a screen.
func Footer(screen string) string {
	lines := strings.Split(strings.TrimRight(screen, " \n"), "\n")
	return lines[len(lines)-1]
}

// Place is the step that a screen shows, such as "step 2/8"; "" outside of lessons.
func Place(screen string) string { return place.FindString(screen) }

// Command is the command that ⏎ would run, which may take several lines of the
// screen; "" for none.
func Command(screen string) string {
	_, text, found := strings.Cut(screen, "\n $ ")
	if !found {
		return ""
	}
	text, _, found = strings.Cut(text, " ⏎")
	if !found {
		return ""
	}
	return strings.Join(strings.Fields(text), " ")
}
