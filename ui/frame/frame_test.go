package frame

import (
	"image/color"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"svctour/model"
)

func TestTextIsClipped(t *testing.T) {
	s := New(10, 3)
	inner := s.Sub(Rect{2, 1, 5, 1})
	if got := inner.Text(-1, 0, "abcdefgh", Style{}); got != 8 {
		t.Errorf("width %d, want 8", got)
	}
	inner.Text(0, 1, "below", Style{})
	inner.Text(0, -1, "above", Style{})
	if want := "\n  bcdef\n"; s.Plain() != want {
		t.Errorf("%q, want %q", s.Plain(), want)
	}
}

func TestWideCharactersAreNotHalved(t *testing.T) {
	s := New(5, 1)
	s.Sub(Rect{0, 0, 3, 1}).Text(0, 0, "a世界", Style{})
	if got := s.Plain(); got != "a世" {
		t.Errorf("%q", got)
	}
}

// TestNothingHarmfulPasses: whatever a string holds, the rendered frame holds
// no escape sequence but the styles', and as many rows as the frame.
func TestNothingHarmfulPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune{0x1b, 0x9b, '[', ']', '3', 'm', 7, 8, 13, 10, 9, 0x202e, 'x', ';'}), 0, 40, -1)).Draw(t, "text")
		s := New(30, 2)
		s.Text(0, 0, text, Style{})
		s.Line(0, 1, 20, Line{{text, Style{}}, {text, Style{}}})
		rendered := s.Render()
		if strings.ContainsAny(rendered, "\x1b\x07\x08\r\t\u009b\u202e") || strings.Count(rendered, "\n") != 1 {
			t.Fatalf("%q became %q", text, rendered)
		}
	})
}

func TestLineEndsInAnEllipsisWhenCut(t *testing.T) {
	s := New(12, 2)
	s.Line(0, 0, 8, Line{{"abcd", Style{}}, {"efghij", Style{}}})
	s.Line(0, 1, 8, Line{{"abcd", Style{}}, {"efgh", Style{}}})
	if want := "abcdefg…\nabcdefgh"; s.Plain() != want {
		t.Errorf("%q, want %q", s.Plain(), want)
	}
}

func TestWrapKeepsEveryWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z]{1,14}`), 1, 20).Draw(t, "words")
		w := rapid.IntRange(3, 30).Draw(t, "w")
		bold := Style{Bold: true}
		var l Line
		for i, word := range words {
			if i > 0 {
				l = append(l, Span{" ", Style{}})
			}
			l = append(l, Span{word, bold})
		}
		var got strings.Builder
		for _, row := range Wrap(l, w, 0) {
			if row.Width() > w {
				t.Fatalf("a row of %d columns in %d: %q", row.Width(), w, row.Plain())
			}
			got.WriteString(strings.ReplaceAll(row.Plain(), " ", ""))
		}
		if want := strings.Join(words, ""); got.String() != want {
			t.Fatalf("%q became %q", want, got.String())
		}
	})
}

func TestWrappedCountsWhatWrapMakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[a-z-]{0,30}( {1,3}[a-z-]{1,30}){0,12} ?`), rapid.String()).Draw(t, "text")
		w, indent := rapid.IntRange(-1, 40).Draw(t, "w"), rapid.IntRange(0, 8).Draw(t, "indent")
		if got, want := Wrapped(text, w, indent), len(Wrap(L(text, Style{}), w, indent)); got != want {
			t.Fatalf("%q in %d columns: %d rows, Wrap makes %d", text, w, got, want)
		}
	})
}

func TestRowsMakesWhatIsInSight(t *testing.T) {
	made := map[int]bool{}
	rows := Stack(Lines{L("head", Style{}), L("second", Style{})}, List(1_000_000, func(i int) Line {
		made[i] = true
		return L(strings.Repeat("x", i%7+1), Style{})
	}), Lines{}, Lines{L("foot", Style{})})
	if rows.Len() != 1_000_003 {
		t.Fatalf("%d rows", rows.Len())
	}
	s := New(10, 3)
	s.Rows(rows, 1)
	if want := "second\nx\nxx"; s.Plain() != want || len(made) != 2 {
		t.Errorf("%q, and made %v", s.Plain(), made)
	}
	s = New(10, 3)
	s.Rows(rows, rows.Len()-1)
	if want := "foot\n\n"; s.Plain() != want || len(made) != 2 {
		t.Errorf("%q, and made %v", s.Plain(), made)
	}
}

func TestBoxAndHeading(t *testing.T) {
	s := New(24, 4)
	inner := s.Box(Rounded, Style{})
	s.Heading(0, L("Title", Style{}), L("observed", Style{}))
	s.Rule(2, Rounded, Style{})
	inner.Text(0, 0, "inside", Style{})
	want := "╭ Title ──── observed ─╮\n│inside                │\n├──────────────────────┤\n╰──────────────────────╯"
	if s.Plain() != want {
		t.Errorf("\n%s\nwant\n%s", s.Plain(), want)
	}
}

func TestHitFindsTheTopmost(t *testing.T) {
	s := New(10, 4)
	s.Click(Rect{0, 0, 10, 4}, "below", 1)
	s.Sub(Rect{2, 1, 4, 2}).Click(Rect{0, 0, 40, 40}, "above", 2)
	for _, c := range []struct {
		x, y int
		want string
		n    int
	}{{0, 0, "below", 1}, {2, 1, "above", 2}, {5, 2, "above", 2}, {6, 2, "below", 1}, {10, 0, "", 0}} {
		if got, n := Hit(s.Regions(), c.x, c.y); got != c.want || n != c.n {
			t.Errorf("%d,%d: %q %d, want %q %d", c.x, c.y, got, n, c.want, c.n)
		}
	}
}

func TestAgainIsEmpty(t *testing.T) {
	for _, s := range []*Surface{New(6, 2), NewASCII(6, 2)} {
		s.Text(0, 0, "a世", Style{Bold: true})
		s.Click(Rect{0, 0, 6, 2}, "row", 1)
		again := s.Again()
		if again.Plain() != "\n" || strings.Contains(again.Render(), "\x1b") || len(again.Regions()) != 0 {
			t.Errorf("something is left: %q, %v", again.Render(), again.Regions())
		}
		again.Text(1, 1, "é…", Style{})
		if want := s.root.ascii; want != (again.Plain() == "\n ?.") {
			t.Errorf("ASCII only: %v, drawn %q", want, again.Plain())
		}
	}
}

func TestRestyleKeepsText(t *testing.T) {
	s := New(4, 1)
	s.Text(0, 0, "ab", Style{Fg: color.White, Bold: true})
	s.Restyle(Rect{0, 0, 4, 1}, func(Style) Style { return Style{Faint: true} })
	if got := s.Plain(); got != "ab" {
		t.Errorf("%q", got)
	}
	if !strings.Contains(s.Render(), "\x1b[2m") {
		t.Errorf("not faint: %q", s.Render())
	}
}

func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"", "web", "\x1b[31m", "\u202egnp.exe", "\xff\xfe", "a\tb\nc"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := model.Printable(text)
		if strings.ContainsAny(got, "\x1b\x07\n\r\t\u009b\u202e") {
			t.Errorf("%q became %q", text, got)
		}
		if model.Printable(got) != got {
			t.Errorf("%q is not stable", got)
		}
	})
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		w    int
		want []string
	}{
		{"", 3, []string{""}},
		{"abc", 3, []string{"abc"}},
		{"abcdefg", 3, []string{"abc", "def", "g"}},
		{"a b  c", 2, []string{"a ", "b ", " c"}},
		{"界界a", 3, []string{"界", "界a"}},
		{"界a", 1, []string{"界", "a"}},
		{"ae\u0301b", 2, []string{"ae\u0301", "b"}},
		{"a\x1bbc", 2, []string{"a\ufffd", "bc"}},
		{"ab", 0, []string{"a", "b"}},
	} {
		if got := Cut(c.text, c.w); !slices.Equal(got, c.want) {
			t.Errorf("%q at %d: %q, want %q", c.text, c.w, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text, w := rapid.String().Draw(t, "text"), rapid.IntRange(2, 20).Draw(t, "w")
		pieces := Cut(text, w)
		if got := strings.Join(pieces, ""); got != model.Printable(text) {
			t.Fatalf("%q became %q", text, got)
		}
		for i, piece := range pieces[1:] {
			if Width(pieces[i])+Width(piece) <= w {
				t.Fatalf("%q and %q fit into one row of %d", pieces[i], piece, w)
			}
		}
	})
}
