package desk

import (
	"context"
	"errors"

	"svctour/lessons"
	"svctour/ui/shell"
	"svctour/ui/still"
	"svctour/ui/theme"
)

// Still is the app without a terminal, at a step of a lesson.
type Still struct {
	*still.Program
	desk *Desk
}

// Still opens the app at a step of a lesson, from 0, on the lab that runs or on
// one that it starts, and on no other cluster. The lesson is played in one of the
// desk's namespaces, which should be no one else's. Close ends what was begun.
func (d *Desk) Still(ctx context.Context, l *lessons.Lesson, step int, light bool) *Still {
	d.mu.Lock()
	d.ended = false
	d.mu.Unlock()
	return &Still{desk: d, Program: still.Open(ctx, still.Options{
		Backend: backend{d}, Choice: shell.Choice{Lab: true}, Lesson: l, Step: step,
		Theme: theme.Options{Light: light, NoColor: d.options.NoColor, ASCII: d.options.ASCII},
	})}
}

// Close removes the lesson's namespace, and ends the lab if it was started for
// the picture. It returns when they are gone.
func (s *Still) Close() error {
	s.desk.mu.Lock()
	ours := s.desk.process != nil
	s.desk.mu.Unlock()
	err := s.Program.Close(!ours) // with the lab everything in it ends
	return errors.Join(err, s.desk.endLab())
}
