package desk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"svctour/cluster"
	"svctour/cluster/whatif"
	"svctour/lessons"
	"svctour/lessons/review"
	"svctour/model"
	"svctour/ui/shell"
)

// World makes the snapshot that a question of the review is about, of its
// manifests: it is a review.MakeWorld. Nothing of a cluster is read.
func World(manifests, mode string) (*model.Snapshot, error) {
	return whatif.Imagine(manifests, review.Namespace, mode)
}

// Review gives what was kept; it never fails.
func (m *MemoryProgress) Review() (*review.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answers.Clone(), nil
}

// KeepReview adds what is not there yet; it never fails.
func (m *MemoryProgress) KeepReview(r *review.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers.Merge(r)
	return nil
}

func (f *FileProgress) reviewPath() string { return filepath.Join(f.dir, "review.json") }

// Review reads the file "review.json"; nothing was answered where there is none.
func (f *FileProgress) Review() (*review.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.review()
}

func (f *FileProgress) review() (*review.Record, error) {
	data, err := os.ReadFile(f.reviewPath())
	if errors.Is(err, os.ErrNotExist) {
		return &review.Record{Version: review.Version}, nil
	}
	if err != nil {
		return nil, err
	}
	record, err := review.Read(data, time.Now())
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.reviewPath(), err)
	}
	return record, nil
}

// KeepReview adds what the file does not have yet. A file that cannot be
// understood is left as it is: it may hold years of answers.
func (f *FileProgress) KeepReview(r *review.Record) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keepReview(r)
}

func (f *FileProgress) keepReview(r *review.Record) error {
	record, err := f.review()
	if err != nil {
		return err
	}
	record.Merge(r)
	data, err := record.Encode()
	if err != nil {
		return err
	}
	return writeFile(f.reviewPath(), data)
}

// answered gives the answers that a lesson's progress has and an earlier state of
// it had not, as a record; nil when there are none.
func answered(before, after lessons.Progress) *review.Record {
	record := &review.Record{}
	for _, a := range review.Taught(before, after, time.Now()) {
		record.Add(a)
	}
	if len(record.Answers) == 0 {
		return nil
	}
	return record
}

// reviews is the review of the desk's person.
type reviews struct{ *Desk }

// begin makes a session over what the person answered before.
func (r reviews) begin(now time.Time) (*review.Session, *review.Bank, *review.Record, error) {
	bank, err := review.Builtin()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("the questions of the review cannot be read: %w", err)
	}
	record, err := r.options.Progress.Review()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("your answers cannot be read: %w", err)
	}
	return review.NewSession(bank, record, World, uint64(now.UnixNano())), bank, record, nil
}

// Place implements shell.Reviews.
func (r reviews) Place(_ context.Context, lesson string) shell.PlacementNews {
	session, _, _, err := r.begin(time.Now())
	if err != nil {
		return shell.PlacementNews{Err: cluster.Sentence(err.Error())}
	}
	asked, err := session.Placement(lesson)
	if err != nil {
		return shell.PlacementNews{Err: cluster.Sentence(err.Error())}
	}
	return shell.PlacementNews{Asked: asked}
}

// Judge implements shell.Reviews.
func (r reviews) Judge(_ context.Context, in shell.AnswerPlacement) shell.PlacementNews {
	record, now := &review.Record{}, time.Now()
	session := review.NewSession(nil, record, nil, 0)
	var answers []review.Answer
	var err error
	for _, a := range in.Answers {
		answer, wrong := session.Answer(a.Asked, a.Choice, a.Sure, review.FromPlacement, now)
		answers, err = append(answers, answer), errors.Join(err, wrong)
	}
	news := shell.PlacementNews{}
	if err == nil {
		result := session.Judge(in.Lesson, answers, now)
		news.Result, err = &result, r.options.Progress.KeepReview(record)
	}
	if err != nil {
		news.Err = "The answers were not kept: " + err.Error()
	}
	return news
}

// Ask implements shell.Reviews.
func (r reviews) Ask(context.Context) shell.ReviewNews {
	now := time.Now()
	session, bank, record, err := r.begin(now)
	if err != nil {
		return shell.ReviewNews{Err: cluster.Sentence(err.Error())}
	}
	asked, err := session.Next(now)
	if err != nil {
		return shell.ReviewNews{Err: err.Error()}
	}
	news := shell.ReviewNews{Asked: asked, Due: len(session.Due(now))}
	for lesson, p := range record.Placements {
		if p.Skip {
			news.Known = append(news.Known, lesson)
		}
	}
	slices.Sort(news.Known)
	if next := bank.Next(record, now); !next.IsZero() {
		news.Next = next.Sub(now)
	}
	return news
}

// Answer implements shell.Reviews.
func (r reviews) Answer(_ context.Context, a shell.AnswerReview) shell.ReviewNews {
	record := &review.Record{}
	_, err := review.NewSession(nil, record, nil, 0).Answer(a.Asked, a.Choice, a.Sure, review.FromReview, time.Now())
	if err == nil {
		err = r.options.Progress.KeepReview(record)
	}
	if err != nil {
		return shell.ReviewNews{Kept: true, Err: "The answer was not kept: " + err.Error()}
	}
	return shell.ReviewNews{Kept: true}
}
