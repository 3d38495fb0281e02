package desk

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"svctour/lessons"
)

func TestProgressStores(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	for name, store := range map[string]Progress{"memory": &MemoryProgress{}, "file": NewFileProgress(dir)} {
		t.Run(name, func(t *testing.T) {
			if got, err := store.Load(); err != nil || len(got) != 0 {
				t.Errorf("at first %v, %v", got, err)
			}
			var side sync.WaitGroup
			for i := range 8 {
				side.Go(func() {
					if err := store.Save(lessons.Progress{Lesson: fmt.Sprint("lesson-", i), Done: []string{"a"}}); err != nil {
						t.Error(err)
					}
				})
			}
			side.Wait()
			if err := store.Save(lessons.Progress{Lesson: "lesson-1", Done: []string{"a", "b"}}); err != nil {
				t.Error(err)
			}
			got, err := store.Load()
			if err != nil || len(got) != 8 || len(got["lesson-1"].Done) != 2 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	if got, err := NewFileProgress(dir).Load(); err != nil || len(got) != 8 {
		t.Errorf("read by another: %v, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "progress.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// TestEarlierProgress: what was kept for each cluster is the person's now.
func TestEarlierProgress(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "progress", "aa.json"), `{"x": {"lesson": "x", "done": ["1", "2"]}, "y": {"lesson": "y", "done": ["1"]}}`)
	write(t, filepath.Join(dir, "progress", "bb.json"), `{"x": {"lesson": "x", "done": ["1"]}, "z": {"lesson": "z"}}`)
	write(t, filepath.Join(dir, "progress", "cc.json"), `{"x": `)
	store := NewFileProgress(dir)
	got, err := store.Load()
	if err != nil || len(got) != 3 || len(got["x"].Done) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if err := store.Save(lessons.Progress{Lesson: "x", Done: []string{"1"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := store.Load(); err != nil || len(got) != 3 || len(got["x"].Done) != 1 {
		t.Errorf("once there is a file: %v, %v", got, err)
	}
}

// TestProgressOfANewerVersion is left alone; what cannot be read is replaced.
func TestProgressOfANewerVersion(t *testing.T) {
	for content, kept := range map[string]bool{`{"version": 2, "lessons": {}}`: true, `{"version": 1`: false} {
		dir := t.TempDir()
		path := filepath.Join(dir, "progress.json")
		write(t, path, content)
		store := NewFileProgress(dir)
		if got, err := store.Load(); err == nil {
			t.Errorf("%s is read as %v", content, got)
		}
		if err := store.Save(lessons.Progress{Lesson: "x"}); (err != nil) != kept {
			t.Errorf("%s: saved with %v", content, err)
		}
		data, err := os.ReadFile(path)
		if err != nil || (string(data) == content) != kept || !kept && !strings.Contains(string(data), `"lesson": "x"`) {
			t.Errorf("%s becomes %s, %v", content, data, err)
		}
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
