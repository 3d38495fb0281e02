// Package layout is the arithmetic of the screen: pure functions from sizes to
// rectangles.
package layout

import (
	"slices"

	"svctour/ui/frame"
)

// Class is how much fits on the screen.
type Class uint8

const (
	TooSmall Class = iota // not even one pane: a notice with the size needed
	Small                 // one pane at a time
	Medium                // the story above, one live pane below, as tabs
	Large                 // story and system side by side, everything at once
)

// The least sizes of the classes, in cells.
const (
	SmallWidth, SmallHeight   = 40, 12
	MediumWidth, MediumHeight = 70, 20
	LargeWidth, LargeHeight   = 110, 30
)

// Classify gives the class of a screen of w×h cells.
func Classify(w, h int) Class {
	switch {
	case w >= LargeWidth && h >= LargeHeight:
		return Large
	case w >= MediumWidth && h >= MediumHeight:
		return Medium
	case w >= SmallWidth && h >= SmallHeight:
		return Small
	}
	return TooSmall
}

// Tour is where the parts of the lesson screen go, in frame coordinates.
// Absent parts have no size.
type Tour struct {
	Class   Class
	Header  frame.Rect
	Footer  frame.Rect
	Story   frame.Rect // boxes, border included
	File    frame.Rect
	Command frame.Rect
	System  frame.Rect   // the box around the live panes
	Panes   []frame.Rect // Large: the live panes inside System, without borders; the row above each but the first is a rule
}

// Wants are the rows that the parts of the lesson screen would like to have.
type Wants struct {
	Story, File, Command int
	Panes                []int // of the live panes; where only one is shown, its rows alone
	Least                []int // rows that a live pane needs at least; 3 where it is left out
	// Wide says that the command's reply needs the whole width.
	Wide bool
	// Reading says that the story is in focus: where room is short it gets
	// most of it, else the live pane does.
	Reading bool
	// Now is how many of the story's rows ask for attention: they stay in sight,
	// whatever has to give way. Asking says that they ask a question, and that no
	// command is due, Looking that the person looks at a live pane instead: then it
	// gives way no more than it does to the story.
	Now             int
	Asking, Looking bool
}

// least is how few rows the story's box gets on a large screen, where the manifest
// and the command need some others.
func (w Wants) least(others, room int) int {
	if w.Now == 0 {
		return 8
	}
	return max(8, min(w.Story+2, room-others))
}

// ArrangeTour lays out the lesson screen.
func ArrangeTour(w, h int, wants Wants) Tour {
	t := Tour{Class: Classify(w, h), Header: frame.Rect{X: 0, Y: 0, W: w, H: 1}, Footer: frame.Rect{X: 0, Y: h - 1, W: w, H: 1}}
	body := frame.Rect{X: 0, Y: 1, W: w, H: h - 2}
	switch t.Class {
	case Large:
		left := storyWidth(w)
		if wants.Wide {
			rows := max(4, min(wants.Command+2, body.H/3))
			body.H -= rows
			t.Command = frame.Rect{X: 0, Y: body.Y + body.H, W: w, H: rows}
			file := min(fileRows(wants.File), 6)
			rest := Share(body.H, []int{wants.Story + 2, fileRows(wants.File)}, []int{wants.least(file, body.H), file})
			t.Story = frame.Rect{X: 0, Y: body.Y, W: left, H: rest[0]}
			t.File = frame.Rect{X: 0, Y: body.Y + rest[0], W: left, H: rest[1]}
			t.System = frame.Rect{X: left, Y: body.Y, W: w - left, H: body.H}
			t.Panes = stack(t.System, wants.Panes, wants.Least)
			return t
		}
		file, command := min(fileRows(wants.File), 6), min(wants.Command+2, 5)
		rows := Share(body.H, []int{wants.Story + 2, fileRows(wants.File), wants.Command + 2}, []int{wants.least(file+command, body.H), file, 5})
		if spare := rows[2] - max(5, wants.Command+2); wants.Asking && spare > 0 { // nothing is printed meanwhile
			rows[0], rows[2] = rows[0]+spare, rows[2]-spare
		}
		t.Story = frame.Rect{X: 0, Y: body.Y, W: left, H: rows[0]}
		t.File = frame.Rect{X: 0, Y: body.Y + rows[0], W: left, H: rows[1]}
		t.Command = frame.Rect{X: 0, Y: body.Y + rows[0] + rows[1], W: left, H: rows[2]}
		t.System = frame.Rect{X: left, Y: body.Y, W: w - left, H: body.H}
		t.Panes = stack(t.System, wants.Panes, wants.Least)
	case Medium:
		command := 3
		if wants.Asking {
			command = 1
		}
		room := body.H - command
		most := max(8, room-7)
		switch {
		case wants.Reading && wants.Now > 0:
			most = room - 3 // the live pane in one line
		case !wants.Reading:
			tab := room * 3 / 5
			if len(wants.Panes) > 0 {
				tab = max(7, min(tab, wants.Panes[0]+2))
			}
			most = room - tab
			if wants.Now > 0 && !wants.Looking {
				most = max(most, min(wants.Now+3, room-7))
			}
		}
		story := min(wants.Story+2, most)
		t.Story = frame.Rect{X: 0, Y: body.Y, W: w, H: story}
		t.System = frame.Rect{X: 0, Y: body.Y + story, W: w, H: body.H - story - command}
		t.Command = frame.Rect{X: 0, Y: body.Y + body.H - command, W: w, H: command}
	case Small:
		t.Command = frame.Rect{X: 0, Y: body.Y + body.H - 2, W: w, H: 2}
		t.System = frame.Rect{X: 0, Y: body.Y, W: w, H: body.H - 2}
	}
	return t
}

// storyWidth is how many columns the story has on a Large screen.
func storyWidth(w int) int { return min(58, max(40, w*36/100)) }

// Beside is the area for what covers a screen while it is used: between header
// and footer, and where there is room for both, beside the story.
func Beside(w, h int) frame.Rect {
	area := frame.Rect{X: 0, Y: 1, W: w, H: h - 2}
	if Classify(w, h) == Large {
		left := storyWidth(w)
		area.X, area.W = left, w-left
	}
	return area
}

func fileRows(lines int) int {
	if lines == 0 {
		return 0
	}
	return lines + 2
}

// stack divides the inside of a box into panes with a rule between them.
func stack(box frame.Rect, wants, least []int) []frame.Rect {
	inner := box.Inset(1)
	if least == nil {
		least = slices.Repeat([]int{3}, len(wants))
	}
	rows := Share(inner.H-(len(wants)-1), wants, least)
	panes := make([]frame.Rect, len(wants))
	y := inner.Y
	for i, height := range rows {
		panes[i] = frame.Rect{X: inner.X, Y: y, W: inner.W, H: height}
		y += height + 1
	}
	return panes
}

// Share divides total rows among parts: everyone gets its least, then its wish
// in turn row by row, and what is left goes to the last part that wanted
// anything. When even the least do not fit, later parts lose first. The sum is
// always total (for total ≥ 0 and at least one part with a wish).
func Share(total int, wants, least []int) []int {
	rows := make([]int, len(wants))
	left := max(0, total)
	for i := range rows {
		rows[i] = min(left, min(wants[i], least[i]))
		left -= rows[i]
	}
	for left > 0 {
		before := left
		for i := range rows {
			if left > 0 && rows[i] < wants[i] {
				rows[i]++
				left--
			}
		}
		if before == left {
			break
		}
	}
	for i := len(rows) - 1; i >= 0 && left > 0; i-- {
		if wants[i] > 0 {
			rows[i] += left
			left = 0
		}
	}
	return rows
}

// Center gives a w×h area in the middle of a screen, shrunk to fit.
func Center(screenW, screenH, w, h int) frame.Rect {
	w, h = min(w, screenW), min(h, screenH)
	return frame.Rect{X: (screenW - w) / 2, Y: (screenH - h) / 2, W: w, H: h}
}
