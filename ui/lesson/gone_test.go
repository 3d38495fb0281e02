package lesson

import (
	"strings"
	"testing"

	"svctour/model"
	"svctour/ui/shell"
)

// A namespace that was deleted is told by its name, and one key opens the lesson
// anew, which makes the namespace again. One that was never seen may only be out
// of sight.
func TestNamespaceIsGone(t *testing.T) {
	none := model.NewSnapshot(model.Snapshot{Sequence: 9, Sync: model.Sync{Synced: true}, Proxy: model.DefaultProxy()})
	const told = `Namespace "tour" was deleted`
	l := first(t, 100, 40)
	show(t, l, none)
	if strings.Contains(drawn(l, 100, 40), told) {
		t.Errorf("what was not seen is told to be deleted:\n%s", drawn(l, 100, 40))
	}
	show(t, l, cluster(3))
	show(t, l, none)
	if !strings.Contains(drawn(l, 100, 40), told) {
		t.Errorf("nothing is said:\n%s", drawn(l, 100, 40))
	}
	opens := asked[shell.Open](l.Do("go", 0))
	if len(opens) != 1 || opens[0].Lesson != l.play.Lesson().ID {
		t.Errorf("Enter opens %+v", opens)
	}
	show(t, l, cluster(3))
	if strings.Contains(drawn(l, 100, 40), told) {
		t.Errorf("it is back:\n%s", drawn(l, 100, 40))
	}
}
