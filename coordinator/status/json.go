package status

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// JSON is a message as all programs of this module print it: compact, with the names of the .proto files, with all
// fields whether they are set or not, in the order of their declaration. Numbers are numbers: protobuf's own JSON has
// those of 64 bits as strings, with which nobody can compare or count. What it makes can be read back by protojson.
//
// What readers may rely on is in docs/json.md.
func JSON(m proto.Message) ([]byte, error) { return appendMessage(nil, m.ProtoReflect()) }

// MarshalIndent is JSON over several lines.
func MarshalIndent(m proto.Message) ([]byte, error) {
	text, err := JSON(m)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(json.RawMessage(text), "", "  ")
}

func appendMessage(b []byte, m protoreflect.Message) ([]byte, error) {
	switch name := m.Descriptor().FullName(); {
	case name.Parent() == "google.protobuf": // a time or a span of it: text in a form of its own
		text, err := protojson.Marshal(m.Interface())
		return append(b, text...), err
	case !m.IsValid():
		return append(b, "null"...), nil
	}
	b = append(b, '{')
	first := true
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.ContainingOneof() != nil && !m.Has(f) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(strconv.AppendQuote(b, string(f.Name())), ':')
		var err error
		if b, err = appendField(b, m, f); err != nil {
			return nil, fmt.Errorf("print %s: %w", f.FullName(), err)
		}
	}
	return append(b, '}'), nil
}

func appendField(b []byte, m protoreflect.Message, f protoreflect.FieldDescriptor) ([]byte, error) {
	switch {
	case f.IsMap():
		return nil, fmt.Errorf("no message of ours has a map")
	case f.IsList():
		list := m.Get(f).List()
		b = append(b, '[')
		for i := range list.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendValue(b, list.Get(i), f); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case f.Message() != nil && !m.Has(f):
		return append(b, "null"...), nil
	}
	return appendValue(b, m.Get(f), f)
}

func appendValue(b []byte, v protoreflect.Value, f protoreflect.FieldDescriptor) ([]byte, error) {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return strconv.AppendBool(b, v.Bool()), nil
	case protoreflect.StringKind:
		text, err := json.Marshal(v.String())
		return append(b, text...), err
	case protoreflect.BytesKind:
		b = base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes())
		return append(b, '"'), nil
	case protoreflect.EnumKind:
		if named := f.Enum().Values().ByNumber(v.Enum()); named != nil {
			return strconv.AppendQuote(b, string(named.Name())), nil
		}
		return strconv.AppendInt(b, int64(v.Enum()), 10), nil
	case protoreflect.FloatKind:
		return appendFloat(b, float32(v.Float()), v.Float())
	case protoreflect.DoubleKind:
		return appendFloat(b, v.Float(), v.Float())
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return appendMessage(b, v.Message())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	}
	return strconv.AppendInt(b, v.Int(), 10), nil
}

// appendFloat prints x, whose value is v: what is no number is a word, as in protobuf's JSON.
func appendFloat(b []byte, x any, v float64) ([]byte, error) {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...), nil
	case math.IsInf(v, 0):
		return append(b, map[bool]string{true: `"Infinity"`, false: `"-Infinity"`}[v > 0]...), nil
	}
	text, err := json.Marshal(x)
	return append(b, text...), err
}
