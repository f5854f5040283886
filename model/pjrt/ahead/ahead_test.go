package ahead

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"byol/model/pjrt/capi"
	"byol/model/pjrt/emit"
	"byol/model/pjrt/hlo"
	"byol/model/pjrt/pjrttest"
)

// programs are three segments, of which the first and the last compute the same.
func programs() []*hlo.Segment {
	p := &hlo.Program{}
	for _, name := range []string{"twice", "product", "again"} {
		x := p.Input(name, hlo.BF16, 64, 64)
		p.Cut(name)
		if name == "product" {
			p.Export(x.Dot(x, 1, 0))
		} else {
			p.Export(x.Add(x))
		}
	}
	return p.Segments
}

// TestCompile compiles for GPUs that are not there: the same bytes each time, whatever is compiled beside.
func TestCompile(t *testing.T) {
	plugin, err := capi.Open(pjrttest.Path(t, pjrttest.CUDA))
	if err != nil {
		t.Fatal(err)
	}
	var first []Program
	for threads, target := range Targets() {
		got, err := Compile(t.Context(), Job{Plugin: plugin, Target: target, Segments: programs(), Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[0].Name != "twice" || got[0].Uses != 2 || got[1].Name != "product" || got[1].Uses != 1 {
			t.Fatalf("%+v", got)
		}
		for i, p := range got {
			if len(p.Code) == 0 || p.Memory.Arguments != 64*64*2 || p.Memory.Results < 64*64*2 {
				t.Errorf("%s: %d bytes, memory %+v", p.Name, len(p.Code), p.Memory)
			}
			if first != nil && !bytes.Equal(first[i].Code, p.Code) {
				t.Errorf("%s: other bytes for %s than for %s", p.Name, target.Name, Targets()[0].Name)
			}
		}
		first = got
	}
	_, err = Compile(t.Context(), Job{Plugin: plugin, Target: Targets()[0], Segments: programs(),
		XLA: map[string]any{"xla_no_such_option": true}})
	if err == nil || !strings.Contains(err.Error(), "compile for h100: program twice: ") {
		t.Errorf("an option that XLA lacks: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := Compile(ctx, Job{Plugin: plugin, Target: Targets()[0], Segments: programs()}); err == nil ||
		!strings.Contains(err.Error(), "enough") {
		t.Errorf("after the end: %v", err)
	}
}

func TestFindTarget(t *testing.T) {
	h, err := FindTarget("h100")
	if err != nil || !strings.Contains(h.Text(), "core_count: 132") {
		t.Errorf("%v: %s", err, h.Text())
	}
	if _, err := FindTarget("g80"); err == nil || !strings.Contains(err.Error(), "want one of h100, h200") {
		t.Errorf("%v", err)
	}
}

// TestOptions: what is compiled ahead has the options of an engine on such a GPU, and one more.
func TestOptions(t *testing.T) {
	for precision, want := range map[emit.Precision]map[string]any{
		emit.FP32: {"xla_gpu_exclude_nondeterministic_ops": true},
		emit.BF16: {"xla_gpu_exclude_nondeterministic_ops": true, "xla_allow_excess_precision": false},
	} {
		if got := emit.XLA("cuda", precision); !maps.Equal(got, want) {
			t.Errorf("precision %d: an engine has %v, want %v", precision, got, want)
		}
		want["xla_gpu_enable_triton_gemm"], want["xla_other"] = false, 1
		if got := Options(precision, map[string]any{"xla_other": 1}).XLA; !maps.Equal(got, want) {
			t.Errorf("precision %d: ahead has %v, want %v", precision, got, want)
		}
	}
	if got := emit.XLA("cpu", emit.FP32); len(got) != 0 {
		t.Errorf("on a processor: %v", got)
	}
}
