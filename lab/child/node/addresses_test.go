package node

import (
	"net/netip"
	"testing"
)

func TestPool(t *testing.T) {
	p := newPool(netip.MustParsePrefix("10.244.3.0/29")) // .2 to .6
	var taken []netip.Addr
	for _, want := range []string{"10.244.3.2", "10.244.3.3", "10.244.3.4", "10.244.3.5", "10.244.3.6"} {
		got, err := p.take()
		if err != nil || got.String() != want {
			t.Fatalf("took %v, %v, want %s", got, err, want)
		}
		taken = append(taken, got)
	}
	if got, err := p.take(); err == nil {
		t.Fatalf("took %v from an empty pool", got)
	}
	p.release(taken[1])
	p.release(taken[0])
	for _, want := range []string{"10.244.3.2", "10.244.3.3"} {
		if got, err := p.take(); err != nil || got.String() != want {
			t.Errorf("took %v, %v, want %s", got, err, want)
		}
	}
}

// TestPoolReusesLate: an address that has just been given back is the last to
// be handed out again.
func TestPoolReusesLate(t *testing.T) {
	p := newPool(netip.MustParsePrefix("10.244.3.0/24"))
	first, err := p.take()
	if err != nil {
		t.Fatal(err)
	}
	p.release(first)
	for range 252 {
		next, err := p.take()
		if err != nil || next == first {
			t.Fatalf("took %v, %v, which was given back a moment ago", next, err)
		}
		p.release(next)
	}
	if again, err := p.take(); err != nil || again != first {
		t.Errorf("took %v, %v, want %v", again, err, first)
	}
}
