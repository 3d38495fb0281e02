package ui

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"svctour/ui/frame"
	"svctour/ui/shell"
	"svctour/ui/theme"
)

// keyPress gives a key to the prompt if it is open, and else its meaning.
func (a *App) keyPress(msg tea.KeyPressMsg) tea.Cmd {
	if a.prompt.IsOpen() && a.dialog == nil {
		a.notice = ""
		return a.promptKey(msg)
	}
	if a.writing.editor != nil && a.dialog == nil {
		a.notice = ""
		return a.writingKey(msg)
	}
	if r, ok := a.screen.(shell.Reader); ok && r.Reading() && a.dialog == nil && !a.help && r.Key(msg.String(), msg.Text) {
		a.notice = ""
		return nil
	}
	return a.key(msg.String())
}

// key gives a key press its meaning: the dialog's, the app's, or the screen's.
func (a *App) key(key string) tea.Cmd {
	a.notice = ""
	if key == "ctrl+c" {
		return a.quit()
	}
	if key == "ctrl+z" {
		return tea.Suspend
	}
	if a.deaf() {
		return nil
	}
	if a.dialog != nil {
		if a.dialog.turn(key) {
			return nil
		}
		for _, o := range a.dialog.options {
			for _, k := range o.action.Keys {
				if k == key {
					return a.choose(o)
				}
			}
		}
		return nil
	}
	if a.help {
		a.help = false
		return nil
	}
	if key == "?" {
		a.help = true
		return nil
	}
	if key == ":" || key == "$" {
		a.openPrompt()
		return nil
	}
	for _, action := range a.screen.Actions() {
		for _, k := range action.Keys {
			if k == key {
				return a.perform(action)
			}
		}
	}
	a.notice = fmt.Sprintf("%s does nothing here: ? lists the keys.", a.theme.KeyName(key))
	return nil
}

func (a *App) perform(action shell.Action) tea.Cmd {
	if action.Why != "" {
		a.notice, a.refused = sentence(action.Why), action
		return nil
	}
	return a.intent(a.screen.Do(action.ID, action.N))
}

// sentence makes a sentence of a reason.
func sentence(why string) string { return strings.ToUpper(why[:1]) + why[1:] + "." }

func (a *App) choose(o option) tea.Cmd {
	a.dialog = nil
	if o.do == nil {
		return nil
	}
	return o.do()
}

// click performs the action of the region under the mouse, in the frame that
// was drawn last.
func (a *App) click(x, y int) tea.Cmd {
	a.notice = ""
	id, n := frame.Hit(a.areas, x, y)
	switch {
	case a.deaf():
	case a.help:
		a.help = false
	case a.dialog != nil:
		if id == "dialog" {
			return a.choose(a.dialog.options[n])
		}
	case a.prompt.IsOpen():
	case a.writing.editor != nil:
		return a.writingWish(a.writing.editor.Do(id, n))
	case id == "help":
		a.help = true
	case id != "":
		for _, action := range a.screen.Actions() {
			if action.ID == id && action.N == n {
				return a.perform(action)
			}
		}
		return a.intent(a.screen.Do(id, n))
	}
	return nil
}

// paste puts pasted text where text is written.
func (a *App) paste(text string) tea.Cmd {
	switch {
	case a.dialog != nil:
	case a.prompt.IsOpen():
		a.prompt.Insert(text)
	case a.writing.editor != nil:
		a.writing.editor.Paste(text)
		return a.checkSoon()
	}
	return nil
}

func (a *App) wheel(button tea.MouseButton) tea.Cmd {
	id := ""
	switch button {
	case tea.MouseWheelUp:
		id = "up"
	case tea.MouseWheelDown:
		id = "down"
	}
	if a.prompt.IsOpen() && a.dialog == nil && id != "" {
		a.prompt.Scroll(map[string]int{"up": -3, "down": 3}[id])
		return nil
	}
	by := map[string]int{"up": -1, "down": 1}[id]
	switch {
	case id == "" || a.help:
		return nil
	case a.dialog != nil:
		a.dialog.scroll += by
		return nil
	case a.writing.editor != nil:
		a.writing.editor.Scroll(3 * by)
		return nil
	}
	return a.intent(a.screen.Do(id, 0))
}

// profile takes colours away where the terminal has none.
func (a *App) profile(msg tea.ColorProfileMsg) {
	if msg.Profile <= colorprofile.Ascii && !a.options.Theme.NoColor {
		a.options.Theme.NoColor = true
		a.theme = theme.New(a.options.Theme)
	}
}
