package server

import (
	"context"
	"fmt"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// NginxVersion is the version that nginx says it is.
const NginxVersion = "1.27.5"

// NginxPage is the page of a fresh nginx, docs/html/index.html of its source.
const NginxPage = `<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
`

// NginxConfig is the server that the official image has in
// /etc/nginx/conf.d/default.conf.
const NginxConfig = `server {
    listen       80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
`

// Entrypoint is docker-entrypoint.sh of the official image: it says what it
// does, then runs its arguments.
func Entrypoint(ctx context.Context, p *process.Process) int {
	if len(p.Args) < 2 {
		return 0
	}
	if p.Args[1] == "nginx" {
		fmt.Fprint(p.Stdout, "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration\n"+
			"/docker-entrypoint.sh: Looking for shell scripts in /docker-entrypoint.d/\n"+
			"/docker-entrypoint.sh: Configuration complete; ready for start up\n")
	}
	return replaced(ctx, p, p.Args[1:])
}

// replaced runs another program in place of this one, as exec does.
func replaced(ctx context.Context, p *process.Process, line []string) int {
	_, main, err := process.LookPath(p, line[0])
	if err != nil {
		fmt.Fprintf(p.Stderr, "%s: exec: line 1: %s: not found\n", p.Args[0], line[0])
		return 127
	}
	next := *p
	next.Args = line
	p.Machine.Table.Become(p.PID, line)
	return main(ctx, &next)
}

// Nginx serves what its configuration says.
func Nginx(ctx context.Context, p *process.Process) int {
	for _, arg := range p.Args[1:] {
		switch arg {
		case "-v", "-V":
			fmt.Fprintf(p.Stderr, "nginx version: nginx/%s\n", NginxVersion)
			return 0
		}
	}
	n := &nginx{process: p}
	if err := n.load(); err != nil {
		fmt.Fprintf(p.Stderr, "%s [emerg] 1#1: %v\nnginx: [emerg] %v\n", n.stamp(), err, err)
		return 1
	}
	for _, arg := range p.Args[1:] {
		if arg == "-t" {
			fmt.Fprint(p.Stderr, "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\nnginx: configuration file /etc/nginx/nginx.conf test is successful\n")
			return 0
		}
	}
	fmt.Fprintf(p.Stderr, "%s [notice] 1#1: using the \"epoll\" event method\n%s [notice] 1#1: nginx/%s\n%s [notice] 1#1: start worker processes\n", n.stamp(), n.stamp(), NginxVersion, n.stamp())
	return n.run(ctx)
}

// stamp is the time as nginx's error log has it.
func (n *nginx) stamp() string { return time.Now().UTC().Format("2006/01/02 15:04:05") }

// run listens on every port of the configuration, then serves them all.
func (n *nginx) run(ctx context.Context) int {
	ports := map[string][]*site{}
	var order []string
	for _, s := range n.sites {
		for _, address := range s.listen {
			if ports[address] == nil {
				order = append(order, address)
			}
			ports[address] = append(ports[address], s)
		}
	}
	var listeners []net.Listener
	for _, address := range order {
		listener, err := n.process.Net.Listen(ctx, "tcp", address)
		if err != nil {
			fmt.Fprintf(n.process.Stderr, "%s [emerg] 1#1: bind() to %s failed (98: Address already in use)\n", n.stamp(), address)
			for _, l := range listeners {
				l.Close()
			}
			return 1
		}
		listeners = append(listeners, listener)
	}
	handlers := map[string]http.Handler{}
	for i, address := range order {
		handlers[listeners[i].Addr().String()] = n.handler(ports[address])
	}
	return serveOn(ctx, n.process, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers[listenerOf(r)].ServeHTTP(w, r)
	}), listeners...)
}

// handler answers for the sites of one port, and logs in the combined format.
func (n *nginx) handler(sites []*site) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "nginx/"+NginxVersion)
		record := &recorder{ResponseWriter: w}
		chosen := sites[0]
		host, _, _ := strings.Cut(r.Host, ":")
		for _, s := range sites {
			for _, name := range s.names {
				if name == host {
					chosen = s
				}
			}
		}
		n.answer(chosen, record, r)
		dash := func(text string) string {
			if text == "" {
				return "-"
			}
			return text
		}
		fmt.Fprintf(n.process.Stdout, "%s - - [%s] \"%s %s %s\" %d %d \"%s\" \"%s\" \"%s\"\n", peer(r), time.Now().UTC().Format("02/Jan/2006:15:04:05 -0700"),
			r.Method, r.RequestURI, r.Proto, record.status, record.size, dash(r.Referer()), dash(r.UserAgent()), dash(r.Header.Get("X-Forwarded-For")))
	})
}

// answer answers one request by its location.
func (n *nginx) answer(s *site, w http.ResponseWriter, r *http.Request) {
	l := s.location(r.URL.Path)
	for _, header := range l.headers {
		w.Header().Add(header[0], header[1])
	}
	switch {
	case l.status != 0:
		kind := l.kind
		if kind == "" {
			kind = "application/octet-stream"
		}
		text := expandVariables(l.text, n.process, r)
		if l.status >= 300 && l.status < 400 {
			w.Header().Set("Location", text)
			page(w, l.status)
			return
		}
		if text == "" && l.status >= 400 {
			page(w, l.status)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(l.status)
		fmt.Fprint(w, text)
	case l.stub:
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "Active connections: 1 \n")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		page(w, http.StatusMethodNotAllowed)
	default:
		n.file(l, w, r)
	}
}

// file answers with a file below the location's root.
func (n *nginx) file(l *location, w http.ResponseWriter, r *http.Request) {
	name := path.Join(l.root, path.Clean("/"+r.URL.Path))
	if l.alias != "" {
		name = path.Join(l.alias, path.Clean("/"+strings.TrimPrefix(r.URL.Path, l.prefix)))
	}
	info, err := n.process.Files.Stat(name)
	if err == nil && info.IsDir() {
		if !strings.HasSuffix(r.URL.Path, "/") {
			w.Header().Set("Location", "http://"+r.Host+r.URL.Path+"/")
			page(w, http.StatusMovedPermanently)
			return
		}
		found := ""
		for _, index := range l.index {
			if _, err := n.process.Files.Stat(path.Join(name, index)); err == nil {
				found = path.Join(name, index)
				break
			}
		}
		if found == "" {
			fmt.Fprintf(n.process.Stderr, "%s [error] 29#29: *1 directory index of \"%s/\" is forbidden, client: %s, server: localhost, request: \"%s %s %s\", host: \"%s\"\n",
				n.stamp(), name, peer(r), r.Method, r.RequestURI, r.Proto, r.Host)
			page(w, http.StatusForbidden)
			return
		}
		name = found
		info, err = n.process.Files.Stat(name)
	}
	if err != nil {
		fmt.Fprintf(n.process.Stderr, "%s [error] 29#29: *1 open() %q failed (2: No such file or directory), client: %s, server: localhost, request: \"%s %s %s\", host: %q\n",
			n.stamp(), name, peer(r), r.Method, r.RequestURI, r.Proto, r.Host)
		page(w, http.StatusNotFound)
		return
	}
	data, err := afero.ReadFile(n.process.Files, name)
	if err != nil {
		page(w, http.StatusForbidden)
		return
	}
	send(w, r, name, info, data)
}

func send(w http.ResponseWriter, r *http.Request, name string, info fs.FileInfo, data []byte) {
	kind, _, _ := strings.Cut(mime.TypeByExtension(path.Ext(name)), ";")
	if path.Ext(name) == ".html" || path.Ext(name) == ".htm" {
		kind = "text/html"
	}
	if kind == "" {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.Header().Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	w.Header().Set("ETag", fmt.Sprintf("\"%x-%x\"", info.ModTime().Unix(), len(data)))
	w.Header().Set("Accept-Ranges", "bytes")
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(data)
	}
}

// page is nginx's own page of a status.
func page(w http.ResponseWriter, status int) {
	text := http.StatusText(status)
	if status == http.StatusMethodNotAllowed {
		text = "Not Allowed"
	}
	body := fmt.Sprintf("<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n<hr><center>nginx/%s</center>\r\n</body>\r\n</html>\r\n", status, text, status, text, NginxVersion)
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

// expandVariables replaces the variables of nginx that answers are made of.
func expandVariables(text string, p *process.Process, r *http.Request) string {
	return strings.NewReplacer(
		"$hostname", p.Machine.Hostname, "$remote_addr", peer(r), "$request_uri", r.RequestURI, "$uri", r.URL.Path, "$host", r.Host,
		"$server_addr", "", "$http_user_agent", r.UserAgent(), "$request_method", r.Method,
	).Replace(text)
}

// NginxErrorPage is docs/html/50x.html of its source.
const NginxErrorPage = `<!DOCTYPE html>
<html>
<head>
<title>Error</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>An error occurred.</h1>
<p>Sorry, the page you are looking for is currently unavailable.<br/>
Please try again later.</p>
<p>If you are the system administrator of this resource then you should check
the error log for details.</p>
<p><em>Faithfully yours, nginx.</em></p>
</body>
</html>
`
