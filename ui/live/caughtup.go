package live

import "svctour/ui/stage"

// CaughtUp says whether the node of the path was seen to hold its rules, and all
// others as they were derived, or could not be looked at.
func (p *Panes) CaughtUp() bool {
	v := p.state
	if v == nil || v.Trace == nil {
		return true
	}
	node, family := p.Watches()
	if v.Seen == nil || v.Seen.Node != node || v.Seen.Family != family {
		return false
	}
	return v.Seen.Err != "" || v.missing == 0 && len(v.Seen.Differences) == 0
}

// Packet is where the packet is that walks over the stage; ok is false when none
// does.
func (p *Panes) Packet() (at stage.Moment, ok bool) {
	if p.walk == nil || p.state == nil {
		return stage.Moment{}, false
	}
	return p.walk.moment(p.state), true
}
