package editor

import (
	"regexp"
	"strings"
)

// versions are the kinds that a person may write here, each with its API
// version. They serve hints alone: the guard before kubectl decides.
var versions = map[string]string{
	"Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1",
	"Pod": "v1", "Service": "v1", "ConfigMap": "v1", "Secret": "v1", "Endpoints": "v1",
	"EndpointSlice": "discovery.k8s.io/v1", "Job": "batch/v1", "NetworkPolicy": "networking.k8s.io/v1",
}

// kindHint says what may be meant by a kind, or by its version, that is not known.
func kindHint(kind, version string) string {
	if right := versions[kind]; right != "" && right != version {
		return "A " + kind + " has apiVersion: " + right
	}
	names := make([]string, 0, len(versions))
	for name := range versions {
		names = append(names, name)
	}
	if near := nearest(kind, names); near != "" {
		return "Did you mean " + near + "?"
	}
	return ""
}

// ask is a question about the fields that an object has at a path.
type ask struct {
	kind, version, path string
	field               string // that was written instead of one of them
}

// Ask gives the kubectl command, without "kubectl", that tells which fields
// there are where the problem is an unknown one; nil for another problem.
func (p *Problem) Ask() []string {
	if p.ask == nil || p.ask.kind == "" || p.ask.version == "" {
		return nil
	}
	what := strings.ToLower(p.ask.kind)
	if p.ask.path != "" {
		what += "." + p.ask.path
	}
	return []string{"explain", what, "--api-version=" + p.ask.version}
}

// Suggest says which of the fields that there are may be meant.
func (p *Problem) Suggest(fields []string) {
	if p.ask == nil || p.Hint != "" {
		return
	}
	if near := nearest(p.ask.field, fields); near != "" {
		p.Hint = "Did you mean " + near + "?"
	}
}

// explained is a field in what kubectl explain prints: two blanks, its name, a
// tab and its type (k8s.io/kubectl/pkg/explain/v2/templates/plaintext.tmpl).
var explained = regexp.MustCompile(`(?m)^  (\S+)\t<`)

// Fields gives the names of the fields that kubectl explain has printed.
func Fields(printed string) []string {
	_, list, found := strings.Cut(printed, "\nFIELDS:")
	if !found {
		return nil
	}
	var names []string
	for _, match := range explained.FindAllStringSubmatch(list, -1) {
		names = append(names, match[1])
	}
	return names
}

// nearest gives the word that a person most likely meant to write; "" when none
// is near. Of two that are equally near it gives the first in the alphabet.
func nearest(word string, among []string) string {
	best, least := "", 1+max(1, len(word)/3)
	for _, other := range among {
		d := distance(strings.ToLower(word), strings.ToLower(other))
		if d < least || d == least && best != "" && other < best {
			best, least = other, d
		}
	}
	return best
}

// distance is how many letters have to be put in, left out, exchanged, or swapped
// with their neighbour, to make b of a (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(x)][len(y)]
}
