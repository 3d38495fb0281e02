package kubectl

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzGuard: whatever is let through, kubectl's own command reads as the guard
// did. Arguments are apart by line feeds.
func FuzzGuard(f *testing.F) {
	for _, line := range []string{
		"get pods -Aw", "get po -l -n pods", "get svc -n=web -ojson", "logs -f web --tail=5", "exec -it web -- sh -c x", "delete pod/a svc/b --now",
		"create deploy web --image=x -r3 -- serve -p 80", "create svc nodeport web --tcp 80:8080", "top po --sum", "label po web a=b c- --overwrite",
		"apply -f- --server-side --dry-run=client", "run tmp --image x -i --rm --restart=Never", "set env deploy/web -e A=b -c app", "delete -i pod web",
		"get -wo go-template={{.x}} pods", "wait pod/x --for condition=Ready --timeout 5s", "port-forward svc/web 8080:80", "edit svc web -oyaml",
	} {
		f.Add(strings.ReplaceAll(line, " ", "\n"), true)
	}
	f.Fuzz(func(t *testing.T, text string, terminal bool) { agree(t, strings.Split(text, "\n"), terminal) })
}

// The same with words that mean something.
func TestGuardReadsAsKubectlDoes(t *testing.T) {
	var commands [][]string
	for _, name := range slices.Sorted(maps.Keys(verbs)) {
		commands = append(commands, strings.Fields(name))
	}
	words := []string{"pods", "pod/web", "web", "a=b", "a-", "-", "--", "x", "-n", "-n=tour", "-ntour", "-f", "-f-", "-o", "-oyaml", "-wo", "-l", "-lx=y", "-it", "-A", "-Aw", "json", "--all", "--all=false"}
	rapid.Check(t, func(t *rapid.T) {
		command := rapid.SampledFrom(commands).Draw(t, "command")
		flags := make([]string, 0, 32)
		for flag := range verbs[strings.Join(command, " ")].flags {
			flags = append(flags, flag, flag+"=-", flag+"x", flag+"=")
		}
		word := rapid.OneOf(rapid.SampledFrom(words), rapid.SampledFrom(slices.Sorted(slices.Values(flags))))
		agree(t, append(append([]string(nil), command...), rapid.SliceOfN(word, 0, 6).Draw(t, "words")...), rapid.Bool().Draw(t, "terminal"))
	})
}
