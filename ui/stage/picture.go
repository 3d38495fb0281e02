// Package stage draws a Service as every textbook draws it by hand: machines are
// boxes with their Pods in them, the virtual address is a dashed band over all of
// them, wires carry what a packet carries. Arrange is a pure function of a scene
// and a size; Draw puts the picture on a surface at one moment of its animation.
package stage

import (
	"svctour/model/scene"
	"svctour/ui/frame"
)

// Picture is a scene arranged in a rectangle of cells. It does not change.
type Picture struct {
	W, H  int
	scene *scene.Scene
	boxes []box
	bands []band
	texts []text
	ends  []point // where ways end without an answer
	wires wires   // all ways that a packet could take
	spots map[scene.Spot]point
	lanes lanes
}

// role says how a text or a box is meant; a theme gives it a style.
type role uint8

const (
	plain role = iota
	muted
	strong
	title
	good
	warn
	bad
	accent
	derived
	observed
	unknown
	planned
	answer // what a veil hides
)

type point struct{ x, y int }

// box is a machine, a card, or a place outside of the cluster.
type box struct {
	area   frame.Rect
	head   []span // on its top border
	role   role
	dashed bool // it is not there
	card   bool // of a Pod
	uid    string
}

// band is a virtual address across all machines.
type band struct {
	y, x0, x1 int // x1 is the last column
	label     []span
	at        int // the column where the label begins
	uid       string
	role      role
}

// span is a piece of text in one role.
type span struct {
	text string
	role role
}

// text is one line of at most w columns at (x, y).
type text struct {
	point
	w     int
	spans []span
	uid   string // of the object whose changes it shows
	key   string // of the Pod whose meter it shows
	kind  textKind
	line  *scene.Caption // that it is
}

type textKind uint8

const (
	words   textKind = iota
	sentTag          // what the packet carries before it is translated
	hereTag          // and after
	meter            // a line that a Pod's share of a stream may take
	door
)

// lanes are the rows and columns by which wires run.
type lanes struct {
	top      int // the border of the machines
	outer    int // the row above it, by which wires from outside run
	names    int // the row of the DNS band; -1 when it is not drawn
	asked    int // the row above that, by which its wires part
	band     int // the row of the virtual address, or where it would be
	lane     int // the row below it, by which its wires part
	client   *point
	balancer *point
	away     *point
	bridge   *[2]point        // between an outside client and the load balancer
	entry    map[string]int   // by machine, the column by which wires from outside come in
	gutter   map[string]int   // by machine, the column of its first wire
	pods     map[string]point // by Pod, where its wire ends
	servers  []point          // the same of Pods that answer DNS queries
}
