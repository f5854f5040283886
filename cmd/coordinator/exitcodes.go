package main

import (
	"github.com/spf13/cobra"

	"byol/internal/failure"
)

// exitCodesTopic is a page of help and no command.
func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes say", Long: failure.CodesHelp()}
}
