package shell

import "testing"

func TestTurn(t *testing.T) {
	var turn Turn
	first, ok := turn.Begin()
	if !ok {
		t.Fatal("nothing is under way")
	}
	if _, ok := turn.Begin(); ok {
		t.Fatal("two are under way")
	}
	if _, ok := turn.End(first + 1); ok {
		t.Fatal("an answer is taken that nothing gave")
	}
	if more, ok := turn.End(first); !ok || !more {
		t.Fatalf("ended %v, more %v: something was asked for meanwhile", ok, more)
	}
	if _, ok := turn.End(first); ok {
		t.Fatal("an answer is taken twice")
	}
	second, ok := turn.Begin()
	if !ok || second == first {
		t.Fatalf("begun %v, as %d after %d", ok, second, first)
	}
	if _, ok := turn.End(first); ok {
		t.Fatal("the earlier answer is taken for the later one")
	}
	if more, ok := turn.End(second); !ok || more {
		t.Fatalf("ended %v, more %v: nothing was asked for meanwhile", ok, more)
	}
}
