package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// suggestion is "did you mean …?" with the nearest of names, or otherwise when none is near.
func suggestion(name string, names []string, otherwise string) string {
	if near := nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return otherwise
}

// nearest is the one of names that is most like name, "" when none is. Cobra finds it: to it, names are subcommands,
// and the nearest are those within the smallest distance that has any.
func nearest(name string, names []string) string {
	root := &cobra.Command{}
	for _, n := range names {
		root.AddCommand(&cobra.Command{Use: n, Run: func(*cobra.Command, []string) {}})
	}
	for distance := 1; name != "" && distance <= 1+len(name)/3; distance++ {
		root.SuggestionsMinimumDistance = distance
		if near := root.SuggestionsFor(name); len(near) > 0 {
			return near[0]
		}
	}
	return ""
}

var wrongValue = regexp.MustCompile(`(?s)^invalid argument "(.*)" for "(?:-., )?--([^"]+)" flag: (.*)$`)

// wanted says what a flag takes, in place of what the library says that could not read its value.
func wanted(f *pflag.Flag, said string) string {
	switch f.Value.Type() {
	case "int", "int32", "int64":
		if f.Name != workersName {
			return "it is a whole number"
		}
	case "uint64":
		return "it is a whole number of at least 0"
	case "float64":
		return "it is a number"
	case "duration":
		return "it is a time: 90s, 15m or 1h30m"
	case "bool":
		return "it is true or false"
	}
	return said
}

// helpOf is what --help says of a flag.
func helpOf(f *pflag.Flag) string {
	_, words := pflag.UnquoteUsage(f)
	return "--" + f.Name + ": " + words
}

var unknownFlag = regexp.MustCompile(`unknown flag: --([^ =]+)`)

// flagError explains what pflag refuses.
func flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help lists the flags"
	m := unknownFlag.FindStringSubmatch(err.Error())
	if wrong := wrongValue.FindStringSubmatch(err.Error()); wrong != nil {
		f := cmd.Flags().Lookup(wrong[2])
		return usage(fmt.Sprintf("--%s cannot be %q", f.Name, wrong[1]), wanted(f, wrong[3]), helpOf(f))
	}
	if m == nil {
		return usage(err.Error(), "", help)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, "--"+f.Name)
		}
	})
	return usage("unknown flag --"+m[1], "", suggestion("--"+m[1], names, help))
}

// unknownCommand explains an argument that is no subcommand.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return usage(fmt.Sprintf("unknown command %q", args[0]), cmd.CommandPath()+" has: "+strings.Join(names, ", "),
		suggestion(args[0], names, cmd.CommandPath()+" --help"))
}
