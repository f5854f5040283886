package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"byol/worker/data/source"
)

func dataCommand() *cobra.Command {
	return parent("data", "Look at a data set before training on it, or pack it", dataInspect(), dataVerify(),
		dataShard())
}

func dataInspect() *cobra.Command {
	var e endpoint
	var where access
	cmd := &cobra.Command{Use: "inspect URI", Short: "Count images and classes",
		Args: oneArgument("folder, archives or synthetic:N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			images, err := openData(cmd, args[0], where)
			if err != nil {
				return err
			}
			defer images.Close()
			counts := make([]int64, len(images.Classes()))
			var unlabelled int64
			for i := range images.Len() {
				if label := images.Label(i); label >= 0 && label < len(counts) {
					counts[label]++
				} else {
					unlabelled++
				}
			}
			return printData(cmd, &e, images, counts, unlabelled)
		}}
	e.addOutput(cmd)
	where.addFlags(cmd)
	return cmd
}

func openData(cmd *cobra.Command, uri string, where access) (source.Source, error) {
	images, err := where.open(cmd.Context(), absolute(uri))
	if err != nil {
		return nil, dataFailure("data", uri, err)
	}
	return images, nil
}

func printData(cmd *cobra.Command, e *endpoint, images source.Source, counts []int64, unlabelled int64) error {
	if e.structured() {
		text, err := json.Marshal(map[string]any{"images": images.Len(), "classes": images.Classes(), "per_class": counts,
			"unlabelled": unlabelled, "manifest": images.Manifest(), "skipped": omissionsOf(images)})
		if err != nil {
			return err
		}
		return e.printJSON(cmd, text)
	}
	w := cmd.OutOrStdout()
	fmt.Fprintf(w, "images    %s (%s without a label)\nclasses   %d\nmanifest  %s\nfirst     %s\n",
		grouped(int64(images.Len())), grouped(unlabelled), len(counts), images.Manifest(), images.Name(0))
	const most = 20
	for i, n := range counts {
		if i == most {
			fmt.Fprintf(w, "          … %d more classes (-o json lists all)\n", len(counts)-most)
			break
		}
		fmt.Fprintf(w, "  %6d  %s\n", n, images.Classes()[i])
	}
	printOmitted(w, images)
	return nil
}

// besides says that not everything that lies there was looked at.
func besides(images source.Source) string {
	if len(images.Omitted()) == 0 {
		return ""
	}
	return "; what was skipped was not looked at"
}

// printOmitted says what of a set is left out, and why.
func printOmitted(w io.Writer, images source.Source) {
	all := images.Omitted()
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, source.Skipped(all))
	for _, o := range all {
		fmt.Fprintf(w, "  %-28s %s; the first: %s\n", o, o.Why, o.First)
	}
}

// omissionsOf is the same for programs.
func omissionsOf(images source.Source) []map[string]any {
	list := []map[string]any{}
	for _, o := range images.Omitted() {
		list = append(list, map[string]any{"what": o.What, "why": o.Why, "count": o.Count, "first": o.First})
	}
	return list
}
