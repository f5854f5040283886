package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/checkpoint"
)

func checkpointsCommand() *cobra.Command {
	return parent("checkpoints", "List or verify the checkpoints of a run", checkpointsLs(), checkpointsVerify())
}

// listed is a checkpoint as checkpoints ls -o json prints it.
type listed struct {
	Step        int64     `json:"step"`
	Path        string    `json:"path"`
	SizeBytes   int64     `json:"size_bytes"`
	StateSHA256 string    `json:"state_sha256"`
	Created     time.Time `json:"created"`
	Problem     string    `json:"problem,omitempty"`
}

func checkpointsLs() *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: "ls RUN_DIR", Short: "List each checkpoint, and what is wrong with it",
		Args: oneArgument("run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			infos, err := inRun(args[0], &e)
			if err != nil {
				return err
			}
			list, _ := examine(infos)
			return printCheckpoints(cmd, &e, list)
		}}
	e.addOutput(cmd)
	return cmd
}

func checkpointsVerify() *cobra.Command {
	var e endpoint
	cmd := &cobra.Command{Use: "verify RUN_DIR|FILE", Short: "Recompute the digest of every checkpoint",
		Args: oneArgument("run directory or checkpoint"),
		RunE: func(cmd *cobra.Command, args []string) error {
			infos, err := inRun(args[0], &e)
			if err != nil {
				return err
			}
			list, bad := examine(infos)
			if err := printCheckpoints(cmd, &e, list); err != nil {
				return err
			}
			if bad > 0 {
				return &failure.Failure{What: fmt.Sprintf("%d of %d checkpoints are not good", bad, len(list)),
					Why: "the column PROBLEM says of each what is wrong", Code: failure.Checkpoint,
					Try: "--resume PATH with a good one; remove the others"}
			}
			if e.output != "json" {
				fmt.Fprintf(cmd.OutOrStdout(), "%d checkpoints, all good\n", len(list))
			}
			return nil
		}}
	e.addOutput(cmd)
	return cmd
}

// examine reads every checkpoint: one that is listed without a problem verifies.
func examine(infos []checkpoint.Info) (list []listed, bad int) {
	list = []listed{}
	for _, i := range infos {
		l := listed{Step: i.Step, Path: i.Path, SizeBytes: i.Bytes, StateSHA256: i.StateSHA256, Created: i.Created}
		if _, err := checkpoint.Verify(i.Path); err != nil {
			l.Problem = err.Error()
			bad++
		}
		list = append(list, l)
	}
	return list, bad
}

// inRun lists the checkpoints of a run directory, of a directory of checkpoints, or the one file named.
func inRun(path string, e *endpoint) ([]checkpoint.Info, error) {
	if err := e.checkOutput(); err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, checkpointFailure(path, err)
	}
	if !info.IsDir() {
		one := checkpoint.Info{Path: path, Bytes: info.Size(), Created: info.ModTime()}
		if header, _, err := checkpoint.Config(path); err == nil {
			one = header
		}
		return []checkpoint.Info{one}, nil
	}
	path = checkpointsIn(path)
	infos, err := checkpoint.List(path)
	if err != nil {
		return nil, checkpointFailure(path, err)
	}
	return infos, nil
}

// checkpointsIn is where the checkpoints of the run in dir are: in it, as long as nobody said --checkpoint-dir, so that
// a run that was moved has its own; where its config.json says otherwise; dir itself where that tells nothing.
func checkpointsIn(dir string) string {
	if inside := filepath.Join(dir, checkpointsName); isDir(inside) {
		return inside
	}
	config := &pb.RunConfig{}
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err == nil {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, config)
	}
	if err == nil && isDir(config.CheckpointDir) {
		return config.CheckpointDir
	}
	return dir
}

// checkpointsName is the directory of checkpoints in that of a run.
const checkpointsName = "checkpoints"

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func printCheckpoints(cmd *cobra.Command, e *endpoint, list []listed) error {
	if e.structured() {
		text, err := json.Marshal(list)
		if err != nil {
			return err
		}
		return e.printJSON(cmd, text)
	}
	table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STEP\tSIZE\tSAVED\tSTATE SHA256\tPATH\tPROBLEM")
	for _, l := range list {
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\n", l.Step, size(uint64(l.SizeBytes)),
			l.Created.Local().Format(time.DateTime), l.StateSHA256, l.Path, strings.Join(strings.Fields(l.Problem), " "))
	}
	return table.Flush()
}

// besideCheckpoints is the directory of the run that a checkpoint lies in, else of the checkpoint.
func besideCheckpoints(path string) string {
	dir := filepath.Dir(path)
	if filepath.Base(dir) == checkpointsName {
		return filepath.Dir(dir)
	}
	return dir
}
