package capi

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// CompileOptions are what a compilation is told.
type CompileOptions struct {
	XLA map[string]any // XLA's debug options by name: bool, int, float64 or string; unknown ones are errors of the plugin
}

// Fields of xla.CompileOptionsProto and the messages in it.
const (
	fieldBuildOptions  = 3
	fieldPortable      = 4
	fieldOverrides     = 7
	fieldDeviceOrdinal = 1
	fieldReplicas      = 4
	fieldPartitions    = 5
	fieldKey           = 1
	fieldValue         = 2
	fieldString        = 1
	fieldBool          = 2
	fieldInt           = 3
	fieldDouble        = 4
)

// encode gives the options as a serialised xla.CompileOptionsProto: one device, any of the client's. The same options
// give the same bytes.
func (o CompileOptions) encode() ([]byte, error) {
	anyDevice := int64(-1)
	var build []byte
	build = appendInt(build, fieldDeviceOrdinal, uint64(anyDevice))
	build = appendInt(build, fieldReplicas, 1)
	build = appendInt(build, fieldPartitions, 1)
	out := appendBytes(nil, fieldBuildOptions, build)
	out = appendInt(out, fieldPortable, 1)
	for _, name := range slices.Sorted(maps.Keys(o.XLA)) {
		var value []byte
		switch x := o.XLA[name].(type) {
		case string:
			value = appendBytes(nil, fieldString, []byte(x))
		case bool:
			value = appendInt(nil, fieldBool, protowire.EncodeBool(x))
		case int:
			value = appendInt(nil, fieldInt, uint64(x))
		case float64:
			value = protowire.AppendFixed64(protowire.AppendTag(nil, fieldDouble, protowire.Fixed64Type), math.Float64bits(x))
		default:
			return nil, fmt.Errorf("XLA option %s: a value of type %T cannot be passed", name, x)
		}
		entry := appendBytes(appendBytes(nil, fieldKey, []byte(name)), fieldValue, value)
		out = appendBytes(out, fieldOverrides, entry)
	}
	return out, nil
}

func appendInt(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func appendBytes(b []byte, field protowire.Number, v []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), v)
}
