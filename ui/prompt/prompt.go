// Package prompt is the line for kubectl commands at the bottom of every
// screen, with the last command's output above it. It edits, completes,
// remembers and draws; the app runs what is entered.
package prompt

import (
	"strings"

	"svctour/model"
)

// Prompt is the line and what stands above it. Its zero value is closed, empty
// and ready for use.
type Prompt struct {
	line
	open    bool
	command string       // that runs, or ran last; "" before the first
	running bool         // command has not ended yet
	reply   *model.Reply // of command; nil until it has ended
	printed printout
	offered []string // completions to choose from
	scroll  int
	height  int // of the output, as drawn last
}

// Wish is what a key asks the app for.
type Wish int

// What a key may ask for.
const (
	Nothing  Wish = iota
	Submit        // run the line, see Take
	Complete      // complete the word at the cursor, see Prompt.Complete
	Cancel        // end the command that runs
)

// Open shows the prompt. While it is open every key belongs to it.
func (p *Prompt) Open() { p.open = true }

// IsOpen says whether the prompt is shown.
func (p *Prompt) IsOpen() bool { return p.open }

// Running says whether a command has begun and not ended.
func (p *Prompt) Running() bool { return p.running }

// Set replaces the line; the cursor stands at its end.
func (p *Prompt) Set(text string) { p.set(text) }

// Text is the line as it stands.
func (p *Prompt) Text() string { return string(p.text) }

// Insert puts pasted text at the cursor.
func (p *Prompt) Insert(text string) {
	p.insert(text)
	p.offered = nil
}

// Key gives a key to the open prompt; key is as Bubble Tea names it, text what
// it types.
func (p *Prompt) Key(key, text string) Wish {
	switch key {
	case "ctrl+c":
		return p.interrupt()
	case "esc":
		if p.running { // it says that it was stopped, and is closed by the next one
			return Cancel
		}
		p.close()
	case "enter":
		if strings.TrimSpace(p.Text()) != "" && !p.running {
			return Submit
		}
	case "tab":
		return Complete
	case "pgup", "shift+up":
		p.scroll = max(0, p.scroll-max(1, p.height-1))
	case "pgdown", "shift+down":
		p.scroll += max(1, p.height-1) // drawing bounds it
	default:
		if p.edit(key, text) {
			p.offered = nil
		}
	}
	return Nothing
}

// interrupt is ^C: it ends the command that runs, else empties the line, else
// closes the prompt.
func (p *Prompt) interrupt() Wish {
	switch {
	case p.running:
		return Cancel
	case len(p.text) > 0:
		p.clear()
	default:
		p.close()
	}
	return Nothing
}

func (p *Prompt) close() { p.open, p.reply, p.offered, p.command = false, nil, nil, "" }

// Scroll moves the output by rows; drawing bounds it.
func (p *Prompt) Scroll(rows int) { p.scroll += rows }

// Take empties the line into the history and gives the command that it means.
func (p *Prompt) Take() string {
	text := strings.TrimSpace(p.Text())
	p.enter(text)
	if first, _, _ := strings.Cut(text, " "); first != "kubectl" {
		text = "kubectl " + text
	}
	return text
}

// Begin shows a command as running, in the open prompt.
func (p *Prompt) Begin(command string) {
	p.open, p.command, p.running, p.reply, p.offered, p.scroll = true, command, true, nil, nil, 0
}

// End shows how the command went.
func (p *Prompt) End(reply model.Reply) { p.running, p.reply = false, &reply }

// Reset closes the prompt and forgets all but the history: another cluster.
func (p *Prompt) Reset() {
	history := p.history
	*p = Prompt{line: line{history: history, at: len(history)}}
}
