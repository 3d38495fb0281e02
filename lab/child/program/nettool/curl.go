package nettool

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

const curlVersion = "8.14.1"

const curlHelp = `Usage: curl [options...] <url>
 -d, --data <data>           HTTP POST data
 -f, --fail                  Fail fast with no output on HTTP errors
 -h, --help <subject>        Get help for commands
 -o, --output <file>         Write to file instead of stdout
 -O, --remote-name           Write output to file named as remote file
 -i, --show-headers          Show response headers in output
 -s, --silent                Silent mode
 -T, --upload-file <file>    Transfer local FILE to destination
 -u, --user <user:password>  Server user and password
 -A, --user-agent <name>     Send User-Agent <name> to server
 -v, --verbose               Make the operation more talkative
 -V, --version               Show version number and quit

This is not the full help; this menu is split into categories.
Use "--help category" to get an overview of all categories.
For all options use the manual or "--help all".
`

// curlOptions are those that the lab's curl knows. What it would do anyway, as
// -4 in a network without IPv6, is taken and done.
const curlOptions = `s,silent S,show-error v,verbose i,include show-headers I,head o:,output: O,remote-name w:,write-out: m:,max-time: max-filesize:
connect-timeout: resolve: connect-to: H:,header: d:,data: data-raw: data-binary: data-urlencode: data-ascii: json: X:,request: L,location max-redirs: k,insecure
u:,user: A:,user-agent: e:,referer: f,fail fail-with-body retry: retry-delay: retry-max-time: retry-connrefused retry-all-errors 4,ipv4 6,ipv6 G,get
T:,upload-file: http1.1 0,http1.0 N,no-buffer h,help V,version url: cacert: no-progress-meter #,progress-bar q,disable
no-keepalive compressed interface: noproxy: x:,proxy: b:,cookie: g,globoff path-as-is`

// curlConfig is a command line.
type curlConfig struct {
	*command
	has      map[string]bool
	value    map[string]string
	headers  []string
	data     []string
	hasData  bool
	urls     []string
	outputs  []string // of the URLs in order; "" is the URL's own name
	resolve  map[string]string
	connect  []string // --connect-to
	max      time.Duration
	toFirst  time.Duration // --connect-timeout
	retries  int
	most     int64 // --max-filesize; 0: no limit
	conns    map[string]*curlConn
	count    int // of connections so far
	resolver *Resolver
}

// curlError is an exit status and what curl says about it.
type curlError struct {
	code int
	text string
}

func (e *curlError) Error() string { return e.text }

func curlErrorf(code int, format string, values ...any) *curlError {
	return &curlError{code, fmt.Sprintf(format, values...)}
}

func curl(c *command) int {
	f := &curlConfig{command: c, has: map[string]bool{}, value: map[string]string{}, resolve: map[string]string{}, conns: map[string]*curlConn{}}
	defer func() {
		for _, conn := range f.conns {
			_ = conn.Close()
		}
	}()
	if status, done := f.parse(); done {
		return status
	}
	f.resolver = NewResolver(c.Process)
	status := 0
	for i, target := range f.urls {
		if err := f.fetchWithRetries(i, target); err != nil {
			status = err.code
			if (!f.has["silent"] || f.has["show-error"]) && err.text != "" {
				c.errorf("curl: (%d) %s\n", err.code, err.text)
			}
		}
		if c.ctx.Err() != nil {
			break
		}
	}
	return status
}

func (f *curlConfig) usage(format string, values ...any) (int, bool) {
	if format != "" {
		f.errorf("curl: "+format+"\n", values...)
	}
	f.errorf("curl: try 'curl --help' or 'curl --manual' for more information\n")
	return 2, true
}

// parse reads the command line; done is the end of the program.
func (f *curlConfig) parse() (status int, done bool) {
	opts, rest, bad := getopt(f.args, curlOptions)
	if bad != nil {
		if bad.missing {
			return f.usage("option %s: requires parameter", bad.given)
		}
		return f.usage("option %s: is unknown", bad.given)
	}
	for _, o := range opts {
		f.has[o.name], f.value[o.name] = true, o.value
		if status, done := f.option(o); done {
			return status, done
		}
	}
	f.urls = append(f.urls, rest...)
	if len(f.urls) == 0 {
		return f.usage("(2) no URL specified")
	}
	if f.has["show-headers"] {
		f.has["include"] = true
	}
	if f.has["json"] {
		f.headers = append(f.headers, "Content-Type: application/json", "Accept: application/json")
	}
	return 0, false
}

func (f *curlConfig) option(o option) (status int, done bool) {
	number := func(into *time.Duration) (int, bool) {
		value, ok := seconds(o.value)
		if !ok {
			return f.usage("option %s: expected a proper numerical parameter", f.given(o.name))
		}
		*into = value
		return 0, false
	}
	switch o.name {
	case "help":
		f.printf("%s", curlHelp)
		return 0, true
	case "version":
		f.printf("curl %s (x86_64-pc-linux-musl) libcurl/%s\nRelease-Date: 2025-06-04\nProtocols: http https\nFeatures: Largefile SSL\n", curlVersion, curlVersion)
		return 0, true
	case "max-time":
		return number(&f.max)
	case "connect-timeout":
		return number(&f.toFirst)
	case "retry-delay", "retry-max-time":
		var ignored time.Duration
		return number(&ignored)
	case "retry", "max-redirs", "max-filesize":
		n, err := strconv.Atoi(o.value)
		if err != nil {
			return f.usage("option %s: expected a proper numerical parameter", f.given(o.name))
		}
		switch o.name {
		case "retry":
			f.retries = n
		case "max-filesize":
			f.most = int64(n)
		}
	case "header":
		f.headers = append(f.headers, o.value)
	case "url":
		f.urls = append(f.urls, o.value)
	case "output":
		f.outputs = append(f.outputs, o.value)
	case "remote-name":
		f.outputs = append(f.outputs, "")
	case "connect-to":
		f.connect = append(f.connect, o.value)
	case "resolve":
		parts := strings.SplitN(strings.TrimPrefix(o.value, "+"), ":", 3)
		if len(parts) < 3 {
			f.errorf("curl: (49) Couldn't parse CURLOPT_RESOLVE entry '%s'\n", o.value)
			return 49, true
		}
		f.resolve[parts[0]+":"+parts[1]] = parts[2]
	case "data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json":
		return f.addData(o)
	case "proxy", "interface":
		f.errorf("curl: (2) option --%s is not supported in the lab\n", o.name)
		return 2, true
	}
	return 0, false
}

// given is how an option was written on the command line.
func (f *curlConfig) given(name string) string {
	for _, arg := range f.args {
		if arg == "--"+name || strings.HasPrefix(arg, "--"+name+"=") {
			return "--" + name
		}
	}
	if name == "max-time" {
		return "-m"
	}
	return "--" + name
}

func (f *curlConfig) addData(o option) (status int, done bool) {
	text := o.value
	read := func(name string) (string, bool) {
		content, err := f.readFile(name)
		if err != nil {
			f.errorf("curl: option %s: error encountered when reading a file\n", "--"+o.name)
			return "", false
		}
		return string(content), true
	}
	ok := true
	switch name, file := strings.CutPrefix(text, "@"); {
	case o.name == "data-urlencode":
		key, value, is := strings.Cut(text, "=")
		switch {
		case is && key != "":
			text = key + "=" + url.QueryEscape(value)
		case is:
			text = url.QueryEscape(value)
		default:
			text = url.QueryEscape(text)
		}
		text = strings.ReplaceAll(text, "+", "%20")
	case !file || o.name == "data-raw":
	case o.name == "data-binary" || o.name == "json":
		text, ok = read(name)
	default:
		if text, ok = read(name); ok {
			text = strings.NewReplacer("\r", "", "\n", "", "\x00", "").Replace(text)
		}
	}
	if !ok {
		return 26, true
	}
	f.data, f.hasData = append(f.data, text), true
	return 0, false
}

// fetchWithRetries fetches one URL, again while its failure may pass.
func (f *curlConfig) fetchWithRetries(index int, target string) *curlError {
	wait := time.Second
	if delay, ok := seconds(f.value["retry-delay"]); ok && delay > 0 {
		wait = delay
	}
	began := time.Now()
	for left := f.retries; ; left-- {
		t := &curlTransfer{curlConfig: f, url: target, began: time.Now(), quiet: left > 0}
		err := t.run(index)
		why := f.transient(t, err)
		most, _ := seconds(f.value["retry-max-time"])
		if why == "" || left == 0 || most > 0 && time.Since(began) > most {
			t.writeOut(err)
			return err
		}
		if !f.has["silent"] || f.has["show-error"] {
			plural := "s"
			if wait == time.Second {
				plural = ""
			}
			tries := "retries"
			if left == 1 {
				tries = "retry"
			}
			if !f.has["silent"] {
				f.errorf("Warning: Problem: %s. Will retry in %d second%s. %d %s left.\n", why, int(wait.Seconds()), plural, left, tries)
			}
		}
		if !f.pause(wait) {
			return err
		}
		if !f.has["retry-delay"] {
			wait = min(2*wait, 10*time.Minute)
		}
	}
}

// transient says why a failure may pass, "" if it will not (curl's
// tool_operate.c: time-outs, and answers 408, 429, 500, 502, 503 and 504).
func (f *curlConfig) transient(t *curlTransfer, err *curlError) string {
	if f.ctx.Err() != nil {
		return ""
	}
	code := 0
	if err != nil {
		code = err.code
	}
	switch {
	case code == 28:
		return "timeout"
	case code == 7 && f.has["retry-connrefused"]:
		return "connection refused"
	case (code == 0 || code == 22) && (t.status == 408 || t.status == 429 || t.status == 500 || t.status == 502 || t.status == 503 || t.status == 504):
		return "HTTP error"
	case code != 0 && f.has["retry-all-errors"]:
		return "(retrying all errors)"
	}
	return ""
}

// open is where the answer to the URL of an index goes.
func (f *curlConfig) open(index int, u *url.URL) (io.Writer, func(), *curlError) {
	if index >= len(f.outputs) || f.outputs[index] == "-" {
		return f.Stdout, func() {}, nil
	}
	name := f.outputs[index]
	if name == "" {
		if name = path.Base(u.Path); name == "/" || name == "." {
			return nil, nil, curlErrorf(23, "Remote filename has no length")
		}
	}
	if name == "/dev/null" {
		return io.Discard, func() {}, nil
	}
	file, err := f.OpenFile(name, createFlags, createMode)
	if err != nil {
		f.errorf("Warning: Failed to open the file %s: %s\n", name, reason(err))
		return nil, nil, curlErrorf(23, "client returned ERROR on write, %d bytes was not written", 0)
	}
	return file, func() { _ = file.Close() }, nil
}

// target is where to connect for a host and port, by --connect-to.
func (f *curlConfig) target(host, port string) (string, string) {
	for _, rule := range f.connect {
		parts := strings.SplitN(rule, ":", 4)
		if len(parts) != 4 || parts[0] != "" && parts[0] != host || parts[1] != "" && parts[1] != port {
			continue
		}
		if parts[2] != "" {
			host = parts[2]
		}
		if parts[3] != "" {
			port = parts[3]
		}
		break
	}
	return host, port
}

func hostPort(a net.Addr) (host, port string) {
	if a == nil {
		return "", "-1"
	}
	host, port, _ = net.SplitHostPort(a.String())
	return host, port
}
