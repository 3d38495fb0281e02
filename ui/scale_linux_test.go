package ui_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"svctour/model"
	"svctour/test/uitest"
)

// BenchmarkScale gives how long the goroutine that draws is busy on a cluster of
// 5,000 Services with ten endpoints each, all in the lesson's namespace: App.Update
// and App.View over news, computed states, looks at the node, keys and ticks. In
// focus is a Service of three endpoints, or one of 5,000. The 99th percentiles are
// of the time that passed, and of the time that the thread had a processor:
// on a busy machine only the second says something about the program.
func BenchmarkScale(b *testing.B) {
	for _, endpoints := range []int{3, 5000} {
		for _, size := range []struct{ w, h int }{{120, 40}, {200, 60}} {
			b.Run(fmt.Sprintf("%d endpoints/%dx%d", endpoints, size.w, size.h), func(b *testing.B) {
				benchmarkScale(b, size.w, size.h, endpoints)
			})
		}
	}
}

func benchmarkScale(b *testing.B, w, h, endpoints int) {
	d := atPath(b, w, h)
	large := newLargeWorld(endpoints)
	d.Show(large.next())
	seen := counted(b, large.last, d.Watched(), func(string) int { return 142 }, "")
	d.Observe(func(_ string, command []string) (string, error) {
		if command[0] == "iptables-save" {
			return seen, nil
		}
		return chainOf(seen, command[2], command[4]), nil
	})
	passed, used := map[string][]time.Duration{}, map[string][]time.Duration{}
	d.Timed = func(what string, work func()) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		began, before := time.Now(), threadTime(b)
		work()
		passed[what] = append(passed[what], time.Since(began))
		used[what] = append(used[what], threadTime(b)-before)
	}
	keys := []string{"x", "down", "tab", "w", "2", "down", "x", "d", "5", "up", "?", "?", "d", "3", "space", "4"}
	turn := 0
	for b.Loop() {
		d.Show(large.next())
		d.Tick()
		d.Press(keys[turn%len(keys)])
		d.Tick()
		if turn++; turn%20 == 0 {
			d.Look()
		}
	}
	for _, what := range []string{"update", "view"} {
		b.ReportMetric(p99(passed[what]), what+"-p99-ms")
		b.ReportMetric(p99(used[what]), what+"-cpu-p99-ms")
	}
}

// p99 is the 99th percentile, in milliseconds.
func p99(of []time.Duration) float64 {
	slices.Sort(of)
	return float64(of[len(of)*99/100].Microseconds()) / 1000
}

// threadTime is for how long the present thread has had a processor.
func threadTime(t testing.TB) time.Duration {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// largeWorld is a cluster in which one Pod after the other turns.
type largeWorld struct {
	last  *model.Snapshot
	turns int
}

func newLargeWorld(endpoints int) *largeWorld {
	objects := append(uitest.ThreePods(), uitest.ClientPod(), uitest.WebService(model.ClusterIP, 0))
	yes, port := true, int32(80)
	add := func(service, name, ip string, slice *model.EndpointSlice, node int) {
		at := fmt.Sprintf("node-%d", node%3+1)
		objects = append(objects, &model.Pod{
			Meta: model.Meta{Namespace: "tour", Name: name, UID: "pod-" + name, Created: uitest.Epoch, Labels: map[string]string{"app": service}},
			Node: at, Phase: "Running", IPs: []string{ip}, DNSPolicy: "ClusterFirst",
			Conditions: []model.Condition{{Type: "Ready", Status: "True"}},
		})
		slice.Endpoints = append(slice.Endpoints, model.Endpoint{
			Addresses: []string{ip}, Ready: &yes, Serving: &yes, Node: at, Target: &model.Ref{Kind: "Pod", Namespace: "tour", Name: name, UID: "pod-" + name},
		})
	}
	newSlice := func(service string, n int) *model.EndpointSlice {
		name := fmt.Sprintf("%s-%d", service, n)
		slice := &model.EndpointSlice{
			Meta:        model.Meta{Namespace: "tour", Name: name, UID: "slice-" + name, Created: uitest.Epoch, Labels: map[string]string{model.ServiceNameLabel: service}},
			AddressType: "IPv4", Ports: []model.EndpointPort{{Protocol: "TCP", Port: &port}},
		}
		objects = append(objects, slice)
		return slice
	}
	for i := range 5000 {
		name := fmt.Sprintf("shop-%04d", i)
		service := uitest.WebService(model.ClusterIP, 0)
		service.Name, service.UID, service.Selector = name, "svc-"+name, map[string]string{"app": name}
		service.ClusterIPs = []string{fmt.Sprintf("10.97.%d.%d", i/250, i%250+1)}
		slice := newSlice(name, 0)
		for k := range 10 {
			add(name, fmt.Sprintf("%s-%d", name, k), fmt.Sprintf("10.%d.%d.%d", 128+k, i/250, i%250+1), slice, k)
		}
		objects = append(objects, service)
	}
	slice := uitest.WebSlice(3)
	objects = append(objects, slice)
	for i := 3; i < endpoints; i++ {
		if i%100 == 0 { // as the endpointslice controller cuts them
			slice = newSlice("web", i/100)
		}
		add("web", fmt.Sprintf("web-6d4b75cb6d-%05d", i), fmt.Sprintf("10.%d.%d.%d", 160+i/62500, i/250%250, i%250+1), slice, i)
	}
	return &largeWorld{last: uitest.World(objects...)}
}

// next gives the next picture: one Pod behind the Service turned ready, or not.
func (w *largeWorld) next() *model.Snapshot {
	w.turns++
	s := *w.last
	s.Sequence++
	s.Slices = slices.Clone(s.Slices)
	i := slices.IndexFunc(s.Slices, func(s *model.EndpointSlice) bool { return s.Service() == "web" })
	ready, slice := w.turns%2 == 0, *s.Slices[i]
	slice.Endpoints = slices.Clone(slice.Endpoints)
	slice.Endpoints[w.turns%len(slice.Endpoints)].Ready = &ready
	s.Slices[i] = &slice
	w.last = model.NewSnapshot(s)
	return w.last
}

// chainOf is what iptables -S CHAIN -v prints where iptables-save -c prints dump.
func chainOf(dump, table, chain string) string {
	_, dump, _ = strings.Cut(dump, "*"+table+"\n")
	dump, _, _ = strings.Cut(dump, "COMMIT\n")
	out := "-N " + chain + "\n"
	for line := range strings.SplitSeq(dump, "\n") {
		counter, rule, has := strings.Cut(line, "] -A "+chain+" ")
		if !has {
			continue
		}
		at := max(strings.LastIndex(rule, "-j "), strings.LastIndex(rule, "-g "))
		if at < 0 {
			at = len(rule)
		}
		out += "-A " + chain + " " + rule[:at] + "-c " + strings.Replace(counter[1:], ":", " ", 1) + " " + rule[at:] + "\n"
	}
	return out
}
