package question_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"svctour/ui/frame"
	"svctour/ui/live"
	"svctour/ui/question"
	"svctour/ui/theme"
)

var update = flag.Bool("update", false, "rewrite the golden cards")

// card is a question with one right choice, the second.
func card(phase question.Phase, pick int, c question.Confidence) question.Card {
	return question.Card{
		Label: "Predict", Phase: phase, Pick: pick, Confidence: c,
		Question: "Four Pods run here. How many endpoints will `web` have?",
		Choices: []question.Choice{
			{Say: "Four, one for each Pod.", Help: "`tmp` does not carry the label `app: web`, so the selector passes it by."},
			{Say: "Three.", Right: true},
			{Say: "None, until we list them.", Help: "The controller fills the slices from the selector."},
		},
		Why: "The controller compares the selector with the labels of every Pod in the namespace.",
	}
}

func drawn(c question.Card, w int, o theme.Options) string {
	t := theme.New(o)
	laid := c.Lay(live.NewTexts(), t, w)
	s := frame.New(w, max(1, len(laid.Lines)))
	if o.ASCII {
		s = frame.NewASCII(w, max(1, len(laid.Lines)))
	}
	s.Rows(laid.Lines, 0)
	return s.Plain()
}

func TestCards(t *testing.T) {
	before := card(question.Asked, -1, question.Untold)
	before.Before = []frame.Line{frame.L("10.244.0.9 → 10.96.142.31:80 TCP", frame.Style{})}
	before.Tried = []int{0}
	plain := card(question.Asked, -1, question.Untold)
	plain.Plain, plain.Choices[0].Say = true, "-A KUBE-SERVICES -d 10.96.142.31/32 *not* `Markdown`"
	other := card(question.Revealed, 1, question.Guess)
	other.Seen = "5"
	for _, one := range []struct {
		name string
		card question.Card
	}{
		{"asked", card(question.Asked, -1, question.Untold)},
		{"unsure", card(question.Unsure, 0, question.Untold)},
		{"kept", card(question.Kept, 0, question.Sure)},
		{"right", card(question.Revealed, 1, question.Sure)},
		{"wrong", card(question.Revealed, 0, question.Sure)},
		{"unsaid", card(question.Revealed, -1, question.Untold)},
		{"tried", before},
		{"plain", plain},
		{"other", other},
	} {
		for _, w := range []int{38, 76} {
			name := fmt.Sprintf("%s-%d", one.name, w)
			got := drawn(one.card, w, theme.Options{}) + "\n"
			file := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.MkdirAll("testdata", 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s (go test ./ui/question -update rewrites it):\n%s\nwant:\n%s", name, got, want)
			}
		}
	}
}

// Nothing tells which choice is right before the answer is revealed.
func TestNothingIsToldBefore(t *testing.T) {
	for _, phase := range []question.Phase{question.Asked, question.Unsure, question.Kept} {
		a, b := card(phase, 2, question.Guess), card(phase, 2, question.Guess)
		b.Choices = slices.Clone(b.Choices)
		b.Choices[0].Right, b.Choices[1].Right = true, false
		for _, c := range []*question.Card{&a, &b} {
			got := strings.Join(strings.Fields(drawn(*c, 60, theme.Options{})), " ")
			for _, told := range []string{"passes it by", "fills the slices", "compares the selector", "✓", "✗"} {
				if strings.Contains(got, told) {
					t.Errorf("phase %d tells %q: %s", phase, told, got)
				}
			}
		}
		if drawn(a, 60, theme.Options{}) != drawn(b, 60, theme.Options{}) {
			t.Errorf("phase %d looks different when another choice is right", phase)
		}
	}
}

func TestActions(t *testing.T) {
	keys := func(c question.Card) string {
		var out []string
		for _, a := range c.Actions("predict") {
			out = append(out, fmt.Sprintf("%s:%s/%d:%s", a.Keys[0], a.ID, a.N, a.Title))
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		card question.Card
		want string
	}{
		{card(question.Asked, -1, question.Untold), "1:answer/0:predict 2:answer/1:predict 3:answer/2:predict"},
		{card(question.Unsure, 1, question.Untold), "s:confidence/2:sure g:confidence/1:a guess 1:answer/0:change 2:answer/1:change 3:answer/2:change"},
		{card(question.Kept, 1, question.Sure), ""},
		{card(question.Revealed, 1, question.Sure), ""},
	} {
		if got := keys(c.card); got != c.want {
			t.Errorf("phase %d: %q, want %q", c.card.Phase, got, c.want)
		}
	}
	tried := card(question.Asked, -1, question.Untold)
	tried.Tried = []int{2}
	if all := tried.Actions("pick"); all[2].Why == "" || all[1].Why != "" || all[0].Keycap != "1-3" {
		t.Errorf("after a wrong pick: %+v", all)
	}
}

// A click on a choice picks it, wherever the card is scrolled to.
func TestAClickPicks(t *testing.T) {
	c := card(question.Asked, -1, question.Untold)
	laid := c.Lay(live.NewTexts(), theme.New(theme.Options{}), 20)
	for offset := range 3 {
		s := frame.New(20, len(laid.Lines))
		s.Rows(laid.Lines, offset)
		laid.Click(s, offset)
		for y, row := range strings.Split(s.Plain(), "\n") {
			for i := range c.Choices {
				if strings.Contains(row, fmt.Sprintf(" %d ", i+1)) {
					if id, n := frame.Hit(s.Regions(), 5, y); id != question.AnswerID || n != i {
						t.Errorf("scrolled by %d, row %d %q means %s %d", offset, y, row, id, n)
					}
				}
			}
		}
	}
}

// What the cluster's names hold stays text, and every width is kept.
func TestCardsKeepTheirRoom(t *testing.T) {
	const hostile = "\x1b[2J\x1b]0;owned\x07\u202e`web\x9b31m`"
	for phase := question.Asked; phase <= question.Revealed; phase++ {
		c := card(phase, 0, question.Sure)
		c.Question, c.Why, c.Seen, c.Before = hostile+c.Question, hostile, hostile, []frame.Line{frame.L(hostile, frame.Style{})}
		c.Choices = slices.Clone(c.Choices)
		for i := range c.Choices {
			c.Choices[i].Say, c.Choices[i].Help = hostile+strings.Repeat("long", 30), hostile
		}
		for _, look := range []theme.Options{{}, {NoColor: true}, {ASCII: true}} {
			for _, w := range []int{1, 2, 5, 20, 76} {
				th := theme.New(look)
				laid := c.Lay(live.NewTexts(), th, w)
				for _, l := range laid.Lines {
					if w >= 20 && l.Width() > w {
						t.Fatalf("phase %d at %d columns: %d in %q", phase, w, l.Width(), l.Plain())
					}
				}
				s := frame.New(w, len(laid.Lines))
				s.Rows(laid.Lines, 0)
				if r := s.Render(); strings.ContainsAny(r, "\x07\u009b\u202e") || strings.Contains(r, "\x1b]") || strings.Contains(r, "\x1b[2J") {
					t.Fatalf("phase %d: an escape in %q", phase, r)
				}
				if look.ASCII {
					if got := drawn(c, w, look); strings.ContainsFunc(got, func(r rune) bool { return r > '~' }) {
						t.Fatalf("more than ASCII: %q", got)
					}
				}
			}
		}
	}
}
