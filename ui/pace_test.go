package ui_test

import (
	"image/color"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"svctour/test/uitest"
	"svctour/ui"
	"svctour/ui/frame"
)

// What happens between two frames is seen together, and nothing is lost.
func TestFramesArePaced(t *testing.T) {
	now := uitest.Epoch
	var timers []func(time.Time) tea.Msg
	backend := uitest.NewBackend()
	app := ui.New(t.Context(), ui.Options{Backend: backend, Now: func() time.Time { return now }, Timer: func(after time.Duration, fire func(time.Time) tea.Msg) tea.Cmd {
		if after > ui.FramePace {
			t.Errorf("a frame waits %v", after)
		}
		timers = append(timers, fire)
		return nil
	}})
	app.Init()
	app.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
	first := app.View().Content
	for range 100 {
		app.Update(tea.KeyPressMsg(tea.Key{Code: '?', Text: "?"}))
		if app.View().Content != first {
			t.Fatal("a frame comes too early")
		}
	}
	app.Update(tea.KeyPressMsg(tea.Key{Code: '?', Text: "?"}))
	if len(timers) != 1 {
		t.Fatalf("%d timers for one frame", len(timers))
	}
	now = now.Add(ui.FramePace)
	app.Update(timers[0](now))
	if second := app.View().Content; second == first {
		t.Error("what happened meanwhile is not drawn")
	}
	now = now.Add(time.Second)
	app.Update(tea.KeyPressMsg(tea.Key{Code: '?', Text: "?"}))
	if app.View().Content != first || len(timers) != 1 {
		t.Error("a key after a pause is not drawn at once")
	}
}

// A terminal that turns dark or light is asked for its background again.
func TestTheTerminalTurnsLight(t *testing.T) {
	d := uitest.Drive(t, 80, 24, ui.Options{})
	dark := d.App.View().Content
	for _, msg := range []tea.Msg{frame.LightScheme{}, frame.DarkScheme{}} {
		_, cmd := d.App.Update(msg)
		if cmd == nil || cmd() != tea.RequestBackgroundColor() {
			t.Errorf("%T does not ask for the background", msg)
		}
	}
	d.Send(tea.BackgroundColorMsg{Color: color.White})
	if d.App.View().Content == dark {
		t.Error("a light background changes nothing")
	}
}
