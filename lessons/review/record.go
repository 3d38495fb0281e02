package review

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"svctour/model"
)

// Version is the format of a Record as JSON.
const Version = 1

// Limits of a record that comes from a file.
const (
	// MaxBytes bounds the file. 20,000 answers have about 5 MB.
	MaxBytes   = 8 << 20
	maxAnswers = 20_000
	maxText    = 200 // bytes of one string
	maxAbout   = 16
)

// Where an answer was given.
const (
	FromLesson    = "lesson"
	FromReview    = "review"
	FromPlacement = "placement"
)

// Answer is one answer of a person to one question.
type Answer struct {
	// Question is its id: of a question of the bank, or LESSON/STEP for the
	// prediction of a step and LESSON/STEP/read-back for its read-back.
	Question string `json:"question"`
	// Surface is how it was asked: the values of its variables. "" when it has none.
	Surface string `json:"surface,omitempty"`
	// About are the ids of the misconceptions among its choices.
	About []string  `json:"about,omitempty"`
	When  time.Time `json:"when"`
	Right bool      `json:"right"`
	Sure  bool      `json:"sure"` // else it was a guess
	// Belief is the id of the misconception that was chosen; "" when the answer is
	// right, or a slip.
	Belief string `json:"belief,omitempty"`
	From   string `json:"from"` // FromLesson, FromReview or FromPlacement

	unknown fields
}

// compare orders answers by time. Equal ones are the same answer: one person
// answers one question once at a time.
func (a *Answer) compare(b *Answer) int {
	return cmp.Or(a.When.Compare(b.When), cmp.Compare(a.Question, b.Question), cmp.Compare(a.From, b.From))
}

// Placement is the result of the questions before a lesson.
type Placement struct {
	When  time.Time `json:"when"`
	Asked int       `json:"asked"`
	Right int       `json:"right"`
	Skip  bool      `json:"skip"` // the lesson can be skipped

	unknown fields
}

// Record is all that a person answered. Its JSON keeps the fields of a later
// version that this one does not know.
type Record struct {
	Version    int                  `json:"version"`
	Answers    []Answer             `json:"answers"`              // by time
	Placements map[string]Placement `json:"placements,omitempty"` // by the lesson's id

	unknown fields
}

// Read reads a record as JSON and checks it: sizes, times, and that nothing in
// it would do harm on a terminal. now is the present time. A record of a later
// version is a *NewerError.
func Read(data []byte, now time.Time) (*Record, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("the record has %d bytes: at most %d are read", len(data), MaxBytes)
	}
	record := &Record{}
	if err := json.Unmarshal(data, record); err != nil {
		return nil, fmt.Errorf("the record is no JSON of svctour review: %w", err)
	}
	switch {
	case record.Version > Version:
		return nil, &NewerError{record.Version}
	case record.Version < 1:
		return nil, errors.New("the record has no version: it is not one of svctour review")
	}
	if err := record.check(now); err != nil {
		return nil, err
	}
	merged := &Record{Version: Version, unknown: record.unknown}
	merged.Merge(record)
	return merged, nil
}

// NewerError says that a record is from a newer svctour.
type NewerError struct{ Version int }

func (e *NewerError) Error() string {
	return fmt.Sprintf("the record is from a newer svctour: it has version %d, this one knows %d", e.Version, Version)
}

// tomorrow is how far ahead the clock of another machine may be.
const tomorrow = 24 * time.Hour

func (r *Record) check(now time.Time) error {
	if len(r.Answers) > maxAnswers || len(r.Placements) > maxAnswers {
		return fmt.Errorf("the record has %d answers and %d placements: at most %d of each are read", len(r.Answers), len(r.Placements), maxAnswers)
	}
	for i := range r.Answers {
		if err := r.Answers[i].check(now); err != nil {
			return fmt.Errorf("answer %d: %w", i+1, err)
		}
	}
	for lesson, p := range r.Placements {
		if err := checkText("lesson", lesson); err != nil {
			return err
		}
		if p.Right < 0 || p.Right > p.Asked || p.Asked > maxAnswers {
			return fmt.Errorf("the placement of lesson %q: %d of %d right", lesson, p.Right, p.Asked)
		}
		if err := checkTime(p.When, now); err != nil {
			return fmt.Errorf("the placement of lesson %q: %w", lesson, err)
		}
	}
	return nil
}

func (a *Answer) check(now time.Time) error {
	for _, f := range []struct{ name, text string }{{"question", a.Question}, {"surface", a.Surface}, {"belief", a.Belief}, {"from", a.From}} {
		if err := checkText(f.name, f.text); err != nil {
			return err
		}
	}
	if len(a.About) > maxAbout {
		return fmt.Errorf("it is about %d misconceptions: at most %d", len(a.About), maxAbout)
	}
	for _, id := range a.About {
		if err := checkText("about", id); err != nil {
			return err
		}
	}
	switch {
	case a.Question == "" || a.From == "":
		return errors.New("it wants a question and where it is from")
	case a.Right && a.Belief != "":
		return errors.New("it is right and names a misconception")
	case a.Belief != "" && !slices.Contains(a.About, a.Belief):
		return fmt.Errorf("its belief %q is not one that it is about", a.Belief)
	}
	return checkTime(a.When, now)
}

func checkText(name, text string) error {
	if len(text) > maxText {
		return fmt.Errorf("its %s has %d bytes: at most %d", name, len(text), maxText)
	}
	if model.Printable(text) != text {
		return fmt.Errorf("its %s %q has characters that are not printable", name, text)
	}
	return nil
}

func checkTime(when, now time.Time) error {
	if when.IsZero() || when.After(now.Add(tomorrow)) {
		return fmt.Errorf("its time %s is not one of the past", when.Format(time.RFC3339))
	}
	return nil
}

// Merge adds what another record has and gives how many answers were new. Doing
// it twice adds nothing. Of two placements of one lesson the later counts.
func (r *Record) Merge(other *Record) int {
	added := 0
	for i := range other.Answers {
		if r.Add(other.Answers[i]) {
			added++
		}
	}
	for lesson, p := range other.Placements {
		if mine, has := r.Placements[lesson]; !has || p.When.After(mine.When) {
			r.Place(lesson, p)
		}
	}
	r.unknown = r.unknown.with(other.unknown)
	return added
}

// Add keeps an answer in its place by time. It says whether the answer is new.
func (r *Record) Add(a Answer) bool {
	a.When = a.When.UTC().Truncate(time.Millisecond)
	a.About = slices.Clone(a.About)
	slices.Sort(a.About)
	a.About = slices.Compact(a.About)
	at, found := slices.BinarySearchFunc(r.Answers, &a, func(mine Answer, a *Answer) int { return mine.compare(a) })
	if found {
		r.Answers[at].unknown = r.Answers[at].unknown.with(a.unknown)
		return false
	}
	r.Answers = slices.Insert(r.Answers, at, a)
	if len(r.Answers) > maxAnswers { // the oldest say least
		r.Answers = slices.Delete(r.Answers, 0, 1)
	}
	return true
}

// Place keeps the result of the questions before a lesson.
func (r *Record) Place(lesson string, p Placement) {
	if r.Placements == nil {
		r.Placements = map[string]Placement{}
	}
	p.When = p.When.UTC().Truncate(time.Millisecond)
	r.Placements[lesson] = p
}

// Encode writes the record as JSON, for a file. A record that Read would find
// too big is an error.
func (r *Record) Encode() ([]byte, error) {
	out := *r
	out.Version = Version
	if out.Answers == nil {
		out.Answers = []Answer{}
	}
	data, err := json.MarshalIndent(&out, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write the record: %w", err)
	}
	if len(data) >= MaxBytes {
		return nil, fmt.Errorf("the record would have %d bytes: at most %d are kept", len(data), MaxBytes)
	}
	return append(data, '\n'), nil
}

// Clone gives a copy that can be changed by itself.
func (r *Record) Clone() *Record {
	out := &Record{Version: Version}
	out.Merge(r)
	return out
}

// fields are the fields of a JSON object that this version does not know.
type fields map[string]json.RawMessage

// with gives the union; what is there already stays.
func (f fields) with(other fields) fields {
	if len(other) == 0 {
		return f
	}
	out := fields{}
	for _, from := range []fields{other, f} {
		for name, value := range from {
			out[name] = value
		}
	}
	return out
}

// readKnown decodes an object into known, a pointer to a struct without methods of
// JSON, and gives the fields that the struct does not have.
func readKnown(data []byte, known any, names ...string) (fields, error) {
	if err := json.Unmarshal(data, known); err != nil {
		return nil, err
	}
	rest := fields{}
	if err := json.Unmarshal(data, &rest); err != nil {
		return nil, err
	}
	for name := range rest {
		if slices.ContainsFunc(names, func(known string) bool { return strings.EqualFold(known, name) }) {
			delete(rest, name)
		}
	}
	return rest, nil
}

// writeKnown encodes known and the fields that were read beside it.
func writeKnown(known any, rest fields) ([]byte, error) {
	data, err := json.Marshal(known)
	if err != nil || len(rest) == 0 {
		return data, err
	}
	more, err := json.Marshal(rest)
	if err != nil {
		return nil, err
	}
	return append(append(data[:len(data)-1], ','), more[1:]...), nil
}

type plainAnswer Answer

// UnmarshalJSON implements json.Unmarshaler.
func (a *Answer) UnmarshalJSON(data []byte) (err error) {
	var known plainAnswer
	rest, err := readKnown(data, &known, "question", "surface", "about", "when", "right", "sure", "belief", "from")
	*a = Answer(known)
	a.unknown = rest
	return err
}

// MarshalJSON implements json.Marshaler.
func (a Answer) MarshalJSON() ([]byte, error) { return writeKnown(plainAnswer(a), a.unknown) }

type plainPlacement Placement

// UnmarshalJSON implements json.Unmarshaler.
func (p *Placement) UnmarshalJSON(data []byte) (err error) {
	var known plainPlacement
	rest, err := readKnown(data, &known, "when", "asked", "right", "skip")
	*p = Placement(known)
	p.unknown = rest
	return err
}

// MarshalJSON implements json.Marshaler.
func (p Placement) MarshalJSON() ([]byte, error) { return writeKnown(plainPlacement(p), p.unknown) }

type plainRecord Record

// UnmarshalJSON implements json.Unmarshaler.
func (r *Record) UnmarshalJSON(data []byte) (err error) {
	var known plainRecord
	rest, err := readKnown(data, &known, "version", "answers", "placements")
	*r = Record(known)
	r.unknown = rest
	return err
}

// MarshalJSON implements json.Marshaler.
func (r Record) MarshalJSON() ([]byte, error) { return writeKnown(plainRecord(r), r.unknown) }
