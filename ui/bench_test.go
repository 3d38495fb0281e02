package ui_test

import (
	"strings"
	"testing"

	"svctour/model"
	"svctour/test/uitest"
	"svctour/ui"
	"svctour/ui/shell"
)

// BenchmarkFrame is the whole way of a snapshot through the app: checks, path,
// resolution, layout, drawing.
func BenchmarkFrame(b *testing.B) {
	d := uitest.Tour(b, 120, 40, ui.Options{})
	toService(d)
	picture := uitest.WithService()
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		d.App.Tell(shell.World{Snapshot: picture})
		d.App.Redraw()
		d.App.View()
	}
}

// BenchmarkLongLine is a frame with one line of 256 KiB as a command's output.
func BenchmarkLongLine(b *testing.B) {
	d := uitest.Tour(b, 120, 40, ui.Options{})
	d.Press("$")
	long := strings.Repeat("0123456789abcdef", 16<<10)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		d.App.Printed(model.Reply{Stdout: long}) // a new one each time
		d.App.Redraw()
		d.App.View()
	}
}
