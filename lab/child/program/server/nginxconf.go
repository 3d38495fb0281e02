package server

import (
	"fmt"
	"net"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

// nginx is a running nginx with its configuration.
type nginx struct {
	process *process.Process
	sites   []*site

	including int // how many files are read within each other
}

// site is a server block.
type site struct {
	listen    []string
	names     []string
	locations []*location
	own       location // what locations inherit
}

// location is a location block.
type location struct {
	prefix  string
	exact   bool
	root    string
	alias   string
	index   []string
	status  int // of return
	text    string
	kind    string // default_type
	stub    bool   // stub_status
	headers [][2]string
}

// location is the one for a path: an exact one, else the longest prefix.
func (s *site) location(name string) *location {
	var best *location
	for _, l := range s.locations {
		switch {
		case l.exact && l.prefix == name:
			return l
		case !l.exact && strings.HasPrefix(name, l.prefix) && (best == nil || len(l.prefix) > len(best.prefix)):
			best = l
		}
	}
	if best == nil {
		return &s.own
	}
	return best
}

// load reads the configuration: /etc/nginx/nginx.conf if there is one, else
// every server of /etc/nginx/conf.d.
func (n *nginx) load() error {
	files := n.process.Files
	if text, err := afero.ReadFile(files, "/etc/nginx/nginx.conf"); err == nil {
		return n.read("/etc/nginx/nginx.conf", string(text))
	}
	return n.include("/etc/nginx/conf.d/*.conf")
}

// maxIncludes is how many files may include each other: nginx keeps them open,
// and so a file that includes itself is an error there too.
const maxIncludes = 100

// maxBlocks is how many blocks may lie within each other.
const maxBlocks = 100

func (n *nginx) include(pattern string) error {
	if n.including++; n.including > maxIncludes {
		return fmt.Errorf("open() %q failed (24: Too many open files)", pattern)
	}
	defer func() { n.including-- }()
	if !path.IsAbs(pattern) {
		pattern = path.Join("/etc/nginx", pattern)
	}
	names, err := afero.Glob(n.process.Files, pattern)
	if err != nil {
		return fmt.Errorf("open() %q failed", pattern)
	}
	for _, name := range names {
		text, err := afero.ReadFile(n.process.Files, name)
		if err != nil {
			return fmt.Errorf("open() %q failed (2: No such file or directory)", name)
		}
		if err := n.read(name, string(text)); err != nil {
			return err
		}
	}
	return nil
}

// directive is one line of a configuration, or a block of them.
type directive struct {
	words []string
	line  int
	block []directive
}

// read takes one file of the configuration.
func (n *nginx) read(name, text string) error {
	tokens := split(text)
	at := 0
	list, err := parseBlock(tokens, &at, name, 0)
	if err != nil {
		return err
	}
	return n.apply(name, list)
}

func (n *nginx) apply(file string, list []directive) error {
	for _, d := range list {
		switch d.words[0] {
		case "http", "events":
			if err := n.apply(file, d.block); err != nil {
				return err
			}
		case "include":
			if strings.HasSuffix(d.words[len(d.words)-1], "mime.types") {
				continue
			}
			if err := n.include(d.words[len(d.words)-1]); err != nil {
				return err
			}
		case "server":
			s, err := newSite(file, d.block)
			if err != nil {
				return err
			}
			n.sites = append(n.sites, s)
		case "user", "worker_processes", "error_log", "pid", "worker_connections", "default_type", "log_format", "access_log", "sendfile", "tcp_nopush", "keepalive_timeout", "gzip", "types", "server_tokens":
		default:
			return fmt.Errorf("unknown directive %q in %s:%d", d.words[0], file, d.line)
		}
	}
	return nil
}

func newSite(file string, block []directive) (*site, error) {
	s := &site{own: location{prefix: "/", root: "/etc/nginx/html", index: []string{"index.html"}}}
	var locations []directive
	for _, d := range block {
		switch d.words[0] {
		case "listen":
			if len(d.words) < 2 {
				return nil, fmt.Errorf("invalid number of arguments in \"listen\" directive in %s:%d", file, d.line)
			}
			if address, ok := listenAddress(d.words[1]); ok {
				s.listen = append(s.listen, address)
			}
		case "server_name":
			s.names = append(s.names, d.words[1:]...)
		case "location":
			locations = append(locations, d)
		case "error_page", "access_log", "error_log", "charset", "client_max_body_size", "server_tokens", "keepalive_timeout":
		default:
			if err := s.own.set(file, d); err != nil {
				return nil, err
			}
		}
	}
	if len(s.listen) == 0 {
		s.listen = []string{":80"}
	}
	for _, d := range locations {
		l := s.own
		l.headers = append([][2]string(nil), s.own.headers...)
		words := d.words[1:]
		if len(words) == 2 && (words[0] == "=" || words[0] == "^~") {
			l.exact = words[0] == "="
			words = words[1:]
		}
		if len(words) != 1 || strings.HasPrefix(words[0], "~") {
			return nil, fmt.Errorf("the lab's nginx knows locations by prefix and by \"=\" only, in %s:%d", file, d.line)
		}
		l.prefix = words[0]
		for _, inner := range d.block {
			if err := l.set(file, inner); err != nil {
				return nil, err
			}
		}
		s.locations = append(s.locations, &l)
	}
	return s, nil
}

// listenAddress is what a listen directive names; false for IPv6, which the lab
// has not.
func listenAddress(text string) (string, bool) {
	if strings.HasPrefix(text, "[") {
		return "", false
	}
	if _, err := strconv.Atoi(text); err == nil {
		return ":" + text, true
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return net.JoinHostPort(text, "80"), true
	}
	if host == "*" {
		host = ""
	}
	return net.JoinHostPort(host, port), true
}

// set takes a directive that a server or a location may have.
func (l *location) set(file string, d directive) error {
	words := d.words[1:]
	value := strings.Join(words, " ")
	switch d.words[0] {
	case "root":
		l.root, l.alias = value, ""
	case "alias":
		l.alias = value
	case "index":
		l.index = words
	case "default_type":
		l.kind = value
	case "add_header":
		if len(words) >= 2 {
			if strings.EqualFold(words[0], "Content-Type") {
				l.kind = words[1]
			} else {
				l.headers = append(l.headers, [2]string{words[0], words[1]})
			}
		}
	case "return":
		if len(words) == 0 {
			return fmt.Errorf("invalid number of arguments in \"return\" directive in %s:%d", file, d.line)
		}
		status, err := strconv.Atoi(words[0])
		if err != nil { // an URL
			l.status, l.text = 302, words[0]
			return nil
		}
		if status < 100 || status > 999 {
			return fmt.Errorf("invalid return code %q in %s:%d", words[0], file, d.line)
		}
		l.status, l.text = status, strings.Join(words[1:], " ")
	case "stub_status":
		l.stub = true
	case "access_log", "error_log", "expires", "allow", "deny", "autoindex", "charset", "etag":
	default:
		return fmt.Errorf("unknown directive %q in %s:%d", d.words[0], file, d.line)
	}
	return nil
}

type token struct {
	text   string
	line   int
	quoted bool
}

// split takes a configuration apart into words and the signs { } ;.
func split(text string) []token {
	var out []token
	line := 1
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\n':
			line++
			i++
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case c == '{' || c == '}' || c == ';':
			out = append(out, token{string(c), line, false})
			i++
		case c == '"' || c == '\'':
			var b strings.Builder
			i++
			for i < len(text) && text[i] != c {
				if text[i] == '\\' && i+1 < len(text) {
					i++
					switch text[i] {
					case 'n':
						b.WriteByte('\n')
					case 't':
						b.WriteByte('\t')
					default:
						b.WriteByte(text[i])
					}
				} else {
					b.WriteByte(text[i])
				}
				if text[i] == '\n' {
					line++
				}
				i++
			}
			i++
			out = append(out, token{b.String(), line, true})
		default:
			start := i
			for i < len(text) && !strings.ContainsRune(" \t\r\n{};", rune(text[i])) {
				i++
			}
			out = append(out, token{text[start:i], line, false})
		}
	}
	return out
}

// parseBlock takes a block apart that lies within depth others.
func parseBlock(tokens []token, at *int, file string, depth int) ([]directive, error) {
	var out []directive
	var words []string
	line, top := 1, depth == 0
	for *at < len(tokens) {
		t := tokens[*at]
		line = t.line
		*at++
		switch {
		case !t.quoted && t.text == ";":
			if len(words) == 0 {
				return nil, fmt.Errorf("unexpected \";\" in %s:%d", file, t.line)
			}
			out = append(out, directive{words: words, line: t.line})
			words = nil
		case !t.quoted && t.text == "{":
			if len(words) == 0 || depth >= maxBlocks {
				return nil, fmt.Errorf("unexpected \"{\" in %s:%d", file, t.line)
			}
			block, err := parseBlock(tokens, at, file, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, directive{words: words, line: t.line, block: block})
			words = nil
		case !t.quoted && t.text == "}":
			if top || len(words) > 0 {
				return nil, fmt.Errorf("unexpected \"}\" in %s:%d", file, t.line)
			}
			return out, nil
		default:
			words = append(words, t.text)
		}
	}
	if !top || len(words) > 0 {
		return nil, fmt.Errorf("unexpected end of file, expecting \";\" or \"}\" in %s:%d", file, line)
	}
	return out, nil
}
