package main

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"byol/coordinator/settings"
	"byol/model/optim"
)

// TestCountParameters compares with published counts: torchvision's, and He et al.'s nets for small images.
func TestCountParameters(t *testing.T) {
	heads := settings.Values{ProjHidden: 4096, ProjDim: 256, PredHidden: 4096}
	cases := []struct {
		arch, stem     string
		width, classes int
		encoder, total int64
	}{
		{"resnet18", "imagenet", 1, 0, 11_176_512, 16_443_968},
		{"resnet18", "cifar", 1, 0, 11_168_832, 16_436_288},
		{"resnet50", "imagenet", 1, 1000, 23_508_032, 37_115_944},
		{"resnet50", "imagenet", 2, 1000, 93_907_072, 117_951_592},
		{"resnet101", "imagenet", 1, 1000, 42_500_160, 56_108_072},
		{"resnet152", "imagenet", 1, 1000, 58_143_808, 71_751_720},
		{"resnet200", "imagenet", 2, 1000, 250_128_512, 274_173_032},
	}
	for _, c := range cases {
		s := heads
		s.Arch, s.Stem, s.Width = c.arch, c.stem, c.width
		got := countParameters(&s, c.classes)
		if want := (parameterCount{encoder: c.encoder, total: c.total}); got != want {
			t.Errorf("%s ×%d, %s stem, %d classes:\n got %+v\nwant %+v", c.arch, c.width, c.stem, c.classes, got, want)
		}
	}
}

func TestParseInterval(t *testing.T) {
	cases := []struct {
		text string
		want interval
		bad  bool
	}{
		{"0", interval{}, false},
		{"500", interval{steps: 500}, false},
		{"500ba", interval{steps: 500}, false},
		{"5ep", interval{steps: 977}, false},
		{"0.5ep", interval{steps: 98}, false},
		{"0.001ep", interval{steps: 1}, false},
		{"15m", interval{time: 15 * time.Minute}, false},
		{"1h30m", interval{time: 90 * time.Minute}, false},
		{"1ep,15m", interval{steps: 196, time: 15 * time.Minute}, false},
		{"300, 2ep, 20m, 5m", interval{steps: 300, time: 5 * time.Minute}, false},
		{"", interval{}, true},
		{"-5", interval{}, true},
		{"often", interval{}, true},
		{"5 parsecs", interval{}, true},
	}
	for _, c := range cases {
		got, err := parseInterval(c.text, 195.3125)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("parseInterval(%q)\n got %+v, %v\nwant %+v, error %v", c.text, got, err, c.want, c.bad)
		}
	}
}

// TestIntervalsFillTheRun: of so many intervals of whole epochs as make a run, the last ends with the run or behind it,
// so that nothing is done in the step before the end and at the end again.
func TestIntervalsFillTheRun(t *testing.T) {
	if got, _ := parseInterval("5ep", 390.625); 10*got.steps < optim.Steps(50_000, 128, 50) {
		t.Errorf("10 times 5 epochs of 50,000 images are %d steps, 50 epochs %d", 10*got.steps, optim.Steps(50_000, 128, 50))
	}
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.Int64Range(1, 2_000_000).Draw(t, "samples")
		batch := rapid.IntRange(1, int(min(samples, 8192))).Draw(t, "batch")
		epochs, times := rapid.IntRange(1, 100).Draw(t, "epochs"), rapid.IntRange(1, 100).Draw(t, "times")
		perEpoch := float64(samples) / float64(batch)
		got, err := parseInterval(fmt.Sprint(epochs, "ep"), perEpoch)
		total := optim.Steps(samples, batch, float64(epochs*times))
		if exact := float64(epochs) * perEpoch; err != nil || int64(times)*got.steps < total ||
			float64(got.steps) >= exact+1 {
			t.Errorf("%d times %+v, an epoch of %v, %v: the run has %d steps", times, got, perEpoch, err, total)
		}
	})
}

func TestParseShare(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		bad  bool
	}{{"0", 0, false}, {"1", 1, false}, {"1/1", 1, false}, {"1/64", 64, false}, {" 1 / 8 ", 8, false}, {"2/64", 0, true},
		{"64", 0, true}, {"1/0", 0, true}, {"1/-3", 0, true}, {"0.5", 0, true}, {"", 0, true}, {"often", 0, true}} {
		got, err := parseShare(c.text)
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("parseShare(%q)\n got %d, %v\nwant %d, error %v", c.text, got, err, c.want, c.bad)
		}
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{grouped(1281167), "1 281 167"}, {grouped(999), "999"}, {grouped(-1234), "-1 234"},
		{millions(23_508_032), "23.5 M"}, {millions(272_474), "272.5 k"},
		{spell(800 * time.Millisecond), "0.8s"}, {spell(59 * time.Second), "59s"}, {spell(192 * time.Second), "3m12s"},
		{spell(113 * time.Hour), "4d17h"}, {spell(-time.Second), "0.0s"}, {size(394 << 20), "394 MiB"},
		{suggestion("--wrokers", []string{"--workers", "--width"}, "no"), "did you mean --workers?"},
		{suggestion("--zzz", []string{"--workers", "--width"}, "no"), "no"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
