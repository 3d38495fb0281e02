package ui

import (
	"testing"

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
		d.app.dirty = true
		d.app.View()
	}
}
