//go:build linux

package oracle

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"

	v1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"svctour/model/path"
)

const lastRule = "kubernetes service nodeports; NOTE: this must be the last rule in this chain"

// shared are the chains in which the rules of several Services stand, in
// random order: Go's map order.
var shared = []string{"nat KUBE-SERVICES", "nat KUBE-NODEPORTS", "filter KUBE-SERVICES", "filter KUBE-EXTERNAL-SERVICES", "filter KUBE-PROXY-FIREWALL", "filter KUBE-NODEPORTS"}

// comparable brings a chain into an order that does not depend on kube-proxy's
// random ones. The rules of one service port keep theirs.
func comparable(chain string, list []string) ([]string, error) {
	out := make([]string, len(list))
	for i, rule := range list {
		out[i] = normal(rule)
	}
	if !slices.Contains(shared, chain) {
		return out, nil
	}
	last := len(out)
	for i := len(out) - 1; i >= 0 && strings.Contains(out[i], lastRule); i-- {
		last = i
	}
	for _, rule := range out[:last] {
		if strings.Contains(rule, lastRule) {
			return nil, fmt.Errorf("chain %s: the jump to KUBE-NODEPORTS is not last", chain)
		}
	}
	sort.SliceStable(out[:last], func(i, j int) bool { return portOf(out[i]) < portOf(out[j]) })
	sort.Strings(out[last:])
	return out, nil
}

// portOf is the service port's name that a rule's comment begins with.
func portOf(rule string) string {
	_, rest, _ := strings.Cut(rule, "--comment ")
	name, _, _ := strings.Cut(rest, " ")
	return name
}

// differences lists how two sets of rules differ; none means they are the same.
func differences(want, got rules) []string {
	var out []string
	chains := map[string]bool{}
	for chain := range want {
		chains[chain] = true
	}
	for chain := range got {
		chains[chain] = true
	}
	names := make([]string, 0, len(chains))
	for chain := range chains {
		names = append(names, chain)
	}
	sort.Strings(names)
	for _, chain := range names {
		w, inWant := want[chain]
		g, inGot := got[chain]
		if inWant != inGot {
			out = append(out, fmt.Sprintf("chain %s: kube-proxy has it: %t, the model: %t (%q %q)", chain, inWant, inGot, w, g))
			continue
		}
		ws, err := comparable(chain, w)
		if err != nil {
			out = append(out, "kube-proxy: "+err.Error())
		}
		gs, err := comparable(chain, g)
		if err != nil {
			out = append(out, "model: "+err.Error())
		}
		for i := range max(len(ws), len(gs)) {
			switch {
			case i >= len(ws):
				out = append(out, fmt.Sprintf("chain %s: the model adds  %s", chain, gs[i]))
			case i >= len(gs):
				out = append(out, fmt.Sprintf("chain %s: the model lacks %s", chain, ws[i]))
			case ws[i] != gs[i]:
				out = append(out, fmt.Sprintf("chain %s rule %d:\n  kube-proxy: %s\n  model:      %s", chain, i+1, ws[i], gs[i]))
			}
		}
	}
	return out
}

// compare gives the differences of a world in both families, and the number of rules compared.
func compare(t testing.TB, w *world) (diff []string, count int) {
	t.Helper()
	switch w.Proxy.Mode {
	case path.ModeNFTables:
		return compareNFT(t, w)
	case path.ModeIPVS:
		return compareIPVS(t, w)
	}
	s := w.snapshot()
	for _, family := range []v1.IPFamily{v1.IPv4Protocol, v1.IPv6Protocol} {
		want := kubeProxy(t, w, family)
		program := path.Compile(s, w.Node.Name, path.Family(family))
		for _, d := range differences(want, ours(program)) {
			diff = append(diff, string(family)+": "+d)
		}
		for _, list := range want {
			count += len(list)
		}
	}
	return diff, count
}

// shrink removes what a difference does not need.
func shrink(t testing.TB, w *world) *world {
	t.Helper()
	fails := func(c *world) bool { d, _ := compare(t, c); return len(d) > 0 }
	for changed := true; changed; {
		changed = false
		for i := range w.Services {
			c := *w
			c.Services = slices.Delete(slices.Clone(w.Services), i, i+1)
			if fails(&c) {
				w, changed = &c, true
				break
			}
		}
		for i := range w.Slices {
			c := *w
			c.Slices = slices.Delete(slices.Clone(w.Slices), i, i+1)
			if fails(&c) {
				w, changed = &c, true
				break
			}
		}
		for i, slice := range w.Slices {
			for j := range slice.Endpoints {
				smaller := slice.DeepCopy()
				smaller.Endpoints = slices.Delete(smaller.Endpoints, j, j+1)
				c := *w
				c.Slices = slices.Clone(w.Slices)
				c.Slices[i] = smaller
				if fails(&c) {
					w, changed = &c, true
					break
				}
			}
			if changed {
				break
			}
		}
	}
	return w
}

// requireSame fails with the smallest world that shows a difference.
func requireSame(t *testing.T, w *world) int {
	t.Helper()
	diff, count := compare(t, w)
	if len(diff) == 0 {
		return count
	}
	w = shrink(t, w)
	diff, _ = compare(t, w)
	text, err := yaml.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Fatalf("the rules differ:\n%s\n\nof this world:\n%s", strings.Join(diff, "\n"), text)
	return 0
}
