package main

import (
	"errors"
	"fmt"
	"strings"

	"byol/coordinator/settings"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/data/views"
)

// pipelineFor are the views that --augment auto means.
func pipelineFor(side int) string {
	if side <= smallImage {
		return "byol-noblur"
	}
	return "byol"
}

// settleViews gives each option of the pipelines of views that nobody chose the value of the pipeline that --augment
// names, and writes those that somebody chose in one way, so that equal ones are equal texts.
func (r *resolution) settleViews() error {
	s := r.settings
	var bad *failure.Failure
	pipeline, err := views.ParseAugment(s.Augment, min(max(1, s.ImageSize), int(settings.Find("image-size").High)))
	if errors.As(err, &bad) {
		return usage(fmt.Sprintf("--augment cannot be %q", s.Augment), bad.Why, bad.Try)
	}
	r.pipeline, r.views = pipeline, pipeline
	for _, option := range views.Options() {
		flag := r.flags.Lookup(settings.ViewPrefix + option).Value
		if chosen := flag.String(); chosen != "" {
			if err := r.views.Set(option, chosen); err != nil {
				return err
			}
		} else {
			r.origins[settings.ViewPrefix+option] = "--augment " + s.Augment
		}
		if err := flag.Set(r.views.Option(option)); err != nil {
			return err
		}
	}
	return nil
}

// usualView reports whether a setting is an option of views that has the value of the pipeline anyway.
func (r *resolution) usualView(name string) bool {
	option, ok := strings.CutPrefix(name, settings.ViewPrefix)
	return ok && r.views.Option(option) == r.pipeline.Option(option)
}

// configureViews tells workers the options that differ from the pipeline's: runs had configurations before options.
func (r *resolution) configureViews(c *pb.RunConfig) {
	for _, option := range views.Options() {
		if !r.usualView(settings.ViewPrefix + option) {
			c.SetAugmentOption(option, r.views.Option(option))
		}
	}
}

// paperView says, where a setting of views is not the paper's, what the paper's is; "" otherwise.
func (r *resolution) paperView(name string) string {
	option, ok := strings.CutPrefix(name, settings.ViewPrefix)
	if !ok {
		return ""
	}
	paper, err := views.ParseAugment("byol", 1)
	if err != nil || r.views.Option(option) == paper.Option(option) {
		return ""
	}
	return paper.Option(option)
}
