package pb

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// augmentPrefix begins the names of fields that are options of the pipelines of views.
const augmentPrefix = "augment_"

// AugmentOptions are the options of the pipelines of views that differ from those that Augment names, by the names they
// have in worker/data/views.
func (c *RunConfig) AugmentOptions() map[string]string {
	options := map[string]string{}
	c.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if name, ok := strings.CutPrefix(string(f.Name()), augmentPrefix); ok {
			options[strings.ReplaceAll(name, "_", "-")] = v.String()
		}
		return true
	})
	return options
}

// SetAugmentOption keeps an option of the pipelines of views under the name that it has in worker/data/views. It panics
// at a name that has no field.
func (c *RunConfig) SetAugmentOption(name, value string) {
	m := c.ProtoReflect()
	field := m.Descriptor().Fields().ByName(protoreflect.Name(augmentPrefix + strings.ReplaceAll(name, "-", "_")))
	m.Set(field, protoreflect.ValueOfString(value))
}
