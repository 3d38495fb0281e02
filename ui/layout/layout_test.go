package layout

import (
	"testing"

	"pgregory.net/rapid"

	"svctour/ui/frame"
)

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		w, h int
		want Class
	}{
		{20, 5, TooSmall}, {39, 40, TooSmall}, {200, 11, TooSmall}, {40, 12, Small}, {69, 60, Small},
		{70, 20, Medium}, {80, 24, Medium}, {110, 29, Medium}, {110, 30, Large}, {200, 60, Large},
	} {
		if got := Classify(c.w, c.h); got != c.want {
			t.Errorf("%d×%d: class %d, want %d", c.w, c.h, got, c.want)
		}
	}
}

func TestShareGivesAllRowsAway(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "parts")
		wants := rapid.SliceOfN(rapid.IntRange(0, 40), n, n).Draw(t, "wants")
		least := rapid.SliceOfN(rapid.IntRange(0, 8), n, n).Draw(t, "least")
		total := rapid.IntRange(0, 80).Draw(t, "total")
		rows := Share(total, wants, least)
		sum, wanted := 0, 0
		for i, r := range rows {
			if r < 0 {
				t.Fatalf("part %d has %d rows", i, r)
			}
			sum += r
			wanted += wants[i]
		}
		if wanted > 0 && sum != total {
			t.Fatalf("%d rows of %d given away: %v", sum, total, rows)
		}
		if wanted >= total {
			for i, r := range rows {
				if r > wants[i] {
					t.Fatalf("part %d has %d rows and wanted %d, though others went short: %v", i, r, wants[i], rows)
				}
			}
		}
	})
}

// TestTourPartsDoNotOverlap: whatever the wishes, every part lies on the
// screen, and no two share a cell.
func TestTourPartsDoNotOverlap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.IntRange(SmallWidth, 240).Draw(t, "w")
		h := rapid.IntRange(SmallHeight, 80).Draw(t, "h")
		wish := rapid.IntRange(0, 60)
		tour := ArrangeTour(w, h, Wants{
			Story: wish.Draw(t, "story"), File: wish.Draw(t, "file"), Command: wish.Draw(t, "command"),
			Panes: rapid.SliceOfN(wish, 4, 4).Draw(t, "panes"), Reading: rapid.Bool().Draw(t, "reading"), Wide: rapid.Bool().Draw(t, "wide"),
		})
		parts := map[string]frame.Rect{"header": tour.Header, "footer": tour.Footer, "story": tour.Story, "file": tour.File, "command": tour.Command, "system": tour.System}
		covered := make(map[[2]int]string)
		for name, r := range parts {
			for y := r.Y; y < r.Y+r.H; y++ {
				for x := r.X; x < r.X+r.W; x++ {
					if x < 0 || y < 0 || x >= w || y >= h {
						t.Fatalf("%s %v leaves the screen of %d×%d", name, r, w, h)
					}
					if other, taken := covered[[2]int{x, y}]; taken {
						t.Fatalf("%s %v and %s share cell %d,%d", name, r, other, x, y)
					}
					covered[[2]int{x, y}] = name
				}
			}
		}
		if len(covered) != w*h {
			t.Fatalf("%d of %d cells are used: %+v", len(covered), w*h, tour)
		}
		for i, p := range tour.Panes {
			if p.Y < tour.System.Y+1 || p.Y+p.H > tour.System.Y+tour.System.H-1 {
				t.Fatalf("pane %d %v leaves its box %v", i, p, tour.System)
			}
			if i > 0 && p.Y != tour.Panes[i-1].Y+tour.Panes[i-1].H+1 {
				t.Fatalf("pane %d %v does not follow %v", i, p, tour.Panes[i-1])
			}
		}
	})
}
