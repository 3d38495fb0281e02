package frame

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSVG(t *testing.T) {
	s := New(24, 4)
	inner := s.Box(Rounded, Style{Fg: color.Gray{128}})
	s.Heading(0, L("A <b> & c", Style{Bold: true}), nil)
	at := inner.Text(0, 0, "●● ", Style{Fg: color.RGBA{0, 255, 0, 255}})
	at += inner.Text(at, 0, "web-1  ", Style{})
	inner.Text(at, 0, "世界", Style{Italic: true})
	at = inner.Text(0, 1, " gone ", Style{Underline: true, Strike: true, Bg: color.RGBA{0, 0, 64, 255}})
	at += inner.Text(at, 1, "far", Style{Faint: true})
	inner.Text(at, 1, "back", Style{Reverse: true})
	const want = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 260 96" width="260" height="96" role="img" font-family="ui-monospace,Menlo,'DejaVu Sans Mono','Cascadia Mono',Consolas,'Liberation Mono',monospace" font-size="16.61">
<title>a box</title>
<style>text{fill:#eeeeee;white-space:pre;direction:ltr;unicode-bidi:bidi-override}.a{fill:#808080}.b{font-weight:bold}.c{fill:#00ff00}.d{font-style:italic}.e{text-decoration:underline line-through}.f{fill:#959595}.g{fill:#111111}</style>
<rect width="260" height="96" rx="6" fill="#111111"/>
<g shape-rendering="crispEdges">
<rect x="20" y="48" width="60" height="19" fill="#000040"/>
<rect x="110" y="48" width="40" height="19" fill="#eeeeee"/>
</g>
<g xml:space="preserve">
<text x="10" y="25" textLength="10" lengthAdjust="spacingAndGlyphs" class="a">╭</text>
<text x="30" y="25" textLength="90" class="b">A &lt;b&gt; &amp; c</text>
<text x="130" y="25" textLength="120" lengthAdjust="spacingAndGlyphs" class="a">───────────╮</text>
<text x="10" y="44" class="a">│</text>
<text x="20" y="44" textLength="20" lengthAdjust="spacingAndGlyphs" class="c">●●</text>
<text x="50" y="44" textLength="50">web-1</text>
<text x="120" y="44" textLength="40" lengthAdjust="spacingAndGlyphs" class="d">世界</text>
<text x="240" y="44" class="a">│</text>
<text x="10" y="63" class="a">│</text>
<text x="20" y="63" textLength="60" class="e"> gone </text>
<text x="80" y="63" textLength="30" class="f">far</text>
<text x="110" y="63" textLength="40" class="g">back</text>
<text x="240" y="63" class="a">│</text>
<text x="10" y="82" textLength="240" lengthAdjust="spacingAndGlyphs" class="a">╰──────────────────────╯</text>
</g>
</svg>
`
	options := SVGOptions{Ink: color.Gray{0xee}, Paper: color.Gray{0x11}, Title: "a box"}
	got := string(s.SVG(options))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again := string(s.SVG(options)); again != got {
		t.Errorf("a second time it is\n%s", again)
	}
}

func TestSVGOfNothing(t *testing.T) {
	for _, s := range []*Surface{New(0, 0), New(3, 1)} {
		if rows, err := svgRows(s.SVG(SVGOptions{Title: "\x00<&\x1b]"})); err != nil || strings.TrimSpace(strings.Join(rows, "")) != "" {
			t.Errorf("%q, %v", rows, err)
		}
	}
}

// TestSVGHoldsTheText: whatever a frame holds, its picture is well-formed, and
// has in each row the text that a terminal shows there, at the same columns.
func TestSVGHoldsTheText(t *testing.T) {
	hostile := rapid.StringOfN(rapid.RuneFrom([]rune("<>&\"'\x1b\u009b\u202e\ufffe\uffff]]>–── │●◆▶①世界e\u0301مرحبا x\n\t")), 0, 40, -1)
	text := rapid.OneOf(rapid.String(), hostile, rapid.StringMatching(`([a-z]{1,9} {1,3}){0,5}`))
	colour := rapid.SampledFrom([]color.Color{nil, color.White, color.Black, color.RGBA{1, 2, 3, 255}})
	rapid.Check(t, func(t *rapid.T) {
		s := New(rapid.IntRange(1, 40).Draw(t, "w"), rapid.IntRange(1, 4).Draw(t, "h"))
		w, h := s.Size()
		for range rapid.IntRange(0, 8).Draw(t, "texts") {
			s.Text(rapid.IntRange(-5, w).Draw(t, "x"), rapid.IntRange(0, h-1).Draw(t, "y"), text.Draw(t, "text"), Style{
				Fg: colour.Draw(t, "fg"), Bg: colour.Draw(t, "bg"), Bold: rapid.Bool().Draw(t, "bold"), Faint: rapid.Bool().Draw(t, "faint"),
				Italic: rapid.Bool().Draw(t, "italic"), Underline: rapid.Bool().Draw(t, "underline"), Strike: rapid.Bool().Draw(t, "strike"), Reverse: rapid.Bool().Draw(t, "reverse"),
			})
		}
		svg := s.SVG(SVGOptions{})
		rows, err := svgRows(svg)
		if err != nil {
			t.Fatalf("%v\n%s", err, svg)
		}
		want := strings.Split(strings.NewReplacer("\ufffe", "\ufffd", "\uffff", "\ufffd").Replace(s.Plain()), "\n")
		for y, row := range want { // rows that are blank at the end have no text
			got := ""
			if y < len(rows) {
				got = strings.TrimRight(rows[y], " ")
			}
			if got != row {
				t.Fatalf("row %d is %q, want %q\n%s", y, got, row, svg)
			}
		}
		if len(rows) > len(want) {
			t.Fatalf("%d rows, want %d", len(rows), len(want))
		}
	})
}

// svgRows reads the text of a picture back, by the places of its pieces.
func svgRows(svg []byte) ([]string, error) {
	var rows []string
	var ends []int // the columns of each row so far
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "text" {
			continue
		}
		var text struct {
			X      int    `xml:"x,attr"`
			Y      int    `xml:"y,attr"`
			Length int    `xml:"textLength,attr"`
			Text   string `xml:",chardata"`
		}
		if err := decoder.DecodeElement(&text, &start); err != nil {
			return nil, err
		}
		if text.Length == 0 && utf8.RuneCountInString(text.Text) == 1 { // an upright line, as wide as it is
			text.Length = svgWidth
		}
		x, y := (text.X-svgMargin)/svgWidth, (text.Y-svgBaseline-svgMargin)/svgHeight
		for len(rows) <= y {
			rows, ends = append(rows, ""), append(ends, 0)
		}
		if x < ends[y] || text.Length <= 0 {
			return nil, fmt.Errorf("%q at column %d of row %d, %d wide, after %q", text.Text, x, y, text.Length, rows[y])
		}
		rows[y] += strings.Repeat(" ", x-ends[y]) + text.Text
		ends[y] = x + text.Length/svgWidth
	}
}
