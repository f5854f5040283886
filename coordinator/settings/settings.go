// Package settings is the table of everything that can be set for a run: one row per setting says its flag, its key
// in files, its environment variable, its field of RunConfig, whether a run that goes on may have another value, and
// the words that explain it. The program makes flags, help and completion of it, and the coordinator the check of a run
// that is taken up again. To add a setting, add a field to Values and a row to the table; where workers need it, a
// field of the same meaning to RunConfig.
//
// The table is constant and Values is a plain struct; nothing is owned.
//
// When it fails: Configure panics on a row whose type does not fit its field, which is a bug that the tests of this
// package find. Nothing else can fail.
package settings

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	pb "byol/proto"
)

// Setting is one row of the table.
type Setting struct {
	Name  string            // the flag without its dashes, and the key in files
	Short string            // the one-letter flag, if there is one
	Group Group             // the heading in --help
	At    func(*Values) any // a pointer to where the value is kept
	// Default is what holds while nobody says anything else; its type is that of the value.
	Default any
	Help    string
	// Hidden settings are for tests and negative controls: they are not in --help.
	Hidden bool
	// Words are all values that a setting of few values takes; nil for the others.
	Words []string
	// Begins is how values begin that it takes besides Words; empty: none.
	Begins string
	// Low and High bound a number, or a time in seconds; both 0: any value will do.
	Low, High float64
	// Path says what completion offers: File, Directory, or nothing.
	Path Path
	// Life says whether a run that goes on may have another value.
	Life Life
	// Field is the field of RunConfig that takes the value as it is; "": none does.
	Field string
	// Makes are the fields of RunConfig that are computed from this setting, and perhaps from others.
	Makes []string
	// Local says, for a setting that reaches no worker, who uses it.
	Local string
}

// Group is a heading of --help.
type Group string

// The headings, in the order of --help.
const (
	Job          Group = "Job"
	Data         Group = "Data"
	Network      Group = "Network"
	Optimisation Group = "Optimisation"
	Augmentation Group = "Augmentation"
	Evaluation   Group = "Evaluation"
	Faults       Group = "Checkpoints and faults"
	Execution    Group = "Execution"
	Security     Group = "Security"
	Output       Group = "Output"
)

// Groups lists the headings in the order of --help.
func Groups() []Group {
	return []Group{Job, Data, Network, Optimisation, Augmentation, Evaluation, Faults, Execution, Security, Output}
}

// Path is a kind of file that a setting names.
type Path int

// The kinds of files.
const (
	NoPath Path = iota
	File
	Directory
)

// Life is how long a value of a setting holds.
type Life int

// The lives.
const (
	// Once: it is about one start, and not kept.
	Once Life = iota
	// Kept with the run and taken up by the next start, which may change it.
	Kept
	// Fixed: it decides numbers. A run directory holds one value for ever.
	Fixed
	// FixedContent is Fixed, but the name may change where the content is known to be the same.
	FixedContent
	// FixedStrict is Fixed for workers while determinism is strict.
	FixedStrict
)

// Decides reports whether the setting is part of what a run is: its name is made of these, in the table's order.
func (s *Setting) Decides() bool { return s.Life == Fixed || s.Life == FixedContent }

// Variable is the setting's environment variable.
func (s *Setting) Variable() string {
	return "BYOL_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// Number is the value of a number, or of a time in seconds; ok is false for other settings.
func (s *Setting) Number(v *Values) (x float64, ok bool) {
	switch p := s.At(v).(type) {
	case *int:
		return float64(*p), true
	case *int64:
		return float64(*p), true
	case *uint64:
		return float64(*p), true
	case *float64:
		return *p, true
	case *time.Duration:
		return p.Seconds(), true
	}
	return 0, false
}

// InRange reports whether the value is a number within its bounds, or has none.
func (s *Setting) InRange(v *Values) bool {
	x, ok := s.Number(v)
	return !ok || s.Low == 0 && s.High == 0 || x >= s.Low && x <= s.High
}

// Find returns the row of a name, and nil when there is none.
func Find(name string) *Setting {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

// All returns the rows, in the order of --help. Nobody may change them.
func All() []Setting { return table }

// Configure puts every setting that workers get as it is into its field of c.
func (v *Values) Configure(c *pb.RunConfig) {
	m := c.ProtoReflect()
	for i := range table {
		if s := &table[i]; s.Field != "" {
			field := m.Descriptor().Fields().ByName(protoreflect.Name(s.Field))
			m.Set(field, fieldValue(s, field, v))
		}
	}
}

func fieldValue(s *Setting, field protoreflect.FieldDescriptor, v *Values) protoreflect.Value {
	switch p := s.At(v).(type) {
	case *string:
		return protoreflect.ValueOfString(*p)
	case *bool:
		return protoreflect.ValueOfBool(*p)
	case *float64:
		return protoreflect.ValueOfFloat64(*p)
	case *uint64:
		return protoreflect.ValueOfUint64(*p)
	case *int64:
		return protoreflect.ValueOfInt64(*p)
	case *int:
		return protoreflect.ValueOfInt32(int32(*p))
	}
	panic(fmt.Sprintf("settings: %s cannot be put into %s as it is", s.Name, field.FullName()))
}

// Differences lists the fields in which a run that goes on must not differ from what it was begun with and does, as
// "name: old, now new".
func Differences(begun, wanted *pb.RunConfig) []string {
	var found []string
	a, b := begun.ProtoReflect(), wanted.ProtoReflect()
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if !mayChange(string(f.Name()), begun, wanted) && !a.Get(f).Equal(b.Get(f)) {
			found = append(found, fmt.Sprintf("%s: %s, now %s", f.Name(), show(f, a.Get(f)), show(f, b.Get(f))))
		}
	}
	return found
}

func mayChange(field string, begun, wanted *pb.RunConfig) bool {
	if field == "sums" { // up to three shards all orders are one
		return begun.SameSums(wanted)
	}
	s := owner(field)
	if s == nil {
		return false
	}
	switch s.Life {
	case Once, Kept:
		return true
	case FixedContent:
		return field == s.Field && begun.ManifestHash != "" && begun.ManifestHash == wanted.ManifestHash
	case FixedStrict:
		return wanted.Determinism == "relaxed"
	}
	return false
}

// owner is the setting that a field of RunConfig comes from; nil for a field that has no row.
func owner(field string) *Setting {
	for i := range table {
		if s := &table[i]; s.Field == field {
			return s
		}
		for _, made := range table[i].Makes {
			if made == field {
				return &table[i]
			}
		}
	}
	return nil
}

func show(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if f.Kind() == protoreflect.StringKind {
		return fmt.Sprintf("%q", v.String())
	}
	return v.String()
}
