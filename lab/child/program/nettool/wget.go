package nettool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// wgetProblem is why wget gives up, after its name.
type wgetProblem string

func (p wgetProblem) Error() string { return string(p) }

// wget is a run of busybox' wget (networking/wget.c of busybox 1.36).
type wget struct {
	*command
	quiet, server, spider       bool
	output, folder, body, agent string
	post                        bool
	headers                     []string
	timeout                     time.Duration
}

const wgetUsage = `BusyBox v1.36.1 multi-call binary.

Usage: wget [-cqS] [--spider] [-O FILE] [-o LOGFILE] [--header STR]
	[--post-data STR | --post-file FILE] [-Y on/off]
	[--no-check-certificate] [-P DIR] [-U AGENT] [-T SEC] URL...

Retrieve files via HTTP or FTP
`

func busyboxWget(c *command) int {
	opts, rest, bad := getopt(c.args, `c,continue q,quiet S,server-response spider O:,output-document: T:,timeout: t:,tries: Y:,proxy:
		P:,directory-prefix: U:,user-agent: header: post-data: post-file: no-check-certificate`)
	if bad != nil {
		c.errorf("wget: %s\n%s", bad, wgetUsage)
		return 1
	}
	w := &wget{command: c, timeout: 900 * time.Second, agent: "Wget"}
	for _, o := range opts {
		switch o.name {
		case "quiet":
			w.quiet = true
		case "server-response":
			w.server = true
		case "spider":
			w.spider = true
		case "output-document":
			w.output = o.value
		case "timeout":
			n, err := strconv.Atoi(o.value)
			if err != nil || n < 0 {
				return c.fail("invalid number '%s'", o.value)
			}
			if n > 0 {
				w.timeout = time.Duration(n) * time.Second
			}
		case "directory-prefix":
			w.folder = o.value
		case "user-agent":
			w.agent = o.value
		case "header":
			w.headers = append(w.headers, o.value)
		case "post-data":
			w.post, w.body = true, o.value
		case "post-file":
			text, err := c.readFile(o.value)
			if err != nil {
				return c.fail("can't open '%s': %s", o.value, reason(err))
			}
			w.post, w.body = true, string(text)
		}
	}
	if len(rest) == 0 {
		c.errorf("%s", wgetUsage)
		return 1
	}
	for _, target := range rest {
		if err := w.fetch(target); err != nil {
			return c.fail("%s", err)
		}
	}
	return 0
}

func (w *wget) say(format string, values ...any) {
	if !w.quiet {
		w.errorf(format+"\n", values...)
	}
}

func (w *wget) fetch(target string) error {
	if !strings.Contains(target, "://") {
		target = "http://" + target
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return wgetProblem(fmt.Sprintf("bad address '%s'", strings.TrimPrefix(target, "http://")))
	}
	for range 20 { // busybox' MAX_REDIRECTIONS
		if u.Scheme != "http" {
			return wgetProblem(fmt.Sprintf("not an http or ftp url: %s", u))
		}
		next, err := w.request(u)
		if next == nil || err != nil {
			return err
		}
		u = next
	}
	return wgetProblem("too many redirections")
}

func (w *wget) connect(u *url.URL) (net.Conn, error) {
	port := u.Port()
	if port == "" {
		port = "80"
	}
	addresses, err := NewResolver(w.Process).Addresses(w.ctx, u.Hostname())
	if err != nil {
		return nil, wgetProblem(fmt.Sprintf("bad address '%s'", u.Host))
	}
	to := net.JoinHostPort(addresses[0].String(), port)
	w.say("Connecting to %s (%s)", u.Host, to)
	ctx, cancel := context.WithTimeout(w.ctx, w.timeout)
	defer cancel()
	conn, err := w.Net.DialContext(ctx, "tcp", to)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, wgetProblem("download timed out")
	}
	return nil, wgetProblem(fmt.Sprintf("can't connect to remote host (%s): %s", addresses[0], reason(err)))
}

func (w *wget) request(u *url.URL) (*url.URL, error) {
	conn, err := w.connect(u)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(w.ctx, func() { _ = conn.Close() })()
	method := "GET"
	if w.post {
		method = "POST"
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: close\r\n", method, u.RequestURI(), u.Host, w.agent)
	for _, header := range w.headers {
		head.WriteString(header + "\r\n")
	}
	if w.post {
		fmt.Fprintf(&head, "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(w.body))
	}
	// The time-out of busybox is of silence, not of the whole.
	in := bufio.NewReader(&silence{conn, w.timeout})
	if _, err := io.WriteString(conn, head.String()+"\r\n"+w.body); err != nil {
		return nil, wgetProblem("error getting response")
	}
	status, length, location, chunked, err := w.head(in)
	switch {
	case err != nil:
		return nil, err
	case location != nil:
		return u.Parse(*location)
	case status/100 != 2:
		return nil, wgetProblem(fmt.Sprintf("server returned error: HTTP/1.1 %d", status))
	case w.spider:
		w.say("remote file exists")
		return nil, nil
	}
	var body io.Reader = in
	switch {
	case chunked:
		body = httputil.NewChunkedReader(in)
	case length >= 0:
		body = io.LimitReader(in, length)
	}
	return nil, w.save(u, body, length)
}

// silence is a connection whose reads may each wait so long.
type silence struct {
	net.Conn
	most time.Duration
}

func (s *silence) Read(p []byte) (int, error) {
	if err := s.SetReadDeadline(time.Now().Add(s.most)); err != nil {
		return 0, err
	}
	return s.Conn.Read(p)
}

func (w *wget) head(in *bufio.Reader) (status int, length int64, location *string, chunked bool, err error) {
	length = -1
	for first := true; ; first = false {
		line, err := in.ReadString('\n')
		switch {
		case isTimeout(err):
			return 0, 0, nil, false, wgetProblem("download timed out")
		case err != nil || len(line) > 64<<10:
			return 0, 0, nil, false, wgetProblem("error getting response")
		}
		line = strings.TrimRight(line, "\r\n")
		if w.server {
			w.errorf("  %s\n", line)
		}
		if first {
			_, rest, _ := strings.Cut(line, " ")
			code, _, _ := strings.Cut(rest, " ")
			if status, err = strconv.Atoi(code); err != nil {
				return 0, 0, nil, false, wgetProblem("error getting response")
			}
			if status/100 != 2 && status/100 != 3 {
				return 0, 0, nil, false, wgetProblem("server returned error: " + line)
			}
			continue
		}
		if line == "" {
			return status, length, location, chunked, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
				length = n
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(value, "chunked")
		case "location":
			if status/100 == 3 {
				location = &value
			}
		}
	}
}

func (w *wget) save(u *url.URL, body io.Reader, length int64) error {
	name := w.output
	if name == "" {
		if name = path.Base(u.Path); name == "/" || name == "." {
			name = "index.html"
		}
		if w.folder != "" {
			name = path.Join(w.folder, name)
		}
		if _, err := w.Files.Stat(w.Path(name)); err == nil {
			return wgetProblem(fmt.Sprintf("can't open '%s': File exists", name))
		}
	}
	out := w.Stdout
	if name == "-" {
		w.say("writing to stdout")
	} else {
		file, err := w.OpenFile(name, createFlags, createMode)
		if err != nil {
			return wgetProblem(fmt.Sprintf("can't open '%s': %s", name, reason(err)))
		}
		defer func() { _ = file.Close() }()
		out = file
		w.say("saving to '%s'", name)
	}
	got, err := io.Copy(out, body)
	switch {
	case isTimeout(err):
		return wgetProblem("download timed out")
	case err != nil && !errors.Is(err, io.EOF):
		return wgetProblem("read error: " + reason(err))
	case length > got:
		return wgetProblem("connection closed prematurely")
	}
	label := path.Base(name)
	w.say("%-20.20s 100%% |********************************|%6d  0:00:00 ETA", label, got)
	if name == "-" {
		w.say("written to stdout")
	} else {
		w.say("'%s' saved", name)
	}
	return nil
}
