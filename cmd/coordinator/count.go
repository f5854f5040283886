package main

import (
	"fmt"

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

// millions prints a count as people say it: 23.5 M, 272.5 k.
func millions(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.1f k", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f M", float64(n)/1e6)
}

// grouped prints 1281167 as 1 281 167.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}
