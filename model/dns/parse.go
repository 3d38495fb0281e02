package dns

import (
	"strings"

	"svctour/model"
)

// ParseResolvConf reads a resolv.conf as a C library does; the evidence is
// Observed. What it does not understand it leaves out, as they do
// (resolv.conf(5); glibc 2.36 resolv/res_init.c; musl 1.2.3
// src/network/resolvconf.c).
//
// Both take the last search or domain line and the first three nameservers.
// glibc has no limit for search domains since 2.26. musl ignores lines of 256
// bytes and more, and reads only ndots, attempts and timeout of the options.
func ParseResolvConf(text string, libc Libc) ResolvConf {
	conf := ResolvConf{Nameservers: []string{}, Search: []string{}, Options: []string{}, Evidence: model.Observed}
	for line := range strings.Lines(text) {
		if libc == Musl && len(line) > muslLine {
			continue
		}
		line = strings.TrimRight(line, "\n")
		at := strings.IndexAny(line, " \t")
		if at < 0 {
			continue
		}
		key, words := line[:at], strings.FieldsFunc(line[at:], space)
		switch {
		case len(words) == 0:
		case key == "nameserver" && len(conf.Nameservers) < maxNameservers:
			conf.Nameservers = append(conf.Nameservers, words[0])
		case key == "search":
			conf.Search = words
		case key == "domain":
			conf.Search = words[:1]
			if libc == Musl {
				conf.Search = words
			}
		case key == "options":
			read := map[string]bool{} // musl takes the first of a name on a line
			for _, word := range words {
				name, _, _ := strings.Cut(word, ":")
				if libc != Musl || !read[name] {
					conf.Options = append(conf.Options, word)
				}
				read[name] = true
			}
		}
	}
	return conf
}

// muslLine is how much of a line musl reads: 255 bytes with the line's end.
const muslLine = 255

func space(r rune) bool { return strings.ContainsRune(" \t\r\v\f", r) }

// String is the file as kubelet writes it (pkg/kubelet/network/dns/dns.go,
// formDNSConfigFitsLimits, and the runtimes' resolv.conf).
func (c ResolvConf) String() string {
	var b strings.Builder
	if len(c.Search) > 0 {
		b.WriteString("search " + strings.Join(c.Search, " ") + "\n")
	}
	for _, server := range c.Nameservers {
		b.WriteString("nameserver " + server + "\n")
	}
	if len(c.Options) > 0 {
		b.WriteString("options " + strings.Join(c.Options, " ") + "\n")
	}
	return b.String()
}
