package status

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "byol/proto"
)

var update = flag.Bool("update", false, "rewrite the keys in docs/json.md")

// TestKeysAreDocumented compares the keys of what programs read with docs/json.md, which promises that they stay: one
// that is gone, or has another type, is a promise broken.
func TestKeysAreDocumented(t *testing.T) {
	const page, heading = "../../docs/json.md", "## Keys\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, got, found := strings.Cut(string(text), heading)
	if !found {
		t.Fatalf("%s has no %q", page, heading)
	}
	var want strings.Builder
	for _, m := range []struct {
		title string
		m     proto.Message
	}{
		{"`status`, `watch`, `wait`", &pb.Status{}}, {"`events`, each", &pb.Event{}},
		{"`pause`, `resume`, `checkpoint`, `drain`, `stop`", &pb.RunOperation{}},
		{"`member`, `transfer-leader`", &pb.ListMembersResponse{}},
	} {
		fmt.Fprintf(&want, "\n### %s\n\n| key | type |\n|---|---|\n", m.title)
		keys(&want, "", m.m.ProtoReflect().Descriptor())
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+heading+want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got != want.String() {
		t.Errorf("%s differs (go test ./coordinator/status -update rewrites it; keys are added, never taken away)", page)
	}
}

// keys writes a line for each key of a message, and of those in it.
func keys(w *strings.Builder, path string, d protoreflect.MessageDescriptor) {
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		key, kind := path+string(f.Name()), kindOf(f)
		if f.IsList() {
			key += "[]"
		}
		fmt.Fprintf(w, "| `%s` | %s |\n", key, kind)
		if kind == "object" {
			keys(w, key+".", f.Message())
		}
	}
}

func kindOf(f protoreflect.FieldDescriptor) string {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return "boolean"
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind:
		return "string"
	case protoreflect.MessageKind:
		switch f.Message().FullName() {
		case "google.protobuf.Timestamp":
			return "time"
		case "google.protobuf.Duration":
			return "duration"
		}
		return "object"
	}
	return "number"
}
