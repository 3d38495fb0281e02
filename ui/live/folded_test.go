package live

import (
	"slices"
	"testing"
)

func TestARowOfATableIsFolded(t *testing.T) {
	const row = "ClusterIP     Pods and nodes        calls inside: the default"
	for _, test := range []struct {
		row  string
		w    int
		want []string
	}{
		{row, 70, []string{row}},
		{row, 39, []string{"ClusterIP     Pods and nodes", "              calls inside: the default"}},
		{"a  b  c  d", 4, []string{"a  b", "   c", "   d"}},
		{"a  b  c      ", 8, []string{"a  b  c"}},
		{"kubectl get pods -o wide", 10, []string{"kubectl get pods -o wide"}}, // no table
	} {
		if got := folded(test.row, test.w); !slices.Equal(got, test.want) {
			t.Errorf("%q in %d columns: %q, want %q", test.row, test.w, got, test.want)
		}
	}
}
