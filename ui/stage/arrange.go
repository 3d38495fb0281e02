package stage

import (
	"slices"

	"svctour/model"
	"svctour/model/scene"
	"svctour/ui/frame"
)

// The least sizes, in cells: below them only what the picture says is written.
const (
	leastWidth  = 30
	leastHeight = 7
	columnWidth = 22 // of a machine
	slotWidth   = 26 // of Pods side by side on a machine
	cardWidth   = 26 // of a Pod with a border of its own
)

// Arrange lays a scene out in w×h cells. The same scene and size give the same
// picture.
func Arrange(s *scene.Scene, w, h int) *Picture {
	a := &arranger{Picture: &Picture{W: w, H: h, scene: s, spots: map[scene.Spot]point{}}, s: s}
	a.lanes = lanes{names: -1, entry: map[string]int{}, gutter: map[string]int{}, pods: map[string]point{}}
	a.captions = s.Captions()
	if w < leastWidth || h < leastHeight {
		a.tell(0, h)
		return a.Picture
	}
	a.columns()
	a.vertical()
	a.place()
	a.wire()
	a.placeEnds()
	return a.Picture
}

type arranger struct {
	*Picture
	s        *scene.Scene
	captions []scene.Caption
	cols     []column
	rows     rows
}

// column is a machine, or what stands for several.
type column struct {
	machine *scene.Machine
	title   string
	head    []span // beside the title
	doors   []scene.Door
	pods    []scene.Pod
	names   []scene.Pod
	folded  []scene.Machine // for which the column stands
	dashed  bool
	area    frame.Rect
	slots   int
}

// rows is how the height is shared out.
type rows struct {
	above  int // captions above the picture
	outer  int // for what is outside the cluster
	client int
	names  int // for the Pods that answer DNS queries
	stem   int // between the client and the virtual address
	band   int // of it, and of its wires
	gap    int // between its wires and the Pods
	card   int // for each Pod
	pad    int // between two Pods
	stack  int // Pods one above the other
	below  int // captions below the picture
}

// columns chooses the machines that are drawn one by one, and how wide.
func (a *arranger) columns() {
	all := a.s.Machines
	room := max(1, (a.W-1)/(columnWidth+1))
	loose := len(a.s.Loose) > 0
	if loose && room > 1 {
		room--
	}
	keep := all
	var folded []scene.Machine
	if len(all) > room {
		keep, folded = a.choose(all, room-1)
	}
	for i := range keep {
		m := &keep[i]
		c := column{machine: m, title: m.Name, doors: m.Doors, pods: m.Pods, names: m.Names}
		if m.Known && !m.Ready {
			c.head = []span{{" not ready", bad}}
		}
		a.cols = append(a.cols, c)
	}
	if len(folded) > 0 {
		c := column{title: model.Count(len(folded), "more node"), folded: folded, dashed: true}
		for i := range folded {
			c.pods = append(c.pods, folded[i].Pods...)
		}
		a.cols = append(a.cols, c)
	}
	if loose {
		a.cols = append(a.cols, column{title: looseTitle(a.s.Loose), pods: a.s.Loose, dashed: true})
	}
	if len(a.cols) == 0 {
		a.cols = append(a.cols, column{title: "no node is known", dashed: true})
	}
	n := len(a.cols)
	free := a.W - 2 - (n - 1)
	x := 1
	for i := range a.cols {
		c := &a.cols[i]
		c.area = frame.Rect{X: x, W: free/n + boolean(i < free%n)}
		x += c.area.W + 1
		c.slots = min(max(1, len(c.pods)), max(1, (c.area.W-2)/slotWidth))
		if c.folded != nil {
			c.slots = 1
		}
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

func looseTitle(pods []scene.Pod) string {
	if !slices.ContainsFunc(pods, func(p scene.Pod) bool { return p.Planned != scene.Comes }) {
		return "on some node"
	}
	for i := range pods {
		if pods[i].State != scene.Pending {
			return "elsewhere"
		}
	}
	return "on no node yet"
}

// choose keeps n machines: the client's, those with trouble or news, then those
// with Pods of the Service.
func (a *arranger) choose(all []scene.Machine, n int) (keep, folded []scene.Machine) {
	weights := make([]int, len(all))
	for i := range all {
		weights[i] = a.weight(&all[i])
	}
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return weights[y] - weights[x] })
	kept := map[int]bool{}
	for _, i := range order[:max(0, n)] {
		kept[i] = true
	}
	for i := range all {
		if kept[i] {
			keep = append(keep, all[i])
		} else {
			folded = append(folded, all[i])
		}
	}
	return keep, folded
}

func (a *arranger) weight(m *scene.Machine) int {
	w := 0
	if c := a.s.Client; c != nil && c.Machine == m.Name {
		w += 100
	}
	if a.s.Entrance() == m.Name {
		w += 50
	}
	for i := range m.Pods {
		switch p := &m.Pods[i]; {
		case p.Fresh:
			w += 8
		case p.Trouble():
			w += 16
		}
	}
	return min(w, 200) + boolean(len(m.Pods) > 0)
}

// vertical shares the height out: first what must be there, then, one after the
// other, what makes it better.
func (a *arranger) vertical() {
	r := &a.rows
	r.stack, r.card = 1, 1
	if a.s.Client != nil && a.s.Client.Kind != model.ClientOutside {
		r.client = 1
	}
	if a.s.Band != nil || a.s.Kind == scene.Headless {
		r.band = 2
	}
	free := a.H - 3 - r.client - r.band // two borders and one Pod
	take := func(into *int, n int) bool {
		if n <= 0 || n > free {
			return false
		}
		*into += n
		free -= n
		return true
	}
	outside := a.outside()
	if outside {
		take(&r.outer, 2)
	}
	first, rest := a.split()
	take(&r.above, first)
	take(&r.below, min(1, rest))
	tallest := a.tallest()
	take(&r.stack, min(tallest-1, max(0, free)))
	if r.client > 0 || outside {
		take(&r.stem, 1)
	}
	take(&r.below, min(1, rest-r.below))
	if outside {
		take(&r.outer, 2)
	}
	grow := func(n int) bool { // every Pod by n rows
		if r.stack < tallest || n*r.stack > free {
			return false
		}
		free -= n * r.stack
		r.card += n
		return true
	}
	grow(1)
	if n := a.namesRows(); n > 0 {
		take(&r.names, n+3)
	}
	for rest > r.below && take(&r.below, 1) {
	}
	take(&r.gap, 1)
	if r.card == 2 && a.borders() && grow(2) {
		grow(1)
	}
	if n := r.stack - 1; n > 0 && n <= free {
		free -= n
		r.pad = 1
	}
	for range 5 {
		if r.band > 0 && (r.client > 0 || outside) {
			take(&r.stem, 1)
		}
		if r.band > 0 {
			take(&r.gap, 1)
		}
	}
}

// borders says whether every Pod has room for a border.
func (a *arranger) borders() bool {
	for i := range a.cols {
		c := &a.cols[i]
		if (c.area.W-2)/c.slots < cardWidth {
			return false
		}
	}
	return true
}

// split counts the captions that stand above and below the picture.
func (a *arranger) split() (above, below int) {
	if len(a.captions) > 0 && a.captions[0].Name {
		return 1, len(a.captions) - 1
	}
	return 0, len(a.captions)
}

// outside says whether something outside of the cluster is drawn.
func (a *arranger) outside() bool {
	return a.s.Balancer != nil || a.s.Client != nil && a.s.Client.Kind == model.ClientOutside || a.s.Leaves()
}

func (a *arranger) tallest() int {
	most := 1
	for i := range a.cols {
		c := &a.cols[i]
		n := (len(c.pods) + c.slots - 1) / c.slots
		if c.folded != nil {
			n = min(n, 1)
		}
		most = max(most, n)
	}
	return most
}

// namesRows is how many rows the Pods that answer DNS queries take; 0 leaves
// them out.
func (a *arranger) namesRows() int {
	if !a.s.Asks() {
		return 0
	}
	most := 0
	for i := range a.cols {
		most = max(most, len(a.cols[i].names))
	}
	if a.s.Names.Name != "" { // also without a Pod: that is why nothing answers
		most = max(most, 1)
	}
	return min(most, 2)
}

// tell writes the captions alone, from row y on.
func (a *arranger) tell(y, h int) {
	for i, c := range a.captions {
		if i == h {
			return
		}
		a.caption(0, y+i, a.W, c)
	}
}

// caption writes a caption as one line.
func (a *arranger) caption(x, y, w int, c scene.Caption) {
	a.texts = append(a.texts, text{point: point{x + 1, y}, w: w - 2, spans: captionSpans(&c, w-2), line: &c})
}
