package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"byol/recipes"
)

func recipeCommand() *cobra.Command {
	return parent("recipe", "List or show the built-in recipes", recipeLs(), recipeShow())
}

func recipeLs() *cobra.Command {
	return &cobra.Command{Use: "ls", Short: "List the recipes that --config takes by name", Args: noArguments,
		Run: func(cmd *cobra.Command, _ []string) {
			for _, name := range recipes.Names() {
				fmt.Fprintf(cmd.OutOrStdout(), "%-26s %s\n", name, recipes.Summary(name))
			}
		}}
}

func recipeShow() *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Print a recipe", Args: oneArgument("recipe name"),
		ValidArgsFunction: cobra.FixedCompletions(recipes.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, ok := recipes.Read(args[0])
			if !ok {
				return usage(fmt.Sprintf("unknown recipe %q", args[0]), "recipes are "+strings.Join(recipes.Names(), ", "),
					suggestion(args[0], recipes.Names(), "coordinator recipe ls"))
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		}}
}
