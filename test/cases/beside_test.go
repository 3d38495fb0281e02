package cases

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// update writes what was seen into docs/doctor.md.
var update = flag.Bool("update", false, "write docs/doctor.md again")

// besideFile shows, for some of the cases, what kubectl describe and the doctor
// say. Each has a section under its name with two blocks of text.
const besideFile = "../../docs/doctor.md"

// besideCases are the cases of that document.
var besideCases = []string{
	"selector-typo", "label-on-deployment-only", "upgrade-renamed-labels", "targetport-name-missing", "scaled-to-zero",
	"readiness-wrong-port", "crashloop", "headless-port-remap", "sts-servicename-mismatch", "lb-no-controller",
}

// besideLock is for writing the document; cases run at the same time.
var besideLock sync.Mutex

// beside holds the document against the cluster: what it shows of this case is
// what both programs print, but for what is new in every cluster.
func (p *place) beside() {
	if !slices.Contains(besideCases, p.ID) {
		return
	}
	eventually(p.T, func() error {
		describe := kubectl(p.T, "", "describe", "service", p.service(), "--namespace="+p.namespace())
		diagnosis, _ := trySvctour("", "doctor", p.service(), "--namespace="+p.namespace())
		seen := []string{
			fmt.Sprintf("$ kubectl describe service %s\n%s", p.service(), trimmed(describe)),
			fmt.Sprintf("$ svctour doctor %s\n%s", p.service(), trimmed(diagnosis)),
		}
		besideLock.Lock()
		defer besideLock.Unlock()
		text, err := os.ReadFile(besideFile)
		if err != nil {
			return err
		}
		document := string(text)
		for i, shown := range blocks(document, p.ID) {
			if i >= len(seen) || lasting(shown) == lasting(seen[i]) {
				continue
			}
			if !*update {
				return fmt.Errorf("docs/doctor.md shows\n%s\nand it says\n%s", shown, seen[i])
			}
			document = strings.Replace(document, "```text\n"+shown+"```", "```text\n"+seen[i]+"```", 1)
		}
		if n := len(blocks(document, p.ID)); n != len(seen) {
			return fmt.Errorf("docs/doctor.md has %d blocks about %s, want %d", n, p.ID, len(seen))
		}
		if document == string(text) {
			return nil
		}
		return os.WriteFile(besideFile, []byte(document), 0o644)
	})
}

// blocks are the texts in fences of a section of a document.
func blocks(document, section string) []string {
	_, rest, found := strings.Cut(document, "\n## "+section+"\n")
	if !found {
		return nil
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var out []string
	for _, part := range strings.Split(rest, "```text\n")[1:] {
		text, _, _ := strings.Cut(part, "```")
		out = append(out, text)
	}
	return out
}

// trimmed is a text without blanks at the ends of lines, and with one newline
// at its own.
func trimmed(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n") + "\n"
}

// fleeting is what differs from one run to the next: the random parts of names
// (apimachinery, util/rand: no vowels; of an event the time), addresses, node
// ports and counts of restarts.
var fleeting = regexp.MustCompile(`(-[bcdfghjklmnpqrstvwxz2456789]{7,10})?-[bcdfghjklmnpqrstvwxz2456789]{5}\b|\b10\.(96|244)\.\d+\.\d+|\b3[0-2]\d{3}\b|restartCount: \d+|\.[0-9a-f]{16}\b`)

// lasting is the rest, whatever line it stands on, without the events of
// kubectl describe: a Service has some now and then.
func lasting(text string) string {
	text, _, _ = strings.Cut(text, "\nEvents:")
	return fleeting.ReplaceAllString(strings.Join(strings.Fields(text), " "), "…")
}
