package main

import (
	"byol/coordinator/settings"
	"byol/model/arch"
)

// parameterCount is the number of trained values of the encoder, and of all there is.
type parameterCount struct{ encoder, total int64 }

// countParameters looks the network up that has been checked to be one.
func countParameters(s *settings.Values, classes int) parameterCount {
	e, err := arch.Find(s.Arch)
	if err != nil {
		panic("coordinator: unchecked settings: " + err.Error())
	}
	e.Stem = s.Stem
	e = e.Widened(s.Width)
	heads := arch.Heads{ProjectorHidden: s.ProjHidden, ProjectorOut: s.ProjDim, PredictorHidden: s.PredHidden,
		Classes: classes}
	if s.Ablation == "no-predictor" {
		heads.PredictorHidden = 0
	}
	return parameterCount{encoder: e.Parameters(), total: e.Parameters() + heads.Parameters(e.Features())}
}
