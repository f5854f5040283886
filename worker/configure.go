package worker

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"

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
