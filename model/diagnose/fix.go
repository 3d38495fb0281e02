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
	return Fix{
		Explain: explain,
		Command: fmt.Sprintf("kubectl patch %s %s%s --type=%s -p %s", strings.ToLower(kind), word(m.Name), namespaceFlag(m.Namespace), how, quote(string(text))),
		Patch:   &Patch{Type: how, Body: body},
		Target:  &model.Ref{Kind: kind, Namespace: m.Namespace, Name: m.Name, UID: m.UID},
	}
}

// command is a fix by a command; each text among args is one word of it.
func command(explain, format string, args ...any) Fix {
	for i := range args {
		if text, is := args[i].(string); is {
			args[i] = word(text)
		}
	}
	return Fix{Explain: explain, Command: fmt.Sprintf(format, args...)}
}

func namespaceFlag(namespace string) string {
	if namespace == "" {
		return ""
	}
	return " -n " + word(namespace)
}

// word is a text as one word for a shell, quoted if it has to be: names come
// from files, too, and those may hold anything.
func word(text string) string {
	for _, r := range text {
		if !strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/=,", r) {
			return quote(text)
		}
	}
	if text == "" {
		return quote(text)
	}
	return text
}

// quote makes one word of a text for a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

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
