package capi

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"byol/internal/vector"
	"byol/model/pjrt/pjrttest"
)

// opened are the plugins that tests of this process have loaded: each is initialised once.
var opened sync.Map

func plugin(t testing.TB, name string) *Plugin {
	t.Helper()
	path := pjrttest.Path(t, name)
	load, _ := opened.LoadOrStore(path, sync.OnceValues(func() (*Plugin, error) { return Open(path) }))
	p, err := load.(func() (*Plugin, error))()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// client opens a client that must have nothing alive when the test ends.
func client(t testing.TB, name string) *Client {
	t.Helper()
	c, err := plugin(t, name).NewClient(ClientOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// onCPU runs a test on each of the CPU plugins.
func onCPU(t *testing.T, f func(t *testing.T, c *Client)) {
	for _, name := range []string{pjrttest.CPU115, pjrttest.CPU106} {
		t.Run(filepath.Base(filepath.Dir(name)), func(t *testing.T) { f(t, client(t, name)) })
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func compile(t testing.TB, c *Client, module string) *Executable {
	t.Helper()
	x, err := c.Compile([]byte(module), CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ended(t, x.Destroy()) })
	return x
}

func ended(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func upload(t testing.TB, c *Client, x []float32) *Buffer {
	t.Helper()
	b, err := c.Devices()[0].Upload(Shape{F32, []int64{int64(len(x))}}, vector.Bytes(x))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ended(t, b.Destroy()) })
	return b
}

func run(t testing.TB, x *Executable, args ...*Buffer) []*Buffer {
	t.Helper()
	out, err := x.Run(x.c.Devices()[0], args)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, b := range out {
			ended(t, b.Destroy())
		}
	})
	return out
}

func download(t testing.TB, b *Buffer) []float32 {
	t.Helper()
	x := make([]float32, b.Shape().Elements())
	if err := b.Download(t.Context(), vector.Bytes(x)); err != nil {
		t.Fatal(err)
	}
	return x
}

// axpy gives 2x+y and the sum of x, of four elements each; x is taken over if it may be.
func axpy(attributes string) string {
	return `module @axpy {
  func.func public @main(%x: tensor<4xf32>` + attributes + `, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<f32>) {
    %two = stablehlo.constant dense<2.0> : tensor<4xf32>
    %zero = stablehlo.constant dense<0.0> : tensor<f32>
    %a = stablehlo.multiply %x, %two : tensor<4xf32>
    %b = stablehlo.add %a, %y : tensor<4xf32>
    %s = stablehlo.reduce(%x init: %zero) applies stablehlo.add across dimensions = [0]
      : (tensor<4xf32>, tensor<f32>) -> tensor<f32>
    return %b, %s : tensor<4xf32>, tensor<f32>
  }
}
`
}

func TestRun(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		x := compile(t, c, axpy(""))
		if got := fmt.Sprint(x.Results()); got != "[f32[4] f32[]]" {
			t.Errorf("results %s", got)
		}
		out := run(t, x, upload(t, c, []float32{1, 2, 3, 4}), upload(t, c, []float32{10, 20, 30, 40}))
		if got := download(t, out[0]); fmt.Sprint(got) != "[12 24 36 48]" {
			t.Errorf("2x+y = %v", got)
		}
		if got := download(t, out[1]); fmt.Sprint(got) != "[10]" {
			t.Errorf("sum %v", got)
		}
	})
}

// TestTypes sends one array of each type there and back.
func TestTypes(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		for kind, about := range types {
			shape := Shape{kind, []int64{2, 3}}
			data := make([]byte, 6*about.bytes)
			for i := range data {
				data[i] = byte(i % 2)
			}
			b := must[*Buffer](t)(c.Devices()[0].Upload(shape, data))
			got := make([]byte, len(data))
			if err := b.Download(t.Context(), got); err != nil || string(got) != string(data) {
				t.Errorf("%v: %v there, %v back, %v", shape, data, got, err)
			}
			ended(t, b.Destroy())
		}
	})
}

func TestDonation(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		x := compile(t, c, axpy(" {tf.aliasing_output = 0 : i32}"))
		m, err := x.Memory()
		if err != nil || m.Alias != 16 {
			t.Errorf("memory %+v, %v: want 16 bytes taken over", m, err)
		}
		a, b := upload(t, c, []float32{1, 2, 3, 4}), upload(t, c, []float32{0, 0, 0, 1})

		kept := must[[]*Buffer](t)(x.Run(c.Devices()[0], []*Buffer{a, b}, 0))
		if got := download(t, a); fmt.Sprint(got) != "[1 2 3 4]" {
			t.Errorf("an argument that was to be kept is %v", got)
		}
		out := run(t, x, a, b)
		for i, o := range []*Buffer{kept[0], out[0]} {
			if got := download(t, o); fmt.Sprint(got) != "[2 4 6 9]" {
				t.Errorf("run %d: 2x+y = %v", i, got)
			}
		}
		for _, o := range kept {
			ended(t, o.Destroy())
		}
		if _, err := x.Run(c.Devices()[0], []*Buffer{a, b}); err == nil || !strings.Contains(err.Error(), "donated") {
			t.Errorf("an argument that was taken over before: %v", err)
		}
		if err := a.Download(t.Context(), make([]byte, 16)); err == nil {
			t.Error("an argument that was taken over can be read")
		}
	})
}

// TestErrors has each kind of error come back in words and with its code.
func TestErrors(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		x := compile(t, c, axpy(""))
		four, five := upload(t, c, make([]float32, 4)), upload(t, c, make([]float32, 5))
		gone := upload(t, c, make([]float32, 4))
		ended(t, gone.Destroy())
		d := c.Devices()[0]
		huge := fmt.Sprintf(`func.func @main(%%x: tensor<f32>) -> tensor<%[1]dxf32> {
  %%y = stablehlo.broadcast_in_dim %%x, dims = [] : (tensor<f32>) -> tensor<%[1]dxf32>
  return %%y : tensor<%[1]dxf32> }`, int64(1)<<46)
		second := func(_ any, err error) error { return err }
		with := func(xla map[string]any) error { return second(c.Compile([]byte(axpy("")), CompileOptions{XLA: xla})) }
		for _, e := range []struct {
			name string
			err  error
			code Code
			want string
		}{
			{"no module", second(c.Compile([]byte("nonsense"), CompileOptions{})), Unknown, "compile program"},
			{"an empty module", second(c.Compile(nil, CompileOptions{})), 0, "no bytes"},
			{"an option XLA lacks", with(map[string]any{"xla_no": true}), InvalidArgument, "xla_no"},
			{"an option of a strange type", with(map[string]any{"xla_x": 'x'}), 0, "a value of type int32"},
			{"too few arguments", second(x.Run(d, []*Buffer{four})), InvalidArgument, "run program"},
			{"a wrong shape", second(x.Run(d, []*Buffer{four, five})), InvalidArgument, "run program"},
			{"a buffer that is gone", second(x.Run(d, []*Buffer{four, gone})), 0, "argument 1"},
			{"a download of what is gone", gone.Download(t.Context(), make([]byte, 16)), 0, "destroyed"},
			{"a download to too little", four.Download(t.Context(), make([]byte, 15)), 0, "15 bytes"},
			{"an upload of too little", second(d.Upload(Shape{F32, []int64{4}}, make([]byte, 15))), 0, "15 bytes"},
			{"a program that is none", second(c.Load([]byte("nonsense"))), 0, "load program"},
			{"an empty program", second(c.Load(nil)), 0, "no bytes"},
			{"more than fits", second(compile(t, c, huge).Run(d, []*Buffer{one(t, c)})), ResourceExhausted, "run program"},
		} {
			var from *Error
			switch {
			case e.err == nil || !strings.Contains(e.err.Error(), e.want):
				t.Errorf("%s: %v, want %q in it", e.name, e.err, e.want)
			case e.code != 0 && (!errors.As(e.err, &from) || from.Code != e.code):
				t.Errorf("%s: %v, want the code %v", e.name, e.err, e.code)
			case errors.Is(e.err, ErrOutOfMemory) != (e.code == ResourceExhausted):
				t.Errorf("%s: %v is out of memory: %t", e.name, e.err, errors.Is(e.err, ErrOutOfMemory))
			}
			t.Logf("%s: %v", e.name, e.err)
		}
		if out := run(t, x, four, four); math.Abs(float64(download(t, out[1])[0])) > 0 {
			t.Error("the client is of no use after errors")
		}
	})
}

func one(t *testing.T, c *Client) *Buffer {
	t.Helper()
	b := must[*Buffer](t)(c.Devices()[0].Upload(Shape{F32, nil}, vector.Bytes([]float32{1})))
	t.Cleanup(func() { ended(t, b.Destroy()) })
	return b
}

func TestSerialize(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		first := compile(t, c, axpy(""))
		code := must[[]byte](t)(first.Serialize())
		x := must[*Executable](t)(c.Load(code))
		t.Cleanup(func() { ended(t, x.Destroy()) })
		if got := fmt.Sprint(x.Results()); got != "[f32[4] f32[]]" {
			t.Errorf("results %s", got)
		}
		out := run(t, x, upload(t, c, []float32{1, 2, 3, 4}), upload(t, c, []float32{10, 20, 30, 40}))
		if got := download(t, out[0]); fmt.Sprint(got) != "[12 24 36 48]" {
			t.Errorf("2x+y = %v", got)
		}
		print, err := first.Fingerprint()
		t.Logf("%d bytes, fingerprint %q %v", len(code), print, err)
	})
}

// TestHostMemory copies there and back through memory that the device may use while other work goes on.
func TestHostMemory(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		const n = 1 << 16
		m := must[*HostMemory](t)(c.NewHostMemory(8 * n))
		t.Logf("pinned: %t", m.Pinned())
		x := vector.Floats(m.Bytes())
		for i := range n {
			x[i] = float32(i)
		}
		b, up, err := c.Devices()[0].UploadFrom(Shape{F32, []int64{n}}, m, 0)
		if err != nil {
			t.Fatal(err)
		}
		down := must[*Event](t)(b.DownloadTo(m, 4*n))
		if err := m.Free(); err == nil {
			t.Error("memory is freed with copies under way")
		}
		ended(t, down.Await(t.Context()))
		ended(t, up.Await(t.Context()))
		if err := up.Await(t.Context()); !errors.Is(err, ErrDestroyed) {
			t.Errorf("awaited twice: %v", err)
		}
		for i := range n {
			if x[n+i] != float32(i) {
				t.Fatalf("element %d came back as %v", i, x[n+i])
			}
		}
		for _, off := range []int{-4, 4*n + 4, 8 * n, math.MaxInt} {
			if _, err := b.DownloadTo(m, off); err == nil {
				t.Errorf("a download of %d bytes to %d of %d", 4*n, off, 8*n)
			}
		}
		ended(t, b.Destroy())
		ended(t, m.Free())
		ended(t, m.Free())
		if _, err := c.NewHostMemory(0); err == nil {
			t.Error("memory of no bytes")
		}
	})
}

// TestNothingIsLeft runs a program a thousand times and counts what is alive; the process must not grow by what a
// thousand results would take.
func TestNothingIsLeft(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		const n = 1 << 16 // 256 KiB a buffer: 1,000 would be 250 MiB
		x := compile(t, c, fmt.Sprintf(`func.func @main(%%x: tensor<%[1]dxf32>) -> tensor<%[1]dxf32> {
  %%y = stablehlo.add %%x, %%x : tensor<%[1]dxf32>
  return %%y : tensor<%[1]dxf32> }`, n))
		in := upload(t, c, make([]float32, n))
		m := must[*HostMemory](t)(c.NewHostMemory(4 * n))
		before, resident := c.Live(), residentBytes(t)
		for range 1000 {
			out := must[[]*Buffer](t)(x.Run(c.Devices()[0], []*Buffer{in}))
			e := must[*Event](t)(out[0].DownloadTo(m, 0))
			if live := c.Live(); live.Buffers != before.Buffers+1 || live.Events != before.Events+1 {
				t.Fatalf("alive in the middle: %+v, before %+v", live, before)
			}
			ended(t, e.Await(t.Context()))
			ended(t, out[0].Destroy())
			ended(t, out[0].Destroy())
		}
		if after := c.Live(); after != before {
			t.Errorf("alive after 1,000 runs: %+v, before %+v", after, before)
		}
		if grown := residentBytes(t) - resident; grown > 100<<20 {
			t.Errorf("the process grew by %d MiB", grown>>20)
		}
		ended(t, m.Free())
	})
}

func residentBytes(t *testing.T) int {
	t.Helper()
	b := must[[]byte](t)(os.ReadFile("/proc/self/statm"))
	var size, resident int
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

// TestColumnMajor: what a program leaves in another order comes to the host in rows.
func TestColumnMajor(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		x := compile(t, c, `module @columns attributes {mhlo.layout_mode = "default"} {
  func.func public @main(%x: tensor<2x3xf32>) -> (tensor<2x3xf32> {mhlo.layout_mode = "{0,1}"}) {
    %y = stablehlo.add %x, %x : tensor<2x3xf32>
    return %y : tensor<2x3xf32>
  }
}`)
		b := must[*Buffer](t)(c.Devices()[0].Upload(Shape{F32, []int64{2, 3}}, vector.Bytes([]float32{1, 2, 3, 4, 5, 6})))
		t.Cleanup(func() { ended(t, b.Destroy()) })
		if got := download(t, run(t, x, b)[0]); fmt.Sprint(got) != "[2 4 6 8 10 12]" {
			t.Errorf("2x = %v", got)
		}
	})
}

// TestCompileOptions passes an option of each type that XLA has.
func TestCompileOptions(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		for name, value := range map[string]any{"xla_cpu_enable_fast_math": true, "xla_backend_optimization_level": 0,
			"xla_dump_hlo_module_re": "nothing", "xla_gpu_auto_spmd_partitioning_memory_budget_ratio": 1.25} {
			x, err := c.Compile([]byte(axpy("")), CompileOptions{XLA: map[string]any{name: value}})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			ended(t, x.Destroy())
			if _, ok := value.(string); ok {
				continue
			}
			if _, err := c.Compile([]byte(axpy("")), CompileOptions{XLA: map[string]any{name: "?"}}); err == nil {
				t.Errorf("%s: takes what is no %T", name, value)
			}
		}
	})
}

// TestTogether runs one program from several goroutines, as a client allows.
func TestTogether(t *testing.T) {
	onCPU(t, func(t *testing.T, c *Client) {
		x := compile(t, c, axpy(""))
		y := upload(t, c, []float32{0, 0, 0, 0})
		var group sync.WaitGroup
		for i := range 4 {
			in := upload(t, c, []float32{float32(i), 0, 0, 1})
			group.Go(func() {
				for range 50 {
					out, err := x.Run(c.Devices()[0], []*Buffer{in, y})
					if err != nil {
						t.Error(err)
						return
					}
					got := make([]float32, 4)
					if err := out[0].Download(t.Context(), vector.Bytes(got)); err != nil || got[0] != float32(2*i) {
						t.Errorf("goroutine %d: %v, %v", i, got, err)
					}
					for _, b := range out {
						ended(t, b.Destroy())
					}
				}
			})
		}
		group.Wait()
	})
}

// TestOtherClient: what belongs to one client is of no use to another.
func TestOtherClient(t *testing.T) {
	a, b := client(t, pjrttest.CPU115), client(t, pjrttest.CPU115)
	x := compile(t, a, axpy(""))
	mine, other := upload(t, a, make([]float32, 4)), upload(t, b, make([]float32, 4))
	if _, err := x.Run(a.Devices()[0], []*Buffer{mine, other}); err == nil ||
		!strings.Contains(err.Error(), "argument 1 is another client's") {
		t.Errorf("another client's buffer: %v", err)
	}
	if _, err := x.Run(b.Devices()[0], []*Buffer{mine, mine}); err == nil ||
		!strings.Contains(err.Error(), "another client's device") {
		t.Errorf("another client's device: %v", err)
	}
}
