package ui

import (
	"strings"
	"testing"

	"svctour/model"
	"svctour/ui/shell"
)

// BenchmarkFrame is the whole way of a snapshot through the app: checks, path,
// resolution, layout, drawing.
func BenchmarkFrame(b *testing.B) {
	d := tourStart(b, 120, 40, Options{})
	d.toService()
	picture := withService()
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		d.app.intent(d.app.screen.Handle(shell.World{Snapshot: picture}))
		d.app.stale, d.app.awaiting = true, false
		d.app.View()
	}
}

// BenchmarkLongLine is a frame with one line of 256 KiB as a command's output.
func BenchmarkLongLine(b *testing.B) {
	d := tourStart(b, 120, 40, Options{})
	d.press("$")
	d.app.prompt.Begin("kubectl get pods")
	long := strings.Repeat("0123456789abcdef", 16<<10)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		d.app.prompt.End(model.Reply{Stdout: long}) // a new one each time
		d.app.stale, d.app.awaiting = true, false
		d.app.View()
	}
}
