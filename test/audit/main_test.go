package main

import (
	"slices"
	"strings"
	"testing"
)

const log = `{"stage":"ResponseComplete","verb":"create","userAgent":"svctour","objectRef":{"resource":"namespaces","name":"mine"}}
{"stage":"ResponseComplete","verb":"patch","userAgent":"svctour/v1 (linux)","objectRef":{"resource":"services","namespace":"mine","name":"web"}}
{"stage":"RequestReceived","verb":"patch","userAgent":"svctour/v1 (linux)","objectRef":{"resource":"services","namespace":"theirs","name":"web"}}
{"stage":"ResponseComplete","verb":"create","userAgent":"svctour","objectRef":{"resource":"selfsubjectaccessreviews","apiGroup":"authorization.k8s.io"}}
{"stage":"ResponseComplete","verb":"list","userAgent":"svctour","objectRef":{"resource":"pods","namespace":"theirs"}}
{"stage":"ResponseComplete","verb":"delete","userAgent":"kubectl/v1","objectRef":{"resource":"pods","namespace":"theirs","name":"x"}}
{"stage":"ResponseComplete","verb":"get","userAgent":"svctour"}
`

func TestWrites(t *testing.T) {
	inside, outside, err := writes(strings.NewReader(log), "mine")
	if inside != 2 || outside != nil || err != nil {
		t.Errorf("%d inside, %q outside, %v", inside, outside, err)
	}
	_, outside, err = writes(strings.NewReader(log), "other")
	if want := []string{"00:00:00 create namespaces /mine", "00:00:00 patch services mine/web"}; !slices.Equal(outside, want) || err != nil {
		t.Errorf("%q outside, %v, want %q", outside, err, want)
	}
}
