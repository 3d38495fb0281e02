package lessons

import "testing"

func TestBuiltinLessonsLoad(t *testing.T) {
	list, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("there are no lessons")
	}
}
