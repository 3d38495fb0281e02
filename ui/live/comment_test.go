package live

import (
	"strings"
	"testing"

	"svctour/model/path"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// A rule's comment stands beside its hop, in every mode that has one.
func TestPathShowsComments(t *testing.T) {
	hop := path.Hop{
		Node: "n", Hook: "PREROUTING", Table: path.NFTTable, Chain: "external-ASNVMIOD-default/np/tcp/http", Chance: 1,
		Rule:    `meta mark set meta mark | 0x00004000 comment "masquerade"`,
		Comment: "masquerade; at length", Action: path.HopMark, What: "set mark 0x4000: masquerade later",
	}
	d := &pathDrawing{v: &View{}, t: theme.New(theme.Options{}), w: 120}
	if got := plain([]frame.Line{d.hopLine(hop)}); !strings.HasSuffix(got, "later   masquerade") {
		t.Errorf("no comment in %q", got)
	}
}
