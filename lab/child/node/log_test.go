package node

import (
	"bytes"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// TestALogOfEmptyLinesEnds: a line without text takes memory, too.
func TestALogOfEmptyLinesEnds(t *testing.T) {
	log := newLogbook(time.Now)
	w := log.writer("stdout")
	for range 100 {
		if _, err := w.Write(bytes.Repeat([]byte("\n"), 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write([]byte("last\n")); err != nil {
		t.Fatal(err)
	}
	entries, next, _, _ := log.since(0)
	if len(entries)*entryBytes > logLimit || next != 100*1000+1 || string(entries[len(entries)-1].text) != "last" {
		t.Errorf("%d entries kept of %d", len(entries), next)
	}
}

// TestWhichLog is the kubelet's validateContainerLogStatus.
func TestWhichLog(t *testing.T) {
	end := func(id string) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{ContainerID: id}
	}
	waits := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
	const starts = `container "c" in pod "p" is waiting to start: `
	for _, c := range []struct {
		name     string
		state    corev1.ContainerState
		last     *corev1.ContainerStateTerminated
		previous bool
		id, err  string
	}{
		{name: "running", state: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, last: end("old"), id: "newest"},
		{name: "running, previous", state: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, last: end("old"), previous: true, id: "old"},
		{name: "no previous", state: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, previous: true, err: `previous terminated container "c" in pod "p" not found`},
		{name: "ended", state: corev1.ContainerState{Terminated: end("newest")}, last: end("old"), id: "newest"},
		{name: "lost", state: corev1.ContainerState{Terminated: end("")}, err: `container "c" in pod "p" is terminated`},
		{name: "back-off", state: waits("CrashLoopBackOff"), last: end("newest"), id: "newest"},
		{name: "pull failed", state: waits("ErrImagePull"), err: starts + "image can't be pulled"},
		{name: "pull waits", state: waits("ImagePullBackOff"), err: starts + "trying and failing to pull image"},
		{name: "init", state: waits("PodInitializing"), err: starts + "PodInitializing"},
	} {
		s := seen{status: corev1.ContainerStatus{ContainerID: "newest", State: c.state, LastTerminationState: corev1.ContainerState{Terminated: c.last}}}
		id, err := s.logID("p", "c", c.previous)
		if id != c.id || (err == nil) != (c.err == "") || err != nil && err.Error() != c.err {
			t.Errorf("%s: %q, %v, want %q, %q", c.name, id, err, c.id, c.err)
		}
	}
}
