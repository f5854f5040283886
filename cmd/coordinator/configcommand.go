package main

import (
	"encoding/json"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"byol/coordinator/settings"
)

func configCommand() *cobra.Command {
	return parent("config", "Show settings and where they come from", configShow())
}

// configShow takes the flags of a run and prints what a run with them would use.
func configShow() *cobra.Command {
	s := &settings.Values{}
	var e endpoint
	cmd := &cobra.Command{Use: "show [flags of a run]", Short: "Print every setting and who decided it", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			set := runFlags(cmd)
			r, err := resolve(set, s, os.Environ())
			if err != nil {
				return err
			}
			return printSettings(cmd, &e, r)
		}}
	addRunFlags(cmd, s)
	e.addOutput(cmd)
	return cmd
}

// runFlags is the part of a command's flags that a run has.
func runFlags(cmd *cobra.Command) *pflag.FlagSet {
	set := pflag.NewFlagSet("run", pflag.ContinueOnError)
	set.SortFlags = false
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Annotations[groupKey] != nil {
			set.AddFlag(f)
		}
	})
	return set
}

func printSettings(cmd *cobra.Command, e *endpoint, r *resolution) error {
	type setting struct {
		Name   string `json:"name"`
		Value  string `json:"value"`
		Origin string `json:"origin"`
		Paper  string `json:"paper,omitempty"` // of views, where it is another
	}
	var list []setting
	r.flags.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden || f.Changed {
			list = append(list, setting{f.Name, f.Value.String(), r.origins[f.Name], r.paperView(f.Name)})
		}
	})
	if e.structured() {
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		return e.printJSON(cmd, text)
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	for _, l := range list {
		if l.Paper != "" {
			l.Origin += fmt.Sprintf("; the paper's is %s", l.Paper)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", l.Name, l.Value, l.Origin)
	}
	return table.Flush()
}
