package tool

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/afero"

	"svctour/lab/child/process"
)

func cat(c *command) int {
	return c.inputs(c.args, func(_ string, in io.Reader) error {
		buffer := make([]byte, 32<<10)
		for {
			n, err := in.Read(buffer)
			if _, problem := c.Stdout.Write(buffer[:n]); problem != nil {
				return errStop
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

// count reads -n N, -nN and -N of head and tail; from is +N.
func (c *command) count(options string) (lines int64, from bool, status int) {
	args := slices.Clone(c.args)
	for i, arg := range args {
		if len(arg) > 1 && arg[0] == '-' && arg[1] >= '0' && arg[1] <= '9' {
			args[i] = "-n" + arg[1:]
		}
	}
	c.args = args
	if status := c.getopt(options); status != 0 {
		return 0, false, status
	}
	text := "10"
	for _, letter := range []byte("nc") {
		if c.has(letter) {
			text = c.opts[letter]
		}
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(text, "+"), 10, 64)
	if err != nil || n < 0 {
		return 0, false, c.fail("invalid number '%s'", text)
	}
	return n, text[0] == '+', 0
}

func head(c *command) int {
	count, from, status := c.count("n:c:qv")
	if status != 0 || from {
		return max(status, 1)
	}
	first := true
	return c.inputs(c.args, func(name string, in io.Reader) error {
		c.title(name, &first)
		if c.has('c') {
			_, err := io.Copy(c.out, io.LimitReader(in, count))
			return err
		}
		left := count
		if left == 0 {
			return nil
		}
		err := lines(in, func(line string) error {
			c.printf("%s\n", line)
			if left--; left == 0 {
				return io.EOF
			}
			return nil
		})
		if err == io.EOF {
			err = nil
		}
		return err
	})
}

func (c *command) title(name string, first *bool) {
	if len(c.args) > 1 && !c.has('q') {
		c.printf("%s==> %s <==\n", map[bool]string{false: "\n"}[*first], name)
	}
	*first = false
}

func tail(c *command) int {
	count, from, status := c.count("n:fFc:q")
	if status != 0 {
		return status
	}
	first, follow := true, c.has('f') || c.has('F')
	offsets := map[string]int64{}
	status = c.inputs(c.args, func(name string, in io.Reader) error {
		c.title(name, &first)
		text, err := readAll(in)
		if err != nil {
			return err
		}
		offsets[name] = int64(len(text))
		units := strings.SplitAfter(string(text), "\n")
		if units[len(units)-1] == "" {
			units = units[:len(units)-1]
		}
		if c.has('c') {
			units = strings.Split(string(text), "")
		}
		start := max(0, int64(len(units))-count)
		if from {
			start = min(int64(len(units)), max(0, count-1))
		}
		c.printf("%s", strings.Join(units[start:], ""))
		return nil
	})
	delete(offsets, "-")
	if !follow || len(offsets) == 0 && c.Stdin != nil && len(c.args) == 0 {
		return status
	}
	return c.follow(offsets)
}

// follow prints what is appended to files until the command is ended.
func (c *command) follow(offsets map[string]int64) int {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		if c.out.Flush() != nil {
			return 1
		}
		select {
		case <-c.ctx.Done():
			return 0
		case <-ticker.C:
		}
		for name, offset := range offsets {
			info, err := c.Files.Stat(c.Path(name))
			if err != nil || info.Size() == offset {
				continue
			}
			if info.Size() < offset {
				offset = 0
			}
			if file, err := c.Open(name); err == nil {
				if _, err := file.Seek(offset, io.SeekStart); err == nil {
					n, _ := io.Copy(c.out, file)
					offsets[name] = offset + n
				}
				_ = file.Close()
			}
		}
	}
}

// basic turns a POSIX basic regular expression into an extended one: in it the
// backslash makes an operator, not a plain character, of + ? | ( ) { }.
func basic(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == '\\' && i+1 < len(text):
			i++
			if !strings.ContainsRune("+?|(){}", rune(text[i])) {
				out.WriteByte('\\')
			}
			out.WriteByte(text[i])
		case b == '[':
			end := strings.IndexByte(text[min(i+2, len(text)):], ']')
			if end < 0 {
				out.WriteByte(b)
				continue
			}
			out.WriteString(text[i : i+2+end+1])
			i += 2 + end
		case strings.ContainsRune("+?|(){}", rune(b)), b == '*' && i == 0:
			out.WriteString("\\" + string(b))
		default:
			out.WriteByte(b)
		}
	}
	return out.String()
}

var backReference = regexp.MustCompile(`(^|[^\\])(\\\\)*\\[1-9]`)

func compile(text string, extended bool) (*regexp.Regexp, error) {
	if backReference.MatchString(text) {
		return nil, fmt.Errorf("back-references in a pattern are not supported: %q", text)
	}
	if !extended {
		text = basic(text)
	}
	re, err := regexp.Compile(text)
	if err == nil {
		re.Longest() // POSIX: the longest of the leftmost matches
	}
	return re, err
}

func grep(c *command) int {
	pattern, given := c.opts['e']
	if !given {
		if len(c.args) == 0 {
			return c.usage("usage: grep [-EFHhivwxcnolqrs] PATTERN [FILE]...")
		}
		pattern, c.args = c.args[0], c.args[1:]
	}
	var parts []string
	for _, part := range strings.Split(pattern, "\n") {
		switch {
		case c.has('F'):
			part = regexp.QuoteMeta(part)
		case backReference.MatchString(part):
			return c.usage("back-references in a pattern are not supported: %q", part)
		case !c.has('E') && c.name != "egrep":
			part = basic(part)
		}
		parts = append(parts, "(?:"+part+")")
	}
	text := strings.Join(parts, "|")
	if c.has('w') {
		text = `\b(?:` + text + `)\b`
	}
	if c.has('x') {
		text = "^(?:" + text + ")$"
	}
	if c.has('i') {
		text = "(?i)" + text
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return c.usage("bad regex '%s': %v", pattern, err)
	}
	re.Longest()
	names := c.args
	recursive := c.has('r') || c.has('R')
	if recursive {
		names = nil
		for _, root := range slices.Concat(c.args, map[bool][]string{true: {"."}}[len(c.args) == 0]) {
			c.walk(root, func(name string, directory bool) {
				if !directory {
					names = append(names, name)
				}
			})
		}
	}
	label := (len(names) > 1 || recursive || c.has('H')) && !c.has('h')
	found, problem := false, 0
	if !recursive || len(names) > 0 {
		problem = c.inputs(names, func(name string, in io.Reader) error { return c.grepFile(re, name, in, label, &found) })
	}
	switch {
	case found && (c.has('q') || problem == 0):
		return 0
	case problem != 0:
		return 2
	}
	return 1
}

func (c *command) grepFile(re *regexp.Regexp, name string, in io.Reader, label bool, found *bool) error {
	prefix, number, count := "", 0, 0
	if label {
		prefix = map[bool]string{true: "(standard input)", false: name}[name == "-"] + ":"
	}
	err := lines(in, func(line string) error {
		number++
		if re.MatchString(line) == c.has('v') {
			return nil
		}
		count++
		*found = true
		switch {
		case c.has('q'):
			return errStop
		case c.has('c'), c.has('L'):
			return nil
		case c.has('l'):
			c.printf("%s\n", name)
			return io.EOF
		}
		at := prefix
		if c.has('n') {
			at += strconv.Itoa(number) + ":"
		}
		if !c.has('o') {
			c.printf("%s%s\n", at, line)
		} else if !c.has('v') {
			for _, match := range re.FindAllString(line, -1) {
				if match != "" {
					c.printf("%s%s\n", at, match)
				}
			}
		}
		if c.out.Buffered() > 0 && c.Terminal != nil {
			return c.out.Flush()
		}
		return nil
	})
	if c.has('c') {
		c.printf("%s%d\n", prefix, count)
	}
	if c.has('L') && count == 0 {
		c.printf("%s\n", name)
	}
	if err == io.EOF {
		err = nil
	}
	return err
}

// walk calls each for a file or directory and all below it.
func (c *command) walk(root string, each func(name string, directory bool)) int {
	info, err := c.Files.Stat(c.Path(root))
	if err != nil {
		return c.fail("%s: %s", root, process.Message(err))
	}
	each(root, info.IsDir())
	status := 0
	if info.IsDir() {
		below, _ := afero.ReadDir(c.Files, c.Path(root))
		for _, entry := range below {
			if c.ctx.Err() != nil {
				return 1
			}
			name := strings.TrimSuffix(root, "/") + "/" + entry.Name()
			status = max(status, c.walk(name, each))
		}
	}
	return status
}

func (c *command) all() ([]string, int) {
	var all []string
	size := 0
	status := c.inputs(c.args, func(_ string, in io.Reader) error {
		return lines(in, func(line string) error {
			if size += len(line) + 16; size > most {
				return syscall.ENOMEM
			}
			all = append(all, line)
			return nil
		})
	})
	return all, status
}

var leading = regexp.MustCompile(`^[ \t]*-?[0-9]*\.?[0-9]*`)

func number(text string) float64 {
	n, _ := strconv.ParseFloat(strings.TrimSpace(leading.FindString(text)), 64)
	return n
}

func sortLines(c *command) int {
	first, last, numeric, reverse := 0, 0, c.has('n'), c.has('r')
	if key, is := c.opts['k']; is {
		match := regexp.MustCompile(`^([0-9]+)([nr]*)(?:,([0-9]+)([nr]*))?$`).FindStringSubmatch(key)
		if match == nil {
			return c.usage("unsupported key %q", key)
		}
		first, _ = strconv.Atoi(match[1])
		last, _ = strconv.Atoi(match[3])
		flags := match[2] + match[4]
		numeric, reverse = numeric || strings.Contains(flags, "n"), reverse || strings.Contains(flags, "r")
	}
	key := func(line string) string {
		if first == 0 {
			return line
		}
		fields, with := strings.Fields(line), " "
		if separator := c.opts['t']; separator != "" {
			fields, with = strings.Split(line, separator), separator
		}
		if first > len(fields) {
			return ""
		}
		end := len(fields)
		if last > 0 {
			end = max(first-1, min(end, last))
		}
		return strings.Join(fields[first-1:end], with)
	}
	all, status := c.all()
	compare := func(a, b string) int {
		order := 0
		if numeric {
			order = cmp.Compare(number(key(a)), number(key(b)))
		} else {
			order = strings.Compare(key(a), key(b))
		}
		if order == 0 && !c.has('u') {
			order = strings.Compare(a, b)
		}
		if reverse {
			order = -order
		}
		return order
	}
	slices.SortStableFunc(all, compare)
	if c.has('u') {
		all = slices.CompactFunc(all, func(a, b string) bool { return compare(a, b) == 0 })
	}
	for _, line := range all {
		c.printf("%s\n", line)
	}
	return status
}

func uniq(c *command) int {
	all, status := c.all()
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n] == all[i] {
			n++
		}
		if !(c.has('d') && n == 1) && !(c.has('u') && n > 1) {
			if c.has('c') {
				c.printf("%7d ", n)
			}
			c.printf("%s\n", all[i])
		}
		i += n
	}
	return status
}

func wc(c *command) int {
	letters := ""
	for _, letter := range []byte("lwcm") {
		if c.has(letter) {
			letters += string(letter)
		}
	}
	if letters == "" {
		letters = "lwc"
	}
	total := map[rune]int{}
	show := func(counts map[rune]int, name string) {
		var columns []string
		for _, letter := range letters {
			if len(letters) == 1 {
				columns = append(columns, strconv.Itoa(counts[letter]))
			} else {
				columns = append(columns, fmt.Sprintf("%9d", counts[letter]))
			}
		}
		if name != "-" && name != "" {
			columns = append(columns, name)
		}
		c.printf("%s\n", strings.Join(columns, " "))
	}
	status := c.inputs(c.args, func(name string, in io.Reader) error {
		text, err := readAll(in)
		counts := map[rune]int{'l': strings.Count(string(text), "\n"), 'w': len(strings.Fields(string(text))), 'c': len(text), 'm': len([]rune(string(text)))}
		for letter, n := range counts {
			total[letter] += n
		}
		show(counts, name)
		return err
	})
	if len(c.args) > 1 {
		show(total, "total")
	}
	return status
}

// ranges are cut's lists, as 1,3-5,7-.
func ranges(text string) ([][2]int, error) {
	var list [][2]int
	for _, part := range strings.Split(text, ",") {
		from, to, dash := strings.Cut(part, "-")
		if !dash {
			to = from
		}
		a, errA := strconv.Atoi(cmp.Or(from, "1"))
		b, errB := strconv.Atoi(cmp.Or(to, "1000000000"))
		if errA != nil || errB != nil || a < 1 || b < a || part == "-" || part == "" {
			return nil, fmt.Errorf("invalid range %q", text)
		}
		list = append(list, [2]int{a, b})
	}
	return list, nil
}

func cut(c *command) int {
	list, by := c.opts['f'], cmp.Or(c.opts['d'], "\t")
	if c.has('c') {
		list, by = c.opts['c'], ""
	}
	wanted, err := ranges(list)
	if err != nil {
		return c.fail("%v", err)
	}
	return c.inputs(c.args, func(_ string, in io.Reader) error {
		return lines(in, func(line string) error {
			if by != "" && !strings.Contains(line, by) {
				if !c.has('s') {
					c.printf("%s\n", line)
				}
				return nil
			}
			var picked []string
			for i, field := range strings.Split(line, by) {
				if slices.ContainsFunc(wanted, func(r [2]int) bool { return r[0] <= i+1 && i+1 <= r[1] }) {
					picked = append(picked, field)
				}
			}
			c.printf("%s\n", strings.Join(picked, by))
			return nil
		})
	})
}

func basename(c *command) int {
	if len(c.args) == 0 {
		return c.usage("missing operand")
	}
	name := path.Base(c.args[0])
	if len(c.args) > 1 && name != c.args[1] {
		name = strings.TrimSuffix(name, c.args[1])
	}
	c.printf("%s\n", name)
	return 0
}
