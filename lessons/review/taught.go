package review

import (
	"maps"
	"slices"
	"time"

	"svctour/lessons"
)

// Taught gives the answers of a lesson's progress that were not in an earlier
// state of it, as given now. An answer whose confidence the person is still asked
// for is left for later. Read-backs ask for none: they count as a guess, since
// what is right was on the screen a moment before.
func Taught(before, after lessons.Progress, now time.Time) []Answer {
	var out []Answer
	for _, step := range slices.Sorted(maps.Keys(after.Predictions)) {
		a := after.Predictions[step]
		if had, ok := before.Predictions[step]; a.Sure == "" || ok && had.Sure != "" && had.Choice == a.Choice {
			continue
		}
		out = append(out, taught(after.Lesson+"/"+step, a, now))
	}
	for _, step := range slices.Sorted(maps.Keys(after.ReadBacks)) {
		a := after.ReadBacks[step]
		if had, ok := before.ReadBacks[step]; ok && had.Choice == a.Choice {
			continue
		}
		out = append(out, taught(after.Lesson+"/"+step+"/read-back", a, now))
	}
	return out
}

func taught(question string, a lessons.Answered, now time.Time) Answer {
	out := Answer{Question: question, When: now, Right: a.Right, Sure: a.Sure == lessons.Sure, Belief: a.Belief, From: FromLesson}
	if a.Asked != nil {
		for _, id := range a.Asked.Beliefs {
			if id != "" {
				out.About = append(out.About, id)
			}
		}
	}
	return out
}
