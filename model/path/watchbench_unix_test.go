//go:build unix

package path

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"svctour/model"
)

// printedCommand is what a big node prints for a command.
type printedCommand struct {
	command Command
	text    []byte
}

// bigNode is what the node of a cluster prints: everything, and the chains of
// the path to a Service.
func bigNode(b *testing.B, mode string, s *model.Snapshot) (all, path []printedCommand, chains []ChainID) {
	b.Helper()
	p := CompileAs(mode, s, "node-0", IPv4)
	lines := Print(p)
	if mode == ModeNFTables {
		lines = ListNFT(p)
	}
	var text strings.Builder
	for i, line := range strings.Split(lines, "\n") {
		if strings.HasPrefix(line, "-A ") {
			fmt.Fprintf(&text, "[%d:%d] ", i%1000, 60*(i%1000))
		}
		text.WriteString(line + "\n")
	}
	n := &onNode{mode: mode, family: IPv4, lines: strings.Split(text.String(), "\n")}
	for _, o := range Walk(p, flow("10.244.0.20", "10.96.10.7:80", "TCP"), nil) {
		for _, h := range o.Hops {
			if id := (ChainID{h.Table, h.Chain}); h.Rule != "" && !slices.Contains(chains, id) {
				chains = append(chains, id)
			}
		}
	}
	for _, only := range [][]ChainID{nil, chains} {
		for _, c := range (Ask{Mode: mode, Family: IPv4, Chains: only}).Commands() {
			text, found := n.answer(c)
			if !found {
				b.Fatal(c)
			}
			if only == nil {
				all = append(all, printedCommand{c, []byte(text)})
			} else {
				path = append(path, printedCommand{c, []byte(text)})
			}
		}
	}
	return all, path, chains
}

// BenchmarkLook is one look at a node of 5,000 Services with ten endpoints each,
// after one endpoint came or went: at everything, and at the chains of a path.
// It is from the API's new picture and the node's text to what is shown.
func BenchmarkLook(b *testing.B) {
	s := clusterOf(5000, 10)
	fewer := *s
	fewer.Slices = slices.Clone(s.Slices)
	slice := *s.Slices[2500]
	slice.Endpoints = slice.Endpoints[1:]
	fewer.Slices[2500] = &slice
	less := *s
	less.Services = slices.Delete(slices.Clone(s.Services), 2500, 2501)
	for name, other := range map[string]*model.Snapshot{"endpoint": model.NewSnapshot(fewer), "Service": model.NewSnapshot(less)} {
		for _, mode := range []string{ModeIPTables, ModeNFTables} {
			snapshots := []*model.Snapshot{s, other}
			var all, path [2][]printedCommand
			var chains []ChainID
			for i := range snapshots {
				all[i], path[i], chains = bigNode(b, mode, snapshots[i])
			}
			for what, texts := range map[string][2][]printedCommand{"all": all, "path": path} {
				b.Run(mode+"/"+name+"/"+what, func(b *testing.B) {
					w := NewWatch("node-0", IPv4)
					look := func(i int, texts []printedCommand, everything bool) *View {
						ask := w.Ask(mode, chains, time.Unix(0, 0), everything)
						for _, c := range texts {
							if err := w.Read(c.command.Listing(ask, time.Unix(0, 0), bytes.NewReader(c.text))); err != nil {
								b.Fatal(err)
							}
						}
						return w.Seen(snapshots[i%2])
					}
					if v := look(0, all[0], true); len(v.Differences) > 0 {
						b.Fatal(v.Differences[:1])
					}
					b.ReportAllocs()
					begun := processorTime(b)
					for i := 1; b.Loop(); i++ {
						if v := look(i, texts[i%2], what == "all"); what == "all" && (len(v.Changed) == 0 || len(v.Differences) > 0) {
							b.Fatal(len(v.Changed), len(v.Differences))
						}
					}
					b.ReportMetric((processorTime(b)-begun).Seconds()*1000/float64(b.N), "cpu-ms/op")
					size := 0
					for _, c := range texts[0] {
						size += len(c.text)
					}
					b.ReportMetric(float64(size)/1e6, "MB-text")
				})
			}
		}
	}
}

// processorTime is what this process has used of the processors, the garbage
// collector's part included.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
