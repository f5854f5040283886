package status

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	pb "byol/proto"
)

// everyMessage calls f with each message that this module declares.
func everyMessage(t *testing.T, f func(d protoreflect.MessageDescriptor)) {
	t.Helper()
	n := 0
	var walk func(all protoreflect.MessageDescriptors)
	walk = func(all protoreflect.MessageDescriptors) {
		for i := range all.Len() {
			if d := all.Get(i); !d.IsMapEntry() {
				n++
				f(d)
				walk(d.Messages())
			}
		}
	}
	protoregistry.GlobalFiles.RangeFiles(func(d protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(string(d.Package()), "byol.") {
			walk(d.Messages())
		}
		return true
	})
	if n < 60 {
		t.Fatalf("found only %d messages", n)
	}
}

// extreme is the value of a field that is hardest to print: round number, of which there are several.
func extreme(f protoreflect.FieldDescriptor, round, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString([]string{"\"<&>\\ \u2028\x1b", "ξ′", "12"}[round])
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte{0, 255, 62, 63})
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(round % values.Len()).Number())
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32([]float32{1e-7, math.MaxFloat32, float32(math.Inf(-1))}[round])
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0.1, 1e21, math.Inf(1)}[round])
	case protoreflect.MessageKind:
		return protoreflect.ValueOfMessage(filled(f.Message(), round, depth+1))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32([]int32{math.MinInt32, 7, -1}[round])
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32([]uint32{math.MaxUint32, 7, 1}[round])
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64([]uint64{math.MaxUint64, 1<<53 + 1, 1}[round])
	}
	return protoreflect.ValueOfInt64([]int64{math.MinInt64, 1<<53 + 1, -1}[round])
}

// filled is a message with a value in each field; of a oneof in the last.
func filled(d protoreflect.MessageDescriptor, round, depth int) protoreflect.Message {
	m := dynamicpb.NewMessage(d)
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		switch {
		case d.FullName().Parent() == "google.protobuf":
			if v := (map[protoreflect.Name]protoreflect.Value{"seconds": protoreflect.ValueOfInt64(int64(5 + round)),
				"nanos": protoreflect.ValueOfInt32(250_000_000)})[f.Name()]; v.IsValid() {
				m.Set(f, v)
			}
		case f.Message() != nil && depth > 4:
		case f.IsList():
			list := m.Mutable(f).List()
			list.Append(extreme(f, round, depth))
			list.Append(extreme(f, (round+1)%3, depth))
		default:
			m.Set(f, extreme(f, round, depth))
		}
	}
	return m
}

// TestNumbersAreNumbers prints every message that there is, full of extreme values and empty: each key is one of the
// message's, each number a number with all its digits, and what was printed reads back as what it was.
func TestNumbersAreNumbers(t *testing.T) {
	everyMessage(t, func(d protoreflect.MessageDescriptor) {
		for round := range 3 {
			m := filled(d, round, 0)
			for _, m := range []protoreflect.Message{m, dynamicpb.NewMessage(d)} {
				text, err := JSON(m.Interface())
				if err != nil {
					t.Errorf("%s: %v", d.FullName(), err)
					return
				}
				back := dynamicpb.NewMessage(d)
				if err := protojson.Unmarshal(text, back); err != nil || !proto.Equal(back, m.Interface()) {
					t.Errorf("%s: %v\n printed %s\nread back %v\n    want %v", d.FullName(), err, text, back, m)
				}
				var v any
				r := json.NewDecoder(bytes.NewReader(text))
				r.UseNumber()
				if err := r.Decode(&v); err != nil {
					t.Errorf("%s: %v in %s", d.FullName(), err, text)
				}
				compare(t, string(d.FullName()), d, v)
			}
		}
	})
}

// compare checks the types of what was printed of a message.
func compare(t *testing.T, path string, d protoreflect.MessageDescriptor, v any) {
	t.Helper()
	object, ok := v.(map[string]any)
	if !ok {
		if d.FullName().Parent() != "google.protobuf" {
			t.Errorf("%s is printed as %T", path, v)
		}
		return
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		v, there := object[string(f.Name())]
		if !there && f.ContainingOneof() == nil {
			t.Errorf("%s.%s is not printed", path, f.Name())
		}
		delete(object, string(f.Name()))
		all, list := v.([]any)
		if !list {
			all = []any{v}
		}
		for _, v := range all {
			if !rightly(f, v) && there {
				t.Errorf("%s.%s is printed as %T %v", path, f.Name(), v, v)
			} else if f.Message() != nil && v != nil {
				compare(t, fmt.Sprintf("%s.%s", path, f.Name()), f.Message(), v)
			}
		}
	}
	if len(object) > 0 {
		t.Errorf("%s has keys of its own: %v", path, object)
	}
}

// rightly reports whether v has the type that a field's values are printed with.
func rightly(f protoreflect.FieldDescriptor, v any) bool {
	switch f.Kind() {
	case protoreflect.BoolKind:
		_, ok := v.(bool)
		return ok
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind:
		_, ok := v.(string)
		return ok
	case protoreflect.MessageKind:
		return true
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		if word, ok := v.(string); ok {
			return strings.Trim(word, "-") == "Infinity"
		}
	}
	_, ok := v.(json.Number)
	return ok
}

// TestWhatIsNoNumber: NaN is a word, since JSON has none; a value that an enumeration lacks is its number.
func TestWhatIsNoNumber(t *testing.T) {
	got, err := JSON(&pb.Status{State: 77, Learning: &pb.Learning{Loss: math.NaN(), GradientNorm: math.Inf(-1)}})
	if err != nil || !bytes.Contains(got, []byte(`"loss":"NaN"`)) || !bytes.Contains(got, []byte(`"state":77,`)) ||
		!bytes.Contains(got, []byte(`"gradient_norm":"-Infinity"`)) {
		t.Errorf("%v: %s", err, got)
	}
}
