package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Count says how many there are of something: "1 Pod", "3 Pods", "2 queries".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		noun = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ShellWord writes a text as one word for a POSIX shell, quoted if it has to
// be: names come from files, too, and those may hold anything.
func ShellWord(text string) string {
	for _, r := range text {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/=,:@%+", r) {
			return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
		}
	}
	if text == "" {
		return "''"
	}
	return text
}

// Distance is the least number of letters to insert, delete, replace or swap
// with their neighbour to make b of a. Very long texts count as far apart: no one
// mistypes those.
func Distance(a, b string) int {
	const longest = 253 // of a name in Kubernetes
	if len(a) > longest || len(b) > longest {
		return longest
	}
	before, last := []int(nil), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// suggestions is how many names are worth reading after "did you mean".
const suggestions = 5

// Nearest orders names by how much they look like name: a name that is a part
// of the other is as near as one with a letter amiss.
func Nearest(name string, among []string) []string {
	return slices.SortedFunc(slices.Values(among), func(a, b string) int {
		return cmp.Or(cmp.Compare(far(name, a), far(name, b)), cmp.Compare(a, b))
	})
}

func far(a, b string) int {
	if min(len(a), len(b)) > 2 && (strings.Contains(b, a) || strings.Contains(a, b)) {
		return min(1, Distance(a, b))
	}
	return Distance(a, b)
}

// Suggest picks those names that may be meant by a mistyped one, the nearest
// first: a letter in four may be wrong, or one may be a part of the other.
func Suggest(name string, among []string) []string {
	var out []string
	for _, other := range Nearest(name, among) {
		if len(out) < suggestions && far(name, other) <= 1+len(name)/4 {
			out = append(out, other)
		}
	}
	return out
}

// Sentence writes what an error says as people do: with a capital and a full stop.
func Sentence(text string) string {
	first, n := utf8.DecodeRuneInString(text)
	if n == 0 {
		return ""
	}
	text = string(unicode.ToUpper(first)) + text[n:]
	if last := text[len(text)-1]; last == '.' || last == '?' || last == '!' { // a name that may have been meant
		return text
	}
	return text + "."
}

// Fraction writes a probability as people say it: "1/3" where it is one over a
// small whole number, else in per cent.
func Fraction(p float64) string {
	switch {
	case p >= 0.9995:
		return "1"
	case p <= 0:
		return "0"
	}
	if n := math.Round(1 / p); n <= 100 && math.Abs(p-1/n) < 1e-6 {
		return fmt.Sprintf("1/%.0f", n)
	}
	return fmt.Sprintf("%.1f%%", p*100)
}

// ShortName keeps the last part of a generated Pod name: "web-6d4b75cb6d-x2k9p"
// is "web-…x2k9p".
func ShortName(name string) string {
	parts := strings.Split(name, "-")
	if len(parts) < 3 {
		return name
	}
	return parts[0] + "-…" + parts[len(parts)-1]
}
