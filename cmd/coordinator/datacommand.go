package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"byol/internal/failure"
	"byol/worker/data"
	"byol/worker/data/jpeg"
	"byol/worker/data/source"
)

func dataCommand() *cobra.Command {
	return parent("data", "Look at a data set before training on it", dataInspect(), dataVerify())
}

func dataInspect() *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: "inspect URI", Short: "Count images and classes",
		Args: oneArgument("folder, tar pattern or synthetic:N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := e.checkOutput(); err != nil {
				return err
			}
			images, err := openData(cmd, args[0])
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
	return cmd
}

func printData(cmd *cobra.Command, e *endpoint, images source.Source, counts []int64, unlabelled int64) error {
	if e.output == "json" {
		text, err := json.Marshal(map[string]any{"images": images.Len(), "classes": images.Classes(), "per_class": counts,
			"unlabelled": unlabelled, "manifest": images.Manifest(), "skipped": omissionsOf(images)})
		if err != nil {
			return err
		}
		return indentJSON(cmd, text)
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

func dataVerify() *cobra.Command {
	return &cobra.Command{Use: "verify URI", Short: "Decode every image and name those that cannot be",
		Args: oneArgument("folder, tar pattern or synthetic:N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			images, err := openData(cmd, args[0])
			if err != nil {
				return err
			}
			defer images.Close()
			terminal := isTerminal(cmd.ErrOrStderr())
			bad, err := data.Verify(cmd.Context(), images, jpeg.NewDecoder(), func(done, total int) {
				if terminal {
					fmt.Fprintf(cmd.ErrOrStderr(), "\r%s %s/%s\x1b[K", bar(float64(done)/float64(total), maxBar), grouped(int64(done)),
						grouped(int64(total)))
				}
			})
			if terminal {
				fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
			}
			if err != nil {
				return dataFailure("data", args[0], err)
			}
			for _, b := range bad {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %v\n", b.Name, b.Err)
			}
			printOmitted(cmd.OutOrStdout(), images)
			if len(bad) > 0 {
				return &failure.Failure{
					What: fmt.Sprintf("%d of %s images cannot be decoded", len(bad), grouped(int64(images.Len()))),
					Why:  "they are listed above; in training each would be replaced by another image, the same on every worker",
					Try:  "repair or remove them",
					Code: failure.Data}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s images, all good%s\n", grouped(int64(images.Len())), besides(images))
			return nil
		}}
}

func openData(cmd *cobra.Command, uri string) (source.Source, error) {
	images, err := source.Open(cmd.Context(), absolute(uri), source.Options{CacheDir: indexCache()})
	if err != nil {
		return nil, dataFailure("data", uri, err)
	}
	return images, nil
}
