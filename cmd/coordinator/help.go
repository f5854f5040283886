package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"byol/coordinator/settings"
)

// groupedUsage prints subcommands, then the flags of a run under their headings.
func groupedUsage(cmd *cobra.Command) error {
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "Usage:\n  %s\n  coordinator COMMAND [flags]\n\nCommands:\n", cmd.UseLine())
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(out, "  %-15s %s\n", c.Name(), c.Short)
		}
	}
	for _, group := range settings.Groups() {
		set := pflag.NewFlagSet(string(group), pflag.ContinueOnError)
		set.SortFlags = false
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if heading := f.Annotations[groupKey]; len(heading) == 1 && heading[0] == string(group) {
				set.AddFlag(f)
			}
		})
		fmt.Fprintf(out, "\n%s:\n%s", group, set.FlagUsagesWrapped(helpWidth))
	}
	fmt.Fprintln(out, "\nEvery flag is also a key of --config FILE and an environment variable BYOL_UPPER_CASE.\n"+
		"Order: flag, environment, file, the run's own config.yaml, preset, default.\n\n"+
		"coordinator COMMAND --help says more of a command, coordinator help exit-codes what exit codes mean.")
	return nil
}

// helpWidth is where lines of help are wrapped.
const helpWidth = 110
