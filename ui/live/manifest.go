package live

import (
	"slices"
	"strings"

	"svctour/ui/frame"
	"svctour/ui/theme"
)

// Manifest draws a YAML file, the lines that are new or gone since its
// previous version marked with + and -.
func Manifest(content, previous string, t *theme.Theme) []frame.Line {
	now := splitLines(content)
	if previous == "" {
		previous = content
	}
	var lines []frame.Line
	for _, d := range diffLines(splitLines(previous), now) {
		switch d.Sign {
		case '+':
			lines = append(lines, line(sp("+ "+d.Text, t.Added)))
		case '-':
			lines = append(lines, line(sp("- "+d.Text, t.Removed)))
		default:
			lines = append(lines, append(line(sp("  ", t.Text)), yamlSpans(d.Text, t)...))
		}
	}
	return lines
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(strings.TrimRight(s, "\n"), "\n")
}

// DiffLine is a line of two files laid beside each other.
type DiffLine struct {
	Sign byte // '+' new, '-' gone, ' ' in both
	Text string
}

// diffLimit is how many lines that differ a diff compares one by one.
const diffLimit = 1000

// Diff gives the lines that differ between two files, with up to around lines
// that do not on each side; none when the files are equal.
func Diff(before, after string, around int) []DiffLine {
	a, b := splitLines(before), splitLines(after)
	same := 0
	for same < min(len(a), len(b)) && a[same] == b[same] {
		same++
	}
	end := 0
	for end < min(len(a), len(b))-same && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	if same == len(a) && same == len(b) {
		return nil
	}
	var all []DiffLine
	for _, text := range a[max(0, same-around):same] {
		all = append(all, DiffLine{' ', text})
	}
	gone, come := a[same:len(a)-end], b[same:len(b)-end]
	if len(gone)*len(come) <= diffLimit*diffLimit {
		all = append(all, diffLines(gone, come)...)
	} else {
		all = append(append(all, signed('-', gone)...), signed('+', come)...)
	}
	for _, text := range a[len(a)-end : len(a)-end+min(around, end)] {
		all = append(all, DiffLine{' ', text})
	}
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

func signed(sign byte, texts []string) []DiffLine {
	out := make([]DiffLine, len(texts))
	for i, text := range texts {
		out[i] = DiffLine{sign, text}
	}
	return out
}

// diffLines is the longest-common-subsequence diff of two short files.
func diffLines(a, b []string) []DiffLine {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []DiffLine
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, DiffLine{' ', b[j]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, DiffLine{'-', a[i]})
			i++
		default:
			out = append(out, DiffLine{'+', b[j]})
			j++
		}
	}
	return out
}

// yamlSpans colours "key: value # comment".
func yamlSpans(text string, t *theme.Theme) frame.Line {
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
