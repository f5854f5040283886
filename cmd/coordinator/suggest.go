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
	best, distance := "", 1+len(name)/3
	for _, n := range names {
		if d := editDistance(name, n); d < distance || (d == distance && best == "") {
			best, distance = n, d
		}
	}
	if best == "" {
		return otherwise
	}
	return fmt.Sprintf("did you mean %s?", best)
}

// editDistance is the number of letters to insert, remove, replace or swap with a neighbour.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

var unknownFlag = regexp.MustCompile(`unknown flag: --([^ =]+)`)

// flagError explains what pflag refuses.
func flagError(cmd *cobra.Command, err error) error {
	help := cmd.CommandPath() + " --help lists the flags"
	m := unknownFlag.FindStringSubmatch(err.Error())
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
