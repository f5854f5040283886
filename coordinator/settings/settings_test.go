package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	pb "byol/proto"
)

func configFields() protoreflect.FieldDescriptors {
	return (&pb.RunConfig{}).ProtoReflect().Descriptor().Fields()
}

// TestEveryFieldHasOneRow walks RunConfig: each of its fields comes from exactly one setting, and rows name no others.
func TestEveryFieldHasOneRow(t *testing.T) {
	owners := map[string][]string{}
	for _, s := range All() {
		if s.Field != "" {
			owners[s.Field] = append(owners[s.Field], s.Name)
		}
		for _, f := range s.Makes {
			owners[f] = append(owners[f], s.Name)
		}
	}
	fields := configFields()
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		if len(owners[name]) != 1 {
			t.Errorf("field %s comes from the settings %v, want exactly one", name, owners[name])
		}
		if s := owner(name); s == nil || !slices.Contains(owners[name], s.Name) {
			t.Errorf("owner(%s) is %v, want the row of %v", name, s, owners[name])
		}
		delete(owners, name)
	}
	for name, rows := range owners {
		t.Errorf("%v: RunConfig has no field %s", rows, name)
	}
	if s := owner("nothing"); s != nil {
		t.Errorf("owner(nothing) is %s", s.Name)
	}
}

// TestRows checks what every row must be.
func TestRows(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z]+)*$`)
	seen := map[string]bool{}
	places := map[any]string{}
	var v Values
	group := 0
	for _, s := range All() {
		at := s.At(&v)
		switch {
		case !name.MatchString(s.Name) || seen[s.Name] || s.Short != "" && seen["-"+s.Short]:
			t.Errorf("%s, -%s: want a name of its own", s.Name, s.Short)
		case places[at] != "":
			t.Errorf("%s and %s are kept in one place", s.Name, places[at])
		case fmt.Sprintf("*%T", s.Default) != fmt.Sprintf("%T", at):
			t.Errorf("%s: the default is a %T, the value a %T", s.Name, s.Default, at)
		case (s.Field == "" && s.Makes == nil) != (s.Local != ""):
			t.Errorf("%s: either it is of use to workers or it is said who uses it, not both: %+v", s.Name, s)
		case s.Help == "" || strings.HasSuffix(s.Help, "."):
			t.Errorf("%s: help %q", s.Name, s.Help)
		case s.Words != nil && !slices.Contains(s.Words, s.Default.(string)):
			t.Errorf("%s: the default %q is none of %v", s.Name, s.Default, s.Words)
		case s.Low > s.High:
			t.Errorf("%s: no number from %v to %v", s.Name, s.Low, s.High)
		case Find(s.Name).At(&v) != at:
			t.Errorf("Find(%s) is another row", s.Name)
		}
		seen[s.Name], places[at] = true, s.Name
		if s.Short != "" {
			seen["-"+s.Short] = true
		}
		if i := slices.Index(Groups(), s.Group); i < group {
			t.Errorf("%s: group %q is none, or out of order", s.Name, s.Group)
		} else {
			group = i
		}
	}
	if group != len(Groups())-1 {
		t.Errorf("the last row is of group %d of %d", group, len(Groups()))
	}
	if s := Find("no-such"); s != nil {
		t.Errorf("Find(no-such) is %+v", s)
	}
}

// TestWordsAreExplained: help names each word of a setting, except that it shortens names with a common beginning.
func TestWordsAreExplained(t *testing.T) {
	for _, s := range All() {
		for _, w := range s.Words {
			if s.Name != "arch" && s.Name != "preset" && !strings.Contains(s.Help, w) && w != s.Default {
				t.Errorf("--%s takes %q, which its help does not name: %s", s.Name, w, s.Help)
			}
		}
	}
}

func TestVariable(t *testing.T) {
	for name, want := range map[string]string{"workers": "BYOL_WORKERS",
		"zero-init-last-gamma": "BYOL_ZERO_INIT_LAST_GAMMA"} {
		if got := Find(name).Variable(); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// TestLives writes down what a run that goes on may have another value of, and what its name is made of: to move a
// setting from one list to the other changes what old run directories accept.
func TestLives(t *testing.T) {
	var decide, kept []string
	for _, s := range All() {
		switch {
		case s.Decides():
			decide = append(decide, s.Name)
		case s.Life != Once:
			kept = append(kept, s.Name)
		}
	}
	wantDecide := []string{"shards", "data", "epochs", "batch-size", "seed", "init", "arch", "width", "stem", "padding",
		"image-size", "proj-hidden-dim", "proj-dim", "pred-hidden-dim", "batch-norm", "zero-init-last-gamma", "ablation",
		"base-lr", "weight-decay", "base-tau", "warmup-epochs", "momentum", "lars-eta", "augment", "augment-area",
		"augment-ratio", "augment-flip", "augment-jitter", "augment-brightness", "augment-contrast", "augment-saturation",
		"augment-hue", "augment-grayscale", "augment-blur", "augment-blur-sigma", "augment-solarize", "kernels",
		"precision", "wire"}
	wantKept := []string{"eval-data", "preset",
		"data-timeout", "s3-endpoint", "cache-dir", "cache-gib",
		"eval-every", "eval-classes", "knn-k", "knn-temperature", "save-interval",
		"checkpoint-dir", "keep", "failure-timeout", "grace", "max-restarts", "determinism", "on-nan", "on-nan-limit",
		"straggler", "balance", "verify-shards", "accumulate", "device", "memory-fraction",
		"preallocate", "program-cache", "bucket-mib", "node-id", "peers", "raft-listen", "advertise",
		"tls-dir", "token-file"}
	if !slices.Equal(decide, wantDecide) {
		t.Errorf("settings that decide numbers\n got %v\nwant %v", decide, wantDecide)
	}
	if !slices.Equal(kept, wantKept) {
		t.Errorf("settings that are kept and may change\n got %v\nwant %v", kept, wantKept)
	}
}

// TestDifferences changes one field of a configuration after another and asks whether a run may go on with it.
func TestDifferences(t *testing.T) {
	free := []string{"run_id", "max_steps", "eval_data", "eval_every_steps", "knn_k", "knn_temperature", "threads", "isa",
		"checkpoint_dir", "save_every_steps", "save_every_seconds", "keep",
		"failure_timeout_seconds", "determinism",
		"preset", "bucket_bytes", "no_overlap", "verify_every_steps",
		"data_timeout_seconds", "s3_endpoint", "cache_dir", "cache_gib", "shards_at_once"}
	begun := &pb.RunConfig{Data: "/a", ManifestHash: "m", Device: "cpu", Determinism: "strict"}
	fields := configFields()
	for i := range fields.Len() {
		f := fields.Get(i)
		wanted := &pb.RunConfig{Data: "/a", ManifestHash: "m", Device: "cpu", Determinism: "strict"}
		wanted.ProtoReflect().Set(f, another(f))
		name := string(f.Name())
		may := slices.Contains(free, name) || name == "data" // the manifest is the same
		got := Differences(begun, wanted)
		if may != (len(got) == 0) || !may && !strings.HasPrefix(strings.Join(got, "; "), name+": ") {
			t.Errorf("another %s: got %q, want it allowed: %v", name, got, may)
		}
	}
}

// TestDifferencesThatDepend: the data may move where its content is known to be the same, the device may change where
// bits need not be.
func TestDifferencesThatDepend(t *testing.T) {
	for _, c := range []struct {
		begun, wanted *pb.RunConfig
		want          []string
	}{
		{&pb.RunConfig{Data: "/a", ManifestHash: "m"}, &pb.RunConfig{Data: "/b", ManifestHash: "m"}, nil},
		{&pb.RunConfig{Data: "/a"}, &pb.RunConfig{Data: "/b"}, []string{`data: "/a", now "/b"`}},
		{&pb.RunConfig{Data: "/a", ManifestHash: "m"}, &pb.RunConfig{Data: "/b", ManifestHash: "n"},
			[]string{`data: "/a", now "/b"`, `manifest_hash: "m", now "n"`}},
		{&pb.RunConfig{Device: "cpu"}, &pb.RunConfig{Device: "auto", Determinism: "strict"},
			[]string{`device: "cpu", now "auto"`}},
		{&pb.RunConfig{Device: "cpu"}, &pb.RunConfig{Device: "auto", Determinism: "relaxed"}, nil},
		{&pb.RunConfig{Shards: 3}, &pb.RunConfig{Shards: 3, Sums: pb.SumsTree}, nil},
		{&pb.RunConfig{Shards: 3, Sums: "other"}, &pb.RunConfig{Shards: 3, Sums: pb.SumsTree},
			[]string{`sums: "other", now "tree"`}},
		{&pb.RunConfig{Shards: 4}, &pb.RunConfig{Shards: 4, Sums: pb.SumsTree}, []string{`sums: "", now "tree"`}},
		{&pb.RunConfig{Seed: 1, Momentum: 0.9}, &pb.RunConfig{Seed: 2, Momentum: 0.5},
			[]string{"seed: 1, now 2", "momentum: 0.9, now 0.5"}},
	} {
		if got := Differences(c.begun, c.wanted); !slices.Equal(got, c.want) {
			t.Errorf("%v → %v:\n got %q\nwant %q", c.begun, c.wanted, got, c.want)
		}
	}
}

// another is a value of a field that is not its zero.
func another(f protoreflect.FieldDescriptor) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("another")
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(0.25)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(7)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(7)
	}
	return protoreflect.ValueOfInt32(7)
}

// TestConfigure: each setting with a field of its own is found in that field, whatever the values are.
func TestConfigure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v Values
		want := map[string]any{}
		for _, s := range All() {
			switch p := s.At(&v).(type) {
			case *int:
				*p = rapid.IntRange(0, 1<<31-1).Draw(t, s.Name)
				want[s.Field] = int32(*p)
			case *int64:
				*p = rapid.Int64().Draw(t, s.Name)
				want[s.Field] = *p
			case *uint64:
				*p = rapid.Uint64().Draw(t, s.Name)
				want[s.Field] = *p
			case *float64:
				*p = rapid.Float64().Draw(t, s.Name)
				want[s.Field] = *p
			case *string:
				*p = rapid.StringMatching(`[a-z/]{0,8}`).Draw(t, s.Name)
				want[s.Field] = *p
			case *bool:
				*p = rapid.Bool().Draw(t, s.Name)
				want[s.Field] = *p
			case *time.Duration:
				*p = time.Duration(rapid.Int64().Draw(t, s.Name))
			}
		}
		var c pb.RunConfig
		v.Configure(&c)
		fields := configFields()
		for i := range fields.Len() {
			f := fields.Get(i)
			owner := owner(string(f.Name()))
			if owner.Field != string(f.Name()) {
				if c.ProtoReflect().Has(f) {
					t.Errorf("%s is set, which is for others to compute", f.Name())
				}
				continue
			}
			if got := c.ProtoReflect().Get(f).Interface(); got != want[owner.Field] {
				t.Errorf("%s: got %v, want %v", f.Name(), got, want[owner.Field])
			}
		}
	})
}

// TestConfigureRefusesMisfits: a row whose type has no place in RunConfig is a bug, and says which row it is.
func TestConfigureRefusesMisfits(t *testing.T) {
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "settings: join-timeout cannot be put into") {
			t.Errorf("got panic %q", got)
		}
	}()
	fieldValue(Find("join-timeout"), configFields().ByName("threads"), &Values{})
}

func TestInRange(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Values)
		want   bool
	}{
		{"workers", func(v *Values) { v.Workers = 1 }, true},
		{"workers", func(v *Values) { v.Workers = 1024 }, true},
		{"workers", func(v *Values) { v.Workers = 0 }, false},
		{"workers", func(v *Values) { v.Workers = 1025 }, false},
		{"max-steps", func(v *Values) { v.MaxSteps = -1 }, false},
		{"max-steps", func(v *Values) { v.MaxSteps = 1<<63 - 1 }, true},
		{"seed", func(v *Values) { v.Seed = 1<<64 - 1 }, true},
		{"base-tau", func(v *Values) { v.BaseTau = 1.0001 }, false},
		{"require-gain", func(v *Values) { v.RequireGain = -3 }, true},
		{"failure-timeout", func(v *Values) { v.FailureTimeout = 99 * time.Millisecond }, false},
		{"failure-timeout", func(v *Values) { v.FailureTimeout = 100 * time.Millisecond }, true},
		{"log-interval", func(v *Values) { v.LogInterval = -time.Second }, false},
		{"data", func(v *Values) { v.Data = "anything" }, true},
		{"quiet", func(v *Values) { v.Quiet = true }, true},
		{"no-color", func(v *Values) { v.NoColor = true }, true},
	} {
		var v Values
		c.change(&v)
		if got := Find(c.name).InRange(&v); got != c.want {
			t.Errorf("%s of %+v: in range %v, want %v", c.name, v, got, c.want)
		}
	}
}

// TestNaN: what is not a number is in no range.
func TestNaN(t *testing.T) {
	var zero float64
	if s := Find("base-lr"); s.InRange(&Values{BaseLR: zero / zero}) {
		t.Error("a base-lr that is not a number is in range")
	}
}
