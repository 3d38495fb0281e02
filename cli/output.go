package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"svctour/model"
)

// apiVersion is the version of every document that -o json and -o yaml print.
const apiVersion = "svctour/v1alpha1"

// say tells the person something on stderr that is no part of the output.
func (g *globals) say(format string, args ...any) {
	fmt.Fprintln(g.Err, model.Printable("svctour: "+fmt.Sprintf(format, args...)))
}

// checkOutput refuses an unknown -o before anything is done.
func checkOutput(format string) error {
	switch format {
	case "text", "json", "yaml":
		return nil
	}
	return usageError(fmt.Errorf("output format %q: want text, json or yaml", format))
}

// writeDocument prints value, a struct, as a JSON or YAML document that begins
// with apiVersion and kind.
func writeDocument(w io.Writer, format, kind string, value any) error {
	var fields bytes.Buffer
	encoder := json.NewEncoder(&fields)
	encoder.SetEscapeHTML(false) // rules hold "->"
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("encode a %s: %w", kind, err)
	}
	document := fmt.Sprintf(`{"apiVersion":%q,"kind":%q,%s`, apiVersion, kind, bytes.TrimPrefix(fields.Bytes(), []byte("{")))
	if format == "yaml" {
		out, err := yaml.JSONToYAML([]byte(escapeJSON(document)))
		if err != nil {
			return fmt.Errorf("encode a %s: %w", kind, err)
		}
		_, err = fmt.Fprintln(w, strings.TrimSuffix(printableLines(string(out)), "\n"))
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(document), "", "  "); err != nil {
		return fmt.Errorf("encode a %s: %w", kind, err)
	}
	_, err := fmt.Fprintln(w, strings.TrimSuffix(escapeJSON(pretty.String()), "\n"))
	return err
}

// escapeJSON writes what a terminal would act on (C1 controls, bidirectional
// overrides) as \u escapes: the same JSON, and harmless to look at. Such
// characters can stand inside JSON strings only.
func escapeJSON(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r > 0x7e && model.Printable(string(r)) != string(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
