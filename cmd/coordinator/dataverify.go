package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"byol/internal/failure"
	"byol/worker/data"
	"byol/worker/data/jpeg"
	"byol/worker/data/source"
)

func dataVerify() *cobra.Command {
	var where access
	var worker string
	cmd := &cobra.Command{Use: "verify URI", Short: "Decode every image as workers do, and name those that cannot be",
		Args: oneArgument("folder, archives or synthetic:N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			images, err := openData(cmd, args[0], where)
			if err != nil {
				return err
			}
			defer images.Close()
			bad, err := judged(cmd, images, args[0], where, worker)
			if err != nil {
				return dataFailure("data", args[0], err)
			}
			for _, b := range bad {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", b.Name, b.Error)
			}
			printOmitted(cmd.OutOrStdout(), images)
			if len(bad) > 0 {
				return unfit(bad, images.Len())
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s images, all good%s\n", grouped(int64(images.Len())), besides(images))
			return nil
		}}
	where.addFlags(cmd)
	cmd.Flags().StringVar(&worker, "worker-binary", "", "`PATH` of the worker program (default: beside this one)")
	return cmd
}

// unfit says of images what training would make of them.
func unfit(bad []data.Verdict, of int) error {
	ends := 0
	for _, b := range bad {
		if b.Ends {
			ends++
		}
	}
	f := &failure.Failure{What: fmt.Sprintf("%d of %s images cannot be decoded", len(bad), grouped(int64(of))),
		Why: "they are listed above; in training each would be replaced by another image, the same on every worker",
		Try: "repair or remove them", Code: failure.Data}
	if ends > 0 {
		f.What = fmt.Sprintf("%d of %s images cannot be decoded or read", len(bad), grouped(int64(of)))
		f.Why = fmt.Sprintf("they are listed above; %d of them are in files that changed, are gone or cannot be read, which "+
			"ends a training; the others would be replaced", ends)
		f.Try = "bring the files back as they were; then repair or remove what is left"
	}
	return f
}

// judged says which images cannot be decoded. Workers may have a library that this program cannot load, and it is
// theirs that decides: their program is asked. Without one this program's decoder has to do, which says so.
func judged(cmd *cobra.Command, images source.Source, uri string, where access, worker string) ([]data.Verdict, error) {
	terminal := isTerminal(cmd.ErrOrStderr())
	progress := func(done, total int) {
		if terminal {
			fmt.Fprintf(cmd.ErrOrStderr(), "\r%s %s/%s\x1b[K", bar(float64(done)/float64(total), maxBar), grouped(int64(done)),
				grouped(int64(total)))
		}
	}
	defer func() {
		if terminal {
			fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
		}
	}()
	named := worker != ""
	if !named {
		worker = besideThis("worker")
	}
	worker, err := filepath.Abs(worker)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(worker); err == nil || named {
		return askWorker(cmd.Context(), worker, absolute(uri), where, progress)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "no worker program beside this one: judged by the decoder that workers have without "+
		"libraries\n")
	var bad []data.Verdict
	found, err := data.Verify(cmd.Context(), images, jpeg.NewDecoder(), progress)
	for _, u := range found {
		bad = append(bad, data.Verdict{Index: u.Index, Name: u.Name, Error: u.Err.Error(), Ends: u.Ends})
	}
	return bad, err
}

// askWorker has the worker program decode every image.
func askWorker(ctx context.Context, worker, uri string, where access, progress func(done, total int)) ([]data.Verdict,
	error) {
	var complaint bytes.Buffer
	child := exec.CommandContext(ctx, worker, append([]string{data.VerifyCommand, uri}, where.flags()...)...)
	child.Stderr = &complaint
	out, err := child.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := child.Start(); err != nil {
		return nil, &failure.Failure{What: "the worker program cannot be started", Why: err.Error(), Err: err,
			Try: "--worker-binary PATH, or make build"}
	}
	var bad []data.Verdict
	var ended bool
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var said data.Said
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			return nil, errors.Join(fmt.Errorf("read what the worker program says: %w", err), child.Wait())
		}
		switch {
		case said.Bad != nil:
			bad = append(bad, *said.Bad)
		case said.Over:
			ended = true
		default:
			progress(said.Done, said.Total)
		}
	}
	err = errors.Join(lines.Err(), child.Wait())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil || !ended {
		why, _, _ := strings.Cut(strings.TrimSpace(complaint.String()), "\n")
		return nil, &failure.Failure{What: "the worker program could not look at the images", Err: err,
			Why: fmt.Sprintf("%s (%v)", why, err), Try: worker + " " + data.VerifyCommand + " " + uri}
	}
	return bad, nil
}
