package cli

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "unsafe" // for go:linkname

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/component-base/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // as kubectl's own main does

	"svctour/lab"
)

// Kubernetes' own build sets this with -ldflags, which "go run ." cannot.
//
//go:linkname gitVersion k8s.io/component-base/version.gitVersion
var gitVersion string

func newKubectl(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl ARGS…",
		Short: "The embedded kubectl " + lab.Version + ", against the chosen cluster",
		// Every argument is kubectl's, also flags that svctour knows.
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return runKubectl(g, args)
		},
	}
}

// kubectlExit carries the exit code of a fatal error out of kubectl.
type kubectlExit int

// runKubectl is kubectl's main (cmd/kubectl/kubectl.go) without plugins. Its
// output and exit code are kubectl's own.
func runKubectl(g *globals, args []string) (err error) {
	if kubeconfig, ok := useLab(g); ok && !namesCluster(args) {
		args = slices.Insert(args, 0, "--kubeconfig="+kubeconfig)
		sayLab(g)
	}
	gitVersion = lab.Version
	if err := version.SetDynamicVersion(lab.Version); err != nil {
		return fmt.Errorf("set kubectl's version to %s: %w", lab.Version, err)
	}
	// kubectl ends on these by itself, at once or after tidying up.
	signal.Reset(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)

	cmdutil.BehaviorOnFatal(func(message string, code int) {
		if message != "" && !strings.HasSuffix(message, "\n") {
			message += "\n"
		}
		fmt.Fprint(g.Err, message)
		panic(kubectlExit(code))
	})
	defer cmdutil.DefaultBehaviorOnFatal()
	defer func() {
		switch p := recover().(type) {
		case nil:
		case kubectlExit:
			err = nil
			if p != 0 {
				err = &exitError{Code: int(p)}
			}
		default:
			panic(p)
		}
	}()
	streams := genericiooptions.IOStreams{In: g.In, Out: g.Out, ErrOut: g.Err}
	full := append([]string{"kubectl"}, args...)
	if _, err := logs.GlogSetter(kubectl.GetLogVerbosity(full)); err != nil {
		return usageError(fmt.Errorf("kubectl -v: %w", err))
	}
	command := kubectl.NewDefaultKubectlCommandWithArgs(kubectl.KubectlOptions{
		Arguments: full,
		ConfigFlags: genericclioptions.NewConfigFlags(true).WithDeprecatedPasswordFlag().
			WithDiscoveryBurst(300).WithDiscoveryQPS(50).WithWarningPrinter(streams),
		IOStreams: streams,
	})
	command.SetArgs(args)
	command.SetIn(g.In)
	command.SetOut(g.Out)
	command.SetErr(g.Err)
	if err := cli.RunNoErrOutput(command); err != nil {
		cmdutil.CheckErr(err)
	}
	return nil
}

// namesCluster says whether kubectl's own flags choose a cluster.
func namesCluster(args []string) bool {
	for _, arg := range args {
		if arg == "--" {
			return false
		}
		name, _, _ := strings.Cut(arg, "=")
		switch name {
		case "--kubeconfig", "--context", "--cluster", "--server", "-s":
			return true
		}
	}
	return false
}
