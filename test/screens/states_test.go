package main

import (
	"bytes"
	"slices"
	"testing"

	"svctour/ui/still"
)

// TestStates: what the table names is there, and each name is one state's.
func TestStates(t *testing.T) {
	l, err := load("states")
	if err != nil {
		t.Fatal(err)
	}
	files, used := map[string]bool{}, map[string]bool{}
	for _, s := range states() {
		if stepOf(l, s.step) < 0 {
			t.Errorf("%s: there is no step %q", s.name, s.step)
		}
		if !slices.Contains(still.Moments(), s.at) {
			t.Errorf("%s: there is no moment %q", s.name, s.at)
		}
		used[s.step] = true
		for _, size := range sizes() {
			for _, light := range []bool{false, true} {
				file := fileOf(s, size, light)
				if files[file] {
					t.Errorf("%s is written twice", file)
				}
				files[file] = true
				if !bytes.Contains(page(states(), "screens"), []byte("(screens/"+file+")")) {
					t.Errorf("the page does not show %s", file)
				}
			}
		}
	}
	for _, step := range l.Steps {
		if !used[step.Title] {
			t.Errorf("no picture is taken of step %q", step.Title)
		}
	}
}
