package still

import (
	"context"

	"svctour/lessons"
	"svctour/model"
	"svctour/ui/shell"
)

// backend tells the program what the app waits for, and what has failed.
type backend struct {
	shell.Backend
	program  *Program
	progress lessons.Progress
}

// StartLab implements shell.Backend.
func (b *backend) StartLab(ctx context.Context, report func(shell.Stage)) (bool, error) {
	started, err := b.Backend.StartLab(ctx, report)
	if err != nil {
		b.program.fail(err)
	}
	return started, err
}

// LabEnded implements shell.Backend.
func (b *backend) LabEnded(ctx context.Context) error {
	defer b.program.parks()()
	err := b.Backend.LabEnded(ctx)
	if ctx.Err() == nil {
		b.program.fail(err)
	}
	return err
}

// Connect implements shell.Backend.
func (b *backend) Connect(ctx context.Context, c shell.Choice) (shell.Session, error) {
	s, err := b.Backend.Connect(ctx, c)
	if err != nil {
		b.program.fail(err)
		return nil, err
	}
	b.program.mu.Lock()
	b.program.sessions = append(b.program.sessions, s)
	b.program.mu.Unlock()
	return &session{s, b.program}, nil
}

// LoadProgress implements shell.Backend: the learner has come to the step.
func (b *backend) LoadProgress() (map[string]lessons.Progress, error) {
	return map[string]lessons.Progress{b.progress.Lesson: b.progress}, nil
}

// SaveProgress implements shell.Backend: no one has learned anything.
func (b *backend) SaveProgress(lessons.Progress) error { return nil }

type session struct {
	shell.Session
	program *Program
}

// Next implements shell.Session.
func (s *session) Next(ctx context.Context, after uint64) (*model.Snapshot, error) {
	defer s.program.parks()()
	return s.Session.Next(ctx, after)
}

// EnsureNamespace implements shell.Session. It is not broken off, so that there
// is no namespace that the session does not know of.
func (s *session) EnsureNamespace(ctx context.Context) (string, error) {
	name, err := s.Session.EnsureNamespace(context.WithoutCancel(ctx))
	if err != nil {
		s.program.fail(err)
	}
	return name, err
}
