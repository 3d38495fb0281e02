package meter

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Led says where the client's node was seen to lead the connection of a request
// (conntrack(8), -L).
type Led struct {
	Number int // of the Sample
	To     netip.AddrPort
	Asked  netip.Addr // where the client sent it; the zero Addr when that is not told
}

// Batch is what was heard of a stream since the Batch before.
type Batch struct {
	At      time.Time
	Samples []Sample
	Led     []Led
	Blind   string // why the node cannot be asked where it leads connections; "" when it can
	Sent    int    // how many requests the client counts; 0 when it did not say
	Ended   bool   // Sent is the client's last count, each of these requests is told, and no more will be known of who answered
}

// Tally is the sum of a stream. It does not change, and may be drawn in several
// places.
type Tally struct {
	Told  int // requests of which a Sample came
	Sent  int // as the client counted them last; 0 before it did
	Ended bool
	Blind string // why Pods are known by what they answer only; ""
	// Pods are those that answered, by name; Unnamed are answers of which it is
	// not known who gave them, Open those of which it may still come out.
	Pods    []Row
	Unnamed Row
	Open    int
	// Failed are the requests that failed, those that were answered with a bad
	// status among them, the most frequent first.
	Failed []Failed
	// Strip is the last answers, in the order of the requests.
	Strip []Mark

	pods    map[string]*record
	unnamed *record
	failed  map[Failed]int // with Count 0
	waiting []waiting
}

// Row is the answers of one Pod.
type Row struct {
	Pod    string
	Count  int     // of answers, whatever their status
	Errors int     // of them with a status of 400 or more
	Named  int     // of them name the Pod; of the others conntrack told it
	Share  float64 // of all answers
	// Latency of the last answers that the client measured, 256 at most; 0
	// without one.
	Mean, P50, P99, Max time.Duration
}

// Failed is how often requests failed in one way, for one cause.
type Failed struct {
	Outcome Outcome
	Cause   Cause
	Count   int
}

// Mark is one request of the strip.
type Mark struct {
	Number  int
	Pod     string // that answered; "" when that is not known
	Outcome Outcome
}

// Bounds of a Tally.
const (
	stripLength = 60
	window      = 256  // latencies of a Pod
	maxPods     = 2000 // answers of further ones count as Unnamed
	maxFailed   = 200  // ways to fail; further ones have no cause
	maxWaiting  = 1024
	// settleTime is how long it may take until it is known what happened then: an
	// answer can be quicker than the news of a Pod's end. nameTime is how long it
	// may take until it was seen where the node led a connection.
	settleTime = 4 * time.Second
	nameTime   = 15 * time.Second
)

// waiting is a request of which more may come to be known.
type waiting struct {
	Sample
	since time.Time
	to    netip.AddrPort
}

// record is the answers of one Pod.
type record struct {
	row  Row
	last []time.Duration // in no order once it is full
	next int             // that is replaced then
}

func (r *record) with(s *Sample, named bool) *record {
	next := &record{}
	if r != nil {
		next.row, next.last, next.next = r.row, r.last, r.next
	}
	next.row.Count++
	if s.Outcome == Status {
		next.row.Errors++
	}
	if named {
		next.row.Named++
	}
	if s.Took == 0 {
		return next
	}
	next.last = slices.Clone(next.last)
	if len(next.last) < window {
		next.last = append(next.last, s.Took)
	} else {
		next.last[next.next] = s.Took
		next.next = (next.next + 1) % window
	}
	next.measure()
	return next
}

// measure sums the latencies up.
func (r *record) measure() {
	sorted, sum := slices.Sorted(slices.Values(r.last)), time.Duration(0)
	for _, took := range sorted {
		sum += took
	}
	at := func(share float64) time.Duration { return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))] }
	r.row.Mean, r.row.P50, r.row.P99, r.row.Max = sum/time.Duration(len(sorted)), at(.50), at(.99), sorted[len(sorted)-1]
}

// Add gives the Tally with a Batch more, as far as w knows what it means; t may
// be nil. Who answered is the one Pod of the Service that the answer names, else
// the one to which conntrack led the connection (conntrack(8), -L), else nobody
// known. A Batch with nothing but a time lets the Tally look at what it waits
// for in a newer World.
func (t *Tally) Add(b Batch, w *World) *Tally {
	next := &Tally{pods: map[string]*record{}, failed: map[Failed]int{}}
	if t != nil {
		*next = *t
		next.pods, next.failed = maps.Clone(t.pods), maps.Clone(t.failed)
		next.Strip = slices.Clone(t.Strip)
	}
	var before []waiting
	before, next.waiting = slices.Clip(next.waiting), make([]waiting, 0, len(next.waiting)+len(b.Samples))
	next.Told += len(b.Samples)
	next.Sent, next.Ended, next.Blind = max(next.Sent, b.Sent), next.Ended || b.Ended, cmp.Or(b.Blind, next.Blind)
	for i := range b.Samples {
		s := &b.Samples[i]
		next.mark(Mark{Number: s.Number, Outcome: s.Outcome})
		before = append(before, waiting{Sample: *s, since: b.At})
	}
	led := w.led(b.Led)
	for i, one := range before {
		if to, is := led[one.Number]; is {
			one.to = to
		}
		wait := settleTime
		if one.Answered() && next.Blind == "" {
			wait = nameTime
		}
		late := b.At.Sub(one.since) >= wait || len(before)-i > maxWaiting || next.Ended && one.Answered()
		if !next.settle(&one, w, late) {
			next.waiting = append(next.waiting, one)
		}
	}
	next.sum(w)
	return next
}

// led says where requests were led. A node keeps a connection for minutes, and the
// client's port may be that of another one since: of two that a request may be,
// neither is taken for it.
func (w *World) led(list []Led) map[int]netip.AddrPort {
	led := make(map[int]netip.AddrPort, len(list))
	for _, l := range list {
		if !w.aims(l.Asked) {
			continue
		}
		if to, twice := led[l.Number]; twice && to != l.To {
			l.To = netip.AddrPort{}
		}
		led[l.Number] = l.To
	}
	return led
}

// aims says whether a connection to an address may be one of the stream's: to where
// its path begins, or to a Pod itself, as with a headless Service.
func (w *World) aims(asked netip.Addr) bool {
	if w.trace == nil || !asked.IsValid() {
		return true
	}
	to, err := netip.ParseAddr(w.trace.Packet.Destination)
	return err != nil || to == asked || w.byIP[asked] != ""
}

// settle counts a request if it is known what to count it for, or if it is too
// late for more to be known.
func (t *Tally) settle(one *waiting, w *World, late bool) bool {
	if !one.Answered() {
		if late {
			t.fail(&one.Sample, w.Explain(&one.Sample, one.to))
		}
		return late
	}
	pod := w.named(one.Said)
	named := pod != ""
	if !named {
		pod = w.byIP[one.to.Addr()]
	}
	_, has := t.pods[pod]
	switch {
	case pod != "" && (has || len(t.pods) < maxPods):
		t.pods[pod] = t.pods[pod].with(&one.Sample, named)
		t.remark(one.Number, pod)
	case late:
		t.unnamed = t.unnamed.with(&one.Sample, false)
	default:
		return false
	}
	if one.Outcome == Status {
		cause := w.Explain(&one.Sample, one.to)
		cause.Pod = pod
		t.fail(&one.Sample, cause)
	}
	return true
}

func (t *Tally) fail(s *Sample, c Cause) {
	key := Failed{Outcome: s.Outcome, Cause: c}
	if _, has := t.failed[key]; !has && len(t.failed) >= maxFailed {
		key.Cause = Cause{}
	}
	t.failed[key]++
}

// mark puts a request where its number belongs in the strip.
func (t *Tally) mark(m Mark) {
	at, _ := slices.BinarySearchFunc(t.Strip, m.Number, func(other Mark, n int) int { return cmp.Compare(other.Number, n) })
	t.Strip = slices.Insert(t.Strip, at, m)
	t.Strip = t.Strip[max(0, len(t.Strip)-stripLength):]
}

// remark says who answered a request of the strip.
func (t *Tally) remark(number int, pod string) {
	for i := range t.Strip {
		if t.Strip[i].Number == number {
			t.Strip[i].Pod = pod
		}
	}
}

// sum makes what is drawn: what is settled, and of the rest what is known so far.
func (t *Tally) sum(w *World) {
	failed := maps.Clone(t.failed)
	t.Open = 0
	for i := range t.waiting {
		one := &t.waiting[i]
		if one.Answered() {
			t.Open++
		}
		if one.Outcome != OK {
			failed[Failed{Outcome: one.Outcome, Cause: w.Explain(&one.Sample, one.to)}]++
		}
	}
	t.Failed = make([]Failed, 0, len(failed))
	for key, n := range failed {
		key.Count = n
		t.Failed = append(t.Failed, key)
	}
	slices.SortFunc(t.Failed, func(a, b Failed) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Cause.Text, b.Cause.Text), cmp.Compare(a.Cause.Pod, b.Cause.Pod))
	})
	answers := t.Open
	t.Pods, t.Unnamed = make([]Row, 0, len(t.pods)), Row{}
	for pod, r := range t.pods {
		row := r.row
		row.Pod = pod
		t.Pods = append(t.Pods, row)
		answers += row.Count
	}
	slices.SortFunc(t.Pods, func(a, b Row) int { return cmp.Compare(a.Pod, b.Pod) })
	if t.unnamed != nil {
		t.Unnamed = t.unnamed.row
		answers += t.Unnamed.Count
	}
	for i := range t.Pods {
		t.Pods[i].Share = float64(t.Pods[i].Count) / float64(answers)
	}
	if answers > 0 {
		t.Unnamed.Share = float64(t.Unnamed.Count) / float64(answers)
	}
}

// Answered is how many requests were answered, with whatever status.
func (t *Tally) Answered() int {
	n := t.Open + t.Unnamed.Count
	for i := range t.Pods {
		n += t.Pods[i].Count
	}
	return n
}

// Unanswered is how many requests had no answer.
func (t *Tally) Unanswered() int {
	n := 0
	for i := range t.Failed {
		if t.Failed[i].Outcome != Status {
			n += t.Failed[i].Count
		}
	}
	return n
}

// Lost is how many requests the client counts of which nothing was told, once
// the stream has ended; it is never more than 0 unless something is broken.
func (t *Tally) Lost() int {
	if !t.Ended {
		return 0
	}
	return t.Sent - t.Told
}
