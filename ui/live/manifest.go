package live

import (
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Manifest draws a YAML file, the lines that are new or gone since its
// previous version marked with + and -.
func Manifest(content, previous string, t *theme.Theme) []frame.Line {
	if previous == "" {
		previous = content
	}
	var lines []frame.Line
	for _, d := range diffLines(previous, content) {
		switch d.Sign {
		case '+':
			lines = append(lines, line(sp("+ "+d.Text, t.Added)))
		case '-':
			lines = append(lines, line(sp("- "+d.Text, t.Removed)))
		default:
			lines = append(lines, append(line(sp("  ", t.Text)), YAML(d.Text, t)...))
		}
	}
	return lines
}

// DiffLine is a line of two files laid beside each other.
type DiffLine struct {
	Sign byte // '+' new, '-' gone, ' ' in both
	Text string
}

// Diff gives the lines that differ between two files, with up to around lines
// that do not on each side; none when the files are equal.
func Diff(before, after string, around int) []DiffLine {
	all := diffLines(before, after)
	near := func(i int) bool {
		return slices.ContainsFunc(all[max(0, i-around):min(len(all), i+around+1)], func(d DiffLine) bool { return d.Sign != ' ' })
	}
	var out []DiffLine
	for i, d := range all {
		if near(i) {
			out = append(out, d)
		}
	}
	return out
}

// diffLines lays two files beside each other, line by line.
func diffLines(before, after string) []DiffLine {
	before, after = ended(before), ended(after)
	var out []DiffLine
	add := func(sign byte, text string) {
		for line := range strings.Lines(text) {
			out = append(out, DiffLine{sign, strings.TrimSuffix(line, "\n")})
		}
	}
	at := 0
	for _, edit := range udiff.Lines(before, after) {
		add(' ', before[at:edit.Start])
		add('-', before[edit.Start:edit.End])
		add('+', edit.New)
		at = edit.End
	}
	add(' ', before[at:])
	return out
}

// ended is a text whose last line has an end, and which has no blank lines after it.
func ended(text string) string {
	if text = strings.TrimRight(text, "\n"); text == "" {
		return ""
	}
	return text + "\n"
}

// YAML colours a line of YAML: "key: value # comment".
func YAML(text string, t *theme.Theme) frame.Line {
	body, comment := text, ""
	if i := strings.Index(text, " #"); i >= 0 {
		body, comment = text[:i+1], text[i+1:]
	} else if strings.HasPrefix(strings.TrimSpace(text), "#") {
		return frame.L(text, t.YAMLComment)
	}
	var row frame.Line
	if i := strings.Index(body, ":"); i >= 0 && (i+1 == len(body) || body[i+1] == ' ') {
		row = line(sp(body[:i+1], t.YAMLKey), sp(body[i+1:], t.YAMLValue))
	} else {
		row = frame.L(body, t.YAMLValue)
	}
	if comment != "" {
		row = append(row, sp(comment, t.YAMLComment))
	}
	return row
}
