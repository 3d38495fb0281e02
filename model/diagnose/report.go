package diagnose

import (
	"slices"

	"svctour/model"
)

// Lane is a place on the way of a connection, in the order in which it passes
// them.
type Lane string

// The lanes. What fails in an earlier one hides what fails in a later one.
const (
	LaneClient    Lane = "client"
	LaneName      Lane = "name"
	LaneService   Lane = "service"
	LaneSelector  Lane = "selector"
	LanePods      Lane = "pods"
	LaneEndpoints Lane = "endpoints"
	LanePort      Lane = "port"
	LanePolicy    Lane = "policy"
	LaneProxy     Lane = "proxy"
	LaneOutside   Lane = "outside"
	LaneReply     Lane = "reply"
)

// Lanes are all lanes in order.
var Lanes = []Lane{
	LaneClient, LaneName, LaneService, LaneSelector, LanePods, LaneEndpoints,
	LanePort, LanePolicy, LaneProxy, LaneOutside, LaneReply,
}

// Severity says how much a finding matters.
type Severity string

// Severities, the worst first.
const (
	Error   Severity = "error"   // connections fail
	Warning Severity = "warning" // some connections fail, or soon will
	Info    Severity = "info"    // it works; something is worth knowing
)

var severityRank = map[Severity]int{Error: 0, Warning: 1, Info: 2}

// Confidence says how sure a finding is.
type Confidence string

// Confidences.
const (
	Certain  Confidence = "certain"  // follows from the API's rules
	Likely   Confidence = "likely"   // fits everything that was read
	Possible Confidence = "possible" // one of several explanations
)

// Fact is one piece of evidence.
type Fact struct {
	Object string         `json:"object"` // "Service shop/web"
	Field  string         `json:"field"`  // a path in the object
	Value  string         `json:"value"`
	Kind   model.Evidence `json:"kind"`
}

// Fix is what to do.
type Fix struct {
	Explain string `json:"explain"`
	// Command does it, as it is typed; "" when no single command can.
	Command string `json:"command,omitempty"`
	// Args are the arguments of kubectl when Command is one call of it, else nil.
	Args []string `json:"-"`
	// Target is the one object that Command changes; nil when it changes none,
	// or not one alone.
	Target *model.Ref `json:"target,omitempty"`
	// Patch is the change of Target; nil when it is none by a patch.
	Patch *Patch `json:"patch,omitempty"`
}

// Patch is a change of one object.
type Patch struct {
	Type string `json:"type"` // strategic, merge or json (kubectl patch --type)
	Body any    `json:"body"`
}

// Finding is one cause.
type Finding struct {
	Rule       string     `json:"rule"`
	Severity   Severity   `json:"severity"`
	Lane       Lane       `json:"lane"`
	Headline   string     `json:"headline"`
	Cause      string     `json:"cause"`
	Evidence   []Fact     `json:"evidence"`
	Fix        Fix        `json:"fix"`
	Confidence Confidence `json:"confidence"`
}

// Texts of a finding are bounded, in runes: names and messages may be of any
// length. A fix is not: it has to be right.
const (
	longestText = 600
	longestFact = 300
)

func (f *Finding) bound() {
	f.Headline, f.Cause = clip(f.Headline, longestText), clip(f.Cause, longestText)
	for i := range f.Evidence {
		f.Evidence[i].Value = clip(f.Evidence[i].Value, longestFact)
	}
}

// Unchecked is something that was not looked at.
type Unchecked struct {
	What string `json:"what"`
	How  string `json:"how"`
}

// ServiceReport is the diagnosis of one Service. The first finding is the
// headline; findings that it hides are left out.
type ServiceReport struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Healthy: there is no finding of Warning or worse, and it could be looked at.
	Healthy    bool        `json:"healthy"`
	Findings   []Finding   `json:"findings"`
	NotChecked []Unchecked `json:"notChecked"`
	// Summary is what the Service is, in a few words, for people.
	Summary string `json:"summary"`
	// Broken is the lane of the first finding of Warning or worse, "" if healthy.
	Broken Lane `json:"broken,omitempty"`
}

// Report is a diagnosis.
type Report struct {
	Cluster  model.Cluster   `json:"cluster"`
	Services []ServiceReport `json:"services"`
	// NotChecked are resources that could not be read.
	NotChecked []Unchecked `json:"notChecked"`
}

// Checked says whether the Service could be looked at at all (README.md, exit
// code 2).
func (r *ServiceReport) Checked() bool { return r.Healthy || len(r.Findings) > 0 }

// Checked says whether any Service could be looked at (README.md, exit code 2).
func (r *Report) Checked() bool {
	for i := range r.Services {
		if r.Services[i].Checked() {
			return true
		}
	}
	return false
}

// Lags says whether a headline may be over in a moment: see Rule.Lags.
// Controllers are eventually consistent
// (https://kubernetes.io/docs/concepts/architecture/controller/).
func (r *Report) Lags() bool {
	return slices.ContainsFunc(r.Services, func(s ServiceReport) bool {
		return len(s.Findings) > 0 && s.Findings[0].Lags()
	})
}

// Lags says whether what was found may be over in a moment: see Rule.Lags and
// Report.Lags (https://kubernetes.io/docs/concepts/architecture/controller/).
func (f *Finding) Lags() bool {
	rule := RuleByID(f.Rule)
	return rule != nil && rule.Lags
}

// Healthy says whether no Service has a finding of Warning or worse (README.md,
// exit codes 0 and 1).
func (r *Report) Healthy() bool {
	for i := range r.Services {
		if !r.Services[i].Healthy && r.Services[i].Checked() {
			return false
		}
	}
	return true
}
