package ui

import (
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"svctour/ui/theme"
)

// greet asks the terminal for the cursor's position. Once it has answered, the
// first frame stands, and it is known to answer: it can be asked for more. The
// extended report is not mistaken for a key, as the usual one is (F3).
func (a *App) greet() tea.Cmd {
	if a.options.Theme.ASCII {
		return nil
	}
	return tea.Raw(ansi.RequestExtendedCursorPositionReport)
}

// measure has the terminal print doubtful glyphs, after each of which the cursor
// goes back one column, and say where the cursor is then: as many columns from
// the edge as there are glyphs two columns wide. That happens where every frame
// is blank, in the first column of the last row, which is blank again afterwards.
func measure() tea.Cmd {
	const lastRow = 999 // or the last one that there is
	corner := ansi.CursorPosition(1, lastRow)
	glyphs := strings.Join(theme.Doubtful(), ansi.CUB1) + ansi.CUB1
	return tea.Raw(ansi.SaveCursor + corner + glyphs + ansi.RequestExtendedCursorPositionReport + corner + " " + ansi.RestoreCursor)
}

// measured takes in where the cursor is. On a terminal that draws a glyph two
// columns wide, frames are of ASCII from now on.
func (a *App) measured(msg tea.CursorPositionMsg) tea.Cmd {
	a.stale = false
	switch {
	case a.options.Theme.ASCII:
		return nil
	case !a.measuring:
		a.measuring = true
		return measure()
	case msg.X == 0:
		return nil
	}
	a.options.Theme.ASCII = true
	a.theme = theme.New(a.options.Theme)
	a.canvas, a.stale = nil, true
	return tea.ClearScreen // what stands there stands at other columns than it seems
}
