package tool

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// inShell runs what is a builtin of sh too, as test and printf are.
func inShell(c *command) int {
	return c.child(c.ctx, append([]string{"sh", "-c", `"$0" "$@"`, c.name}, c.args...), nil, nil)
}

var classes = strings.NewReplacer("[:lower:]", "a-z", "[:upper:]", "A-Z", "[:digit:]", "0-9", "[:space:]", " \t-\r", "[:alpha:]", "A-Za-z", "[:alnum:]", "0-9A-Za-z",
	`\n`, "\n", `\t`, "\t", `\r`, "\r", `\\`, `\`)

// set is a set of tr, spelt out.
func set(text string) []byte {
	text = classes.Replace(text)
	var all []byte
	for i := 0; i < len(text); i++ {
		if i+2 < len(text) && text[i+1] == '-' && text[i+2] >= text[i] {
			for b := int(text[i]); b <= int(text[i+2]); b++ {
				all = append(all, byte(b))
			}
			i += 2
			continue
		}
		all = append(all, text[i])
	}
	return all
}

func tr(c *command) int {
	if len(c.args) == 0 || len(c.args) > 2 || len(c.args) == 1 && !c.has('d') && !c.has('s') || c.has('d') && c.has('s') {
		return c.usage("usage: tr [-cds] STRING1 [STRING2]")
	}
	var from, squeezed [256]bool
	first := set(c.args[0])
	for _, b := range first {
		from[b] = true
	}
	for i := range from {
		from[i] = from[i] != c.has('c')
	}
	var to [256]byte
	for i := range to {
		to[i] = byte(i)
	}
	last := first
	if len(c.args) == 2 && !c.has('d') {
		if last = set(c.args[1]); len(last) == 0 {
			return c.fail("STRING2 cannot be empty")
		}
		if c.has('c') {
			for i := range to {
				if from[i] {
					to[i] = last[len(last)-1]
				}
			}
		} else {
			for i, b := range first {
				to[b] = last[min(i, len(last)-1)]
			}
		}
	}
	for _, b := range last {
		squeezed[b] = c.has('s')
	}
	before := -1
	return c.inputs(nil, func(_ string, in io.Reader) error {
		buffer := make([]byte, 4096)
		for {
			n, err := in.Read(buffer)
			for _, b := range buffer[:n] {
				if c.has('d') && from[b] {
					continue
				}
				if b = to[b]; squeezed[b] && before == int(b) {
					continue
				}
				before = int(b)
				_ = c.out.WriteByte(b)
			}
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
}

// edit is one command of sed: ADDRESS p, ADDRESS d or ADDRESS s/RE/TEXT/gp.
type edit struct {
	line          int // 0: any, -1: the last
	match, re     *regexp.Regexp
	verb          byte
	with          string
	global, print bool
}

var address = regexp.MustCompile(`^(?:([0-9]+)|(\$)|/((?:[^/\\]|\\.)*)/)?\s*`)

func parseEdit(text string, extended bool) (e edit, err error) {
	found := address.FindStringSubmatch(text)
	rest := text[len(found[0]):]
	e.line, _ = strconv.Atoi(found[1])
	if found[2] != "" {
		e.line = -1
	}
	if strings.HasPrefix(text, "/") {
		if e.match, err = compile(strings.ReplaceAll(found[3], `\/`, "/"), extended); err != nil || found[3] == "" {
			return e, fmt.Errorf("unsupported pattern in %q", text)
		}
	}
	if rest == "p" || rest == "d" {
		e.verb = rest[0]
		return e, nil
	}
	if len(rest) < 4 || rest[0] != 's' {
		return e, fmt.Errorf("unsupported command: %q", text)
	}
	e.verb = 's'
	var parts []string
	part := ""
	for i := 2; i < len(rest); i++ {
		switch {
		case len(parts) < 2 && rest[i] == '\\' && i+1 < len(rest):
			if i++; rest[i] != rest[1] {
				part += `\`
			}
			part += string(rest[i])
		case len(parts) < 2 && rest[i] == rest[1]:
			parts, part = append(parts, part), ""
		default:
			part += string(rest[i])
		}
	}
	if len(parts) != 2 || strings.Trim(part, "gp") != "" || parts[0] == "" {
		return e, fmt.Errorf("unsupported command: %q", text)
	}
	e.global, e.print = strings.Contains(part, "g"), strings.Contains(part, "p")
	if e.re, err = compile(parts[0], extended); err != nil {
		return e, err
	}
	for i := 0; i < len(parts[1]); i++ {
		switch b := parts[1][i]; {
		case b == '&':
			e.with += "${0}"
		case b == '$':
			e.with += "$$"
		case b == '\\' && i+1 < len(parts[1]):
			if i++; parts[1][i] >= '0' && parts[1][i] <= '9' {
				e.with += "${" + string(parts[1][i]) + "}"
			} else if parts[1][i] == 'n' {
				e.with += "\n"
			} else {
				e.with += string(parts[1][i])
			}
		default:
			e.with += string(b)
		}
	}
	return e, nil
}

func (e *edit) replace(line string) (string, bool) {
	if e.global {
		return e.re.ReplaceAllString(line, e.with), e.re.MatchString(line)
	}
	at := e.re.FindStringSubmatchIndex(line)
	if at == nil {
		return line, false
	}
	return line[:at[0]] + string(e.re.ExpandString(nil, e.with, line, at)) + line[at[1]:], true
}

func sed(c *command) int {
	script, given := c.opts['e']
	if !given {
		if len(c.args) == 0 {
			return c.usage("usage: sed [-nEr] SCRIPT [FILE]...")
		}
		script, c.args = c.args[0], c.args[1:]
	}
	var edits []edit
	for _, one := range strings.Split(script, "\n") {
		e, err := parseEdit(strings.TrimSpace(one), c.has('E') || c.has('r'))
		if err != nil {
			return c.fail("%v", err)
		}
		edits = append(edits, e)
	}
	all, status := c.all()
	for i, line := range all {
		deleted := false
		for _, e := range edits {
			if e.line > 0 && e.line != i+1 || e.line < 0 && i+1 != len(all) || e.match != nil && !e.match.MatchString(line) {
				continue
			}
			if deleted = e.verb == 'd'; deleted {
				break
			}
			done := e.verb == 'p'
			if e.verb == 's' {
				line, done = e.replace(line)
				done = done && e.print
			}
			if done {
				c.printf("%s\n", line)
			}
		}
		if !deleted && !c.has('n') {
			c.printf("%s\n", line)
		}
	}
	return status
}
