package meter

import (
	"strings"
	"testing"
	"time"
)

const mark = "svctour-TEST"

func sampleOf(t testing.TB, rest string) *Sample {
	t.Helper()
	line, ok := Read(mark, mark+" r "+rest)
	if !ok || line.Sample == nil {
		t.Fatalf("%q is not read: %+v", rest, line)
	}
	return line.Sample
}

// The lines are what curl 7.88, GNU wget 1.21 and busybox 1.35 made the script
// write, and the lab's.
func TestWhatPrograms(t *testing.T) {
	for _, c := range []struct {
		line    string
		outcome Outcome
		http    int
		took    time.Duration
		port    uint16
		met     bool
	}{
		{"7 curl 0 200 0.001250 40312 HTTP/1.1 200 OK\r < Server: nginx\r { [7 bytes data] web-1", OK, 200, 1250 * time.Microsecond, 40312, true},
		{"7 curl 63 200 0.001250 40312 HTTP/1.1 200 OK\r < Content-Length: 99999999", OK, 200, 1250 * time.Microsecond, 40312, true},
		{"7 curl 0 503 0.001250 40312 HTTP/1.1 503 Service Unavailable", Status, 503, 1250 * time.Microsecond, 40312, true},
		{"2 curl 7 000 0.000369 0 * Trying 127.0.0.1:1... * connect to 127.0.0.1 port 1 failed: Connection refused * Failed to connect to 127.0.0.1", Refused, 0, 369 * time.Microsecond, 0, false},
		{"2 curl 7 000 0.000369 -1 * connect to 10.0.0.1 port 1 failed: No route to host", Unreachable, 0, 369 * time.Microsecond, 0, false},
		{"2 curl 6 000 0.005433 0 * Could not resolve host: nosuch.invalid", Unresolved, 0, 5433 * time.Microsecond, 0, false},
		{"2 curl 28 000 2.001 0 * Resolving timed out after 2000 milliseconds", DNSSilent, 0, 2001 * time.Millisecond, 0, false},
		{"2 curl 28 000 2.001 0 * Trying 10.96.0.9:80... * Connection timed out after 2001 milliseconds", Timeout, 0, 2001 * time.Millisecond, 0, false},
		{"2 curl 28 000 2.001 4444 * Connected to web (10.96.0.9) port 80 * Operation timed out after 2001 milliseconds with 0 bytes received", Timeout, 0, 2001 * time.Millisecond, 4444, true},
		{"2 curl 56 000 0.3 4444 * Recv failure: Connection reset by peer", Reset, 0, 300 * time.Millisecond, 4444, true},
		{"2 curl 52 000 0.3 4444 * Empty reply from server", Reset, 0, 300 * time.Millisecond, 4444, true},
		{"1 wget 0 - 14.50/14.53 0 Connecting to 10.96.0.9 (10.96.0.9:80) HTTP/1.1 200 OK Server: x writing to stdout HTTP/1.1 404 in the body", OK, 200, 30 * time.Millisecond, 0, true},
		{"1 wget 1 - -/- 0 Connecting to x HTTP/1.0 503 Service Unavailable wget: server returned error: HTTP/1.0 503 Service Unavailable", Status, 503, 0, 0, true},
		{"1 wget 8 - 1.0/1.2 0 Connecting to 127.0.0.1:1... connected. HTTP request sent, awaiting response... HTTP/1.0 503 Service Unavailable 2026-11-30 15:33:11 ERROR 503: Service Unavailable.", Status, 503, 200 * time.Millisecond, 0, true},
		{"1 wget 1 - 1/1 0 Connecting to 127.0.0.1:1 (127.0.0.1:1) wget: can't connect to remote host (127.0.0.1): Connection refused", Refused, 0, 0, 0, false},
		{"1 wget 1 - 1/1 0 wget: bad address 'nosuch.invalid'", Unresolved, 0, 0, 0, false},
		{"1 wget 4 - 1/1 0 Resolving nosuch.invalid... failed: Name or service not known. wget: unable to resolve host address", Unresolved, 0, 0, 0, false},
		{"1 wget 4 - 1/1 0 Resolving web... failed: Temporary failure in name resolution.", DNSSilent, 0, 0, 0, false},
		{"1 wget 143 - 1/4 0 Terminated", DNSSilent, 0, 3 * time.Second, 0, false},
		{"1 wget 143 - 1/4 0 Connecting to web (10.96.0.9:80) Terminated", Timeout, 0, 3 * time.Second, 0, false},
		{"1 wget 1 - 1/1 0 Connecting to web (10.96.0.9:80) wget: error getting response: Connection reset by peer", Reset, 0, 0, 0, false},
		{"1 wget 139 - 1/1 0 Segmentation fault", Other, 0, 0, 0, false},
	} {
		s := sampleOf(t, c.line)
		if s.Outcome != c.outcome || s.HTTP != c.http || s.Took.Round(time.Microsecond) != c.took || s.Port != c.port || s.Connected != c.met {
			t.Errorf("%s:\n got %q, HTTP %d, %v, port %d, connected %v", c.line, s.Outcome, s.HTTP, s.Took, s.Port, s.Connected)
		}
	}
}

func TestWhatIsNoLine(t *testing.T) {
	for _, text := range []string{"", "hello", mark, mark + "x r 1 curl 0 200 0 0", mark + " r", mark + " r x curl 0 200 0 0", mark + " r 1 curl", mark + " e x", mark + " n -1", mark + " z 1"} {
		if line, ok := Read(mark, text); ok {
			t.Errorf("%q is read as %+v", text, line)
		}
	}
	if line, ok := Read(mark, mark+" e 60"); !ok || line.Sent != 60 || !line.End {
		t.Errorf("the end: %+v", line)
	}
	if line, ok := Read(mark, mark+" n 50\r\n"); !ok || line.Sent != 50 || line.End {
		t.Errorf("a count: %+v", line)
	}
}

func TestOnlyHostsReachAShell(t *testing.T) {
	for _, host := range []string{"web", "web.tour.svc.cluster.local.", "10.96.0.1", "fd00::1", "a_b", "WEB"} {
		if err := (Spec{Pod: "tmp", Host: host, Port: 80}).Check(); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
	for _, host := range []string{"", "web;reboot", "$(id)", "a b", "-o/etc/passwd", "web/x", "web:80", "a'b", "web\n", "wéb", strings.Repeat("a", 300), "[::1]", "{a,b}"} {
		if err := (Spec{Pod: "tmp", Host: host, Port: 80}).Check(); err == nil {
			t.Errorf("%q is let through", host)
		}
	}
	if (Spec{Host: "web", Port: 80}).Check() == nil || (Spec{Pod: "tmp", Host: "web"}).Check() == nil {
		t.Error("a Spec without a Pod or a port is let through")
	}
	if got := (Spec{Host: "fd00::1", Port: 8080}).URL() + " " + (Spec{Host: "web", Port: 80}).URL(); got != "http://[fd00::1]:8080/ http://web/" {
		t.Error(got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(mark + " r 7 curl 0 200 0.001250 40312 HTTP/1.1 200 OK")
	f.Add(mark + " r 1 wget 1 - 1/9e99 0 Connecting to HTTP/1.")
	f.Add(mark + " e 99999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		line, ok := Read(mark, text)
		if !ok {
			return
		}
		if s := line.Sample; s != nil && (s.Number < 0 || s.Took < 0 || s.Outcome == Status && s.HTTP < 400) || line.Sent < 0 {
			t.Errorf("%q is read as %+v", text, line)
		}
	})
}
