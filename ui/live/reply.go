package live

import (
	"fmt"
	"strings"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Reply draws what a command printed, and how it ended where that was badly.
func Reply(reply *model.Reply, t *theme.Theme, w int) []frame.Line {
	var lines []frame.Line
	add := func(text string, style frame.Style) {
		for _, row := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			if strings.TrimSpace(row) == "" {
				continue
			}
			row = strings.ReplaceAll(row, "\t", "  ")
			if frame.Width(row) <= w || strings.Contains(row, "   ") { // a table stays a table, cut at the edge
				lines = append(lines, frame.L(row, style))
				continue
			}
			lines = append(lines, frame.Wrap(frame.L(row, style), w, 2)...)
		}
	}
	add(reply.Stdout, t.Text)
	style := t.Muted
	if reply.Exit != 0 {
		style = t.Warn
	}
	add(reply.Stderr, style)
	if reply.Exit != 0 && len(lines) == 0 {
		add(fmt.Sprintf("exit code %d", reply.Exit), t.Warn)
	}
	return lines
}
