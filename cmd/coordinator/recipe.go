package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"byol/coordinator/settings"
	"byol/recipes"
)

func recipeCommand() *cobra.Command {
	return parent("recipe", "List, show or compare the built-in recipes", recipeLs(), recipeShow(), recipeDiff())
}

// recipeWords are what a list says of a recipe.
type recipeWords struct {
	Name    string  `json:"name"`
	Epochs  float64 `json:"epochs"`
	Summary string  `json:"summary"`
	Aim     string  `json:"aim"` // the figure it is to reach, "" for none
	Source  string  `json:"source"`
}

func recipeLs() *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: "ls", Aliases: []string{"list"}, Short: "List the recipes that --config takes by name",
		Args: noArguments, RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			var list []recipeWords
			for _, name := range recipes.Names() {
				r, err := recipeSettings(newResolution(&settings.Values{}), name)
				if err != nil {
					return err
				}
				list = append(list, recipeWords{Name: name, Epochs: r.settings.Epochs, Summary: recipes.Summary(name),
					Aim:    strings.Join(recipes.Lines(name, "aim"), " "),
					Source: strings.Join(recipes.Lines(name, "source"), " ")})
			}
			return printRecipes(cmd, &e, list)
		}}
	e.addOutput(cmd)
	return cmd
}

func printRecipes(cmd *cobra.Command, e *endpoint, list []recipeWords) error {
	if e.structured() {
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		return e.printJSON(cmd, text)
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "NAME\tEPOCHS\tWHAT, AND WHAT IT AIMS AT\n")
	for _, l := range list {
		fmt.Fprintf(table, "%s\t%g\t%s\n", l.Name, l.Epochs, l.Summary)
		if l.Aim != "" {
			fmt.Fprintf(table, "\t\t→ %s\n", l.Aim)
		}
	}
	return table.Flush()
}

func recipeShow() *cobra.Command {
	return &cobra.Command{Use: "show NAME", Short: "Print a recipe", Args: oneArgument("recipe name"),
		ValidArgsFunction: cobra.FixedCompletions(recipes.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, ok := recipes.Read(args[0])
			if !ok {
				return unknownRecipe(args[0])
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		}}
}

func unknownRecipe(name string) error {
	return usage(fmt.Sprintf("unknown recipe %q", name), "recipes are "+strings.Join(recipes.Names(), ", "),
		suggestion(name, recipes.Names(), "coordinator recipe ls"))
}

// recipeSettings gives r what a recipe says, unless its flags say otherwise.
func recipeSettings(r *resolution, name string) (*resolution, error) {
	text, ok := recipes.Read(name)
	if !ok {
		return nil, unknownRecipe(name)
	}
	if err := r.fromYAML("recipe "+name, text); err != nil {
		return nil, err
	}
	return r, r.fromPreset()
}
