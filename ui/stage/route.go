package stage

import (
	"svctour/model"
	"svctour/model/scene"
)

// The four directions in which a wire leaves a cell.
const (
	up = 1 << iota
	down
	left
	right
)

// wires are the cells of all ways, by row and column, as sets of directions.
type wires struct {
	w     int
	cells []uint8
	ends  []point // where an arrow stands
}

func newWires(w, h int) wires { return wires{w: w, cells: make([]uint8, w*h)} }

func (w *wires) at(p point) uint8 {
	if i := p.y*w.w + p.x; p.x >= 0 && p.x < w.w && i >= 0 && i < len(w.cells) {
		return w.cells[i]
	}
	return 0
}

// add joins the cells of a way.
func (w *wires) add(cells []point) {
	for i := 1; i < len(cells); i++ {
		d, back := direction(cells[i-1], cells[i])
		w.set(cells[i-1], d)
		w.set(cells[i], back)
	}
}

func (w *wires) set(p point, d uint8) {
	if i := p.y*w.w + p.x; p.x >= 0 && p.x < w.w && i >= 0 && i < len(w.cells) {
		w.cells[i] |= d
	}
}

func direction(a, b point) (there, back uint8) {
	switch {
	case b.x > a.x:
		return right, left
	case b.x < a.x:
		return left, right
	case b.y > a.y:
		return down, up
	}
	return up, down
}

// line gives the cells through corners, each once.
func line(corners ...point) []point {
	cells := []point{corners[0]}
	for _, to := range corners[1:] {
		for at := cells[len(cells)-1]; at != to; {
			switch {
			case at.x < to.x:
				at.x++
			case at.x > to.x:
				at.x--
			case at.y < to.y:
				at.y++
			default:
				at.y--
			}
			cells = append(cells, at)
		}
	}
	return cells
}

// source is the column by which packets come to the virtual address.
func (a *arranger) source() int { return a.Picture.source() }

func (p *Picture) source() int {
	if p.scene.Client != nil && p.scene.Client.Kind == model.ClientOutside {
		return p.lanes.entry[p.scene.Entrance()]
	}
	if p.lanes.client != nil {
		return p.lanes.client.x
	}
	return p.boxes[0].area.X + 2
}

// served joins the virtual address and a Pod that gets connections.
func (a *arranger) served(at point) { a.wires.ends = append(a.wires.ends, at) }

// serving joins the DNS Service and a Pod of it.
func (a *arranger) serving(at point) { a.lanes.servers = append(a.lanes.servers, at) }

// wire draws every way that a packet could take.
func (a *arranger) wire() {
	ends := a.wires.ends
	a.wires = newWires(a.W, a.H)
	a.wires.ends = ends
	x, from := a.source(), a.lanes.band
	if len(ends) > 0 && !a.reaches() {
		x, from = ends[0].x, a.lanes.lane
	}
	if !a.fails() && (a.s.Band != nil || a.s.Kind == scene.Headless && a.lanes.client != nil) {
		for _, end := range ends {
			a.wires.add(line(point{x, from}, point{x, a.lanes.lane}, point{end.x, a.lanes.lane}, end))
		}
	} else {
		a.wires.ends = nil
	}
	if l := &a.lanes; l.names >= 0 && l.client != nil {
		for _, end := range l.servers {
			a.wires.add(line(point{l.client.x, l.names}, point{l.client.x, l.asked}, point{end.x, l.asked}, end))
		}
	}
	for _, leg := range a.legs() {
		a.wires.add(a.route(leg.From, leg.To))
	}
}

// reaches says whether a packet comes to the virtual address, or to a Pod. Where
// none does the picture shows what the Service is for others.
func (a *arranger) reaches() bool {
	if a.s.Ways() == 0 {
		return false
	}
	for _, leg := range a.s.Way(0, true).Legs {
		if leg.To.At == scene.AtBand || leg.To.At == scene.AtPod {
			return true
		}
	}
	return false
}

// fails says whether the packet never gets as far as the Pods.
func (a *arranger) fails() bool {
	if a.s.Ways() != 1 {
		return false
	}
	legs := a.s.Way(0, false).Legs
	last := &legs[len(legs)-1]
	return last.Fails() && last.To.At == scene.AtBand
}

// legs are those of a way that are the same for every packet.
func (a *arranger) legs() []scene.Leg {
	if a.s.Ways() == 0 {
		return nil
	}
	var out []scene.Leg
	for _, leg := range a.s.Way(0, true).Legs {
		switch leg.Kind {
		case scene.Ask, scene.Send:
			out = append(out, leg)
		}
	}
	return out
}

// route gives the cells from one spot to another; nil where one of them is not in
// the picture.
func (p *Picture) route(from, to scene.Spot) []point {
	l := &p.lanes
	if from.At != scene.AtClient && to.At == scene.AtClient {
		return reversed(p.route(to, from))
	}
	outside := p.scene.Client != nil && p.scene.Client.Kind == model.ClientOutside
	switch {
	case from == to, from.At == scene.AtClient && l.client == nil, from.At == scene.AtBalancer && l.balancer == nil:
		return nil
	case from.At == scene.AtClient && to.At == scene.AtNames:
		return p.toNames()
	case from.At == scene.AtClient && to.At == scene.AtBalancer:
		if l.bridge == nil {
			return nil
		}
		return line(l.bridge[0], l.bridge[1])
	case from.At == scene.AtClient && to.At == scene.AtAway:
		if l.away == nil {
			return nil
		}
		return line(*l.client, point{l.client.x, l.outer}, point{l.away.x, l.outer}, *l.away)
	case to.At == scene.AtDoor, outside && to.At == scene.AtMachine, outside && to.At == scene.AtBand && from.At != scene.AtDoor:
		start := l.client
		if from.At == scene.AtBalancer {
			start = l.balancer
		}
		x, y := l.entry[to.Name], l.top
		if to.At == scene.AtBand {
			y = l.band
		}
		return line(*start, point{start.x, l.outer}, point{x, l.outer}, point{x, y})
	case to.At == scene.AtMachine:
		return nil
	case from.At == scene.AtDoor:
		x := l.entry[from.Name]
		return line(point{x, l.top}, point{x, l.band})
	case to.At == scene.AtBand:
		return line(*l.client, point{l.client.x, l.band})
	case to.At == scene.AtPod:
		end, ok := l.pods[to.Name]
		if !ok {
			return nil
		}
		start := point{p.source(), l.band}
		if from.At == scene.AtClient && !outside {
			start = *l.client
		}
		return line(start, point{start.x, l.lane}, point{end.x, l.lane}, end)
	}
	return nil
}

// toNames is the way of a query: up to the DNS Service, and to a Pod of it.
func (p *Picture) toNames() []point {
	l := &p.lanes
	if l.names < 0 {
		return nil
	}
	corners := []point{*l.client, {l.client.x, l.names}}
	if len(l.servers) > 0 {
		corners = append(corners, point{l.client.x, l.asked}, point{l.servers[0].x, l.asked}, l.servers[0])
	}
	return line(corners...)
}
