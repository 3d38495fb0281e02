package kubectl

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/component-base/logs"
	kubectlcmd "k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/get"
)

// newTree gives kubectl's own commands, as k8s.io/component-base/cli runs them.
func newTree(streams genericiooptions.IOStreams) *cobra.Command {
	root := kubectlcmd.NewKubectlCommand(kubectlcmd.KubectlOptions{
		ConfigFlags: genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag(), IOStreams: streams,
	})
	logs.AddFlags(root.PersistentFlags())
	return root
}

// flagsOfCommand are all flags that a command takes.
func flagsOfCommand(c *cobra.Command) map[string]*pflag.Flag {
	c.InitDefaultHelpFlag()
	c.InheritedFlags() // merges them
	out := map[string]*pflag.Flag{}
	c.Flags().VisitAll(func(f *pflag.Flag) { out[f.Name] = f })
	return out
}

func pathOf(c *cobra.Command) string { return strings.TrimPrefix(c.CommandPath(), "kubectl ") }

// Every flag of every command that is let through has its class, and the guard
// reads it as kubectl does.
func TestEveryFlagIsClassified(t *testing.T) {
	root := newTree(genericiooptions.NewTestIOStreamsDiscard())
	flags := 0
	for name, v := range verbs {
		c, rest, err := root.Find(strings.Fields(name))
		if err != nil || len(rest) > 0 {
			t.Errorf("kubectl has no command %q", name)
			continue
		}
		if canonical := pathOf(c); canonical != name && !slices.Contains(aliases[canonical], name) {
			t.Errorf("%q is %q to kubectl", name, canonical)
		}
		known := map[string]bool{}
		for _, f := range flagsOfCommand(c) {
			flags++
			classified(t, name, v, f)
			known["--"+f.Name], known["-"+f.Shorthand] = true, true
		}
		for flag := range v.flags {
			if !known[flag] {
				t.Errorf("%s: kubectl does not know %s", name, flag)
			}
		}
	}
	if flags < 1000 {
		t.Errorf("only %d flags seen", flags)
	}
}

// classified says whether a flag of kubectl's is let through as what it is, or
// refused with a reason.
func classified(t *testing.T, name string, v verb, f *pflag.Flag) {
	t.Helper()
	takes, listed := v.flags["--"+f.Name]
	harm := harms["--"+f.Name]
	checked := f.Name == "filename" || f.Name == "all-namespaces" // by the guard itself, see take and known
	explains := f.Name == "recursive" && name == "explain"        // there it is about fields
	switch {
	case !listed && harm == "":
		t.Errorf("%s: --%s has no class: is it harmless? (%s)", name, f.Name, f.Usage)
	case listed && takes != (f.NoOptDefVal == ""):
		t.Errorf("%s: --%s takes a value: %t to the guard, %t to kubectl", name, f.Name, takes, !takes)
	case listed && harm != "" && !checked && !explains:
		t.Errorf("%s: --%s is let through, and it %s", name, f.Name, harm)
	}
	if f.Shorthand == "" {
		return
	}
	shortTakes, shortListed := v.flags["-"+f.Shorthand]
	if shortListed != listed || shortTakes != takes || !listed && harms["-"+f.Shorthand] != harm {
		t.Errorf("%s: -%s is not as --%s", name, f.Shorthand, f.Name)
	}
}

// What is refused is there to be refused, and every command is one or the other.
func TestEveryCommandIsClassified(t *testing.T) {
	root := newTree(genericiooptions.NewTestIOStreamsDiscard())
	seen, commands := map[string]bool{}, 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for name := range flagsOfCommand(c) {
			seen["--"+name] = true
		}
		for _, below := range c.Commands() {
			walk(below)
		}
		if c == root {
			return
		}
		commands++
		name := pathOf(c)
		seen[name] = true
		if _, allowed := verbs[name]; allowed || others[name] != "" || c.HasSubCommands() {
			return
		}
		if _, v, _, err := find(strings.Fields(name)); err == nil || v.flags != nil || !strings.Contains(err.Error(), ": it ") {
			t.Errorf("kubectl %s is neither let through nor refused with a reason: %v", name, err)
		}
	}
	walk(root)
	for name := range harms {
		if strings.HasPrefix(name, "--") && !seen[name] {
			t.Errorf("no command of kubectl's has %s", name)
		}
	}
	for name := range others {
		if !seen[name] {
			t.Errorf("kubectl has no command %q", name)
		}
	}
	if commands < 80 {
		t.Errorf("only %d commands seen", commands)
	}
}

func TestEveryOutputFormIsClassified(t *testing.T) {
	forms := slices.Concat(genericclioptions.NewPrintFlags("").AllowedFormats(), get.NewGetPrintFlags().AllowedFormats())
	for _, form := range forms {
		file := strings.HasSuffix(form, "file")
		if err := inspectOutput(form); (err != nil) != file {
			t.Errorf("-o %s: %v", form, err)
		}
	}
	if len(forms) < 15 {
		t.Errorf("only %d forms seen: %q", len(forms), forms)
	}
	for _, form := range slices.Concat(inlineForms, fileForms) {
		if !slices.Contains(forms, form) {
			t.Errorf("kubectl has no output form %q", form)
		}
	}
}

// recorder takes a flag's values as they come.
type recorder struct {
	pflag.Value
	name string
	into *[]given
}

// Set implements pflag.Value.
func (r recorder) Set(value string) error {
	*r.into = append(*r.into, given{name: r.name, value: value, stated: true})
	return nil
}

// agree compares what the guard has read with what kubectl's own command reads.
func agree(t interface {
	Helper()
	Fatalf(string, ...any)
}, args []string, terminal bool) {
	t.Helper()
	if _, err := inspectFor(args, terminal); err != nil {
		return
	}
	name, v, rest, _ := find(args)
	p := parser{verb: name, flags: v.flags, terminal: terminal}
	if err := p.parse(rest); err != nil {
		t.Fatalf("%q passes, but cannot be read: %v", args, err)
	}
	root := newTree(genericiooptions.NewTestIOStreamsDiscard())
	c, theirRest, err := root.Find(args)
	canonical := name
	for first, others := range aliases {
		if slices.Contains(others, name) {
			canonical = first
		}
	}
	if err != nil || pathOf(c) != canonical {
		t.Fatalf("%q is %q to the guard and %q to kubectl: %v", args, name, pathOf(c), err)
	}
	var theirs []given
	for _, f := range flagsOfCommand(c) {
		f.Value = recorder{f.Value, f.Name, &theirs}
	}
	if err := c.ParseFlags(theirRest); err != nil {
		t.Fatalf("%q passes, and kubectl refuses it: %v", args, err)
	}
	if len(theirs) != len(p.given) {
		t.Fatalf("%q: the guard reads %+v, kubectl %+v", args, p.given, theirs)
	}
	for i, ours := range p.given {
		f := c.Flags().Lookup(theirs[i].name)
		value := ours.value
		if !ours.stated {
			value = f.NoOptDefVal
		}
		if ours.name != "--"+f.Name && ours.name != "-"+f.Shorthand || value != theirs[i].value {
			t.Fatalf("%q: the guard reads %+v, kubectl %+v", args, p.given, theirs)
		}
	}
	if positional := c.Flags().Args(); !slices.Equal(positional, slices.Concat(p.positional, p.rest)) ||
		c.Flags().ArgsLenAtDash() != map[bool]int{true: len(p.positional), false: -1}[p.dash] {
		t.Fatalf("%q: the guard reads %q and %q, kubectl %q with %d before the dash", args, p.positional, p.rest, positional, c.Flags().ArgsLenAtDash())
	}
}
