package nettool

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"svctour/lab/child/process"
)

// pings is a run of ping, in the words of busybox (networking/ping.c of 1.36)
// or of iputils.
type pings struct {
	*command
	busybox        bool
	host           string
	address        netip.Addr
	count, size    int
	interval, wait time.Duration
	until          time.Duration
	quiet          bool

	sent, received, errors int
	took                   []time.Duration
	began                  time.Time
}

func busyboxPing(c *command) int { return (&pings{command: c, busybox: true}).run() }
func iputilsPing(c *command) int { return (&pings{command: c}).run() }

const (
	busyboxPingUsage = "BusyBox v1.36.1 multi-call binary.\n\nUsage: ping [OPTIONS] HOST\n\nSend ICMP ECHO_REQUESTs to HOST\n"
	iputilsPingUsage = "\nUsage\n  ping [options] <destination>\n"
)

func (p *pings) usage(status int) int {
	if p.busybox {
		p.errorf("%s", busyboxPingUsage)
		return 1
	}
	p.errorf("%s", iputilsPingUsage)
	return status
}

func (p *pings) run() int {
	opts, rest, bad := getopt(p.args, "4 q n c: s: i: W: w:")
	if bad != nil {
		p.errorf("ping: %s\n", bad)
		return p.usage(2)
	}
	p.size, p.interval, p.wait = 56, time.Second, 10*time.Second
	for _, o := range opts {
		n, ok := 0, true
		switch o.name {
		case "q":
			p.quiet = true
		case "c", "s":
			var err error
			n, err = strconv.Atoi(o.value)
			ok = err == nil && n >= 0 && n <= 65507
			if o.name == "c" {
				p.count = n
			} else {
				p.size = n
			}
		case "i":
			p.interval, ok = seconds(o.value)
			ok = ok && p.interval >= 2*time.Millisecond
		case "W":
			p.wait, ok = seconds(o.value)
		case "w":
			p.until, ok = seconds(o.value)
		}
		if !ok {
			p.errorf("ping: invalid argument: '%s'\n", o.value)
			return 1
		}
	}
	switch {
	case len(rest) == 0 && !p.busybox:
		p.errorf("ping: usage error: Destination address required\n")
		return 1
	case len(rest) != 1:
		return p.usage(2)
	}
	p.host = rest[0]
	resolver := NewResolver(p.Process)
	addresses, err := resolver.Addresses(p.ctx, p.host)
	switch {
	case err == nil:
	case p.busybox:
		return p.fail("bad address '%s'", p.host)
	default:
		p.errorf("ping: %s: %s\n", p.host, resolver.LookupError(err))
		return 2
	}
	p.address, p.began = addresses[0], time.Now()
	if !p.address.Is4() { // the lab's network has no IPv6
		status, _ := p.answered(process.Echo{}, 0, syscall.ENETUNREACH)
		return status
	}
	return p.loop()
}

// loop pings until it has done its count, its time is over, or Ctrl-C.
func (p *pings) loop() int {
	first := 1
	if p.busybox {
		first = 0
		p.printf("PING %s (%s): %d data bytes\n", p.host, p.address, p.size)
	} else {
		p.printf("PING %s (%s) %d(%d) bytes of data.\n", p.host, p.address, p.size, p.size+28)
	}
	ctx, cancel := p.ctx, func() {}
	if p.until > 0 {
		ctx, cancel = context.WithTimeout(ctx, p.until)
	}
	defer cancel()
	for {
		began := time.Now()
		one, done := context.WithTimeout(ctx, p.wait)
		p.sent++
		echo, err := p.Net.Ping(one, p.address, first+p.sent-1, p.size)
		done()
		if status, over := p.answered(echo, first+p.sent-1, err); over {
			return status
		}
		if ctx.Err() != nil || p.count > 0 && p.sent >= p.count || !p.until1(ctx, began.Add(p.interval)) {
			break
		}
	}
	return p.statistics()
}

// until1 waits for a moment; false is the end.
func (p *pings) until1(ctx context.Context, moment time.Time) bool {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *pings) answered(echo process.Echo, sequence int, err error) (status int, over bool) {
	switch {
	case err == nil:
		p.received++
		p.took = append(p.took, echo.Took)
		if p.quiet {
			return 0, false
		}
		if p.busybox {
			p.printf("%d bytes from %s: seq=%d ttl=%d time=%.3f ms\n", p.size+8, echo.From, sequence, echo.TTL, milliseconds(echo.Took))
			return 0, false
		}
		took := milliseconds(echo.Took)
		p.printf("%d bytes from %s: icmp_seq=%d ttl=%d time=%s ms\n", p.size+8, echo.From, sequence, echo.TTL, threeDigits(took))
	case errors.Is(err, context.Canceled), isTimeout(err):
	case errors.Is(err, syscall.ENETUNREACH) && p.busybox:
		p.errorf("ping: sendto: Network unreachable\n")
		return 1, true
	case errors.Is(err, syscall.ENETUNREACH):
		p.errorf("ping: connect: Network is unreachable\n")
		return 2, true
	default:
		if p.errors++; p.quiet || p.busybox {
			return 0, false // busybox tells of errors with -v only
		}
		what := "Destination Host Unreachable"
		if errors.Is(err, syscall.ECONNREFUSED) {
			what = "Destination Port Unreachable"
		}
		p.printf("From %s icmp_seq=%d %s\n", p.address, sequence, what)
	}
	return 0, false
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// threeDigits is a time as iputils prints it.
func threeDigits(ms float64) string {
	switch {
	case ms >= 100:
		return fmt.Sprintf("%.0f", ms)
	case ms >= 10:
		return fmt.Sprintf("%.1f", ms)
	case ms >= 1:
		return fmt.Sprintf("%.2f", ms)
	}
	return fmt.Sprintf("%.3f", ms)
}

func (p *pings) statistics() int {
	var sum, squares float64
	low, high := math.Inf(1), 0.0
	for _, took := range p.took {
		ms := milliseconds(took)
		sum, squares, low, high = sum+ms, squares+ms*ms, min(low, ms), max(high, ms)
	}
	mean := sum / max(1, float64(p.received))
	loss := (p.sent - p.received) * 100 / max(1, p.sent)
	p.printf("\n--- %s ping statistics ---\n", p.host)
	if p.busybox {
		p.printf("%d packets transmitted, %d packets received, %d%% packet loss\n", p.sent, p.received, loss)
		if p.received > 0 {
			p.printf("round-trip min/avg/max = %.3f/%.3f/%.3f ms\n", low, mean, high)
		}
	} else {
		failed := ""
		if p.errors > 0 {
			failed = fmt.Sprintf(", +%d errors", p.errors)
		}
		p.printf("%d packets transmitted, %d received%s, %d%% packet loss, time %dms\n", p.sent, p.received, failed, loss, time.Since(p.began).Milliseconds())
		if p.received > 0 {
			deviation := math.Sqrt(max(0, squares/float64(p.received)-mean*mean))
			p.printf("rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", low, mean, high, deviation)
		} else {
			p.printf("\n")
		}
	}
	if p.received == 0 || p.count > 0 && p.received < p.count && p.until > 0 {
		return 1
	}
	return 0
}

// catching runs a tool that ends in good order at Ctrl-C: its context ends then.
func catching(tool run) process.Main {
	return func(ctx context.Context, p *process.Process) int {
		killed := ctx
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		ended := make(chan struct{})
		status := process.Crashed
		p.Go(func() {
			defer close(ended)
			status = tool(&command{Process: p, ctx: ctx, name: p.Args[0][strings.LastIndexByte(p.Args[0], '/')+1:], args: p.Args[1:]})
		})
		for {
			select {
			case signal := <-p.Signals:
				if p.PID == 1 && signal != process.Interrupt {
					continue
				}
				cancel()
				<-ended
				if signal != process.Interrupt {
					return 128 + int(signal)
				}
				return status
			case <-ended:
				return status
			case <-killed.Done():
				<-ended
				return status
			}
		}
	}
}
