//go:build linux

package oracle

import (
	"fmt"
	"strings"
	"testing"

	"svctour/model/path"
)

// TestRoundTrip prints the programs of random worlds, reads them, and prints
// them again: the text is the same, everything was understood, and what was
// read does not differ from what was derived.
func TestRoundTrip(t *testing.T) {
	for _, mode := range modes {
		rules := 0
		for i := range int64(*worlds) {
			for _, p := range programs(*seed+i, mode) {
				rules += p.Rules()
				text := print(p)
				o, err := parse(text, p)
				if err != nil {
					t.Fatalf("%s %s, seed %d: %v", mode, p.Family, *seed+i, err)
				}
				if again := print(o.Program); again != text {
					t.Errorf("%s %s, seed %d: printed again:\n%s\nthe first time:\n%s", mode, p.Family, *seed+i, again, text)
				}
				requireObserved(t, fmt.Sprintf("%s %s, seed %d", mode, p.Family, *seed+i), p, o)
			}
			if t.Failed() {
				return
			}
		}
		t.Logf("%s: %d worlds from seed %d, both families: %d rules", mode, *worlds, *seed, rules)
	}
}

// programs are those of the first node of a random world.
func programs(seed int64, mode string) []*path.Program {
	w := newGenerator(seed).world()
	w.Proxy.Mode = mode
	s := *w.snapshot()
	s.ServiceCIDRs = serviceCIDRs
	compile := path.Compile
	switch mode {
	case path.ModeNFTables:
		compile = path.CompileNFTables
	case path.ModeIPVS:
		compile = path.CompileIPVS
	}
	return []*path.Program{compile(&s, w.Node.Name, path.IPv4), compile(&s, w.Node.Name, path.IPv6)}
}

// between are what several tools print.
const between = "----\n"

// print is a program as the node's own tools print it.
func print(p *path.Program) string {
	switch p.Mode {
	case path.ModeNFTables:
		return path.ListNFT(p)
	case path.ModeIPVS:
		return strings.Join([]string{path.Print(p), path.PrintIPSets(p), path.PrintIPVS(p)}, between)
	}
	return path.Print(p)
}

func parse(text string, p *path.Program) (*path.Observed, error) {
	switch p.Mode {
	case path.ModeNFTables:
		return path.ParseNFT(text, p.Family)
	case path.ModeIPVS:
		printed := strings.Split(text, between)
		return path.ParseIPVS(printed[0], printed[1], printed[2], p.Family)
	}
	return path.Parse(text, p.Family)
}

// requireObserved fails unless what was read is all understood and the program.
func requireObserved(t *testing.T, name string, p *path.Program, o *path.Observed) {
	t.Helper()
	if len(o.Foreign) > 0 {
		t.Errorf("%s: %d not understood, the first: %+v", name, len(o.Foreign), o.Foreign[0])
	}
	if diff := path.Compare(p, o); len(diff) > 0 {
		t.Errorf("%s: %d differences, the first: %+v", name, len(diff), diff[0])
	}
	if o.Program.MasqueradeMark != p.MasqueradeMark {
		t.Errorf("%s: masquerade mark %#x, want %#x", name, o.Program.MasqueradeMark, p.MasqueradeMark)
	}
}
