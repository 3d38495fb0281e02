package lessons

import (
	"strings"
)

// document is a lesson's text cut into its parts, with the line of each.
type document struct {
	front     string // the YAML between the two "---"
	frontLine int
	steps     []section
}

// section is a heading and what stands under it, up to the next heading of its
// own or a higher level.
type section struct {
	title  string
	line   int
	blocks []block
	parts  []section // "###" within a "##"
}

// block is running text, or a fenced block when fence is set.
type block struct {
	fence bool
	info  string // of the fence: "yaml web.yaml"
	text  string // without the fences
	raw   string // with them
	line  int    // of the text's first line
}

// parseDocument cuts a lesson into parts. Headings within fences are text.
// What stands before the first "##" is not part of any step.
func parseDocument(text string) (document, *Problem) {
	lines := strings.Split(text, "\n")
	var doc document
	at := 0
	if strings.TrimRight(lines[0], " ") != "---" {
		return doc, &Problem{Line: 1, Message: `want front matter: a line "---", YAML, and another "---"`}
	}
	for at = 1; at < len(lines) && strings.TrimRight(lines[at], " ") != "---"; at++ {
	}
	if at == len(lines) {
		return doc, &Problem{Line: 1, Message: `the front matter has no closing "---"`}
	}
	doc.front, doc.frontLine = strings.Join(lines[1:at], "\n"), 2
	at++

	var into *section // nil before the first step
	for at < len(lines) {
		line := lines[at]
		if fence := fenceOf(line); fence != "" {
			end := at + 1
			for end < len(lines) && !closes(lines[end], fence) {
				end++
			}
			if end == len(lines) {
				return doc, &Problem{Line: at + 1, Message: "this fenced block is never closed"}
			}
			if into != nil {
				into.blocks = append(into.blocks, block{
					fence: true,
					info:  strings.TrimSpace(strings.TrimLeft(line, "`~")),
					text:  joinLines(lines[at+1 : end]),
					raw:   joinLines(lines[at : end+1]),
					line:  at + 2,
				})
			}
			at = end + 1
			continue
		}
		switch title, level := heading(line); {
		case level == 2:
			doc.steps = append(doc.steps, section{title: title, line: at + 1})
			into = &doc.steps[len(doc.steps)-1]
		case level == 3 && into == nil:
			return doc, &Problem{Line: at + 1, Message: `a "###" part must belong to a "##" step`}
		case level == 3:
			step := &doc.steps[len(doc.steps)-1]
			step.parts = append(step.parts, section{title: title, line: at + 1})
			into = &step.parts[len(step.parts)-1]
		case level == 1 && into != nil:
			return doc, &Problem{Line: at + 1, Message: `a "#" heading must stand before the first step; steps have "##"`}
		case into != nil:
			into.addLine(line, at+1)
		}
		at++
	}
	return doc, nil
}

// addLine adds a line of running text.
func (s *section) addLine(line string, at int) {
	if n := len(s.blocks); n > 0 && !s.blocks[n-1].fence {
		s.blocks[n-1].text += line + "\n"
		s.blocks[n-1].raw += line + "\n"
		return
	}
	s.blocks = append(s.blocks, block{text: line + "\n", raw: line + "\n", line: at})
}

func joinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// heading gives an ATX heading's text and level; level 0 when line is none.
func heading(line string) (string, int) {
	level := len(line) - len(strings.TrimLeft(line, "#"))
	if level == 0 || level > 6 || len(line) > level && line[level] != ' ' {
		return "", 0
	}
	return strings.TrimSpace(strings.TrimRight(strings.TrimSpace(line[level:]), "#")), level
}

// fenceOf gives the run of backticks or tildes that opens a fenced block.
func fenceOf(line string) string {
	for _, ch := range []string{"`", "~"} {
		run := line[:len(line)-len(strings.TrimLeft(line, ch))]
		if len(run) >= 3 && !(ch == "`" && strings.Contains(line[len(run):], "`")) {
			return run
		}
	}
	return ""
}

func closes(line, fence string) bool {
	line = strings.TrimRight(line, " ")
	return len(line) >= len(fence) && strings.Trim(line, fence[:1]) == ""
}

// item is one element of a Markdown list.
type item struct {
	text string
	line int
}

// splitList cuts running text into what stands before its list, the list's
// items, and what stands after. Indented lines continue an item.
func splitList(b block) (before string, items []item, after string) {
	lines := strings.Split(strings.TrimRight(b.text, "\n"), "\n")
	state := 0 // before, in, after the list
	var head, tail []string
	for i, line := range lines {
		isItem := strings.HasPrefix(line, "- ")
		blank := strings.TrimSpace(line) == ""
		switch {
		case state < 2 && isItem:
			state = 1
			items = append(items, item{text: strings.TrimSpace(line[2:]), line: b.line + i})
		case state == 0:
			head = append(head, line)
		case state == 1 && strings.HasPrefix(line, "  ") && !blank:
			items[len(items)-1].text += " " + strings.TrimSpace(line)
		case state == 1 && blank:
		default:
			state = 2
			tail = append(tail, line)
		}
	}
	return strings.TrimSpace(strings.Join(head, "\n")), items, strings.TrimSpace(strings.Join(tail, "\n"))
}
