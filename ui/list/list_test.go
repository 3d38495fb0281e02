package list

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func typing(l *List, text string) {
	l.Search()
	for _, r := range text {
		l.Key(string(r), string(r))
	}
}

func TestSearchFindsRowsThatHaveEveryWord(t *testing.T) {
	var l List
	l.Set([]string{"prod-eu eks", "prod-us eks", "staging kind", "Lab"})
	l.Go(2)
	for _, c := range []struct {
		search string
		want   []int
	}{{"", []int{0, 1, 2, 3}}, {"prod", []int{0, 1}}, {"EKS us", []int{1}}, {"lab", []int{3}}, {"none", nil}} {
		typing(&l, c.search)
		if got := l.Window(9); !slices.Equal(got, c.want) {
			t.Errorf("%q finds %v, want %v", c.search, got, c.want)
		}
		l.Key("esc", "")
	}
	if l.Searching() || l.Searched() != "" || l.Len() != 4 {
		t.Error("escape does not end the search")
	}
}

func TestTheCursorKeepsItsRow(t *testing.T) {
	var l List
	l.Set([]string{"a", "b", "ab", "c"})
	l.Go(2)
	typing(&l, "b")
	if l.Row() != 2 {
		t.Errorf("the cursor is on row %d", l.Row())
	}
	typing(&l, "x")
	if l.Row() != -1 || l.Len() != 0 || len(l.Window(3)) != 0 {
		t.Errorf("nothing matches, and the cursor is on row %d", l.Row())
	}
	l.Key("backspace", "")
	l.Key("backspace", "")
	l.Key("backspace", "")
	if l.Searching() || l.Len() != 4 {
		t.Error("backspace does not end an empty search")
	}
	l.Set([]string{"a"})
	if l.Row() != 0 {
		t.Errorf("the cursor is on row %d of one", l.Row())
	}
	if l.Set(nil); l.Row() != -1 {
		t.Errorf("the cursor is on row %d of none", l.Row())
	}
}

// Whatever is done, the cursor is in the window, the window is full, and it
// holds only rows that match.
func TestTheWindowHoldsTheCursor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l List
		rows := rapid.SliceOfN(rapid.StringMatching("[ab]{0,3}"), 0, 40)
		l.Set(rows.Draw(t, "rows"))
		for range rapid.IntRange(1, 30).Draw(t, "deeds") {
			switch rapid.SampledFrom([]string{"step", "go", "key", "set"}).Draw(t, "deed") {
			case "step":
				l.Step(rapid.SampledFrom([]int{-1, 1}).Draw(t, "by"))
			case "go":
				l.Go(rapid.IntRange(-1, 50).Draw(t, "row"))
			case "key":
				key := rapid.SampledFrom([]string{"a", "b", " ", "backspace", "esc", "enter", "ctrl+u"}).Draw(t, "key")
				text := ""
				if len(key) == 1 {
					text = key
				}
				l.Search()
				l.Key(key, text)
			case "set":
				l.Set(rows.Draw(t, "rows"))
			}
			room := rapid.IntRange(0, 12).Draw(t, "room")
			window := l.Window(room)
			if want := min(max(1, room), l.Len()); len(window) != want {
				t.Fatalf("%d rows in a window of %d, %d match", len(window), room, l.Len())
			}
			if l.Len() > 0 && !slices.Contains(window, l.Row()) {
				t.Fatalf("the cursor is on %d, the window has %v", l.Row(), window)
			}
			for _, row := range window {
				for _, word := range strings.Fields(l.Searched()) {
					if !strings.Contains(l.keys[row], word) {
						t.Fatalf("row %d (%q) does not match %q", row, l.keys[row], l.Searched())
					}
				}
			}
		}
	})
}
