package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"byol/coordinator/settings"
	"byol/recipes"
)

// groupKey annotates a flag with the heading it stands under in --help.
const groupKey = "group"

// newFlags makes a flag of every row of the table of settings, which puts what it is given into s.
func newFlags(s *settings.Values) *pflag.FlagSet {
	f := pflag.NewFlagSet("coordinator", pflag.ContinueOnError)
	f.SortFlags = false
	for _, row := range settings.All() {
		declare(f, &row, s)
		flag := f.Lookup(row.Name)
		flag.Hidden = row.Hidden
		flag.Annotations = map[string][]string{groupKey: {string(row.Group)}}
	}
	return f
}

func declare(f *pflag.FlagSet, row *settings.Setting, s *settings.Values) {
	if row.Name == workersName {
		s.Workers = row.Default.(int)
		f.VarP(&workersFlag{s}, row.Name, row.Short, row.Help)
		return
	}
	switch at := row.At(s).(type) {
	case *bool:
		f.BoolVarP(at, row.Name, row.Short, row.Default.(bool), row.Help)
	case *int:
		f.IntVarP(at, row.Name, row.Short, row.Default.(int), row.Help)
	case *int64:
		f.Int64VarP(at, row.Name, row.Short, row.Default.(int64), row.Help)
	case *uint64:
		f.Uint64VarP(at, row.Name, row.Short, row.Default.(uint64), row.Help)
	case *float64:
		f.Float64VarP(at, row.Name, row.Short, row.Default.(float64), row.Help)
	case *string:
		f.StringVarP(at, row.Name, row.Short, row.Default.(string), row.Help)
	case *time.Duration:
		f.DurationVarP(at, row.Name, row.Short, row.Default.(time.Duration), row.Help)
	default:
		panic(fmt.Sprintf("coordinator: no flag for the setting %s of type %T", row.Name, at))
	}
}

// workersName is the flag whose value is a number or a range.
const workersName = "workers"

// workersFlag is --workers: N, or MIN:MAX, which says --min-workers as well.
type workersFlag struct{ s *settings.Values }

// String implements pflag.Value.
func (w *workersFlag) String() string { return strconv.Itoa(w.s.Workers) }

// Type implements pflag.Value.
func (w *workersFlag) Type() string { return "int" }

// Set implements pflag.Value.
func (w *workersFlag) Set(text string) error {
	least, most, both := strings.Cut(text, ":")
	if !both {
		most = least
	}
	n, err := strconv.Atoi(most)
	if err != nil {
		return fmt.Errorf("%q is neither a number nor MIN:MAX", text)
	}
	if both {
		low, err := strconv.Atoi(least)
		if err != nil || low < 1 || low > n {
			return fmt.Errorf("%q is no MIN:MAX: the first number is at least 1 and at most the second", text)
		}
		w.s.MinWorkers = low
	}
	w.s.Workers = n
	return nil
}

// addRunFlags gives cmd the flags of a run, and says what the shell may offer for each.
func addRunFlags(cmd *cobra.Command, s *settings.Values) {
	cmd.Flags().SortFlags = false
	cmd.Flags().AddFlagSet(newFlags(s))
	for _, row := range settings.All() {
		switch {
		case row.Path == settings.Directory:
			_ = cmd.MarkFlagDirname(row.Name) // it fails for flags that are not there
		case row.Path == settings.File && row.Name != "config":
		default:
			offer(cmd, row.Name, wordsOf(&row), row.Name == "config")
		}
	}
}

// offer completes a flag with words, and with files beside them where the flag takes those.
func offer(cmd *cobra.Command, flag string, words []string, files bool) {
	directive := cobra.ShellCompDirectiveNoFileComp
	if files {
		directive = cobra.ShellCompDirectiveDefault
	}
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, directive)) // it fails for flags twice
}

// wordsOf are the values that a setting takes, or the best known of them.
func wordsOf(row *settings.Setting) []string {
	switch row.Name {
	case "config":
		return recipes.Names()
	case "augment":
		return []string{"auto", "byol", "byol-noblur"}
	case "resume":
		return []string{"auto", "never"}
	}
	return row.Words
}

// plainNumber prints a bound without an exponent; those of a time are in seconds.
func plainNumber(x float64, row *settings.Setting) string {
	if _, ok := row.Default.(time.Duration); ok {
		return time.Duration(x * float64(time.Second)).String()
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}
