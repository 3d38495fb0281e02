package cli

import (
	"strings"
	"unicode/utf8"

	"svctour/model"
)

// page is text for a terminal of a given width. What it is given may come from
// a cluster: control characters are replaced.
type page struct {
	strings.Builder
	width int
}

func (p *page) line(text string) {
	p.WriteString(strings.TrimRight(model.Printable(text), " ") + "\n")
}

func (p *page) blank() { p.WriteString("\n") }

// title is a line with a word at its right end, if it fits.
func (p *page) title(left, right string) {
	left, right = model.Printable(left), model.Printable(right)
	gap := p.width - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	if gap < 2 {
		p.line(left)
		p.line("  " + right)
		return
	}
	p.line(left + strings.Repeat(" ", gap) + right)
}

// paragraph wraps text at blanks; the first line begins with first, the others
// with rest. A word that is longer than a line stays whole, to be copied.
func (p *page) paragraph(first, rest, text string) {
	line, empty := first, true
	for word := range strings.FieldsSeq(model.Printable(text)) {
		if !empty && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > p.width {
			p.line(line)
			line, empty = rest, true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	p.line(line)
}

// notes lists what the picture rests on.
func (p *page) notes(notes []string) {
	if len(notes) == 0 {
		return
	}
	p.blank()
	p.line("Notes")
	for _, note := range notes {
		p.paragraph("  - ", "    ", note)
	}
}

// whole is a line that is not wrapped, to be copied as it is.
func (p *page) whole(text string) { p.line(text) }
