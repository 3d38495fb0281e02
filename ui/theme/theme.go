// Package theme holds every visual choice: styles by role, and glyphs. Colour
// never carries meaning alone; each state also has a glyph or a word.
package theme

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"

	"svctour/model"
	"svctour/ui/frame"
)

// Theme is the styles by role. Build one with New; screens only read it.
type Theme struct {
	Text, Muted, Strong, Title, Accent frame.Style
	Good, Warn, Bad                    frame.Style
	Added, Removed, Changed            frame.Style // rows that just came, went or turned
	Border, Focus                      frame.Style
	Selected                           frame.Style
	Key, KeyOff                        frame.Style
	Code, Quote                        frame.Style
	Header                             frame.Style
	Observed, Derived, Unknown         frame.Style
	Packet                             frame.Style // the hop a walking packet stands on
	YAMLKey, YAMLValue, YAMLComment    frame.Style
	Glyph                              Glyphs
	Box                                frame.Border

	ascii bool
}

// Options choose a theme.
type Options struct {
	Light   bool // the terminal's background is light
	NoColor bool // NO_COLOR, --no-color, or a terminal without colours
	ASCII   bool // only characters of ASCII
}

// Glyphs are the few symbols in use; each has an ASCII stand-in.
type Glyphs struct {
	Ready, NotReady, Terminating, Gone   string
	Arrow, Branch, BranchEnd, Down, Line string
	Check, Cross, Pending, Dot, Pointer  string
	StepDone, StepHere, StepTodo         string
	Live, Trouble, Packet, Fork, Middle  string
	Enter                                string
	Head, OpenHead                       string // of an arrow to a ready endpoint, and to another Pod
	Full, Empty                          string // of a bar
}

var unicodeGlyphs = Glyphs{
	Ready: "●", NotReady: "◌", Terminating: "◐", Gone: "✕",
	Arrow: "→", Branch: "├─", BranchEnd: "└─", Down: "│", Line: "─",
	Check: "✓", Cross: "✗", Pending: "…", Dot: "·", Pointer: "▸",
	StepDone: "▪", StepHere: "▣", StepTodo: "▫",
	Live: "●", Trouble: "▲", Packet: "◆", Fork: "┬", Middle: "·", Head: "▶", OpenHead: "▷", Enter: "⏎", Full: "━", Empty: "─",
}

var asciiGlyphs = Glyphs{
	Ready: "*", NotReady: "o", Terminating: "~", Gone: "x",
	Arrow: "->", Branch: "|-", BranchEnd: "`-", Down: "|", Line: "-",
	Check: "+", Cross: "x", Pending: "...", Dot: ".", Pointer: ">",
	StepDone: "#", StepHere: "@", StepTodo: ".",
	Live: "*", Trouble: "!", Packet: "#", Fork: "+", Middle: "-", Head: ">", OpenHead: "~", Enter: "<enter>", Full: "=", Empty: ".",
}

// New builds the theme for the options.
func New(o Options) *Theme {
	t := &Theme{Glyph: unicodeGlyphs, Box: frame.Rounded}
	if o.ASCII {
		t.Glyph, t.Box, t.ascii = asciiGlyphs, frame.ASCII, true
	}
	pick := func(light, dark string) color.Color {
		switch {
		case o.NoColor:
			return nil
		case o.Light:
			return lipgloss.Color(light)
		}
		return lipgloss.Color(dark)
	}
	var (
		muted  = pick("#5c6370", "#8b93a7")
		accent = pick("#005faf", "#7aa2f7")
		cyan   = pick("#00707c", "#7dcfff")
		green  = pick("#2b7a0b", "#9ece6a")
		amber  = pick("#8f5e00", "#e0af68")
		red    = pick("#b3261e", "#f7768e")
		violet = pick("#7a3e9d", "#bb9af7")
		border = pick("#9aa0aa", "#4b5370")
		panel  = pick("#e4e9f2", "#2a3150")
	)
	t.Muted = frame.Style{Fg: muted, Faint: o.NoColor}
	t.Strong = frame.Style{Bold: true}
	t.Title = frame.Style{Fg: accent, Bold: true}
	t.Accent = frame.Style{Fg: accent}
	t.Good = frame.Style{Fg: green}
	t.Warn = frame.Style{Fg: amber}
	t.Bad = frame.Style{Fg: red, Bold: true}
	t.Added = frame.Style{Fg: green, Bold: true}
	t.Removed = frame.Style{Fg: red, Strike: true}
	t.Changed = frame.Style{Fg: amber, Bold: true}
	t.Border = frame.Style{Fg: border, Faint: o.NoColor}
	t.Focus = frame.Style{Fg: accent}
	t.Selected = frame.Style{Bg: panel, Bold: true, Reverse: o.NoColor}
	t.Key = frame.Style{Fg: accent, Bold: true}
	t.KeyOff = frame.Style{Fg: muted, Faint: true}
	t.Code = frame.Style{Fg: cyan, Bold: o.NoColor}
	t.Quote = frame.Style{Fg: violet}
	t.Header = frame.Style{Fg: muted, Faint: o.NoColor}
	t.Observed = frame.Style{Fg: green}
	t.Derived = frame.Style{Fg: violet}
	t.Unknown = frame.Style{Fg: amber}
	t.Packet = frame.Style{Fg: amber, Bold: true, Reverse: true}
	t.YAMLKey = frame.Style{Fg: accent}
	t.YAMLValue = frame.Style{}
	t.YAMLComment = frame.Style{Fg: muted, Italic: true}
	return t
}

// With gives the theme with another style for plain text.
func (t *Theme) With(text frame.Style) *Theme {
	other := *t
	other.Text = text
	return &other
}

// KeyName writes a key, named as Bubble Tea names it, as keyboards and people do.
func (t *Theme) KeyName(key string) string {
	if t.ascii {
		return key
	}
	switch key {
	case "enter":
		return "⏎"
	case "left":
		return "←"
	case "right":
		return "→"
	case "up":
		return "↑"
	case "down":
		return "↓"
	case "pgdown":
		return "pgdn"
	case "shift+tab":
		return "⇧tab"
	}
	return key
}

// Level writes a level from 1 to 3 as dots.
func (t *Theme) Level(level int) string {
	level = min(max(level, 0), 3)
	return strings.Repeat(t.Glyph.Ready, level) + strings.Repeat(t.Glyph.NotReady, 3-level)
}

// Evidence is the style of an evidence word.
func (t *Theme) Evidence(e model.Evidence) frame.Style {
	switch e {
	case model.Observed:
		return t.Observed
	case model.Derived:
		return t.Derived
	}
	return t.Unknown
}

// Ground gives the colours of text and background that a picture of the app has,
// where a terminal has its own.
func Ground(light bool) (ink, paper color.Color) {
	if light {
		return lipgloss.Color("#24283b"), lipgloss.Color("#fbfbfd")
	}
	return lipgloss.Color("#c8d0f0"), lipgloss.Color("#16161e")
}

// Doubtful gives glyphs that stand for those of ambiguous width in use, one of
// each kind (East_Asian_Width A, https://www.unicode.org/reports/tr11/): most
// terminals draw them one column wide, some of those set up for East Asian text
// two.
func Doubtful() []string { return []string{"●", "▶", "─", "→", "…", "①"} }
