package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"svctour/lessons/review"
)

// reviewWith runs svctour review with an input.
func reviewWith(in io.Reader, args ...string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	code = Main(context.Background(), Streams{In: in, Out: &out, Err: &errs}, append([]string{"svctour", "review"}, args...))
	return out.String(), errs.String(), code
}

// stateFile is where the answers are kept.
func stateFile() string { return filepath.Join(os.Getenv("SVCTOUR_HOME"), "review.json") }

// given writes a record as if its answers had been given.
func given(t *testing.T, answers ...review.Answer) {
	t.Helper()
	r := &review.Record{}
	for _, a := range answers {
		r.Add(a)
	}
	data, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(stateFile()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stateFile(), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func chosen(id string, ago time.Duration) review.Answer {
	return review.Answer{Question: "clusterip/x", About: []string{id}, Belief: id, Sure: true, When: time.Now().Add(-ago), From: review.FromLesson}
}

// TestReviewThroughAPipe answers by digits alone, as a script would.
func TestReviewThroughAPipe(t *testing.T) {
	alone(t)
	out, _, code := reviewWith(strings.NewReader(""))
	if code != 0 || !strings.Contains(out, "no question yet") {
		t.Errorf("exit code %d: %s", code, out)
	}
	given(t, chosen("M39", 2*time.Hour), chosen("M52", 3*time.Hour))
	out, errs, code := reviewWith(strings.NewReader("9\n1\ns\n1g\n1s\n"))
	if code != 0 || errs != "" {
		t.Errorf("exit code %d: %s", code, errs)
	}
	for _, want := range []string{"2 misconceptions to look at", "Your answer, 1 to ", "Type a number from 1 to ", "Sure (s) or a guess (g)?", "1 misconception to look at", "Nothing more is due. The next is due in "} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if !regexp.MustCompile(`(?m)^(.*\? )?(Right|No)\. `).MatchString(out) {
		t.Errorf("no answer is revealed:\n%s", out)
	}
	data, err := os.ReadFile(stateFile())
	if err != nil {
		t.Fatal(err)
	}
	r, err := review.Read(data, time.Now())
	if err != nil || len(r.Answers) < 4 {
		t.Errorf("%v: kept %+v", err, r)
	}
}

// TestReviewStopsHalfway: what was answered is kept when the input ends, by q, and
// when the person interrupts.
func TestReviewStopsHalfway(t *testing.T) {
	for name, input := range map[string]string{"end": "1s\n", "q": "1s\nq\n1s\n", "half an answer": "1s\n1\n"} {
		t.Run(name, func(t *testing.T) {
			alone(t)
			given(t, chosen("M39", 2*time.Hour), chosen("M57", 3*time.Hour))
			out, _, code := reviewWith(strings.NewReader(input))
			if code != 0 || !strings.Contains(out, "1 answer kept.") {
				t.Errorf("exit code %d:\n%s", code, out)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		alone(t)
		given(t, chosen("M39", 2*time.Hour), chosen("M57", 3*time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		in, keyboard := io.Pipe()
		defer keyboard.Close()
		out := &watched{until: "1 misconception to look at", then: cancel}
		typed := make(chan error, 1)
		go func() {
			_, err := keyboard.Write([]byte("1s\n"))
			typed <- err
		}()
		code := Main(ctx, Streams{In: in, Out: out, Err: io.Discard}, []string{"svctour", "review"})
		if err := <-typed; err != nil {
			t.Error(err)
		}
		if code != exitInterrupted || !strings.Contains(out.String(), "1 answer kept.") {
			t.Errorf("exit code %d:\n%s", code, out.String())
		}
		data, err := os.ReadFile(stateFile())
		if err != nil || !strings.Contains(string(data), `"from": "review"`) {
			t.Errorf("%v: %s", err, data)
		}
	})
}

// watched is an output that does something once a text was written to it.
type watched struct {
	bytes.Buffer
	until string
	then  func()
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if w.then != nil && strings.Contains(w.String(), w.until) {
		w.then()
		w.then = nil
	}
	return n, err
}

func TestReviewBeforeALesson(t *testing.T) {
	alone(t)
	out, errs, code := reviewWith(strings.NewReader(strings.Repeat("1s\n", 5)), "--lesson", "nodeport")
	if code != 0 || errs != "" || !strings.Contains(out, "5 of 5") || !regexp.MustCompile(`[0-5] of 5 right\. `).MatchString(out) {
		t.Errorf("exit code %d, %s:\n%s", code, errs, out)
	}
	out, _, code = reviewWith(nil, "--list", "-o", "json")
	var document struct {
		APIVersion, Kind string
		Due, Answers     int
		Next             time.Time
		Items            []struct {
			ID, State, Belief, Truth string
			Right, Wrong             int
			Source                   []string
		}
		Placements map[string]struct{ Asked, Right int }
	}
	if err := json.Unmarshal([]byte(out), &document); err != nil || code != 0 {
		t.Fatalf("%v, exit code %d: %s", err, code, out)
	}
	if document.APIVersion != "svctour/v1alpha1" || document.Kind != "Review" || document.Answers != 5 || document.Placements["nodeport"].Asked != 5 || document.Next.IsZero() {
		t.Errorf("%+v", document)
	}
	met := 0
	for _, it := range document.Items {
		if it.State != "not met" {
			met++
		}
		if it.Belief == "" || it.Truth == "" || len(it.Source) == 0 {
			t.Errorf("%+v", it)
		}
	}
	if met == 0 || len(document.Items) < 38 {
		t.Errorf("%d of %d were met", met, len(document.Items))
	}
	out, _, code = reviewWith(nil, "--list")
	for _, want := range []string{" misconceptions: ", "believed: ", "in truth: ", "Lesson nodeport: ", "Nothing is due now. The next is due in "} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %q is not in\n%s", code, want, out)
		}
	}
}

func TestReviewExportAndImport(t *testing.T) {
	alone(t)
	given(t, chosen("M39", 2*time.Hour), chosen("M52", 3*time.Hour))
	file := filepath.Join(t.TempDir(), "answers.json")
	if out, errs, code := reviewWith(nil, "--export", file); code != 0 || !strings.Contains(out, "2 answers written to ") {
		t.Errorf("exit code %d: %s%s", code, out, errs)
	}
	piped, _, code := reviewWith(nil, "--export", "-")
	if data, err := os.ReadFile(file); err != nil || code != 0 || string(data) != piped {
		t.Errorf("%v, exit code %d: %s", err, code, piped)
	}
	alone(t) // another person
	given(t, chosen("M57", time.Hour))
	for _, c := range []struct {
		in   string
		args []string
		want string
	}{
		{"", []string{"--import", file}, "2 answers added, 0 were there."},
		{piped, []string{"--import", "-"}, "0 answers added, 2 were there."},
	} {
		if out, errs, code := reviewWith(strings.NewReader(c.in), c.args...); code != 0 || !strings.Contains(out, c.want) {
			t.Errorf("%v: exit code %d, want %q: %s%s", c.args, code, c.want, out, errs)
		}
	}
	before, err := os.ReadFile(stateFile())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "{}", "\x1b[2J", `{"version": 9}`, `{"version":1,"answers":[{"question":"\u001b","from":"x","when":"2026-11-30T09:00:00Z"}]}`, strings.Repeat(" ", review.MaxBytes+1)} {
		out, errs, code := reviewWith(strings.NewReader(bad), "--import", "-")
		if code != exitUsage || out != "" || strings.ContainsRune(errs, 0x1b) {
			t.Errorf("%.40q: exit code %d, %q, %q", bad, code, out, errs)
		}
	}
	if after, err := os.ReadFile(stateFile()); err != nil || !bytes.Equal(before, after) {
		t.Errorf("%v: a refused import has changed\n%s\nto\n%s", err, before, after)
	}
}

func TestReviewRefuses(t *testing.T) {
	alone(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--list", "--export", "-"}, "exclude each other"},
		{[]string{"-o", "json"}, "go with --list"},
		{[]string{"--list", "-o", "xml"}, "want text, json or yaml"},
		{[]string{"--lesson", "nothing"}, "there is no lesson"},
		{[]string{"--import", filepath.Join(t.TempDir(), "none")}, "no such file"},
		{[]string{"clusterip"}, "unknown"},
	} {
		if out, errs, code := reviewWith(strings.NewReader(""), c.args...); code == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: exit code %d, want %q: %s%s", c.args, code, c.want, out, errs)
		}
	}
	given(t)
	if err := os.WriteFile(stateFile(), []byte(`{"version": 1, "answers": [`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := reviewWith(strings.NewReader("")); code != exitFailure || !strings.Contains(errs, stateFile()) {
		t.Errorf("a damaged file: exit code %d, %s", code, errs)
	}
}
