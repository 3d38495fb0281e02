package diagnose

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"svctour/model"
)

// patched is a fix by a patch of one object, as kubectl patch would send it.
func patched(explain, kind string, m model.Meta, how string, body any) Fix {
	text, err := json.Marshal(body)
	if err != nil {
		return Fix{Explain: explain}
	}
	args := []string{"patch", strings.ToLower(kind), m.Name}
	if m.Namespace != "" {
		args = append(args, "-n", m.Namespace)
	}
	fix := kubectl(explain, append(args, "--type="+how, "-p", string(text))).changing(kind, m)
	fix.Patch = &Patch{Type: how, Body: body}
	return fix
}

// command is a fix by a call of kubectl. The words of format are the call's;
// none is split or joined by what is filled into it.
func command(explain, format string, fill ...any) Fix {
	var args []string
	for _, word := range strings.Fields(format) {
		n := strings.Count(word, "%")
		args = append(args, fmt.Sprintf(word, fill[:n]...))
		fill = fill[n:]
	}
	return kubectl(explain, args)
}

// kubectl is a fix by a call of kubectl with these arguments.
func kubectl(explain string, args []string) Fix {
	words := []string{"kubectl"}
	for _, arg := range args {
		words = append(words, model.ShellWord(arg))
	}
	return Fix{Explain: explain, Command: strings.Join(words, " "), Args: args}
}

// by gives the fix another command with the same effect, as command does.
func (f Fix) by(format string, fill ...any) Fix {
	other := command(f.Explain, format, fill...)
	f.Command, f.Args = other.Command, other.Args
	return f
}

// changing says which one object the fix changes.
func (f Fix) changing(kind string, m model.Meta) Fix {
	f.Target = &model.Ref{Kind: kind, Namespace: m.Namespace, Name: m.Name, UID: m.UID}
	return f
}

// object is a JSON object.
type object = map[string]any

// spec is a patch of an object's spec.
func spec(fields object) object { return object{"spec": fields} }

// number is a port as JSON wants it: a number if it is one.
func number(port string) any {
	if n, err := strconv.Atoi(port); err == nil {
		return n
	}
	return port
}
