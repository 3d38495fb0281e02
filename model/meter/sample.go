package meter

import (
	"strconv"
	"strings"
	"time"
)

// Outcome is what came of a request. Its value is stable.
type Outcome string

// The outcomes.
const (
	OK          Outcome = ""
	Status      Outcome = "http-status"  // answered, with an HTTP status of 400 or more
	Refused     Outcome = "refused"      // connecting was answered by an RST, or an ICMP error like it
	Timeout     Outcome = "timeout"      // no answer in time
	Reset       Outcome = "reset"        // the connection ended before the answer did
	Unresolved  Outcome = "not-resolved" // no address for the name
	DNSSilent   Outcome = "dns-silent"   // no answer to the look-up in time
	Unreachable Outcome = "unreachable"  // no route to the address
	Other       Outcome = "other"        // what else the client's program says
)

// Sample is one request, as the client's program told it.
type Sample struct {
	Number    int
	Start     time.Time     // when the client was told to send it
	Took      time.Duration // as the client measured it; 0 when it did not
	Exit      int           // of curl or wget
	HTTP      int           // the status; 0 without one
	Port      uint16        // the client's own, of the connection; 0 when it did not tell
	Connected bool          // a connection was made
	Outcome   Outcome
	// Said is the beginning of the answer, header and body; of a request that
	// failed what the program said. It is not printable.
	Said string
}

// Line is one line of what Spec.Command writes: a Sample, or how many requests
// the client counts.
type Line struct {
	Sample *Sample
	Sent   int  // how many requests were begun, as the client counts them
	End    bool // Sent is the last count: each of these requests has ended
	None   bool // there is no program that could send
}

// Read reads a line of Spec.Command. ok is false for what it did not write: a
// line without its mark. The exit codes and words are curl's (curl(1), EXIT
// CODES; src/tool_operate.c and lib/connect.c), GNU wget's (wget(1)) and busybox'
// (networking/wget.c).
func Read(mark, line string) (out Line, ok bool) {
	rest, ok := strings.CutPrefix(line, mark+" ")
	if !ok {
		return Line{}, false
	}
	kind, rest, _ := strings.Cut(strings.TrimRight(rest, "\r\n"), " ")
	switch kind {
	case "none":
		return Line{None: true}, true
	case "n", "e":
		sent, err := strconv.Atoi(rest)
		return Line{Sent: sent, End: kind == "e"}, err == nil && sent >= 0
	case "r":
		sample, ok := readSample(rest)
		return Line{Sample: sample}, ok
	}
	return Line{}, false
}

// readSample reads "number program exit status took port said…".
func readSample(text string) (*Sample, bool) {
	words := strings.SplitN(text, " ", 7)
	if len(words) < 6 {
		return nil, false
	}
	number, err := strconv.Atoi(words[0])
	exit, err2 := strconv.Atoi(words[2])
	if err != nil || err2 != nil || number < 0 {
		return nil, false
	}
	s := &Sample{Number: number, Exit: exit}
	if len(words) == 7 {
		s.Said = words[6]
	}
	if port, err := strconv.ParseUint(words[5], 10, 16); err == nil {
		s.Port = uint16(port)
	}
	if words[1] == "curl" {
		s.HTTP, _ = strconv.Atoi(words[3])
		s.Took = seconds(words[4])
		s.curl()
		return s, true
	}
	if began, ended, both := strings.Cut(words[4], "/"); both && seconds(began) > 0 {
		s.Took = max(0, seconds(ended)-seconds(began)) // /proc/uptime counts hundredths of a second
	}
	s.wget()
	return s, true
}

func seconds(text string) time.Duration {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || value < 0 || value > 1e9 {
		return 0
	}
	return time.Duration(value * float64(time.Second))
}

// tooLarge is curl's exit code for an answer of more than --max-filesize.
const tooLarge = 63

func (s *Sample) curl() {
	has := func(words string) bool { return strings.Contains(s.Said, words) }
	s.Connected = s.HTTP > 0 || s.Port > 0 || has("* Connected to ") || has("* Established connection")
	switch s.Exit {
	case 0, tooLarge:
		s.answered()
	case 6:
		s.Outcome = Unresolved
	case 7:
		switch {
		case has("efused"):
			s.Outcome = Refused
		case has("o route to host"), has("nreachable"):
			s.Outcome = Unreachable
		default:
			s.Outcome = Other
		}
	case 18, 52, 55, 56:
		s.Outcome = Reset
	case 28:
		if s.Outcome = Timeout; has("Resolving timed out") {
			s.Outcome = DNSSilent
		}
	default:
		s.Outcome = Other
	}
}

func (s *Sample) wget() {
	has := func(words string) bool { return strings.Contains(s.Said, words) }
	at := strings.LastIndex(s.Said, "HTTP/1.")
	if s.Exit == 0 { // a body may say anything
		at = strings.Index(s.Said, "HTTP/1.")
	}
	if at >= 0 {
		if fields := strings.Fields(s.Said[at:]); len(fields) > 1 {
			s.HTTP, _ = strconv.Atoi(fields[1])
		}
	}
	s.Connected = s.HTTP > 0 || has("... connected.")
	ended := s.Exit == 124 || s.Exit == 143 // by timeout(1): of GNU's coreutils, of busybox
	switch {
	case s.Exit == 0, has("server returned error"), has("ERROR ") && s.HTTP >= 400:
		s.answered()
	case has("emporary failure in name resolution"):
		s.Outcome = DNSSilent
	case has("bad address"), has("not known"), has("unable to resolve"), has("not resolve"):
		s.Outcome = Unresolved
	case has("efused"):
		s.Outcome = Refused
	case has("o route to host"), has("nreachable"):
		s.Outcome = Unreachable
	case ended && !has("Connecting to"):
		s.Outcome = DNSSilent
	case ended, has("timed out"):
		s.Outcome = Timeout
	case has("reset by peer"), has("getting response"), has("closed prematurely"), has("read error"), has("Read error"), has("No data received"):
		s.Outcome = Reset
	default:
		s.Outcome = Other
	}
}

func (s *Sample) answered() {
	if s.HTTP >= 400 {
		s.Outcome = Status
	}
}

// Answered says whether somebody answered, with whatever status.
func (s *Sample) Answered() bool { return s.Outcome == OK || s.Outcome == Status }
