package kubectl

import (
	"maps"
	"slices"
	"strings"

	"svctour/model"
)

// unknown refuses words that are no command, and says what may be meant by them.
func unknown(words []string) error {
	first := words[0]
	if parts := partsOf(first); len(parts) > 0 {
		if len(words) > 1 {
			if near := nearest(words[1], parts); near != "" {
				return refuse("there is no %q: did you mean %q?", "kubectl "+first+" "+words[1], "kubectl "+first+" "+near)
			}
		}
		return refuse("%q needs one of %s right behind it; for another use a terminal of your own", "kubectl "+first, strings.Join(parts, ", "))
	}
	if near := nearest(first, firstWords()); near != "" {
		return refuse("kubectl has no command %q: did you mean %q?", first, near)
	}
	return refuse("svctour knows no command %q of kubectl. It runs kubectl here and no shell: use a terminal of your own for it", first)
}

// firstWords are what the commands begin with that the guard knows.
func firstWords() []string {
	first := map[string]bool{}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(verbs)), slices.Collect(maps.Keys(others))) {
		word, _, _ := strings.Cut(name, " ")
		first[word] = true
	}
	return slices.Sorted(maps.Keys(first))
}

// partsOf gives the commands that are let through and begin with a word that is
// none by itself: of "rollout" there are "restart", "undo" and others.
func partsOf(first string) []string {
	parts := map[string]bool{}
	for name := range verbs {
		if before, after, found := strings.Cut(name, " "); found && before == first {
			word, _, _ := strings.Cut(after, " ")
			parts[word] = true
		}
	}
	return slices.Sorted(maps.Keys(parts))
}

// nearFlag is the flag of a command that may be meant; "" for none. One letter
// is near to every other.
func nearFlag(name string, flags map[string]bool) string {
	if !strings.HasPrefix(name, "--") {
		return ""
	}
	var long []string
	for _, flag := range slices.Sorted(maps.Keys(flags)) {
		if strings.HasPrefix(flag, "--") {
			long = append(long, flag[2:])
		}
	}
	if near := nearest(name[2:], long); near != "" {
		return "--" + near
	}
	return ""
}

// foreign are kinds that are not written, by names that may be taken for a
// misspelling of one that is.
var foreign = strings.Fields("no ns cs node nodes pv pvc crd crds sc sa hpa pdb event events namespace namespaces ingress ingresses role roles")

// nearKind is the kind that may be meant by a name; "" for none, as for the name
// of a kind that svctour leaves alone.
func nearKind(name string) string {
	if slices.Contains(foreign, name) || len(name) < 3 {
		return ""
	}
	var names []string
	for _, k := range kinds {
		for _, name := range k.names {
			if len(name) > 2 && !strings.Contains(name, ".") {
				names = append(names, name)
			}
		}
	}
	return nearest(name, names)
}

// nearest is the word that is meant by a mistyped one, in which a letter in four
// may be wrong; "" for none.
func nearest(word string, among []string) string {
	near := model.Nearest(word, among)
	if len(near) == 0 || model.Distance(word, near[0]) > 1+len(word)/4 {
		return ""
	}
	return near[0]
}
