package main

import (
	"bytes"
	"fmt"
	"path"
)

// page is docs/screens.md: each state at the usual size, with links to the others.
func page(list []state, folder string) []byte {
	var b bytes.Buffer
	b.WriteString(`# Screens

Each picture is what the app draws on a real lab: ` + "`go run ./test/screens -o docs/screens`" + ` brings the states
about, takes the pictures and writes this page. ` + "`svctour picture LESSON STEP -o FILE.svg`" + ` takes one of a
lesson's step.
`)
	usual := sizes()[1]
	for _, s := range list {
		dark, light := path.Join(folder, fileOf(s, usual, false)), path.Join(folder, fileOf(s, usual, true))
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", s.title(), s.caption)
		fmt.Fprintf(&b, "<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"%s\"><img alt=\"%s\" src=\"%s\"></picture>\n\n", dark, s.title(), light)
		for i, size := range sizes() {
			if i > 0 {
				b.WriteString(" · ")
			}
			fmt.Fprintf(&b, "%s [dark](%s) [light](%s)", size, path.Join(folder, fileOf(s, size, false)), path.Join(folder, fileOf(s, size, true)))
		}
		b.WriteString("\n")
	}
	return b.Bytes()
}

// title is a state's heading: its step's, and the moment if that is another than
// the start.
func (s state) title() string {
	switch s.at {
	case "sent", "rule":
		return s.step + ", a request under way"
	case "reply":
		return s.step + ", the reply"
	}
	return s.step
}
