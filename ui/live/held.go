package live

import (
	"fmt"
	"net"
	"slices"

	"svctour/model/scene"
	"svctour/ui/stage"
)

// Hold puts a packet into the picture, to stay there: where it begins a leg of its
// way, or where it is translated and the chain stands among the rules, at that one.
// Where the way has no such leg the packet stands at the next one that it has. Of
// the ways it is the one that leads to a destination, "ip:port", if one does.
func (p *Panes) Hold(kind scene.LegKind, chain, destination string) {
	if p.state == nil || p.state.Scene.Ways() == 0 {
		return
	}
	w := &Walk{Outcome: p.leadsTo(destination), Held: true}
	way := w.way(p.state)
	i := slices.IndexFunc(way.Legs, func(l scene.Leg) bool { return l.Kind >= kind })
	if i < 0 {
		i = len(way.Legs) - 1
	}
	if i < 0 {
		return
	}
	w.Step = stage.Reach(way, i, max(0, slices.Index(way.Legs[i].Rules, chain)))
	p.walk = w
}

// Release takes a packet away that was held.
func (p *Panes) Release() {
	if p.walk != nil && p.walk.Held {
		p.walk = nil
	}
}

// leadsTo is the outcome whose destination is an "ip:port"; 0 when none is.
func (p *Panes) leadsTo(destination string) int {
	if p.state.Trace == nil {
		return 0
	}
	for i := range p.state.Trace.Outcomes {
		if d := p.state.Trace.Outcomes[i].Destination; d != nil && net.JoinHostPort(d.IP, fmt.Sprint(d.Port)) == destination {
			return i
		}
	}
	return 0
}
