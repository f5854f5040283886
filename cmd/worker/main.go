// Command worker is one worker of a training: it joins a coordinator, computes gradients on this machine's
// device and trains with the others until the run ends. It is the only program that loads compute libraries.
// Subcommands join an evaluation, and check a device against golden files.
//
// When it fails: three lines say what happened, why, and what to try, and the exit code says which kind it was:
// 1 internal, 2 usage or refused for good, 3 no coordinator answers, 4 training failed, 5 data, 7 checkpoint, 75 asked
// to go by a signal, or refused for now: start it again; 130 ended by a second signal.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"byol/internal/failure"
	"byol/internal/signals"
)

func main() {
	failure.AbortOnPanic()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program with its streams; it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := untilSignal(context.Background(), stderr)
	defer stop()
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	return failure.Exit(stderr, unforeseen, func() error { return root.ExecuteContext(ctx) })
}

// unforeseen is what an error is shown as that came up from below without words for people.
var unforeseen = failure.Failure{What: "something broke", Try: "--log-level debug shows more", Code: failure.Internal}

// untilSignal returns a context that ends with the first signal that asks for it; another one that comes later ends the
// process. That nobody reads the log any more ends nothing.
func untilSignal(parent context.Context, stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	listener := signals.Listen(func(sig os.Signal) { cancel(fmt.Errorf("signal: %v", sig)) }, func(os.Signal) {
		fmt.Fprintln(stderr, "second signal: ending at once")
		os.Exit(failure.Interrupted)
	})
	return ctx, func() {
		listener.Close()
		cancel(nil)
	}
}

func usage(what, why, try string) error {
	return &failure.Failure{What: what, Why: why, Try: try, Code: failure.Usage}
}

func rootCommand() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:   "worker --coordinator HOST:PORT [flags]",
		Short: "Join a BYOL training as one worker",
		Long: "Join a BYOL training as one worker, and train until the run ends.\n\n" +
			"The coordinator starts workers by itself on one machine; in a cluster each pod or task runs this.",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				try := "worker --help"
				if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
					try = fmt.Sprintf("did you mean %s?", near[0])
				}
				return usage(fmt.Sprintf("unknown command %q", args[0]), "", try)
			}
			return join(cmd, s)
		},
	}
	s.register(root.Flags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(err.Error(), "", cmd.CommandPath()+" --help")
	})
	root.AddCommand(encodeCommand(), devicesCommand(), goldenCommand(), pjrtCommand(), versionCommand(),
		tryPluginCommand(), verifyDataCommand(), exitCodesTopic())
	root.AddCommand(footprintCommand())
	return root
}
