package worker

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"byol/internal/failure"
	"byol/model"
	"byol/model/optim"
	pb "byol/proto"
)

// learnerConfig is the part of the run's configuration that fixes a learner.
func learnerConfig(c *pb.RunConfig) model.Config {
	return model.Config{
		Arch: c.Arch, Width: int(c.Width), Stem: c.Stem, Padding: c.Padding, ImageSize: int(c.ImageSize),
		ProjectorHidden: int(c.ProjectorHidden), ProjectorOut: int(c.ProjectorOut),
		PredictorHidden: int(c.PredictorHidden), Classes: int(c.Classes), LocalBatchNorm: c.BatchNorm == "local",
		Ablation: c.Ablation, ZeroInitLastGamma: c.ZeroInitLastGamma,
		Batch: int(c.BatchSize), Shards: int(c.Shards), AtOnce: int(c.ShardsAtOnce), BucketBytes: int(c.BucketBytes),
		WeightDecay: c.WeightDecay, Momentum: c.Momentum, Eta: c.LarsEta,
		Schedule: optim.Schedule{BaseLR: c.BaseLr, Batch: int(c.BatchSize), Warmup: c.WarmupSteps, Total: c.TotalSteps,
			BaseTau: c.BaseTau},
	}
}

// checkOrder refuses a run whose shards are added in another order than they are here.
func checkOrder(c *pb.RunConfig) error {
	mine := proto.Clone(c).(*pb.RunConfig)
	mine.Sums = pb.SumsTree
	if c.SameSums(mine) {
		return nil
	}
	return &failure.Failure{What: "this worker cannot take part in the run",
		Why: fmt.Sprintf("the run adds its shards %s, this version %s: its bits would be others", c.OrderOfSums(),
			mine.OrderOfSums()),
		Try: "workers of the version that began the run, or a new run by coordinators of this one", Code: failure.Usage}
}

// configText is the configuration as a checkpoint holds it. Compact, because protojson varies its spaces on purpose.
func configText(cfg *pb.RunConfig) (string, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(cfg)
	if err != nil {
		return "", fmt.Errorf("encode configuration: %w", err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return "", fmt.Errorf("encode configuration: %w", err)
	}
	return b.String(), nil
}
