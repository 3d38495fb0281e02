package path

// lines are the rules of one chain, or the elements of a set, as a node printed
// them, without their counters. They do not change once they are read.
type lines struct {
	text string
	ends []int32 // where each line ends in text; there is nothing between them

	first map[string]int32 // the first line with a text; of many lines, see indexed
	twice bool             // a line is there more than once
}

func (l *lines) len() int {
	if l == nil {
		return 0
	}
	return len(l.ends)
}

func (l *lines) line(i int) string {
	if i == 0 {
		return l.text[:l.ends[0]]
	}
	return l.text[l.ends[i-1]:l.ends[i]]
}

// manyLines is from when on lines are found by an index.
const manyLines = 32

// indexed makes the index of many lines.
func (l *lines) indexed() {
	if l.len() < manyLines || l.first != nil {
		return
	}
	l.first = make(map[string]int32, l.len())
	for i := range l.ends {
		text := l.line(i)
		if _, has := l.first[text]; has {
			l.twice = true
			continue
		}
		l.first[text] = int32(i)
	}
}

// find calls found with the lines that have a text.
func (l *lines) find(text string, found func(line int)) {
	from := 0
	if l.first != nil {
		at, has := l.first[text]
		if !has {
			return
		}
		if from = int(at); !l.twice {
			found(from)
			return
		}
	}
	for i := from; i < l.len(); i++ {
		if l.line(i) == text {
			found(i)
		}
	}
}

// run takes in the lines of one chain, and copies none of them as long as they
// are those of before.
type run struct {
	slot    *slot
	before  *lines
	n, at   int  // how many lines were as before, and where the next begins
	differs bool // what follows is in text and ends
	text    []byte
	ends    []int32
}

// begin starts with the lines of a chain.
func (r *run) begin(s *slot, before *lines) {
	*r = run{slot: s, before: before, text: r.text[:0], ends: r.ends[:0]}
}

// add takes the next line, which comes in two parts: a counter stood between.
func (r *run) add(head, tail []byte) {
	if !r.differs {
		if end := r.at + len(head) + len(tail); r.n < r.before.len() && int(r.before.ends[r.n]) == end &&
			r.before.text[r.at:r.at+len(head)] == string(head) && r.before.text[r.at+len(head):end] == string(tail) {
			r.n, r.at = r.n+1, end
			return
		}
		r.depart()
	}
	r.text = append(append(r.text, head...), tail...)
	r.ends = append(r.ends, int32(len(r.text)))
}

// depart notes that the lines differ from those of before from here on.
func (r *run) depart() {
	r.differs = true
	if r.n > 0 {
		r.text = append(r.text, r.before.text[:r.at]...)
		r.ends = append(r.ends, r.before.ends[:r.n]...)
	}
}

// end gives the lines: those of before when they are the same.
func (r *run) end() *lines {
	if !r.differs && r.before != nil && r.n == r.before.len() {
		return r.before
	}
	if !r.differs {
		r.depart()
	}
	return &lines{text: string(r.text), ends: append([]int32(nil), r.ends...)}
}
