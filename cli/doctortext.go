package cli

import (
	"fmt"
	"strings"

	"svctour/model/diagnose"
)

// reportText draws a report for a terminal: each Service with its lane, or with
// overview what is wrong grouped by cause.
func reportText(r *diagnose.Report, width int, overview bool) string {
	p := &page{width: width}
	if overview {
		p.overview(r)
	}
	for i := range r.Services {
		s := &r.Services[i]
		if overview && s.Healthy {
			continue
		}
		if i > 0 || overview {
			p.blank()
		}
		p.service(s)
	}
	if len(r.NotChecked) > 0 {
		p.blank()
		p.line("Not read:")
		for _, u := range r.NotChecked {
			p.paragraph("  ", "    ", u.What)
		}
	}
	return p.String()
}

// overview counts the Services by their first finding.
func (p *page) overview(r *diagnose.Report) {
	byRule := map[string][]string{}
	var order []string
	healthy := 0
	for i := range r.Services {
		s := &r.Services[i]
		if s.Healthy {
			healthy++
		}
		if len(s.Findings) == 0 || s.Healthy {
			continue
		}
		rule := s.Findings[0].Rule
		if byRule[rule] == nil {
			order = append(order, rule)
		}
		byRule[rule] = append(byRule[rule], s.Namespace+"/"+s.Name)
	}
	p.line(fmt.Sprintf("%d of %d Services have no problem", healthy, len(r.Services)))
	for _, rule := range order {
		title := rule
		if known := diagnose.RuleByID(rule); known != nil {
			title = known.Title
		}
		p.paragraph("  ✗ ", "    ", fmt.Sprintf("%s (%s): %s", title, rule, strings.Join(byRule[rule], ", ")))
	}
}

// marks are what stands before a finding.
var marks = map[diagnose.Severity]string{diagnose.Error: "✗", diagnose.Warning: "!", diagnose.Info: "·"}

func (p *page) service(s *diagnose.ServiceReport) {
	p.paragraph("", "  ", s.Namespace+"/"+s.Name+"   "+s.Summary)
	p.paragraph("  ", "  ", laneText(s))
	for i := range s.Findings {
		f := &s.Findings[i]
		p.blank()
		p.paragraph("  "+marks[f.Severity]+" ", "    ", f.Headline)
		p.paragraph("    ", "    ", f.Cause)
		for _, fact := range f.Evidence {
			p.paragraph("    "+fmt.Sprintf("%-9s", fact.Kind.String())+" ", "              ", fmt.Sprintf("%s  %s: %s", fact.Object, fact.Field, orNone(fact.Value)))
		}
		p.paragraph("    fix: ", "         ", f.Fix.Explain)
		for line := range strings.Lines(f.Fix.Command) {
			p.whole("      " + strings.TrimSuffix(line, "\n")) // to be copied: never broken
		}
		p.paragraph("    ", "    ", fmt.Sprintf("%s, rule %s", f.Confidence, f.Rule))
	}
	if s.Healthy {
		p.line("  ✓ no problem found")
	}
	for _, u := range s.NotChecked {
		p.paragraph("  not checked: ", "    ", u.What+" ("+u.How+")")
	}
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// laneText is the lane: a line as far as connections come, broken where they
// fail, and dotted behind that, where the doctor did not look.
func laneText(s *diagnose.ServiceReport) string {
	var b strings.Builder
	line := "─"
	for i, lane := range diagnose.Lanes {
		if i > 0 {
			b.WriteString(line)
		}
		if lane != s.Broken {
			b.WriteString(string(lane))
			continue
		}
		b.WriteString("✗ " + strings.ToUpper(string(lane)) + " ")
		if s.Findings[0].Severity == diagnose.Error {
			line = "┄"
		}
	}
	return b.String()
}
