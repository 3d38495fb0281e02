package cli

import (
	"github.com/spf13/cobra"

	"svctour/lessons"
)

func newSandbox(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "sandbox",
		Short: "Open the app at a stage without a goal, with ten states by one key each",
		Long: "Open the app at the sandbox: the stage, the prompt and the editor. A digit brings a state of the cluster about,\n" +
			"such as a Service without endpoints, in the namespace that the lessons have; there is no goal. What a state made\n" +
			"is removed by the next one. On a cluster that is not the lab it asks first.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			choice, err := tourChoice(g, false)
			if err != nil {
				return err
			}
			return runTour(cmd.Context(), g, choice, lessons.SandboxID)
		},
	}
}
