package router

import (
	"strconv"
	"strings"

	"svctour/model/path"
)

// brief is a rule as its mode prints it, without what only a tool needs: names
// of match modules, comments, masks.
func brief(r *path.Rule) string {
	text := r.String()
	if r.NFT {
		text, _, _ = strings.Cut(text, ` comment "`)
		return text
	}
	var out []string
	words := fields(text)
	for i := 0; i < len(words); i++ {
		switch w := words[i]; w {
		case "-m", "--comment", "--mode", "--mask", "--name", "--reject-with":
			i++
		case "--reap", "--rsource", "--random-fully":
		case "--probability":
			i++
			p, _ := strconv.ParseFloat(words[i], 64)
			out = append(out, w, strconv.FormatFloat(p, 'f', 5, 64))
		default:
			out = append(out, strings.TrimSuffix(strings.TrimSuffix(w, "/32"), "/128"))
		}
	}
	return strings.Join(out, " ")
}

// fields splits a rule into words; what is quoted is one.
func fields(text string) []string {
	var out []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimLeft(text, " ") {
		end := strings.IndexByte(text, ' ')
		if text[0] == '"' {
			end = closing(text)
		}
		if end < 0 {
			return append(out, text)
		}
		out, text = append(out, text[:end]), text[end:]
	}
	return out
}

// closing is where a quoted text ends; -1 when nothing follows it.
func closing(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			if i+1 == len(text) {
				return -1
			}
			return i + 1
		}
	}
	return -1
}
