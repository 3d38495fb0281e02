package meter

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// MaxRate is the most requests a second that a stream sends, AtOnce how many of
// them may be without an answer at a time: where all wait until they time out,
// no more than AtOnce every two seconds are sent.
const (
	MaxRate = 50
	AtOnce  = 48
)

// Why no stream can be sent, or why it ended.
var (
	ErrNoExec     = errors.New("no program can be run in the client's Pod")
	ErrNoProgram  = errors.New("the client's container has no shell with curl or wget")
	ErrClientGone = errors.New("the client's Pod is gone, or its container ended")
)

// Spec says from which Pod a stream goes, and to what.
type Spec struct {
	Pod  string // in the namespace that the stream is for
	Host string // an IP address, or a name that the client looks up for each request
	Port uint16
}

// Check says what is wrong with a Spec. A host is an IP address or a name that
// DNS can carry (RFC 1123, 2.1): nothing else is given to a shell or to curl.
func (s Spec) Check() error {
	switch {
	case s.Pod == "":
		return errors.New("no Pod is named that sends")
	case s.Port == 0:
		return errors.New("no port is named")
	}
	if _, err := netip.ParseAddr(s.Host); err == nil {
		return nil
	}
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	lower := strings.ToLower(s.Host)
	if lower == "" || len(lower) > 254 || strings.Trim(lower, letters) != "" || strings.ContainsAny(lower[:1], "-.") {
		return fmt.Errorf("%q is neither an address nor a name", s.Host)
	}
	return nil
}

// URL is what each request asks for.
func (s Spec) URL() string {
	host := s.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if s.Port != 80 {
		host += ":" + strconv.Itoa(int(s.Port))
	}
	return "http://" + host + "/"
}

// Command is what runs in the client's container until its input ends: sh(1) with
// the URL as an argument. Each line of the input is the number of a request to
// send now; what it writes is for Read. mark begins every line that it writes,
// and is known to no server.
func (s Spec) Command(mark string) []string {
	return []string{"sh", "-c", script, "sh", s.URL(), mark}
}

// script sends a request, beside those under way, for each line that it reads,
// and ends with its input: a shell whose client is gone reads the end of file.
// Each request ends by itself, too: curl after two seconds, wget, which has a
// limit for silence only, by timeout(1) where there is one.
//
// A line is one write of less than 4096 bytes, so that lines of requests under
// way at the same time do not mix (pipe(7), PIPE_BUF). With no more than AtOnce
// of them under way all fit into a pipe's buffer: nothing stays behind writing
// to a reader that is gone. curl -v tells why it could not connect; behind
// "< HTTP/" stand the header and the body. "jobs" lets a shell notice which of
// its children have ended.
const script = `
LC_ALL=C; export LC_ALL
set -f
url=$1 mark=$2 sent=0 limit= more='-T 2'
if command -v curl >/dev/null 2>&1; then
  with=curl
  ask() { curl -sSv -g -m 2 --max-filesize 65536 -w "
$mark %{http_code} %{time_total} %{local_port}" "$url" 2>&1; }
elif command -v wget >/dev/null 2>&1; then
  with=wget
  if command -v timeout >/dev/null 2>&1; then limit='timeout 3' more=; fi
  case $(wget --version 2>/dev/null) in *GNU*) more='-T 2 -t 1';; esac
  ask() { $limit wget -S $more -O - "$url" 2>&1; }
else
  echo "$mark none"
  exit 127
fi
one() {
  began=
  if [ $with = wget ]; then read -r began _ 2>/dev/null </proc/uptime; fi
  text=$(ask)
  code=$?
  case $text in
  *"$mark "*)
    set -- ${text##*"$mark "}
    told="$1 $2 $3";;
  *)
    ended=
    if [ -n "$began" ]; then read -r ended _ </proc/uptime; fi
    told="- ${began:--}/${ended:--} 0";;
  esac
  set -- $text
  case $with$code in
  curl0|curl63)
    case $text in *"< HTTP/"*) set -- "HTTP/${text#*< HTTP/}"; set -- $1;; esac;;
  esac
  printf '%s r %s %s %s %s %.600s\n' "$mark" "$n" "$with" "$code" "$told" "$*"
}
while read -r n; do
  sent=$((sent+1))
  one </dev/null &
  jobs >/dev/null 2>&1
  case $sent in *[05]0) echo "$mark n $sent";; esac
done
wait
echo "$mark e $sent"
`
