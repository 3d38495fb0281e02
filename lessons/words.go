package lessons

import (
	"regexp"
	"slices"
	"strings"
)

// Limits of texts, in words, so that a step fits its pane on a projector and is
// read once.
const (
	storyWords    = 90
	afterWords    = 70
	debriefWords  = 90
	questionWords = 30
	sentenceWords = 22
	medianWords   = 12
)

func words(s string) int { return len(strings.Fields(s)) }

// sentence is one sentence of a lesson.
type sentence struct {
	text  string
	line  int // of the part that it stands in
	words int
}

var (
	codeSpan   = regexp.MustCompile("`[^`]*`")
	expansion  = regexp.MustCompile(`\$\{(?:[^{}]|\{[^{}]*\})*\}`)
	listMarker = regexp.MustCompile(`^\s*([-*+]|[0-9]+[.)])\s+`)
	ending     = regexp.MustCompile(`[.!?…]["'”)\]*_]*\s+`)
)

// abbreviations end with a dot that ends no sentence.
var abbreviations = []string{"e.g.", "i.e.", "etc.", "vs."}

// sentencesOf cuts Markdown into sentences: of paragraphs and list items, not of
// fenced blocks and tables. A code span and a ${…} count as one word.
func sentencesOf(markdown string, line int) []sentence {
	var list []sentence
	for _, paragraph := range paragraphsOf(markdown) {
		for _, text := range cutSentences(paragraph) {
			plain := codeSpan.ReplaceAllString(expansion.ReplaceAllString(text, "x"), "x")
			if n := words(plain); n > 0 {
				list = append(list, sentence{text: text, line: line, words: n})
			}
		}
	}
	return list
}

// paragraphsOf joins the lines of each paragraph and list item.
func paragraphsOf(markdown string) []string {
	var paragraphs []string
	open := false // the last paragraph goes on
	fence := ""
	for line := range strings.Lines(markdown) {
		line = strings.TrimRight(line, "\n")
		text := strings.TrimSpace(line)
		if fence != "" {
			if closes(line, fence) {
				fence = ""
			}
			continue
		}
		if fence = fenceOf(line); fence != "" || text == "" || strings.HasPrefix(text, "|") {
			open = false
			continue
		}
		if marker := listMarker.FindString(line); marker != "" {
			text, open = strings.TrimSpace(line[len(marker):]), false
		}
		if !open {
			paragraphs = append(paragraphs, "")
		}
		last := &paragraphs[len(paragraphs)-1]
		*last = strings.TrimSpace(*last + " " + text)
		open = true
	}
	return paragraphs
}

func cutSentences(paragraph string) []string {
	// Dots in code and in expressions end nothing: hide them.
	hidden := []byte(paragraph)
	for _, pattern := range []*regexp.Regexp{codeSpan, expansion} {
		for _, at := range pattern.FindAllIndex(hidden, -1) {
			for i := at[0]; i < at[1]; i++ {
				hidden[i] = 'x'
			}
		}
	}
	var list []string
	from := 0
	for _, at := range ending.FindAllIndex(hidden, -1) {
		if endsAbbreviated(paragraph[from:at[1]]) {
			continue
		}
		list = append(list, strings.TrimSpace(paragraph[from:at[1]]))
		from = at[1]
	}
	if rest := strings.TrimSpace(paragraph[from:]); rest != "" {
		list = append(list, rest)
	}
	return list
}

func endsAbbreviated(text string) bool {
	fields := strings.Fields(text)
	return len(fields) > 0 && slices.Contains(abbreviations, strings.ToLower(strings.TrimLeft(fields[len(fields)-1], "(")))
}

// median of the sentences' lengths; 0 without any.
func median(list []sentence) int {
	if len(list) == 0 {
		return 0
	}
	lengths := make([]int, len(list))
	for i, s := range list {
		lengths[i] = s.words
	}
	slices.Sort(lengths)
	return lengths[len(lengths)/2]
}

// text checks a text that explains, and gives its template.
func (r *reader) text(markdown string, line int) template {
	r.sentences = append(r.sentences, sentencesOf(markdown, line)...)
	return r.phrase(markdown, line)
}

// phrase checks a text that a learner reads, such as a choice, and gives its
// template.
func (r *reader) phrase(markdown string, line int) template {
	t, err := parseTemplate(markdown, r.dialect, anyValue)
	if err != nil {
		r.add(line, 0, "%v", err)
	}
	for _, s := range sentencesOf(markdown, line) {
		if s.words > sentenceWords {
			r.add(line, 0, "a sentence of %d words, want at most %d: %q", s.words, sentenceWords, s.text)
		}
	}
	return t
}

// bounded checks a text of limited length.
func (r *reader) bounded(what, markdown string, limit, line int) template {
	if n := words(markdown); n == 0 || n > limit {
		r.add(line, 0, "%s has %d words: want 1 to %d", what, n, limit)
	}
	return r.text(markdown, line)
}
