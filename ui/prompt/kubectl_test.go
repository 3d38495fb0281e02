package prompt

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	kubectl "k8s.io/kubectl/pkg/cmd"
)

// TestCompletionKnowsKubectl holds the tables of completion against kubectl's own
// commands: the verbs are there, and a flag is followed by its value where
// kubectl takes the next word for one.
func TestCompletionKnowsKubectl(t *testing.T) {
	root := kubectl.NewKubectlCommand(kubectl.KubectlOptions{IOStreams: genericiooptions.NewTestIOStreamsDiscard()})
	seen, flags := map[string]bool{}, 0
	check := func(verb string, c *cobra.Command) {
		c.InitDefaultHelpFlag()
		c.InheritedFlags() // merges them
		c.Flags().VisitAll(func(f *pflag.Flag) {
			flags++
			takes := f.NoOptDefVal == ""
			seen[f.Name] = seen[f.Name] || !takes
			if takesNext(verb, "--"+f.Name) != takes {
				t.Errorf("%s: --%s takes the next word: %t to kubectl", c.CommandPath(), f.Name, takes)
			}
			if f.Shorthand != "" && takesNext(verb, "-"+f.Shorthand) != takes {
				t.Errorf("%s: -%s takes the next word: %t to kubectl", c.CommandPath(), f.Shorthand, takes)
			}
		})
	}
	for verb, follows := range verbs {
		c, rest, err := root.Find([]string{verb})
		if err != nil || len(rest) > 0 || c == root {
			t.Errorf("kubectl has no command %q", verb)
			continue
		}
		if follows == "" { // nothing is offered after it
			continue
		}
		var walk func(*cobra.Command)
		walk = func(c *cobra.Command) {
			check(verb, c)
			for _, below := range c.Commands() {
				walk(below)
			}
		}
		walk(c)
	}
	for _, name := range switches {
		if !seen[name] {
			t.Errorf("no command that is completed has a switch --%s", name)
		}
	}
	if flags < 500 {
		t.Errorf("only %d flags seen", flags)
	}
}
