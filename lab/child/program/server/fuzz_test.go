package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// deaf is a network where nothing can be listened to.
type deaf struct{ process.Network }

func (deaf) Listen(context.Context, string, string) (net.Listener, error) {
	return nil, net.ErrClosed
}
func (deaf) ListenPacket(context.Context, string, string) (net.PacketConn, error) {
	return nil, net.ErrClosed
}
func (deaf) DialContext(context.Context, string, string) (net.Conn, error) {
	return nil, net.ErrClosed
}
func (deaf) Interfaces() []process.Interface { return nil }

// FuzzNginx reads configurations and answers a request by them.
func FuzzNginx(f *testing.F) {
	for _, text := range []string{
		NginxConfig, "include /etc/nginx/nginx.conf;", "http { include /etc/nginx/*; }", "http { server { listen 80; location = /a { return 200 \"x\"; } } }",
		"server { listen [::]:80; location ~ x { } }", "include a", "include;", "server { listen", "\"\\", "'", "http {}}", "server { return; }", "server { return 99999; } ", "server { return -1 x; }",
		"server { location / { alias /x; index; add_header A; add_header Content-Type; } }", "server { location /a/ { alias; } location { } }", strings.Repeat("a {", 2000), "include [;",
	} {
		f.Add(text, "/a/../b")
	}
	f.Fuzz(func(t *testing.T, text, target string) {
		files := process.NewFiles(nil)
		for _, name := range []string{"/etc/nginx/nginx.conf", "/usr/share/nginx/html/index.html"} {
			if err := files.MkdirAll(path.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := afero.WriteFile(files, name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		n := &nginx{process: &process.Process{Files: files, Machine: &process.Machine{}, Stdout: io.Discard, Stderr: io.Discard}}
		if n.load() != nil {
			return
		}
		for _, s := range n.sites {
			request := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/" + target}, Header: http.Header{}, Host: "x", Proto: "HTTP/1.1"}
			n.answer(s, httptest.NewRecorder(), request)
		}
	})
}

// FuzzServers starts every server with arguments, separated by newlines.
func FuzzServers(f *testing.F) {
	servers := []process.Main{Nginx, Agnhost, HTTPEcho, Whoami, Python, Httpd, HelloApp("1.0.0"), Pause, Entrypoint}
	for i, arguments := range []string{
		"-g\ndaemon off;", "netexec\n--http-port\n-1", "-listen\n:x\n-text", "--port\nx", "-m\nhttp.server\n99999", "-p\n:x\n-h", "", "", "nginx\n-t",
	} {
		f.Add(uint8(i), arguments)
	}
	f.Add(uint8(1), "serve-hostname\n--port=99999999999999999999")
	f.Add(uint8(1), "connect")
	f.Add(uint8(1), "dns-suffix")
	f.Fuzz(func(t *testing.T, which uint8, arguments string) {
		errs := &journal{}
		p := &process.Process{
			Args: append([]string{"server"}, strings.Split(arguments, "\n")...), Dir: "/", Files: process.NewFiles(nil), Net: deaf{},
			Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: errs,
			Machine: &process.Machine{Hostname: "web", Table: process.NewTable(), Programs: func(string) process.Main { return nil }},
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		p.Machine.Table.Run(ctx, servers[int(which)%len(servers)], p)
		if strings.Contains(errs.String(), ": panic: ") {
			t.Errorf("%q: %s", p.Args, errs)
		}
	})
}
