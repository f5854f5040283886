package coordinator

import (
	"fmt"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"byol/coordinator/run"
	"byol/coordinator/settings"
	"byol/coordinator/status"
	"byol/internal/atomicfile"
	"byol/internal/failure"
	"byol/model/optim"
	pb "byol/proto"
)

// settingsOf extracts what decides the course of the run.
func settingsOf(o *Options) (run.Settings, error) {
	c := o.Config
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil {
		return run.Settings{}, &failure.Failure{What: "the settings cannot be told to workers", Why: err.Error(), Err: err,
			Try: "paths and names that are UTF-8", Code: failure.Usage}
	}
	return run.Settings{RunID: runName(o), Workers: o.Workers, MinWorkers: o.MinWorkers, Shards: int(c.Shards),
		TotalSteps: c.TotalSteps,
		EndStep:    c.EndStep(), SaveEvery: c.SaveEverySteps, Evaluates: c.EvalData != "",
		EvalEvery: c.EvalEverySteps, VerifyEvery: c.VerifyEverySteps, Config: text}, nil
}

func scheduleOf(c *pb.RunConfig) optim.Schedule {
	return optim.Schedule{BaseLR: c.BaseLr, Batch: int(c.BatchSize), Warmup: c.WarmupSteps, Total: c.TotalSteps,
		BaseTau: c.BaseTau}
}

// sameRun refuses a configuration that would make another run of the one in the directory.
func sameRun(stored run.Settings, wanted *pb.RunConfig, dir string) error {
	var old pb.RunConfig
	if err := proto.Unmarshal(stored.Config, &old); err != nil {
		return &failure.Failure{What: fmt.Sprintf("the run in %s cannot be read", dir), Why: err.Error(),
			Try: "use the binary that began it, or another --run-dir", Code: failure.Usage}
	}
	if !old.SameSums(wanted) {
		return &failure.Failure{What: fmt.Sprintf("%s holds a run that adds its shards %s", dir, old.OrderOfSums()),
			Why: fmt.Sprintf("this version adds them %s; a run keeps its order, because its bits depend on it",
				wanted.OrderOfSums()),
			Try: "the version that began it; or another --run-dir, for a new run or for one that begins with this one's " +
				"newest checkpoint (--resume PATH)", Code: failure.Usage}
	}
	if err := sameImages(&old, wanted, dir); err != nil {
		return err
	}
	if found := settings.Differences(&old, wanted); len(found) > 0 {
		return &failure.Failure{What: fmt.Sprintf("%s holds a run with other settings", dir), Why: strings.Join(found, "; "),
			Try: "the settings it was begun with, or another --run-dir for a new run", Code: failure.Usage}
	}
	return nil
}

// sameImages refuses images that are others than those the run began with, where the settings are the same: then it is
// the data that changed, and with it what follows from the number of images.
func sameImages(old, wanted *pb.RunConfig, dir string) error {
	if old.ManifestHash == wanted.ManifestHash {
		return nil
	}
	alike := proto.CloneOf(wanted)
	alike.ManifestHash, alike.Samples, alike.Classes = old.ManifestHash, old.Samples, old.Classes
	alike.TotalSteps, alike.WarmupSteps = old.TotalSteps, old.WarmupSteps
	if len(settings.Differences(old, alike)) > 0 {
		return nil
	}
	why := fmt.Sprintf("%s has %d images, it had %d", wanted.Data, wanted.Samples, old.Samples)
	if old.Samples == wanted.Samples {
		why = fmt.Sprintf("%s has %d images as it had, of other names, sizes or labels", wanted.Data, old.Samples)
	}
	return &failure.Failure{What: fmt.Sprintf("the images are not those that the run in %s began with", dir), Why: why,
		Try: "bring the files back as they were when the run began, or another --run-dir for a new run", Code: failure.Data}
}

// writeConfig leaves the configuration for people, in the words of RunConfig and in those of the program that was
// started; the raft log holds the one that counts.
func writeConfig(dir string, o *Options) error {
	text, err := status.MarshalIndent(o.Config)
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, ConfigFile), append(text, '\n')); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if o.Settings == nil {
		return nil
	}
	if err := atomicfile.Write(filepath.Join(dir, SettingsFile), o.Settings); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}
