// Command coordinator trains BYOL over several workers with one command, and is the tool to look at and steer a
// training that runs. Without a subcommand it trains; coordinator --help lists flags and subcommands.
//
// When it fails: three lines say what happened, why, and what to try, and the exit code says which kind it was:
// 1 internal, 2 usage, 3 no coordinator answers, 4 training failed, 5 data, 6 too few workers, 7 checkpoint,
// 75 stopped by a signal with its state saved, 130 by a second one without.
package main

import (
	"context"
	"io"
	"os"

	"github.com/spf13/cobra"

	"byol/coordinator/settings"
	"byol/internal/failure"
)

func main() {
	failure.AbortOnPanic()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program with its streams; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return failure.Exit(stderr, unforeseen, func() error { return root.ExecuteContext(context.Background()) })
}

func rootCommand() *cobra.Command {
	s := &settings.Values{}
	root := &cobra.Command{
		Use:   "coordinator [flags]",
		Short: "Train BYOL across many workers",
		Long: "Train BYOL (self-supervised vision networks) across many workers.\n\n" +
			"coordinator --workers 8 trains on generated demo pictures; --data names real ones.\n" +
			"The same command again goes on where the run stopped.",
		SilenceErrors: true, SilenceUsage: true,
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return train(cmd, s) },
	}
	addRunFlags(root, s)
	root.Version = buildName()
	root.SetVersionTemplate("coordinator {{.Version}}\n")
	root.SetFlagErrorFunc(flagError)
	defaultUsage := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		if cmd != root {
			return defaultUsage(cmd)
		}
		return groupedUsage(cmd)
	})
	root.AddCommand(runsCommand(), statusCommand(), watchCommand(), eventsCommand(), pauseCommand(), resumeCommand(),
		stopCommand(), checkpointCommand(), waitCommand(), drainCommand(), memberCommand(), transferCommand(),
		checkpointsCommand(), exportCommand(), evalCommand(),
		embedCommand(), auditCommand(), replayCommand(), drillCommand(), dataCommand(), viewsCommand(),
		reportCommand(), doctorCommand(), logsCommand(), traceCommand(), recipeCommand(), configCommand(),
		certsCommand(), versionCommand(), exitCodesTopic())
	return root
}

// noArguments refuses words after a command that takes none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usage(cmd.CommandPath()+" takes no argument "+args[0], "", cmd.CommandPath()+" --help")
}

// oneArgument asks for exactly one, and says what it is.
func oneArgument(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 {
			return nil
		}
		return usage(cmd.CommandPath()+" wants one "+what, "", cmd.CommandPath()+" --help")
	}
}

// severalArguments asks for one at least, and says what they are.
func severalArguments(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return nil
		}
		return usage(cmd.CommandPath()+" wants a "+what+", or several", "", cmd.CommandPath()+" --help")
	}
}

// parent is a command that only groups others.
func parent(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short,
		Args: unknownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(children...)
	return cmd
}
