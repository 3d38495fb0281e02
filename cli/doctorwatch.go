package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"svctour/cluster"
	"svctour/desk"
	"svctour/model"
	"svctour/model/diagnose"
)

// health says of every Service whether it is well.
func health(report *diagnose.Report) map[string]bool {
	out := map[string]bool{}
	for i := range report.Services {
		s := &report.Services[i]
		out[s.Namespace+"/"+s.Name] = s.Healthy
	}
	return out
}

// turns tells which Services have healed since, and which have broken.
func turns(before map[string]bool, report *diagnose.Report) string {
	p := &page{width: textWidth}
	for i := range report.Services {
		s := &report.Services[i]
		was, known := before[s.Namespace+"/"+s.Name]
		switch {
		case known && !was && s.Healthy:
			p.paragraph("✓ ", "  ", s.Namespace+"/"+s.Name+" has healed")
		case known && was && len(s.Findings) > 0 && !s.Healthy:
			p.paragraph("✗ ", "  ", s.Namespace+"/"+s.Name+" has broken: "+s.Findings[0].Headline)
		}
	}
	return p.String()
}

// watch is svctour doctor --watch.
type watch struct {
	g         *globals
	o         doctorOptions
	namespace string // in which Services are that name none

	begun  bool            // something was printed
	last   string          // what was printed last
	before map[string]bool // whether the Services were well then
	lost   bool            // it was said that the connection is lost
}

// run prints the report again whenever what it says has changed, until ctx ends.
// The error carries the exit code, which is of the last report: 2 when that is
// old by then, for the connection is lost.
func (w *watch) run(ctx context.Context, connection *cluster.Connection, snapshot *model.Snapshot) error {
	for {
		report, err := desk.Examine(snapshot, w.o.question(w.namespace))
		if err != nil {
			return asked(err)
		}
		w.tellSync(snapshot)
		if err := w.show(snapshot, report); err != nil {
			return err
		}
		next, err := connection.Next(ctx, snapshot.Sequence)
		switch {
		case ctx.Err() != nil && w.lost:
			return &exitError{Code: exitUsage, Err: errors.New(notLive(snapshot.Sync))}
		case ctx.Err() != nil:
			return verdict(snapshot, report, w.namespace, w.o)
		case err != nil:
			return err
		}
		snapshot = next
	}
}

// tellSync says when the connection is lost, and when it is back: what was
// printed last is no news meanwhile.
func (w *watch) tellSync(snapshot *model.Snapshot) {
	lost := snapshot.Sync.Err != ""
	switch {
	case lost && !w.lost:
		w.g.say("%s", notLive(snapshot.Sync))
	case !lost && w.lost:
		w.g.say("live again since %s", snapshot.Time.Format(time.TimeOnly))
	}
	w.lost = lost
}

func notLive(sync model.Sync) string {
	return fmt.Sprintf("not live since %s: %s", sync.Since.Format(time.TimeOnly), sync.Err)
}

// show prints a report that says something new.
func (w *watch) show(snapshot *model.Snapshot, report *diagnose.Report) error {
	text := reportText(report, textWidth, w.o.All)
	if w.begun && text == w.last {
		return nil
	}
	if len(report.Services) == 0 {
		w.g.say("%s", none(snapshot, w.namespace, w.o))
	}
	out := w.g.Out
	var err error
	switch {
	case w.g.Output == "text" && w.begun:
		_, err = fmt.Fprintf(out, "\n%s\n%s%s", time.Now().Format(time.TimeOnly), turns(w.before, report), text)
	case w.g.Output == "text":
		_, err = io.WriteString(out, text)
	default:
		if w.begun && w.g.Output == "yaml" {
			fmt.Fprintln(out, "---") // https://yaml.org/spec/1.2.2/#913-explicit-documents
		}
		err = writeDocument(out, w.g.Output, "DoctorReport", report)
	}
	w.begun, w.last, w.before = true, text, health(report)
	return err
}
