package nettool

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// progress prints curl's meter, which it shows unless its output goes to a
// terminal: the head and zeros at the beginning, the sums at the end.
func (t *curlTransfer) progress(end bool) {
	if t.has["silent"] || t.has["no-progress-meter"] || t.has["progress-bar"] || t.IsTerminal(t.Stdout) && !t.outName {
		return
	}
	if !t.shown {
		t.shown = true
		t.errorf("  %% Total    %% Received %% Xferd  Average Speed   Time    Time     Time  Current\n                                 Dload  Upload   Total   Spent    Left  Speed\n\r%s", meter(0, 0, 0))
	}
	if end {
		t.errorf("\r%s\n", meter(t.downloaded, t.uploaded, t.took))
	}
}

func meter(down, up int64, took time.Duration) string {
	percent := func(n int64) int {
		if n > 0 {
			return 100
		}
		return 0
	}
	rate := func(n int64) string {
		if took <= 0 {
			return "0"
		}
		return short(int64(float64(n) / took.Seconds()))
	}
	spent := "--:--:--"
	if took >= time.Second {
		spent = fmt.Sprintf("%2d:%02d:%02d", int(took.Hours()), int(took.Minutes())%60, int(took.Seconds())%60)
	}
	return fmt.Sprintf("%3d %5s  %3d %5s  %3d %5s  %5s  %5s --:--:-- %8s --:--:-- %5s",
		percent(down+up), short(down+up), percent(down), short(down), percent(up), short(up), rate(down), rate(up), spent, rate(down+up))
}

// short is a number in five letters.
func short(n int64) string {
	switch {
	case n < 100_000:
		return strconv.FormatInt(n, 10)
	case n < 10_000<<10:
		return fmt.Sprintf("%dk", n>>10)
	}
	return fmt.Sprintf("%dM", n>>20)
}

// writeOut prints what -w asks for.
func (t *curlTransfer) writeOut(problem *curlError) {
	format := t.value["write-out"]
	if name, file := strings.CutPrefix(format, "@"); file {
		text, err := t.readFile(name)
		if err != nil {
			t.errorf("curl: option -w: error encountered when reading a file\n")
			return
		}
		format = string(text)
	}
	to := t.Stdout
	for i := 0; i < len(format); i++ {
		rest := format[i:]
		switch {
		case strings.HasPrefix(rest, "%%"):
			_, _ = fmt.Fprint(to, "%")
			i++
		case strings.HasPrefix(rest, "%{"):
			name, _, closed := strings.Cut(rest[2:], "}")
			if !closed {
				_, _ = fmt.Fprint(to, "%{")
				i++
				continue
			}
			i += len(name) + 2
			switch name {
			case "stdout":
				to = t.Stdout
			case "stderr":
				to = t.Stderr
			case "onerror":
				if problem == nil {
					return
				}
			default:
				value, known := t.variable(name, problem)
				if !known {
					t.errorf("curl: unknown --write-out variable: '%s'\n", name)
				}
				_, _ = fmt.Fprint(to, value)
			}
		case len(rest) > 1 && rest[0] == '\\':
			i++
			switch rest[1] {
			case 'n':
				_, _ = fmt.Fprint(to, "\n")
			case 't':
				_, _ = fmt.Fprint(to, "\t")
			case 'r':
				_, _ = fmt.Fprint(to, "\r")
			default:
				_, _ = fmt.Fprint(to, rest[:2])
			}
		default:
			_, _ = to.Write([]byte{format[i]})
		}
	}
}

// variable is one of -w's.
func (t *curlTransfer) variable(name string, problem *curlError) (string, bool) {
	moment := func(d time.Duration) (string, bool) { return fmt.Sprintf("%.6f", d.Seconds()), true }
	number := func(n int64) (string, bool) { return strconv.FormatInt(n, 10), true }
	total := max(t.took, 0)
	localHost, localPort := hostPort(t.local)
	remoteHost, remotePort := hostPort(t.remote)
	switch name {
	case "http_code", "response_code":
		return fmt.Sprintf("%03d", t.status), true
	case "http_version":
		if t.status == 0 {
			return "0", true
		}
		return "1.1", true
	case "time_total":
		return moment(total)
	case "time_namelookup":
		return moment(t.resolved)
	case "time_connect":
		return moment(t.connected)
	case "time_appconnect":
		return moment(t.secured)
	case "time_pretransfer":
		return moment(max(t.connected, t.secured))
	case "time_starttransfer":
		return moment(t.first)
	case "time_redirect":
		return moment(0)
	case "remote_ip":
		return remoteHost, true
	case "remote_port":
		return remotePort, true
	case "local_ip":
		return localHost, true
	case "local_port":
		return localPort, true
	case "num_connects":
		return number(int64(t.opened))
	case "num_redirects":
		return number(int64(t.redirects))
	case "size_download":
		return number(t.downloaded)
	case "size_upload":
		return number(t.uploaded)
	case "size_header":
		return number(t.headerBytes)
	case "speed_download":
		if total == 0 {
			return "0", true
		}
		return number(int64(float64(t.downloaded) / total.Seconds()))
	case "url_effective":
		return t.effective, true
	case "url":
		return t.url, true
	case "method":
		return t.method, true
	case "scheme":
		scheme, _, _ := strings.Cut(t.effective, ":")
		return scheme, true
	case "content_type":
		return t.contentType, true
	case "redirect_url":
		return t.redirectURL, true
	case "exitcode":
		if problem != nil {
			return number(int64(problem.code))
		}
		return "0", true
	case "errormsg":
		if problem != nil {
			return problem.text, true
		}
		return "", true
	}
	return "", false
}
