package nettool

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const createFlags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC

// curlConn is a connection that may serve several requests.
type curlConn struct {
	net.Conn
	reader *bufio.Reader
	number int
}

// curlTransfer is the fetching of one URL, with its redirections.
type curlTransfer struct {
	*curlConfig
	url   string
	quiet bool // a failure is tried again

	began                               time.Time
	resolved, connected, secured, first time.Duration
	took                                time.Duration
	status, redirects, opened           int
	uploaded, downloaded, headerBytes   int64
	contentType, redirectURL, effective string
	method                              string
	local, remote                       net.Addr
	out                                 io.Writer
	outName                             bool // out is not the standard output
	shown                               bool // the progress meter's head
}

func (t *curlTransfer) since() time.Duration { return time.Since(t.began) }

// note is a line of -v.
func (t *curlTransfer) note(mark, format string, values ...any) {
	if t.has["verbose"] {
		t.errorf(mark+" "+format+"\n", values...)
	}
}

// parseURL reads a URL as curl does: without a scheme it is http.
func parseURL(text string) (*url.URL, *curlError) {
	if strings.ContainsAny(text, " \t\r\n") {
		return nil, curlErrorf(3, "URL rejected: Malformed input to a URL function")
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		if strings.Contains(err.Error(), "port") {
			return nil, curlErrorf(3, "URL rejected: Port number was not a decimal number between 0 and 65535")
		}
		return nil, curlErrorf(3, "URL rejected: Malformed input to a URL function")
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return nil, curlErrorf(1, `Protocol "%s" not supported`, u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, curlErrorf(3, "URL rejected: No host part in the URL")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n > 65535 {
			return nil, curlErrorf(3, "URL rejected: Port number was not a decimal number between 0 and 65535")
		}
	}
	return u, nil
}

func (t *curlTransfer) run(index int) *curlError {
	u, problem := parseURL(t.url)
	if problem != nil {
		return problem
	}
	ctx, cancel := t.ctx, func() {}
	if t.max > 0 {
		ctx, cancel = context.WithTimeout(ctx, t.max)
	}
	defer cancel()
	out, end, problem := t.open(index, u)
	if problem != nil {
		return problem
	}
	defer end()
	t.out, t.outName = out, index < len(t.outputs) && t.outputs[index] != "-"
	t.progress(false)
	t.method = t.firstMethod()
	most := 50
	if n, err := strconv.Atoi(t.value["max-redirs"]); err == nil {
		most = n
	}
	for {
		t.effective = u.String()
		if u.Path == "" && u.RawQuery == "" {
			t.effective += "/"
		}
		next, problem := t.request(ctx, u)
		t.took = t.since()
		if problem != nil {
			t.progress(true)
			return problem
		}
		if next == nil {
			break
		}
		if t.redirects++; most >= 0 && t.redirects > most {
			return curlErrorf(47, "Maximum (%d) redirects followed", most)
		}
		t.note("*", "Issue another request to this URL: '%s'", next)
		u = next
	}
	t.progress(true)
	if t.status >= 400 && (t.has["fail"] || t.has["fail-with-body"]) {
		return curlErrorf(22, "The requested URL returned error: %d", t.status)
	}
	return nil
}

func (t *curlTransfer) firstMethod() string {
	switch {
	case t.has["request"]:
		return t.value["request"]
	case t.has["head"]:
		return "HEAD"
	case t.has["upload-file"]:
		return "PUT"
	case t.hasData && !t.has["get"]:
		return "POST"
	}
	return "GET"
}

// failed is what a transport error means to curl at a stage of the transfer.
func (t *curlTransfer) failed(ctx context.Context, err error, got int64, want int64) *curlError {
	if isTimeout(err) || ctx.Err() != nil {
		if want > 0 {
			return curlErrorf(28, "Operation timed out after %d milliseconds with %d out of %d bytes received", t.since().Milliseconds(), got, want)
		}
		return curlErrorf(28, "Operation timed out after %d milliseconds with %d bytes received", t.since().Milliseconds(), got)
	}
	return curlErrorf(56, "Recv failure: %s", reason(err))
}

// request sends one request and gives its answer out; next is where -L leads.
func (t *curlTransfer) request(ctx context.Context, u *url.URL) (next *url.URL, problem *curlError) {
	body, problem := t.body()
	if problem != nil {
		return nil, problem
	}
	head := t.head(u, body)
	var conn *curlConn
	for reused := true; ; {
		if conn, reused, problem = t.connection(ctx, u); problem != nil {
			return nil, problem
		}
		stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		defer stop()
		for line := range strings.SplitSeq(strings.TrimSuffix(head, "\r\n"), "\r\n") {
			t.note(">", "%s", line)
		}
		_, err := io.WriteString(conn, head+body)
		t.uploaded += int64(len(body))
		if err == nil {
			if body != "" {
				t.note("}", "[%d bytes data]", len(body))
				t.note("*", "upload completely sent off: %d bytes", len(body))
			} else {
				t.note("*", "Request completely sent off")
			}
			_, err = conn.reader.Peek(1)
		}
		if err == nil {
			break
		}
		t.drop(u, conn)
		switch {
		case reused && ctx.Err() == nil && !isTimeout(err):
			t.note("*", "Connection died, retrying a fresh connect (retry count: 1)")
		case errors.Is(err, io.EOF):
			t.note("*", "Empty reply from server")
			return nil, curlErrorf(52, "Empty reply from server")
		default:
			return nil, t.failed(ctx, err, 0, 0)
		}
	}
	t.first = t.since()
	answer, problem := t.readHead(ctx, conn)
	if problem != nil {
		t.drop(u, conn)
		return nil, problem
	}
	if answer.location != "" {
		if to, err := u.Parse(answer.location); err == nil {
			t.redirectURL = to.String()
			if t.has["location"] {
				next = to
			}
		}
	}
	if next != nil && t.status != 307 && t.status != 308 && !t.has["request"] && t.method == "POST" {
		t.method, t.hasData = "GET", false
	}
	problem = t.readBody(ctx, conn, answer, next != nil)
	if problem != nil || answer.close {
		t.drop(u, conn)
	} else {
		t.note("*", "Connection #%d to host %s left intact", conn.number, u.Hostname())
	}
	return next, problem
}

func (t *curlTransfer) drop(u *url.URL, conn *curlConn) {
	_ = conn.Close()
	delete(t.conns, u.Scheme+"://"+u.Host)
	t.note("*", "shutting down connection #%d", conn.number)
}

func (t *curlTransfer) body() (string, *curlError) {
	switch {
	case t.has["upload-file"]:
		content, err := t.readFile(t.value["upload-file"])
		if err != nil {
			return "", curlErrorf(26, "Can't open '%s'", t.value["upload-file"])
		}
		return string(content), nil
	case t.hasData && !t.has["get"]:
		return strings.Join(t.data, "&"), nil
	}
	return "", nil
}

// head is the request line and the header fields.
func (t *curlTransfer) head(u *url.URL, body string) string {
	target := u.EscapedPath()
	if target == "" {
		target = "/"
	}
	query := u.RawQuery
	if t.has["get"] && t.hasData {
		if query != "" {
			query += "&"
		}
		query += strings.Join(t.data, "&")
	}
	if query != "" {
		target += "?" + query
	}
	version := "HTTP/1.1"
	if t.has["http1.0"] {
		version = "HTTP/1.0"
	}
	agent := "curl/" + curlVersion
	if t.has["user-agent"] {
		agent = t.value["user-agent"]
	}
	host := u.Host
	if standard := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; strings.HasSuffix(host, standard) {
		host = strings.TrimSuffix(host, standard)
	}
	fields := [][2]string{{"Host", host}}
	add := func(name, value string) { fields = append(fields, [2]string{name, value}) }
	switch {
	case t.has["user"]:
		add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(t.value["user"])))
	case u.User != nil:
		password, _ := u.User.Password()
		add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	if agent != "" {
		add("User-Agent", agent)
	}
	add("Accept", "*/*")
	if t.has["referer"] {
		add("Referer", t.value["referer"])
	}
	if t.has["cookie"] {
		add("Cookie", t.value["cookie"])
	}
	if body != "" || t.hasData && !t.has["get"] || t.has["upload-file"] {
		add("Content-Length", strconv.Itoa(len(body)))
		if !t.has["upload-file"] {
			add("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	for _, given := range t.headers {
		name, value, colon := strings.Cut(given, ":")
		value = strings.TrimSpace(value)
		at := len(fields)
		for i, field := range fields {
			if strings.EqualFold(field[0], name) {
				at = i
			}
		}
		switch {
		case colon && value == "" && at < len(fields):
			fields = append(fields[:at], fields[at+1:]...)
		case !colon && strings.HasSuffix(name, ";"):
			add(strings.TrimSuffix(name, ";"), "")
		case value == "":
		case at < len(fields):
			fields[at] = [2]string{name, value}
		default:
			add(name, value)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", t.method, target, version)
	for _, field := range fields {
		fmt.Fprintf(&b, "%s: %s\r\n", field[0], field[1])
	}
	return b.String() + "\r\n"
}

// connection is one to the URL's host, perhaps one that was used before.
func (t *curlTransfer) connection(ctx context.Context, u *url.URL) (*curlConn, bool, *curlError) {
	key := u.Scheme + "://" + u.Host
	if conn := t.conns[key]; conn != nil {
		t.note("*", "Re-using existing %s: connection with host %s", u.Scheme, u.Hostname())
		t.local, t.remote = conn.LocalAddr(), conn.RemoteAddr()
		return conn, true, nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if t.toFirst > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.toFirst)
		defer cancel()
	}
	raw, problem := t.dial(ctx, u.Hostname(), port)
	if problem != nil {
		return nil, false, problem
	}
	t.local, t.remote = raw.LocalAddr(), raw.RemoteAddr()
	if u.Scheme == "https" {
		if raw, problem = t.secure(ctx, raw, u.Hostname()); problem != nil {
			return nil, false, problem
		}
	}
	t.note("*", "using HTTP/1.x")
	conn := &curlConn{Conn: raw, reader: bufio.NewReaderSize(raw, 16<<10), number: t.count}
	t.count++
	t.opened++
	t.conns[key] = conn
	return conn, false, nil
}

func (t *curlTransfer) dial(ctx context.Context, name, number string) (net.Conn, *curlError) {
	host, port := t.target(name, number)
	addresses, problem := t.lookUp(ctx, host, port)
	t.resolved = t.since()
	if problem != nil {
		return nil, problem
	}
	var err error
	for _, address := range addresses {
		to := net.JoinHostPort(address.String(), port)
		t.note("*", "  Trying %s...", to)
		var conn net.Conn
		if conn, err = t.Net.DialContext(ctx, "tcp", to); err == nil {
			t.connected = t.since()
			t.note("*", "Connected to %s (%s) port %s", host, address, port)
			return conn, nil
		}
		if ctx.Err() != nil {
			break
		}
		t.note("*", "connect to %s port %s failed: %s", address, port, reason(err))
	}
	took := t.since().Milliseconds()
	if ctx.Err() != nil || isTimeout(err) {
		if t.toFirst == 0 || t.max > 0 && t.max <= t.toFirst {
			return nil, curlErrorf(28, "Connection timed out after %d milliseconds", took)
		}
		return nil, curlErrorf(28, "Failed to connect to %s port %s after %d ms: Timeout was reached", host, port, took)
	}
	problem = curlErrorf(7, "Failed to connect to %s port %s after %d ms: Could not connect to server", host, port, took)
	t.note("*", "%s", problem.text)
	t.note("*", "closing connection #%d", t.count)
	return nil, problem
}

func (t *curlTransfer) lookUp(ctx context.Context, host, port string) ([]netip.Addr, *curlError) {
	if address, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{address}, nil
	}
	given := t.curlConfig.resolve[host+":"+port]
	if given == "" {
		given = t.curlConfig.resolve["*:"+port]
	}
	var addresses []netip.Addr
	if given != "" {
		for text := range strings.SplitSeq(given, ",") {
			if address, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
				addresses = append(addresses, address)
			}
		}
	} else {
		var err error
		addresses, err = t.resolver.Addresses(ctx, host)
		switch {
		case err == nil && !t.has["ipv6"]:
		case ctx.Err() != nil, t.max > 0 && t.since() >= t.max: // the resolver's reads may end a moment earlier
			return nil, curlErrorf(28, "Resolving timed out after %d milliseconds", t.since().Milliseconds())
		default:
			t.note("*", "Could not resolve host: %s", host)
			t.note("*", "shutting down connection #%d", t.count)
			return nil, curlErrorf(6, "Could not resolve host: %s", host)
		}
	}
	var list []string
	for _, address := range addresses {
		list = append(list, address.String())
	}
	t.note("*", "Host %s:%s was resolved.", host, port)
	t.note("*", "IPv6: (none)")
	t.note("*", "IPv4: %s", strings.Join(list, ", "))
	return addresses, nil
}

const curlNotTrusted = `SSL certificate problem: %s
More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the webpage mentioned above.`

func (t *curlTransfer) secure(ctx context.Context, raw net.Conn, host string) (net.Conn, *curlError) {
	config := &tls.Config{ServerName: host, InsecureSkipVerify: t.has["insecure"], NextProtos: []string{"http/1.1"}, RootCAs: x509.NewCertPool()} //nolint:gosec // -k asks for it
	name := t.value["cacert"]
	if name == "" {
		name = "/etc/ssl/certs/ca-certificates.crt"
	}
	text, err := t.readFile(name)
	if (err != nil || !config.RootCAs.AppendCertsFromPEM(text)) && t.has["cacert"] {
		_ = raw.Close()
		return nil, curlErrorf(77, "error adding trust anchors from file: %s", name)
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		var unknown x509.UnknownAuthorityError
		var invalid x509.CertificateInvalidError
		var wrong x509.HostnameError
		var record tls.RecordHeaderError
		switch {
		case errors.As(err, &unknown):
			return nil, curlErrorf(60, curlNotTrusted, "unable to get local issuer certificate")
		case errors.As(err, &invalid):
			return nil, curlErrorf(60, curlNotTrusted, "certificate has expired")
		case errors.As(err, &wrong):
			return nil, curlErrorf(60, "SSL: no alternative certificate subject name matches target host name '%s'", host)
		case errors.As(err, &record):
			return nil, curlErrorf(35, "TLS connect error: error:0A0000C6:SSL routines::packet length too long")
		case ctx.Err() != nil || isTimeout(err):
			return nil, curlErrorf(28, "SSL connection timeout")
		case errors.Is(err, syscall.ECONNRESET):
			return nil, curlErrorf(35, "Recv failure: Connection reset by peer")
		}
		return nil, curlErrorf(35, "TLS connect error: %s", err)
	}
	t.secured = t.since()
	state := conn.ConnectionState()
	t.note("*", "SSL connection using %s / %s", strings.Replace(tls.VersionName(state.Version), " ", "v", 1), tls.CipherSuiteName(state.CipherSuite))
	return conn, nil
}

// curlAnswer is what a header says about the body after it.
type curlAnswer struct {
	length   int64 // -1: until the end
	chunked  bool
	close    bool
	location string
}

// readHead reads the header of the answer, and gives it out if asked.
func (t *curlTransfer) readHead(ctx context.Context, conn *curlConn) (*curlAnswer, *curlError) {
	a := &curlAnswer{length: -1}
	for first := true; ; first = false {
		line, err := conn.reader.ReadString('\n')
		if err != nil {
			return nil, t.failed(ctx, err, 0, 0)
		}
		if t.headerBytes += int64(len(line)); t.headerBytes > 300<<10 {
			return nil, curlErrorf(56, "Too large response headers: %d > %d", t.headerBytes, 300<<10)
		}
		bare := strings.TrimRight(line, "\r\n")
		if first {
			version, rest, _ := strings.Cut(bare, " ")
			code, _, _ := strings.Cut(rest, " ")
			status, err := strconv.Atoi(code)
			if !strings.HasPrefix(version, "HTTP/1.") || err != nil {
				return nil, curlErrorf(1, "Received HTTP/0.9 when not allowed")
			}
			if t.status = status; version == "HTTP/1.0" {
				t.note("*", "HTTP 1.0, assume close after body")
				a.close = true
			}
		}
		t.note("<", "%s", bare)
		if t.has["include"] || t.has["head"] {
			_, _ = io.WriteString(t.out, line)
		}
		if bare == "" {
			break
		}
		name, value, _ := strings.Cut(bare, ":")
		t.field(a, strings.ToLower(name), strings.TrimSpace(value))
	}
	switch {
	case t.status/100 == 1:
		return t.readHead(ctx, conn)
	case t.method == "HEAD" || t.status == 204 || t.status == 304:
		a.length, a.chunked = 0, false
	case a.length < 0 && !a.chunked:
		a.close = true
	}
	if t.status < 300 || t.status > 399 {
		a.location = ""
	}
	return a, nil
}

func (t *curlTransfer) field(a *curlAnswer, name, value string) {
	switch name {
	case "content-length":
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
			a.length = n
		}
	case "transfer-encoding":
		a.chunked = strings.EqualFold(value, "chunked")
	case "connection":
		a.close = strings.EqualFold(value, "close") || a.close && !strings.EqualFold(value, "keep-alive")
	case "location":
		a.location = value
	case "content-type":
		t.contentType = value
	}
}
