package server

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// Python runs python3 -m http.server, all that the lab has of Python.
func Python(ctx context.Context, p *process.Process) int {
	if len(p.Args) < 3 || p.Args[1] != "-m" || p.Args[2] != "http.server" {
		if len(p.Args) == 2 && (p.Args[1] == "--version" || p.Args[1] == "-V") {
			fmt.Fprintln(p.Stdout, "Python 3.12.11")
			return 0
		}
		fmt.Fprintf(p.Stderr, "%s: the lab's image has \"-m http.server\" and nothing else of Python\n", p.Args[0])
		return 1
	}
	number, bind, folder := "8000", "0.0.0.0", p.Dir
	for i := 3; i < len(p.Args); i++ {
		switch arg := p.Args[i]; {
		case (arg == "--bind" || arg == "-b" || arg == "--directory" || arg == "-d") && i+1 < len(p.Args):
			i++
			if strings.Contains(arg, "b") {
				bind = p.Args[i]
			} else {
				folder = p.Path(p.Args[i])
			}
		case !strings.HasPrefix(arg, "-"):
			number = arg
		default:
			fmt.Fprintf(p.Stderr, "server.py: error: unrecognized arguments: %s\n", arg)
			return 2
		}
	}
	fmt.Fprintf(p.Stdout, "Serving HTTP on %s port %s (http://%s:%s/) ...\n", bind, number, bind, number)
	return serve(ctx, p, "http.server", bind+":"+number, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "SimpleHTTP/0.6 Python/3.12.11")
		record := &recorder{ResponseWriter: w}
		folders(record, r, p.Files, folder, "Directory listing for ")
		fmt.Fprintf(p.Stderr, "%s - - [%s] \"%s %s %s\" %d -\n", peer(r), time.Now().Format("02/Jan/2006 15:04:05"), r.Method, r.RequestURI, r.Proto, record.status)
	}))
}

// Httpd is busybox' httpd: in the foreground with -f, else it would leave its
// container, which ends with it.
func Httpd(ctx context.Context, p *process.Process) int {
	address, folder, foreground := ":80", p.Dir, false
	for i := 1; i < len(p.Args); i++ {
		switch arg := p.Args[i]; arg {
		case "-f":
			foreground = true
		case "-v", "-vv", "-i":
		case "-p", "-h", "-u", "-c", "-r":
			if i++; i >= len(p.Args) {
				fmt.Fprintf(p.Stderr, "httpd: option requires an argument -- '%s'\n", arg[1:])
				return 1
			}
			switch arg {
			case "-p":
				address = p.Args[i]
				if _, err := strconv.Atoi(address); err == nil {
					address = ":" + address
				}
			case "-h":
				folder = p.Path(p.Args[i])
			}
		default:
			fmt.Fprintf(p.Stderr, "httpd: unrecognized option: %s\n", arg)
			return 1
		}
	}
	if !foreground {
		fmt.Fprintln(p.Stderr, "httpd: the lab's httpd runs in the foreground only: use -f")
		return 1
	}
	return serve(ctx, p, "httpd: bind", address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		folders(w, r, p.Files, folder, "")
	}))
}

// folders answers with files below a folder, with its index.html, or with a
// list of what is in it if title is given.
func folders(w http.ResponseWriter, r *http.Request, files afero.Fs, folder, title string) {
	name := path.Join(folder, path.Clean("/"+r.URL.Path))
	info, err := files.Stat(name)
	if err == nil && info.IsDir() {
		if data, err := afero.ReadFile(files, path.Join(name, "index.html")); err == nil {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(data)
			return
		}
		entries, err := afero.ReadDir(files, name)
		if title == "" || err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!DOCTYPE HTML>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>%s%s</title>\n</head>\n<body>\n<h1>%s%s</h1>\n<hr>\n<ul>\n",
			title, html.EscapeString(r.URL.Path), title, html.EscapeString(r.URL.Path))
		for _, entry := range entries {
			text := html.EscapeString(entry.Name())
			if entry.IsDir() {
				text += "/"
			}
			fmt.Fprintf(w, "<li><a href=\"%s\">%s</a></li>\n", text, text)
		}
		fmt.Fprint(w, "</ul>\n<hr>\n</body>\n</html>\n")
		return
	}
	data, err := afero.ReadFile(files, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	send(w, r, name, info, data)
}
