package model

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestCount(t *testing.T) {
	for want, got := range map[string]string{
		"1 Pod": Count(1, "Pod"), "0 Pods": Count(0, "Pod"), "2 queries": Count(2, "query"), "1 query": Count(1, "query"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestShellWord(t *testing.T) {
	for text, want := range map[string]string{
		"web": "web", "app=web,tier=a": "app=web,tier=a", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(id)": "'$(id)'", "a;b": "'a;b'", "--image=nginx:1.27": "--image=nginx:1.27", "admin@kubernetes": "admin@kubernetes", "~": "'~'",
	} {
		if got := ShellWord(text); got != want {
			t.Errorf("%q is written %s, want %s", text, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"web", "web", 0}, {"web", "wbe", 1}, {"web", "we", 1}, {"web", "weeb", 1}, {"web", "api", 3}, {"", "web", 3}} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching("[ab-]{0,8}")
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		there, back := Distance(a, b), Distance(b, a)
		if there != back || (there == 0) != (a == b) || there > max(len(a), len(b)) {
			t.Errorf("%q and %q: %d there, %d back", a, b, there, back)
		}
	})
}

func TestSuggest(t *testing.T) {
	among := []string{"web", "web-any", "api", "wbe", "kind-prod", "kind-staging"}
	for name, want := range map[string][]string{
		"wb": {"wbe", "web"}, "we": {"wbe", "web"}, "prod": {"kind-prod"}, "kind-prdo": {"kind-prod"}, "x": nil, "webb": {"web", "wbe"},
	} {
		if got := Suggest(name, among); !slices.Equal(got, want) {
			t.Errorf("%q may mean %q, want %q", name, got, want)
		}
	}
}

func TestFraction(t *testing.T) {
	for _, c := range []struct {
		p    float64
		want string
	}{{1, "1"}, {0, "0"}, {0.5, "1/2"}, {1.0 / 3, "1/3"}, {0.33333333349, "1/3"}, {0.01, "1/100"}, {0.4, "40.0%"}, {2.0 / 3, "66.7%"}} {
		if got := Fraction(c.p); got != c.want {
			t.Errorf("%v: %q, want %q", c.p, got, c.want)
		}
	}
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{"": "", "no such Pod": "No such Pod.", "did you mean web?": "Did you mean web?", "Ärger.": "Ärger.", "ärger": "Ärger."} {
		if got := Sentence(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
