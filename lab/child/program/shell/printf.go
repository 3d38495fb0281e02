package shell

import (
	"strconv"
	"strings"
)

// precise does what the interpreter's printf does not know: it cuts the
// arguments of %s that has a precision, and takes that out of the format.
// Options of printf and a format that is none stay as they are.
func precise(args []string) []string {
	if len(args) < 3 || !strings.Contains(args[1], ".") {
		return args
	}
	format, cuts, found := withoutPrecision(args[1])
	if !found {
		return args
	}
	out := append([]string{args[0], format}, args[2:]...)
	for i := range out[2:] {
		if cut := cuts[i%len(cuts)]; cut >= 0 && len(out[2+i]) > cut {
			out[2+i] = out[2+i][:cut]
		}
	}
	return out
}

// withoutPrecision takes the precisions of %s out of a format. cuts are those of
// all its conversions in order, -1 for one without.
func withoutPrecision(format string) (plain string, cuts []int, found bool) {
	var out strings.Builder
	for i := 0; i < len(format); i++ {
		out.WriteByte(format[i])
		if format[i] != '%' || i+1 == len(format) {
			continue
		}
		if format[i+1] == '%' {
			i++
			out.WriteByte('%')
			continue
		}
		rest := format[i+1:]
		width := rest[:len(rest)-len(strings.TrimLeft(rest, "-+ #0123456789"))]
		rest, cut := rest[len(width):], -1
		digits := ""
		if after, has := strings.CutPrefix(rest, "."); has {
			digits = after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
			if strings.HasPrefix(after[len(digits):], "s") {
				cut, _ = strconv.Atoi("0" + digits)
				i += 1 + len(digits)
				found = true
			}
		}
		out.WriteString(width)
		i += len(width)
		cuts = append(cuts, cut)
	}
	return out.String(), cuts, found
}
