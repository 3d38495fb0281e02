package ui_test

import (
	"errors"
	"strings"
	"testing"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui"
)

// TestTheGoalOfAStep: one key draws how it would be after the step's command, with
// words for what only the cluster can draw; nothing is run, and the same key
// shows again how it is.
func TestTheGoalOfAStep(t *testing.T) {
	d := uitest.Tour(t, 120, 40, ui.Options{})
	toService(d)
	d.Press("r") // the step is to do again
	d.Show(uitest.World(append(uitest.ThreePods(), uitest.ClientPod())...))
	d.Calm()
	d.Predict()
	var asked model.Edit
	d.Backend.SetPlan(func(before *model.Snapshot, edit model.Edit) (*model.Planned, error) {
		asked = edit
		service := uitest.WebService(model.ClusterIP, 0)
		service.ClusterIPs = []string{"0.0.0.1"}
		after := uitest.World(append(uitest.ThreePods(), uitest.ClientPod(), service, uitest.WebSlice(3))...)
		return &model.Planned{
			Before: before, Snapshot: after, Marks: map[string]model.ChangeKind{service.UID: model.Added},
			Open: []model.Open{{Stands: "0.0.0.1", Words: "some ClusterIP"}},
		}, nil
	})
	ran := len(d.Backend.Ran())
	d.Press("g")
	d.Sees("Goal web · ClusterIP", "+ web some ClusterIP:80", "This is how it would be", "derived")
	if !strings.Contains(asked.Manifest, "kind: Service") || len(d.Backend.Ran()) != ran {
		t.Errorf("asked for %+v, ran %q", asked, d.Backend.Ran()[ran:])
	}
	if strings.Contains(d.Frame(), "0.0.0.1") {
		t.Errorf("an address that no one has drawn:\n%s", d.Frame())
	}
	d.Press("g")
	if strings.Contains(d.Frame(), "Goal") {
		t.Errorf("the goal stays:\n%s", d.Frame())
	}
	d.Backend.SetPlan(func(*model.Snapshot, model.Edit) (*model.Planned, error) {
		return nil, errors.New("the Service \"web\" is invalid")
	})
	d.Press("g")
	d.Sees("The Service \"web\" is invalid.")
}
