package live

import (
	"fmt"
	"strings"
	"time"

	"svctour/model"
	"svctour/model/meter"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// meterRows say how the stream goes: what was sent, who answered, what failed
// and why, and the last answers in their order.
func (v *View) meterRows(t *theme.Theme, w int) frame.Rows {
	s, m := &v.Stream, v.Meter
	if s.serial == 0 {
		return frame.Lines{}
	}
	lines := frame.Lines{v.streamLine(t)}
	if s.Err != "" {
		lines = append(lines, frame.Wrap(frame.L(" "+t.Glyph.Cross+" "+s.Err, t.Bad), w, 3)...)
	}
	if m == nil {
		return lines
	}
	keys := keysOf(m)
	if strip := stripLine(m, keys, t, w); strip != nil {
		lines = append(lines, strip)
	}
	longest := names{}
	for i := range m.Pods {
		longest.add(m.Pods[i].Pod)
	}
	columns := min(longest.widest, max(leastName, w-moreColumns))
	pods := frame.List(len(m.Pods), func(i int) frame.Line {
		name := m.Pods[i].Pod
		if longest.widest > columns {
			name = model.ShortName(name)
		}
		return answersLine(&m.Pods[i], keys[m.Pods[i].Pod], pad(name, columns), t, w)
	})
	var rest frame.Lines
	if m.Unnamed.Count > 0 {
		rest = append(rest, answersLine(&m.Unnamed, "?", pad("not known", max(columns, leastName)), t, w))
	}
	for i := range m.Failed {
		rest = append(rest, frame.Wrap(failedLine(&m.Failed[i], t), w, 3)...)
	}
	if m.Lost() > 0 {
		rest = append(rest, frame.L(fmt.Sprintf(" %d of %d that the client counts were not told", m.Lost(), m.Sent), t.Warn))
	}
	if m.Blind != "" && m.Unnamed.Count > 0 {
		rest = append(rest, note(t, " Who answered is known where the answer names the Pod only: "+m.Blind, w)...)
	}
	return frame.Stack(lines, pods, rest, frame.Lines{nil})
}

// streamLine is what is sent, and what came of it.
func (v *View) streamLine(t *theme.Theme) frame.Line {
	s := &v.Stream
	head := "stream ended"
	style := t.Muted
	switch {
	case s.Running:
		head, style = fmt.Sprintf("%d/s", s.Rate), t.Accent
	case s.Ending:
		head, style = "stopping"+t.Glyph.Pending, t.Accent
	}
	row := line(sp(" "+head, style), sp("  "+s.Spec.Pod+" "+t.Glyph.Arrow+" "+s.Spec.URL(), t.Text))
	if v.Meter == nil {
		return row
	}
	failed := v.Meter.Unanswered()
	style = t.Muted
	if failed > 0 {
		style = t.Bad
	}
	return append(row, sp(fmt.Sprintf("  %s, %d answered, ", model.Count(v.Meter.Told, "request"), v.Meter.Answered()), t.Strong),
		sp(fmt.Sprintf("%d failed", failed), style), sp("  observed", t.Observed))
}

// leastName is how wide the column of names is at least, moreColumns what a row
// has beside it, with a short bar.
const (
	leastName   = 9
	moreColumns = 56
)

// answersLine is one Pod of the meter: how often it answered, which share that
// is, and how long it took.
func answersLine(r *meter.Row, key, name string, t *theme.Theme, w int) frame.Line {
	row := line(sp(" "+key+" ", t.Key), sp(name+" ", t.Text))
	numbers := fmt.Sprintf("%6d %5.1f%%", r.Count, 100*r.Share)
	latency := ""
	if r.P50 > 0 {
		latency = fmt.Sprintf("  p50 %-7s p99 %s", short(r.P50), short(r.P99))
	}
	// Bars are as long in all rows, whatever stands behind them.
	if room := min(w-row.Width()-len(numbers)-latencyColumns, longestBar); room >= shortestBar {
		row = append(row, bar(r.Share, room, t)...)
	}
	row = append(row, sp(numbers, t.Strong), sp(latency, t.Muted))
	if r.Errors > 0 {
		row = append(row, sp(fmt.Sprintf("  %d bad", r.Errors), t.Warn))
	}
	return row
}

// What a row of the meter has for the latency, and for its bar.
const (
	latencyColumns = 25
	shortestBar    = 5
	longestBar     = 30
)

// bar is a share as a bar of w columns.
func bar(share float64, w int, t *theme.Theme) frame.Line {
	full := min(w, int(share*float64(w)+.5))
	if share > 0 {
		full = max(1, full)
	}
	return line(sp(strings.Repeat(t.Glyph.Full, full), t.Good), sp(strings.Repeat(t.Glyph.Empty, w-full), t.Border))
}

// short writes a latency in at most seven columns.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d/time.Millisecond)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// outcomeText says what came of a request.
func outcomeText(o meter.Outcome) string {
	switch o {
	case meter.Status:
		return "answered badly"
	case meter.Refused:
		return "refused"
	case meter.Timeout:
		return "timed out"
	case meter.Reset:
		return "broken off"
	case meter.Unresolved:
		return "name not resolved"
	case meter.DNSSilent:
		return "DNS did not answer"
	case meter.Unreachable:
		return "no route"
	}
	return "failed"
}

// failedLine is one way in which requests failed, and why.
func failedLine(f *meter.Failed, t *theme.Theme) frame.Line {
	row := line(sp(fmt.Sprintf(" %s %d %s", t.Glyph.Cross, f.Count, outcomeText(f.Outcome)), t.Bad))
	text := f.Cause.Text
	if text == "" {
		text = "why is not known"
	}
	return append(row, sp(": "+text, t.Text), sp("  "+f.Cause.Evidence.String(), t.Evidence(f.Cause.Evidence)))
}

// keysOf gives each Pod of a meter a letter for the strip; those behind the last
// letter share a sign.
func keysOf(m *meter.Tally) map[string]string {
	keys := make(map[string]string, len(m.Pods))
	for i := range m.Pods {
		key := "*"
		if i < 26 {
			key = string(rune('A' + i))
		}
		keys[m.Pods[i].Pod] = key
	}
	return keys
}

// stripLine is the last answers in the order of the requests, a sign for each.
func stripLine(m *meter.Tally, keys map[string]string, t *theme.Theme, w int) frame.Line {
	if len(m.Strip) == 0 {
		return nil
	}
	row := line(sp(" last ", t.Muted))
	for _, mark := range m.Strip[max(0, len(m.Strip)-max(0, w-8)):] {
		switch {
		case mark.Outcome == meter.Status:
			row = append(row, sp("!", t.Warn))
		case mark.Outcome != meter.OK:
			row = append(row, sp(t.Glyph.Cross, t.Bad))
		case mark.Pod == "":
			row = append(row, sp(t.Glyph.Dot, t.Muted))
		default:
			row = append(row, sp(keys[mark.Pod], t.Text))
		}
	}
	return row
}
