package desk

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"svctour/lessons"
	"svctour/lessons/review"
)

// Progress keeps how far a person is in each lesson, by its ID. It belongs to
// the person, not to a cluster: what was learned in a lab stays when the lab
// has ended. Its methods may be called from several goroutines.
//
// It keeps what they answered, too, for the review. Save adds the answers of a
// lesson, with the time of the first save that has them.
type Progress interface {
	Load() (map[string]lessons.Progress, error)
	Save(lessons.Progress) error
	Review() (*review.Record, error)
	KeepReview(*review.Record) error // adds what is not there yet
}

// MemoryProgress is progress that ends with the process. The zero value is
// ready to use.
type MemoryProgress struct {
	mu      sync.Mutex
	have    map[string]lessons.Progress
	answers review.Record
}

// Load gives what was saved; it never fails.
func (m *MemoryProgress) Load() (map[string]lessons.Progress, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := maps.Clone(m.have)
	if out == nil {
		out = map[string]lessons.Progress{}
	}
	return out, nil
}

// Save keeps the progress of one lesson; it never fails.
func (m *MemoryProgress) Save(p lessons.Progress) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.have == nil {
		m.have = map[string]lessons.Progress{}
	}
	if record := answered(m.have[p.Lesson], p); record != nil {
		m.answers.Merge(record)
	}
	m.have[p.Lesson] = p
	return nil
}

// progressVersion is the format of the file. A file of a later version is not
// touched: it is from a newer svctour.
const progressVersion = 1

// progressDocument is what is in the file.
type progressDocument struct {
	Version int                         `json:"version"`
	Lessons map[string]lessons.Progress `json:"lessons"`
}

// FileProgress keeps progress in a file of the state folder.
type FileProgress struct {
	dir string

	mu sync.Mutex // saves come side by side
}

// NewFileProgress keeps progress in "progress.json" of a folder, which is made
// when something is saved. Before there is such a file, the files that earlier
// versions kept for each cluster are read.
func NewFileProgress(dir string) *FileProgress { return &FileProgress{dir: dir} }

func (f *FileProgress) path() string { return filepath.Join(f.dir, "progress.json") }

// Load reads the file; there is no progress where there is no file.
func (f *FileProgress) Load() (map[string]lessons.Progress, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.load()
}

func (f *FileProgress) load() (map[string]lessons.Progress, error) {
	data, err := os.ReadFile(f.path())
	if errors.Is(err, os.ErrNotExist) {
		return f.earlier(), nil
	}
	if err != nil {
		return nil, err
	}
	var document progressDocument
	if err := json.Unmarshal(data, &document); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.path(), err)
	}
	if document.Version > progressVersion {
		return nil, &newerError{f.path(), document.Version}
	}
	if document.Lessons == nil {
		document.Lessons = map[string]lessons.Progress{}
	}
	return document.Lessons, nil
}

// newerError says that a file is from a newer svctour.
type newerError struct {
	path    string
	version int
}

func (e *newerError) Error() string {
	return fmt.Sprintf("%s is from a newer svctour: it has version %d, this one knows %d", e.path, e.version, progressVersion)
}

// earlier merges the files that were kept for each cluster: of each lesson the
// one with most steps done. What cannot be read is passed over.
func (f *FileProgress) earlier() map[string]lessons.Progress {
	out := map[string]lessons.Progress{}
	names, err := filepath.Glob(filepath.Join(f.dir, "progress", "*.json"))
	if err != nil {
		return out
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		one := map[string]lessons.Progress{}
		if json.Unmarshal(data, &one) != nil {
			continue
		}
		for id, p := range one {
			if had, ok := out[id]; !ok || len(p.Done) > len(had.Done) {
				out[id] = p
			}
		}
	}
	return out
}

// Save writes the progress of one lesson beside that of the others. A file that
// cannot be understood is replaced, one from a newer svctour is not.
func (f *FileProgress) Save(p lessons.Progress) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	all, err := f.load()
	var newer *newerError
	if errors.As(err, &newer) {
		return err
	}
	if err != nil {
		all = map[string]lessons.Progress{}
	}
	record := answered(all[p.Lesson], p)
	all[p.Lesson] = p
	data, err := json.MarshalIndent(progressDocument{progressVersion, all}, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFile(f.path(), append(data, '\n')); err != nil || record == nil {
		return err
	}
	if err := f.keepReview(record); err != nil {
		return fmt.Errorf("keep the answers for the review: %w", err)
	}
	return nil
}

// writeFile replaces a file in one step, readable by its owner alone.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(data)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
