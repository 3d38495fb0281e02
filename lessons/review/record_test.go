package review

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var monday = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

func answer(question string, after time.Duration, change func(*Answer)) Answer {
	a := Answer{Question: question, About: []string{"M02", "M05"}, When: monday.Add(after), Right: true, Sure: true, From: FromReview}
	if change != nil {
		change(&a)
	}
	return a
}

func recordOf(answers ...Answer) *Record {
	r := &Record{Version: Version}
	for _, a := range answers {
		r.Add(a)
	}
	return r
}

func TestRecordRoundTrip(t *testing.T) {
	r := recordOf(
		answer("b", 2*time.Hour, func(a *Answer) { a.Right, a.Belief, a.Surface = false, "M02", "n=3 name=web" }),
		answer("a", time.Hour, nil),
	)
	r.Place("clusterip", Placement{When: monday, Asked: 5, Right: 4, Skip: true})
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Read(data, monday.Add(tomorrow))
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || string(again) != string(data) {
		t.Errorf("%v: it becomes\n%s\nof\n%s", err, again, data)
	}
	if back.Answers[0].Question != "a" || !reflect.DeepEqual(back.Answers[1].About, []string{"M02", "M05"}) || !back.Placements["clusterip"].Skip {
		t.Errorf("read as %+v", back)
	}
}

// TestUnknownFieldsStay: what a later version adds is not lost by this one.
func TestUnknownFieldsStay(t *testing.T) {
	text := `{"version": 1, "theme": {"dark": true}, "answers": [{"question": "a", "when": "2026-11-30T09:00:00Z", "right": true, "sure": false, "from": "review", "took": 12}],
		"placements": {"clusterip": {"when": "2026-11-30T09:00:00Z", "asked": 5, "right": 5, "skip": true, "mood": "good"}}}`
	r, err := Read([]byte(text), monday.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	r.Add(answer("b", time.Hour, nil))
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Theme      struct{ Dark bool }
		Answers    []struct{ Took int }
		Placements map[string]struct{ Mood string }
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !got.Theme.Dark || got.Answers[0].Took != 12 || got.Placements["clusterip"].Mood != "good" {
		t.Errorf("%s", data)
	}
}

func TestMergeIsIdempotent(t *testing.T) {
	mine := recordOf(answer("a", 0, nil), answer("b", time.Hour, nil))
	other := recordOf(answer("b", time.Hour, nil), answer("c", 30*time.Minute, nil))
	mine.Place("clusterip", Placement{When: monday.Add(time.Hour), Asked: 5, Right: 5, Skip: true})
	other.Place("clusterip", Placement{When: monday, Asked: 5, Right: 1})
	other.Place("nodeport", Placement{When: monday, Asked: 5, Right: 2})
	if n := mine.Merge(other); n != 1 {
		t.Errorf("added %d", n)
	}
	first, err := mine.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if n := mine.Merge(other); n != 0 {
		t.Errorf("the second time it added %d", n)
	}
	if n := mine.Merge(mine.Clone()); n != 0 {
		t.Errorf("merged with itself it added %d", n)
	}
	again, err := mine.Encode()
	if err != nil || string(first) != string(again) {
		t.Errorf("%v: merging twice gives\n%s\nafter\n%s", err, again, first)
	}
	if !mine.Placements["clusterip"].Skip || mine.Placements["nodeport"].Right != 2 {
		t.Errorf("placements %+v", mine.Placements)
	}
	// In the other direction the same comes out.
	back := recordOf(answer("b", time.Hour, nil), answer("c", 30*time.Minute, nil))
	back.Merge(mine)
	if !reflect.DeepEqual(back.Answers, mine.Answers) {
		t.Errorf("%v\n%v", back.Answers, mine.Answers)
	}
}

func TestHostileRecords(t *testing.T) {
	one := func(field string) string {
		return `{"version": 1, "answers": [{"question": "a", "when": "2026-11-30T09:00:00Z", "right": false, "from": "review"` + field + `}]}`
	}
	many := strings.Repeat(`{"question":"a","when":"2026-11-30T09:00:00Z","from":"x"},`, maxAnswers)
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":              {"svctour", "no JSON"},
		"a list":               {"[]", "no JSON"},
		"cut off":              {`{"version": 1, "answers": [`, "no JSON"},
		"no version":           {`{"answers": []}`, "no version"},
		"another document":     {`{"kind": "List", "items": []}`, "no version"},
		"a later version":      {`{"version": 2}`, "newer svctour"},
		"too big":              {`{"version": 1, "x": "` + strings.Repeat("x", MaxBytes) + `"}`, "bytes"},
		"too many":             {`{"version": 1, "answers": [` + many + `{}]}`, "at most"},
		"an escape":            {one(`, "surface": "\u001b[2J"`), "not printable"},
		"a bidi override":      {one(`, "about": ["M\u202e01"]`), "not printable"},
		"a line":               {one(`, "belief": "M01\nM02"`), "not printable"},
		"a long text":          {one(`, "surface": "` + strings.Repeat("x", maxText+1) + `"`), "bytes"},
		"right and believed":   {one(`, "right": true, "belief": "M01"`), "names a misconception"},
		"belief of another":    {one(`, "belief": "M01", "about": ["M02"]`), "not one"},
		"about everything":     {one(`, "about": ["` + strings.Repeat(`x","`, maxAbout) + `x"]`), "at most"},
		"no time":              {`{"version": 1, "answers": [{"question": "a", "from": "x"}]}`, "its time"},
		"of the future":        {`{"version": 1, "answers": [{"question": "a", "from": "x", "when": "2036-11-30T09:00:00Z"}]}`, "its time"},
		"no question":          {`{"version": 1, "answers": [{"from": "x", "when": "2026-11-30T09:00:00Z"}]}`, "wants a question"},
		"more right than all":  {`{"version": 1, "placements": {"a": {"when": "2026-11-30T09:00:00Z", "asked": 5, "right": 6}}}`, "6 of 5"},
		"a lesson of controls": {`{"version": 1, "placements": {"\u0007": {"when": "2026-11-30T09:00:00Z"}}}`, "not printable"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read([]byte(c.text), monday)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	var newer *NewerError
	if _, err := Read([]byte(`{"version": 7}`), monday); !errors.As(err, &newer) || newer.Version != 7 {
		t.Errorf("%v", err)
	}
}

// TestTooManyAnswers: the newest stay, and what was written can be read.
func TestTooManyAnswers(t *testing.T) {
	r := &Record{}
	for i := range maxAnswers + 10 {
		r.Add(answer(fmt.Sprint("q", i), time.Duration(i)*time.Second, nil))
	}
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Read(data, monday.Add(tomorrow))
	if err != nil || len(back.Answers) != maxAnswers || back.Answers[0].Question != "q10" {
		t.Errorf("%v, %d answers", err, len(back.Answers))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"version": 1, "answers": [{"question": "a", "when": "2026-11-30T09:00:00Z", "right": true, "from": "review", "x": []}], "y": {}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Read(data, monday)
		if err != nil {
			return
		}
		out, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Read(out, monday)
		if err != nil {
			t.Fatalf("%v: cannot read what was written:\n%s", err, out)
		}
		if len(back.Answers) != len(r.Answers) {
			t.Errorf("%d answers of %d", len(back.Answers), len(r.Answers))
		}
		r.Standings([]string{"M01"})
	})
}
