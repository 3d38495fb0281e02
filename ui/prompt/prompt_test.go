package prompt

import (
	"runtime"
	"strings"
	"testing"

	"svctour/model"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

func drawn(p *Prompt, w, h int) *frame.Surface {
	s := frame.New(w, h)
	p.Draw(s, theme.New(theme.Options{}))
	return s
}

// typing gives keys to a prompt: single characters, or keys by name.
func typing(p *Prompt, keys ...string) (last Wish) {
	for _, key := range keys {
		text := ""
		if len(key) == 1 {
			text = key
		}
		last = p.Key(key, text)
	}
	return last
}

func TestEditing(t *testing.T) {
	for _, c := range []struct {
		keys string
		want string
	}{
		{"g e t", "get"},
		{"g x left delete e t", "get"},
		{"e t home g", "get"},
		{"g e t backspace backspace left x", "xg"},
		{"a ctrl+a b ctrl+k", "b"},
		{"a b left ctrl+u", "b"},
		{"ctrl+w backspace delete left up down", ""},
	} {
		var p Prompt
		p.Open()
		typing(&p, strings.Fields(c.keys)...)
		if p.Text() != c.want {
			t.Errorf("%s gives %q, want %q", c.keys, p.Text(), c.want)
		}
	}
	var p Prompt
	p.Insert("get  svc\tweb\n\x1b[2J")
	typing(&p, "ctrl+w")
	if p.Text() != "get  svc web " {
		t.Errorf("%q", p.Text())
	}
}

func TestKeysAskForWhatTheyMean(t *testing.T) {
	var p Prompt
	p.Open()
	if typing(&p, "enter") != Nothing || typing(&p, "tab") != Complete {
		t.Error("an empty line is run, or tab does not complete")
	}
	if typing(&p, "g", "enter") != Submit || p.Take() != "kubectl g" || p.Text() != "" {
		t.Error("the line is not taken")
	}
	p.Begin("kubectl g")
	if typing(&p, "x", "enter") != Nothing {
		t.Error("two commands run at once")
	}
	if typing(&p, "ctrl+c") != Cancel || !p.IsOpen() || p.Text() != "x" {
		t.Error("^C does not end the command alone")
	}
	p.End(model.Reply{})
	typing(&p, "ctrl+c")
	if p.Text() != "" || !p.IsOpen() {
		t.Error("^C does not empty the line")
	}
	typing(&p, "ctrl+c")
	if p.IsOpen() {
		t.Error("^C does not close an empty prompt")
	}
	p.Begin("kubectl g")
	if typing(&p, "esc") != Cancel || !p.IsOpen() {
		t.Error("escape leaves the command running, or hides what it says")
	}
	p.End(model.Reply{})
	if typing(&p, "esc") != Nothing || p.IsOpen() {
		t.Error("escape does not close the prompt after the command")
	}
}

func TestNothingIsOfferedAsAFormOfOutput(t *testing.T) {
	var p Prompt
	p.Set("get pods -o ")
	p.Complete(&model.Snapshot{}, "tour")
	if len(p.offered) > 0 || p.Text() != "get pods -o " {
		t.Errorf("offered %q, the line is %q", p.offered, p.Text())
	}
}

// A command may print all it knows in one line. Its rows are cut in one pass,
// and once for a reply and a width.
func TestOneLongLineOfOutput(t *testing.T) {
	const limit = 256 << 10 // what is kept of an output
	long := strings.Repeat("0123456789abcdef", limit/16)
	cost := func(text string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rows := textLines(text, frame.Style{}, 76)
		runtime.ReadMemStats(&after)
		if want := (len(text) + 75) / 76; len(rows) != want {
			t.Fatalf("%d rows of %d characters, want %d", len(rows), len(text), want)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	if half, whole := cost(long[:limit/2]), cost(long); whole > 3*half { // 4 when every row copies the rest
		t.Errorf("%d bytes are allocated for half of the text, %d for the whole", half, whole)
	}

	var p Prompt
	p.Begin("kubectl get pods -A -o jsonpath={.items}")
	p.End(model.Reply{Stdout: long + "\n"})
	colours := theme.New(theme.Options{})
	p.Draw(frame.New(80, 24), colours)
	rows := p.printed.lines
	p.offered = []string{"web"}
	p.Draw(frame.New(80, 24), colours)
	if again := p.printed.lines; &again[0] != &rows[0] {
		t.Error("the next frame cuts the same reply again")
	}
	p.Draw(frame.New(120, 40), colours)
	if again := p.printed.lines; &again[0] == &rows[0] || again[0].Width() != 116 {
		t.Error("another width shows the rows of the one before")
	}
	p.Begin("kubectl get ns")
	p.End(model.Reply{Stdout: "short\n"})
	p.Draw(frame.New(120, 40), colours)
	if got := p.printed.lines; len(got) != 1 || got[0].Plain() != "short" {
		t.Errorf("the next reply is shown as %d rows of the last one", len(got))
	}
}

func TestEveryWidthHoldsTheLine(t *testing.T) {
	var p Prompt
	p.Set(strings.Repeat("界x", 60))
	p.Begin("kubectl get pods\x1b[2J")
	p.End(model.Reply{Stdout: strings.Repeat("row\n", 99), Stderr: "\x1b]0;owned\x07", Exit: 1})
	for _, size := range [][2]int{{20, 5}, {40, 12}, {80, 24}, {200, 60}} {
		text := drawn(&p, size[0], size[1]).Plain()
		for _, row := range strings.Split(text, "\n") {
			if frame.Width(row) > size[0] || model.Printable(row) != row {
				t.Errorf("%v: %q", size, row)
			}
		}
	}
}
