package ui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"svctour/ui/shell"
)

// askReview looks up what is due, for the screen that is shown.
func askReview(shown context.Context, r shell.Reviews) tea.Cmd {
	if r == nil {
		return nil
	}
	return within(shown, func(ctx context.Context) tea.Msg { return r.Ask(ctx) })
}

// answerReview keeps an answer, whatever is shown by then.
func answerReview(program context.Context, r shell.Reviews, in shell.AnswerReview) tea.Cmd {
	if r == nil {
		return nil
	}
	return within(program, func(ctx context.Context) tea.Msg { return r.Answer(ctx, in) })
}

// askPlacement looks up the questions before a lesson, for the screen that is shown.
func askPlacement(shown context.Context, r shell.Reviews, lesson string) tea.Cmd {
	if r == nil {
		return nil
	}
	return within(shown, func(ctx context.Context) tea.Msg { return r.Place(ctx, lesson) })
}

// answerPlacement keeps the answers to them, whatever is shown by then.
func answerPlacement(program context.Context, r shell.Reviews, in shell.AnswerPlacement) tea.Cmd {
	if r == nil {
		return nil
	}
	return within(program, func(ctx context.Context) tea.Msg { return r.Judge(ctx, in) })
}
