package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker (make build).
var version = ""

// buildName names this build as the coordinator's does: what the linker was told, otherwise what the Go tool
// recorded.
func buildName() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	name, dirty := info.Main.Version, ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			name = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	return name + dirty
}

// versionCommand prints one line and nothing else: the coordinator reads it.
func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the build",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("worker version takes no argument "+args[0], "", "worker version --help")
			}
			return nil
		},
		Run: func(cmd *cobra.Command, _ []string) { fmt.Fprintf(cmd.OutOrStdout(), "worker %s\n", buildName()) },
	}
}
