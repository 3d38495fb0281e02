package live

import (
	"strings"

	"svctour/model"
	"svctour/model/diagnose"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Doctor draws the diagnosis of one Service: its lane, broken where connections
// fail, and each finding with its evidence and its fix.
func Doctor(r *diagnose.ServiceReport, t *theme.Theme, w int) []frame.Line {
	lines := frame.Wrap(frame.L(r.Summary, t.Muted), w, 0)
	lines = append(lines, frame.Wrap(lane(r, t, w), w, 0)...)
	for i := range r.Findings {
		lines = append(append(lines, nil), finding(&r.Findings[i], t, w)...)
	}
	if r.Healthy {
		lines = append(lines, nil, frame.Line{{Text: t.Glyph.Check + " ", Style: t.Good}, {Text: "No problem found.", Style: t.Text}})
	}
	for _, u := range r.NotChecked {
		lines = append(lines, frame.Wrap(frame.L("Not checked: "+u.What+".", t.Muted), w, 2)...)
	}
	return lines
}

// lane is the way of a connection, a word for each place. When that is too long
// for a line, the places behind a break are left out: they were not looked at.
func lane(r *diagnose.ServiceReport, t *theme.Theme, w int) frame.Line {
	var out frame.Line
	style, broken, width := t.Good, false, 0
	for _, lane := range diagnose.Lanes {
		width += len(lane) + 1
	}
	for i, lane := range diagnose.Lanes {
		if broken && width+1 > w {
			return append(out, frame.Span{Text: " " + t.Glyph.Pending, Style: t.Muted})
		}
		if i > 0 {
			out = append(out, frame.Span{Text: " ", Style: t.Text})
		}
		if lane != r.Broken {
			out = append(out, frame.Span{Text: string(lane), Style: style})
			continue
		}
		mark := t.Warn
		if r.Findings[0].Severity == diagnose.Error {
			mark, style, broken = t.Bad, t.Muted, true
		}
		out = append(out, frame.Span{Text: t.Glyph.Cross + " " + strings.ToUpper(string(lane)), Style: mark})
	}
	return out
}

func finding(f *diagnose.Finding, t *theme.Theme, w int) []frame.Line {
	style := t.Text
	switch f.Severity {
	case diagnose.Error:
		style = t.Bad
	case diagnose.Warning:
		style = t.Warn
	}
	lines := frame.Wrap(frame.L(f.Headline, style), w, 0)
	lines = append(lines, frame.Wrap(frame.L(f.Cause, t.Text), w, 0)...)
	for _, fact := range f.Evidence {
		value := fact.Value
		if value == "" {
			value = "none"
		}
		row := frame.Line{{Text: fact.Kind.String() + " ", Style: t.Evidence(fact.Kind)}, {Text: fact.Object + " " + fact.Field + ": " + value, Style: t.Muted}}
		lines = append(lines, frame.Wrap(row, w, 2)...)
	}
	lines = append(lines, frame.Wrap(frame.Line{{Text: "Fix: ", Style: t.Strong}, {Text: f.Fix.Explain, Style: t.Text}}, w, 2)...)
	if f.Fix.Command != "" {
		lines = append(lines, frame.Wrap(frame.L(model.Printable(f.Fix.Command), t.Code), w, 2)...)
	}
	return lines
}
