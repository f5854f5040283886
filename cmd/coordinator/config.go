package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"byol/coordinator"
	"byol/coordinator/settings"
	"byol/model/optim"
	"byol/recipes"
	"byol/worker/data/views"
)

// configPlaces are looked at, in order, when --config is not given.
var configPlaces = []string{"byol.yaml", "/etc/byol/config.yaml"}

// resolution is the outcome of merging all sources of settings.
type resolution struct {
	settings *settings.Values
	flags    *pflag.FlagSet
	origins  map[string]string // flag name → who decided it
	demo     bool              // no data was named: the built-in demo
	stored   map[string]string // what the run directory's config.yaml says; nil for a new run
	warnings []string
	// say, if not nil, is told at once what a person may want to know while data are opened, from any goroutine.
	say      func(string)
	pipeline views.Augment // of views, without the options that were chosen by name
	views    views.Augment // with them
	// continues is the run of the checkpoint that a new run goes on from, nil for none.
	continues *continued
}

// resolve merges flags (already parsed) > environment > --config > the run's own config.yaml > preset > default.
func resolve(flags *pflag.FlagSet, s *settings.Values, environ []string) (*resolution, error) {
	r := &resolution{settings: s, flags: flags, origins: origins(flags)}
	if err := r.fromEnvironment(environ); err != nil {
		return nil, err
	}
	if err := r.fromConfig(); err != nil {
		return nil, err
	}
	if err := r.fromRunDirectory(); err != nil {
		return nil, err
	}
	if err := r.fromCheckpoint(); err != nil {
		return nil, err
	}
	if s.Data == "" && s.Config == "" {
		r.demo = true
		text, _ := recipes.Read("demo")
		if err := r.fromYAML("recipe demo", text); err != nil {
			return nil, err
		}
	}
	return r, r.fromPreset()
}

// newResolution puts into s what nobody decides.
func newResolution(s *settings.Values) *resolution {
	flags := newFlags(s)
	return &resolution{settings: s, flags: flags, origins: origins(flags)}
}

// origins say which flags were given, and that of the others the defaults hold.
func origins(flags *pflag.FlagSet) map[string]string {
	from := map[string]string{}
	flags.VisitAll(func(f *pflag.Flag) {
		from[f.Name] = "default"
		if f.Changed {
			from[f.Name] = "flag"
		}
	})
	return from
}

// set gives a flag a value from a source, unless a stronger source has.
func (r *resolution) set(name, value, origin string) error {
	if r.origins[name] != "default" {
		return nil
	}
	if err := r.flags.Lookup(name).Value.Set(value); err != nil {
		return usage(fmt.Sprintf("%s: %s cannot be %q", origin, name, value), wanted(r.flags.Lookup(name), err.Error()),
			helpOf(r.flags.Lookup(name)))
	}
	r.origins[name] = origin
	return nil
}

// foreignEnvironment are BYOL_ variables that are not settings: the workers' own, and what Kubernetes derives
// from the names of Services.
func foreignEnvironment(name string) bool {
	switch name {
	case "BYOL_COORDINATOR", "BYOL_INDEX", "BYOL_FAULTS", "BYOL_PJRT_PLUGIN", "BYOL_PJRT_CACHE":
		return true
	}
	return strings.Contains(name, "_SERVICE_") || strings.HasSuffix(name, "_PORT") || strings.Contains(name, "_PORT_")
}

// ownPrefix begins the names of the environment variables that are settings.
const ownPrefix = "BYOL_"

// fromEnvironment takes settings from variables. One that is nearly the name of a setting is an error, for a run of
// days would go by without it; any other is somebody else's, and is passed over with a word.
func (r *resolution) fromEnvironment(environ []string) error {
	known := map[string]string{}
	var words []string // names without what they all begin with
	r.flags.VisitAll(func(f *pflag.Flag) {
		variable := settings.Find(f.Name).Variable()
		known[variable] = f.Name
		words = append(words, strings.TrimPrefix(variable, ownPrefix))
	})
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" || !strings.HasPrefix(name, ownPrefix) || foreignEnvironment(name) {
			continue
		}
		flag, ok := known[name]
		if near := nearest(strings.TrimPrefix(strings.ToUpper(name), ownPrefix), words); !ok && near != "" {
			return usage("unknown environment variable "+name, "it sets nothing, and is nearly the name of a setting",
				fmt.Sprintf("did you mean %s%s? Otherwise unset it", ownPrefix, near))
		}
		if !ok {
			r.warnings = append(r.warnings, fmt.Sprintf("the environment variable %s is ignored: it is no setting", name))
			continue
		}
		if err := r.set(flag, value, "environment "+name); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolution) fromConfig() error {
	s := r.settings
	if s.Config == "" {
		for _, place := range configPlaces {
			text, err := os.ReadFile(place)
			if err == nil {
				s.Config = place
				return r.fromYAML(place, text)
			}
			if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrPermission) {
				return usage("cannot read "+place, err.Error(), "--config FILE")
			}
		}
		return nil
	}
	text, err := os.ReadFile(s.Config)
	if err == nil {
		return r.fromYAML(s.Config, text)
	}
	if recipe, ok := recipes.Read(s.Config); ok {
		return r.fromYAML("recipe "+s.Config, recipe)
	}
	return usage(fmt.Sprintf("cannot read the configuration %q", s.Config), err.Error(),
		"a YAML file, or one of the recipes: "+strings.Join(recipes.Names(), ", "))
}

// fromRunDirectory lets a run that exists keep its settings: `coordinator --run-dir DIR` alone goes on with it.
func (r *resolution) fromRunDirectory() error {
	if r.settings.RunDir == "" {
		return nil
	}
	name := filepath.Join(r.settings.RunDir, coordinator.SettingsFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usage("cannot read "+name, err.Error(), "--run-dir with another directory")
	}
	if r.stored, err = parseYAML(name, text, r.flags); err != nil {
		return err
	}
	return r.fromYAML(name, text)
}

func (r *resolution) fromYAML(origin string, text []byte) error {
	values, err := parseYAML(origin, text, r.flags)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := r.set(name, values[name], origin); err != nil {
			return err
		}
	}
	return nil
}

// parseYAML reads a flat mapping from flag names to scalars, or to lists, which are joined by commas.
func parseYAML(origin string, text []byte, flags *pflag.FlagSet) (map[string]string, error) {
	var nodes map[string]yaml.Node
	documents := yaml.NewDecoder(bytes.NewReader(text))
	err := documents.Decode(&nodes)
	if err == nil && !errors.Is(documents.Decode(&yaml.Node{}), io.EOF) {
		err = errors.New("something stands behind a line ---: it would be another file's")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, usage("cannot read "+origin, err.Error(), "one setting a line, as in: batch-size: 256")
	}
	var names []string
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "config" {
			names = append(names, f.Name)
		}
	})
	values := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(nodes)) {
		node := nodes[name]
		if flags.Lookup(name) == nil || name == "config" {
			return nil, usage(fmt.Sprintf("%s:%d: unknown setting %q", origin, node.Line, name),
				"keys are the names of the flags", suggestion(name, names, "coordinator --help lists them"))
		}
		switch node.Kind {
		case yaml.ScalarNode:
			values[name] = node.Value
		case yaml.SequenceNode:
			var items []string
			for _, item := range node.Content {
				items = append(items, item.Value)
			}
			values[name] = strings.Join(items, ",")
		default:
			return nil, usage(fmt.Sprintf("%s:%d: %s wants one value", origin, node.Line, name), "it has a mapping",
				name+": VALUE")
		}
	}
	return values, nil
}

// fromPreset fills what the preset decides, and what follows from the other settings.
func (r *resolution) fromPreset() error {
	s := r.settings
	var names []string
	for _, p := range optim.Presets() {
		names = append(names, p.Name)
		if p.Name != s.Preset {
			continue
		}
		origin := "preset " + p.Name
		for name, value := range map[string]string{
			"epochs": fmt.Sprint(p.Epochs), "base-lr": fmt.Sprint(p.BaseLR),
			"weight-decay": fmt.Sprint(p.WeightDecay), "base-tau": fmt.Sprint(p.BaseTau),
		} {
			if err := r.set(name, value, origin); err != nil {
				return err
			}
		}
		return r.derived()
	}
	return usage(fmt.Sprintf("unknown preset %q", s.Preset), "presets are "+strings.Join(names, ", "),
		suggestion(s.Preset, names, "--preset byol-100ep"))
}

// smallImage is the side up to which networks take the CIFAR stem, and views no blur.
const smallImage = 64

func (r *resolution) derived() error {
	s := r.settings
	small := s.ImageSize <= smallImage
	if s.Stem == "auto" {
		s.Stem = "imagenet"
		if small || s.Arch == "resnet20" || s.Arch == "resnet56" {
			s.Stem = "cifar"
		}
		r.origins["stem"] = "derived"
	}
	if s.Augment == "auto" {
		s.Augment = pipelineFor(s.ImageSize)
		r.origins["augment"] = "derived"
	}
	if most := max(1, s.Shards/max(1, s.Accumulate)); r.origins["workers"] == "default" &&
		r.origins["shards"] != "default" && most < s.Workers {
		s.Workers, s.MinWorkers = most, min(s.MinWorkers, most)
		r.origins["workers"] = "derived"
	}
	derivations := map[string]string{
		"warmup-epochs": fmt.Sprint(min(optim.WarmupEpochs, s.Epochs/4)),
		"shards":        fmt.Sprint(s.Workers * max(1, s.Accumulate)),
	}
	for name, value := range derivations {
		if err := r.set(name, value, "derived"); err != nil {
			return err
		}
	}
	return r.settleViews()
}

// marshal writes the settings that are kept with a run, in the order of --help.
func (r *resolution) marshal() []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "# What this run was created with. coordinator --run-dir takes it from here.")
	r.flags.VisitAll(func(f *pflag.Flag) {
		if settings.Find(f.Name).Life == settings.Once {
			return
		}
		value, err := yaml.Marshal(map[string]string{f.Name: f.Value.String()})
		if err == nil {
			b.Write(value)
		}
	})
	return b.Bytes()
}

// conflicts lists the decisive settings that differ from what the run directory holds.
func (r *resolution) conflicts() []string {
	if r.stored == nil {
		return nil
	}
	var differ []string
	for _, row := range settings.All() {
		old, ok := r.stored[row.Name]
		if now := r.flags.Lookup(row.Name).Value.String(); row.Decides() && ok && old != now &&
			row.Name != "init" { // whose content is compared, by RunConfig
			differ = append(differ, fmt.Sprintf("%s is %s in the run and %s now", row.Name, old, now))
		}
	}
	return differ
}
