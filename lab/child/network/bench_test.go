package network

import (
	"io"
	"net/http"
	"runtime"
	"slices"
	"testing"
	"time"

	"svctour/model/path"
)

// BenchmarkRequest is an HTTP request from a Pod to a Service with three
// endpoints on one core: with a connection of its own, DNAT included, or over
// one that stays.
func BenchmarkRequest(b *testing.B) {
	for _, c := range []struct {
		name string
		keep bool
	}{{"new-connection", false}, {"keep-alive", true}} {
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			l := newLab(b)
			client := l.pod(1, 5)
			var endpoints []string
			for i := range 3 {
				s := l.pod(i+1, 9)
				l.serve(s, ":8080")
				endpoints = append(endpoints, s.options.addresses[0].Addr().String())
			}
			l.service("web", "10.96.0.11", nil, endpoints...)
			l.install(path.ModeIPTables)
			transport := &http.Transport{DialContext: client.DialContext, DisableKeepAlives: !c.keep}
			defer transport.CloseIdleConnections()
			http := &http.Client{Transport: transport}
			var times []time.Duration
			for b.Loop() {
				began := time.Now()
				response, err := http.Get("http://10.96.0.11/")
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				times = append(times, time.Since(began))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Microseconds()), "median-µs")
			b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// BenchmarkPod is what a Pod's network costs: memory and goroutines.
func BenchmarkPod(b *testing.B) {
	l := newLab(b)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	const pods = 200
	for i := range pods {
		l.serve(l.pod(1, byte(i+2)), ":8080")
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc+after.StackInuse-before.StackInuse)/pods/1024, "KiB/Pod")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/pods, "goroutines/Pod")
}
