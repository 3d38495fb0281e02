package shell

// Turn lets one piece of work of a screen be under way at a time. So a newer
// answer is never overwritten by an older one, and a screen that is told of the
// world faster than it can look at it looks at the newest only.
type Turn struct {
	serial int
	busy   bool
	more   bool // there is more to do since the work began
}

// Begin gives the serial of work that may begin now. While other work is under
// way ok is false, and End will say that there is more to do.
func (t *Turn) Begin() (serial int, ok bool) {
	if t.busy {
		t.more = true
		return 0, false
	}
	t.serial++
	t.busy, t.more = true, false
	return t.serial, true
}

// End ends the work of a serial and says whether there is more to do since it
// began. ok is false when it is not the work under way.
func (t *Turn) End(serial int) (more, ok bool) {
	if !t.busy || serial != t.serial {
		return false, false
	}
	t.busy = false
	return t.more, true
}
