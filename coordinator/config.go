package coordinator

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"byol/coordinator/run"
	pb "byol/proto"
)

// mayChange lists the settings of a configuration that don't decide the numbers of a run, so that a resumed run may
// have others. The device may change where determinism is relaxed, the data's path where its manifest is known.
var mayChange = map[string]bool{
	"run_id": true, "max_steps": true, "eval_data": true, "eval_every_steps": true, "knn_k": true,
	"knn_temperature": true, "threads": true, "checkpoint_dir": true, "save_every_steps": true,
	"save_every_seconds": true, "keep": true, "failure_timeout_seconds": true, "determinism": true, "preset": true,
	"bucket_bytes": true, "no_overlap": true,
}

// differences lists the settings that must not differ and do, as "name: old, now new".
func differences(stored, wanted *pb.RunConfig) []string {
	free := func(name string) bool {
		switch name {
		case "device":
			return wanted.Determinism == "relaxed"
		case "data":
			return stored.ManifestHash != "" && wanted.ManifestHash == stored.ManifestHash
		}
		return mayChange[name]
	}
	var found []string
	a, b := stored.ProtoReflect(), wanted.ProtoReflect()
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name := string(f.Name())
		if !free(name) && !a.Get(f).Equal(b.Get(f)) {
			found = append(found, fmt.Sprintf("%s: %s, now %s", name, show(f, a.Get(f)), show(f, b.Get(f))))
		}
	}
	return found
}

func show(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if f.Kind() == protoreflect.StringKind {
		return fmt.Sprintf("%q", v.String())
	}
	return v.String()
}

// settingsOf extracts what decides the course of the run.
func settingsOf(o *Options) (run.Settings, error) {
	c := o.Config
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		return run.Settings{}, fmt.Errorf("encode configuration: %w", err)
	}
	end := c.TotalSteps
	if c.MaxSteps > 0 {
		end = min(end, c.MaxSteps)
	}
	id := c.RunId
	if id == "" {
		id = filepath.Base(filepath.Clean(o.RunDir))
	}
	return run.Settings{RunID: id, Workers: o.Workers, Shards: int(c.Shards), TotalSteps: c.TotalSteps, EndStep: end,
		SaveEvery: c.SaveEverySteps, Evaluates: c.EvalData != "", EvalEvery: c.EvalEverySteps, Config: text}, nil
}

func scheduleOf(c *pb.RunConfig) run.Schedule {
	return run.Schedule{BaseLR: c.BaseLr, Batch: int(c.BatchSize), Warmup: c.WarmupSteps, Total: c.TotalSteps,
		BaseTau: c.BaseTau}
}

// sameRun refuses a configuration that would make another run of the one in the directory.
func sameRun(stored run.Settings, wanted *pb.RunConfig, dir string) error {
	var old pb.RunConfig
	if err := proto.Unmarshal(stored.Config, &old); err != nil {
		return &Failure{What: fmt.Sprintf("the run in %s cannot be read", dir), Why: err.Error(),
			Try: "use the binary that began it, or another --run-dir", Code: ExitUsage}
	}
	if found := differences(&old, wanted); len(found) > 0 {
		return &Failure{What: fmt.Sprintf("%s holds a run with other settings", dir), Why: strings.Join(found, "; "),
			Try: "the settings it was begun with, or another --run-dir for a new run", Code: ExitUsage}
	}
	return nil
}

// writeAtomically replaces the file at path.
func writeAtomically(path string, data []byte) error {
	tmp := path + ".tmp"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// writeConfig leaves the configuration for people; the raft log holds the one that counts.
func writeConfig(dir string, c *pb.RunConfig) error {
	text, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true}.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	return writeAtomically(filepath.Join(dir, "config.json"), append(text, '\n'))
}
