package widget

import (
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
		switch d.sign {
		case '+':
			lines = append(lines, line(sp("+ "+d.text, t.Added)))
		case '-':
			lines = append(lines, line(sp("- "+d.text, t.Removed)))
		default:
			lines = append(lines, append(line(sp("  ", t.Text)), yamlSpans(d.text, t)...))
		}
	}
	return lines
}

func splitLines(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") }

type diffLine struct {
	sign byte
	text string
}

// diffLines is the longest-common-subsequence diff of two short files.
func diffLines(a, b []string) []diffLine {
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
	var out []diffLine
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, diffLine{' ', b[j]})
			i, j = i+1, j+1
		case i < len(a) && (j == len(b) || common[i+1][j] >= common[i][j+1]):
			out = append(out, diffLine{'-', a[i]})
			i++
		default:
			out = append(out, diffLine{'+', b[j]})
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
