package live

import (
	"fmt"
	"strings"

	"svctour/model"
	"svctour/model/dns"
	"svctour/ui/frame"
	"svctour/ui/theme"
)

// lookUpRows draw a look-up: the answer first, then every query in order.
func (v *View) lookUpRows(t *theme.Theme, w int) frame.Rows {
	r := v.Resolution
	if r == nil {
		text := v.ResolveErr
		if text == "" {
			text = "No Pod to ask from yet: a look-up needs a client's resolv.conf."
		}
		return note(t, text, w)
	}
	lines := frame.Lines{answerLine(r, t)}
	for _, q := range paired(r.Queries) {
		lines = append(lines, queryLine(q, t))
	}
	rc := r.ResolvConf
	lines = append(lines, line(
		sp("nameserver ", t.Muted), sp(orNone(strings.Join(rc.Nameservers, " ")), t.Text),
		sp("  options ", t.Muted), sp(orNone(strings.Join(rc.Options, " ")), t.Text)))
	lines = append(lines, frame.Wrap(line(sp("search ", t.Muted), sp(orNone(strings.Join(rc.Search, " ")), t.Text)), w, 7)...)
	for _, text := range r.Notes {
		lines = append(lines, frame.Wrap(frame.L(text, t.Muted), w, 0)...)
	}
	return lines
}

// resolutionEvidence is the least evidence among the queries.
func resolutionEvidence(r *dns.Resolution) model.Evidence {
	if r == nil || len(r.Queries) == 0 {
		return model.Unknown
	}
	least := model.Observed
	for _, q := range r.Queries {
		least = min(least, q.Evidence)
	}
	return least
}

// partlyKnown says whether some answer of a look-up is known.
func partlyKnown(r *dns.Resolution) bool {
	if r == nil {
		return false
	}
	for _, q := range r.Queries {
		if q.Evidence != model.Unknown {
			return true
		}
	}
	return false
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

func answerLine(r *dns.Resolution, t *theme.Theme) frame.Line {
	who := r.From
	if i := strings.LastIndex(who, "/"); i >= 0 {
		who = who[i+1:]
	}
	row := line(sp(r.Name, t.Strong), sp(" "+t.Glyph.Arrow+" ", t.Muted))
	if len(r.Answers) == 0 {
		row = append(row, sp("no answer", t.Warn))
	}
	for i, answer := range r.Answers {
		if i > 0 {
			row = append(row, sp(", ", t.Muted))
		}
		row = append(row, sp(answer.Data, t.Good))
		if i == 3 && len(r.Answers) > 4 {
			row = append(row, sp(fmt.Sprintf(" + %d more", len(r.Answers)-4), t.Muted))
			break
		}
	}
	names := len(paired(r.Queries))
	return append(row, sp(fmt.Sprintf("   asked by %s, %s, %s", who, model.Count(names, "name"), model.Count(len(r.Queries), "query")), t.Muted))
}

// nameQueries is the queries for one name: a resolver sends A and AAAA together.
type nameQueries struct {
	name    string
	queries []dns.Query
}

func paired(queries []dns.Query) []nameQueries {
	var out []nameQueries
	for _, q := range queries {
		if n := len(out); n > 0 && out[n-1].name == q.Name {
			out[n-1].queries = append(out[n-1].queries, q)
			continue
		}
		out = append(out, nameQueries{q.Name, []dns.Query{q}})
	}
	return out
}

func queryLine(n nameQueries, t *theme.Theme) frame.Line {
	row := line(sp("  "+n.name, t.Code), sp("  ", t.Text))
	for i, q := range n.queries {
		if i > 0 {
			row = append(row, sp("  ", t.Text))
		}
		row = append(row, sp(q.Type+" ", t.Muted))
		switch {
		case len(q.Answers) > 0:
			data := q.Answers[len(q.Answers)-1].Data
			if len(q.Answers) > 1 {
				data = fmt.Sprintf("%s +%d", data, len(q.Answers)-1)
			}
			row = append(row, sp(data, t.Good))
		case q.Rcode == "NOERROR":
			row = append(row, sp("no data", t.Muted))
		case q.Rcode == "":
			row = append(row, sp("unknown", t.Unknown))
		default:
			row = append(row, sp(q.Rcode, t.Warn))
		}
	}
	return row
}
