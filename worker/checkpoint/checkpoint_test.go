package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"byol/internal/safetensors"
	"byol/internal/vector"
)

func float32s(x ...float32) []byte { return bytes.Clone(vector.Bytes(x)) }

func tensor(name string, shape []int, x ...float32) safetensors.Tensor {
	return safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape, Data: float32s(x...)}
}

func sample(step int64) State {
	return State{Step: step, Config: `{"seed":"1"}`, Tensors: []safetensors.Tensor{
		tensor("online/encoder.conv1.weight", []int{2, 1, 1, 1}, 1, -2),
		tensor("online/encoder.bn1.running_mean", []int{2}, 0.5, 3),
		tensor("online/projector.0.weight", []int{1, 2}, 4, 5),
		tensor("target/encoder.conv1.weight", []int{2, 1, 1, 1}, float32(step), 7),
	}}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func mustSave(t *testing.T, dir string, s State) Info {
	t.Helper()
	info, err := Save(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestSaveLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "checkpoints")
	want := sample(12)
	info := mustSave(t, dir, want)
	got, err := Load(info.Path)
	if err != nil {
		t.Fatal(err)
	}
	want.Tensors = sortedByName(want.Tensors)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-saved +loaded):\n%s", d)
	}
	if d := cmp.Diff([]string{"latest", "step-000000012.safetensors"}, names(t, dir)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if latest, err := Latest(dir); err != nil || latest != info.Path {
		t.Errorf("latest is %q, %v, want %q", latest, err, info.Path)
	}
	verified, err := Verify(info.Path)
	if d := cmp.Diff(info, verified); err != nil || d != "" {
		t.Errorf("Verify: %v (-saved +verified):\n%s", err, d)
	}
	list, err := List(dir)
	if d := cmp.Diff([]Info{info}, list); err != nil || d != "" {
		t.Errorf("List: %v (-want +got):\n%s", err, d)
	}
	if _, config, err := Config(info.Path); err != nil || config != want.Config {
		t.Errorf("Config is %q, %v, want %q", config, err, want.Config)
	}
	first, _ := os.ReadFile(info.Path)
	mustSave(t, dir, sample(12))
	if again, _ := os.ReadFile(info.Path); !bytes.Equal(first, again) {
		t.Error("saving the same state twice gave different bytes")
	}
}

func TestDigest(t *testing.T) {
	base := Digest(sample(3))
	reordered := sample(3)
	slices.Reverse(reordered.Tensors)
	reordered.Config = "other"
	if got := Digest(reordered); got != base {
		t.Errorf("order of tensors or configuration changed the digest")
	}
	changes := map[string]func(*State){
		"step":  func(s *State) { s.Step++ },
		"name":  func(s *State) { s.Tensors[0].Name += "x" },
		"shape": func(s *State) { s.Tensors[0].Shape = []int{1, 2, 1, 1} },
		"data":  func(s *State) { s.Tensors[0].Data[0] ^= 1 },
		"less":  func(s *State) { s.Tensors = s.Tensors[1:] },
	}
	for name, change := range changes {
		s := sample(3)
		change(&s)
		if Digest(s) == base {
			t.Errorf("a changed %s left the digest as it was", name)
		}
	}
}

// TestDamage damages a checkpoint at every byte, and cuts it at every length: none of it may pass.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	info := mustSave(t, dir, sample(1))
	whole, err := os.ReadFile(info.Path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "damaged")
	check := func(what string, at int, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s byte %d of %d: Load gave %v, want ErrInvalid", what, at, len(whole), err)
		}
	}
	for i := range whole {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			b := bytes.Clone(whole)
			b[i] ^= bit
			check("flip in", i, b)
		}
		check("cut at", i, whole[:i])
	}
	check("appended after", len(whole), append(bytes.Clone(whole), 0))
}

func TestNewestStepsOverDamage(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Newest(filepath.Join(dir, "absent")); !errors.Is(err, ErrNone) {
		t.Errorf("absent directory: got %v, want ErrNone", err)
	}
	var infos []Info
	for step := range int64(4) {
		infos = append(infos, mustSave(t, dir, sample(step+1)))
	}
	if err := os.Truncate(infos[3].Path, 20); err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(infos[2].Path)
	b[len(b)-1] ^= 4
	if err := os.WriteFile(infos[2].Path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, junk := range []string{".tmp-step-000000009.safetensors-1", "step-x.safetensors", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, junk), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, problems, err := Newest(dir)
	if err != nil || got.Step != 2 {
		t.Errorf("Newest: step %d, %v, want step 2", got.Step, err)
	}
	if len(problems) != 2 || problems[0].Path != infos[3].Path || problems[1].Path != infos[2].Path {
		t.Errorf("problems %v, want those of steps 4 and 3", problems)
	}
	for _, p := range problems {
		if !errors.Is(p.Err, ErrInvalid) {
			t.Errorf("%s: %v, want ErrInvalid", p.Path, p.Err)
		}
	}
	list, err := List(dir)
	if err != nil || len(list) != 4 || list[3].StateSHA256 != "" || list[3].Step != 4 || list[3].Bytes != 20 {
		t.Errorf("List: %v, %v, want 4 with the last one unreadable", list, err)
	}
	for _, i := range infos[:2] {
		if err := os.Remove(i.Path); err != nil {
			t.Fatal(err)
		}
	}
	if _, problems, err := Newest(dir); !errors.Is(err, ErrNone) || len(problems) != 2 {
		t.Errorf("all damaged: got %v, %v, want ErrNone and 2 problems", problems, err)
	}
}

// TestLeftoversAreRemoved: what a writer left that died goes with the next Save, and nothing else does.
func TestLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{tempPrefix + "step-000000001.safetensors-42", ".step-000000001.safetensors-42",
		".latest-7", ".latest", "step-1", ".hidden"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustSave(t, dir, sample(2))
	if d := cmp.Diff([]string{".hidden", ".latest", "latest", "step-000000002.safetensors", "step-1"}, names(t,
		dir)); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
}

// TestLatestIsChecked: a `latest` that names no checkpoint is damage, and one that is not there is said to be missing.
func TestLatestIsChecked(t *testing.T) {
	for text, want := range map[string]error{"": ErrInvalid, "notes.txt": ErrInvalid,
		"../step-000000001.safetensors": ErrInvalid,
		"step-1.safetensors":            ErrInvalid, "step-000000001.safetensors\n\n": ErrInvalid,
		"step-000000001.safetensors": nil} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, latestName), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := Latest(dir); !errors.Is(err, want) || want == nil && got != filepath.Join(dir, Name(1)) {
			t.Errorf("latest of %q: %q, %v, want %v", text, got, err, want)
		}
	}
	if _, err := Latest(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no latest: %v", err)
	}
}

func TestPrune(t *testing.T) {
	cases := []struct {
		name   string
		steps  []int64
		latest int64
		keep   int
		want   []int64
		start  int64 // adopted from another directory; 0: none is
	}{
		{"all", []int64{1, 2, 3}, 3, 0, []int64{1, 2, 3}, 0},
		{"enough", []int64{1, 2, 3}, 3, 3, []int64{1, 2, 3}, 0},
		{"oldest go", []int64{1, 2, 3, 10, 20}, 20, 2, []int64{10, 20}, 0},
		{"latest stays", []int64{5, 6, 7, 2}, 2, 2, []int64{2, 6, 7}, 0},
		{"where the run began stays", []int64{5, 6, 7}, 7, 2, []int64{4, 6, 7}, 4},
		{"where the run began does not count", []int64{6, 7}, 7, 2, []int64{4, 6, 7}, 4},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if c.start > 0 {
				if _, err := Adopt(dir, mustSave(t, t.TempDir(), sample(c.start)).Path); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range c.steps {
				mustSave(t, dir, sample(s))
			}
			if err := Prune(dir, c.keep); err != nil {
				t.Fatal(err)
			}
			list, err := List(dir)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, i := range list {
				got = append(got, i.Step)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("Prune(%v, keep %d) (-want +got):\n%s", c.steps, c.keep, d)
			}
		})
	}
	if err := Prune(filepath.Join(t.TempDir(), "absent"), 3); err != nil {
		t.Errorf("absent directory: %v", err)
	}
}

// TestFailedSave: where the checkpoint or `latest` cannot be put in place, what was there is still good, nothing half
// written is left, and saving works again when the reason is gone.
func TestFailedSave(t *testing.T) {
	for _, blocked := range []string{Name(2), latestName} {
		dir := t.TempDir()
		before := mustSave(t, dir, sample(1))
		path := filepath.Join(dir, blocked)
		kept, _ := os.ReadFile(path)
		if err := errors.Join(os.RemoveAll(path), os.MkdirAll(filepath.Join(path, "inside"), 0o755)); err != nil {
			t.Fatal(err)
		}
		if _, err := Save(dir, sample(2)); err == nil || !strings.Contains(err.Error(), blocked) {
			t.Errorf("%s is a directory: %v", blocked, err)
		}
		for _, n := range names(t, dir) {
			if leftover(n) {
				t.Errorf("%s was left behind", n)
			}
		}
		if _, err := Load(before.Path); err != nil {
			t.Errorf("the checkpoint before: %v", err)
		}
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if len(kept) > 0 {
			if err := os.WriteFile(path, kept, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if latest, err := Latest(dir); err != nil || latest != before.Path {
			t.Errorf("latest is %q, %v, want %q", latest, err, before.Path)
		}
		if info := mustSave(t, dir, sample(2)); info.Step != 2 {
			t.Errorf("saved again: %+v", info)
		}
	}
}

func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "file")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Save(filepath.Join(plain, "sub"), sample(1))
	if err == nil || !strings.Contains(err.Error(), "save checkpoint") {
		t.Errorf("below a file: got %v, want an error of save checkpoint", err)
	}
	if _, err := Save(dir, State{Step: -1}); err == nil {
		t.Error("a negative step was saved")
	}
	if os.Geteuid() == 0 {
		t.Skip("the rest needs a user whom permissions bind")
	}
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755) }) // or the test's own folder cannot be removed
	if _, err := Save(dir, sample(1)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("read-only directory: got %v, want permission denied", err)
	}
}

func TestForeignFiles(t *testing.T) {
	cases := []struct {
		name string
		meta map[string]string
		want string
	}{
		{"no metadata", nil, "no format_version"},
		{"newer", map[string]string{"format_version": strconv.Itoa(FormatVersion + 1)},
			fmt.Sprint("reads up to ", FormatVersion)},
		{"no step", map[string]string{"format_version": "1"}, `step ""`},
		{"no config", map[string]string{"format_version": "1", "step": "1"}, "config_sha256"},
	}
	for _, c := range cases {
		var b bytes.Buffer
		if err := safetensors.Write(&b, nil, c.meta); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(path); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want ErrInvalid with %q", c.name, err, c.want)
		}
	}
}

// TestOldFiles reads a file of every version there has been, as the program of that version wrote it.
func TestOldFiles(t *testing.T) {
	for version := 1; version <= FormatVersion; version++ {
		path := filepath.Join("testdata", fmt.Sprintf("v%d%s", version, Suffix))
		got, err := Load(path)
		if err != nil {
			t.Errorf("version %d: %v; a new version needs a file of its own, written by Save(dir, sample(12))", version, err)
			continue
		}
		want := sample(12)
		want.Tensors = sortedByName(want.Tensors)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

// TestLoadPart: no more than what is wanted, and damage of the rest is found all the same.
func TestLoadPart(t *testing.T) {
	info := mustSave(t, t.TempDir(), sample(5))
	target := func(name string) bool { return strings.HasPrefix(name, "target/") }
	s, err := LoadPart(info.Path, target)
	if err != nil || s.Step != 5 || s.Config != sample(5).Config || len(s.Tensors) != 1 ||
		s.Tensors[0].Name != "target/encoder.conv1.weight" {
		t.Errorf("got %+v, %v", s, err)
	}
	whole, err := os.ReadFile(info.Path)
	if err != nil {
		t.Fatal(err)
	}
	whole[bytes.Index(whole, float32s(0.5, 3))] ^= 1
	if err := os.WriteFile(info.Path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadPart(info.Path, target); !errors.Is(err, ErrInvalid) {
		t.Errorf("with another tensor damaged: %v", err)
	}
}

// TestAdopt: another run's checkpoint is copied with its bytes, once, and a damaged one is not.
func TestAdopt(t *testing.T) {
	from, dir := mustSave(t, t.TempDir(), sample(7)), filepath.Join(t.TempDir(), "new", "checkpoints")
	for range 2 {
		info, err := Adopt(dir, from.Path)
		if err != nil || info.Path != filepath.Join(dir, Name(7)) || info.StateSHA256 != from.StateSHA256 {
			t.Fatalf("got %+v, %v", info, err)
		}
		if d := cmp.Diff([]string{latestName, startName, Name(7)}, names(t, dir)); d != "" {
			t.Errorf("files (-want +got):\n%s", d)
		}
	}
	if newest, _, err := Newest(dir); err != nil || newest.Step != 7 {
		t.Errorf("newest %+v, %v", newest, err)
	}
	if err := os.Truncate(from.Path, from.Bytes-1); err != nil {
		t.Fatal(err)
	}
	if _, err := Adopt(t.TempDir(), from.Path); !errors.Is(err, ErrInvalid) {
		t.Errorf("a damaged one: %v", err)
	}
	if _, err := Adopt(filepath.Join(from.Path, "below"), filepath.Join(dir, Name(7))); err == nil {
		t.Error("adopted below a file")
	}
}

// TestSees: a file as its writer describes it is seen, and any other is not.
func TestSees(t *testing.T) {
	dir := t.TempDir()
	good := mustSave(t, dir, sample(3))
	other := mustSave(t, t.TempDir(), sample(4))
	if err := Sees(good); err != nil {
		t.Errorf("the one just written: %v", err)
	}
	for name, change := range map[string]func(*Info){
		"step": func(i *Info) { i.Step++ }, "size": func(i *Info) { i.Bytes-- },
		"digest": func(i *Info) { i.StateSHA256 = other.StateSHA256 }, "path": func(i *Info) { i.Path = other.Path },
		"name":      func(i *Info) { i.Path += "x" },
		"directory": func(i *Info) { i.Path = filepath.Join(dir, "none", Name(3)) },
	} {
		i := good
		if change(&i); Sees(i) == nil {
			t.Errorf("another %s, and it is seen", name)
		}
	}
	if err := os.Truncate(good.Path, good.Bytes-1); err != nil {
		t.Fatal(err)
	}
	if err := Sees(good); !errors.Is(err, ErrInvalid) {
		t.Errorf("a byte less: %v", err)
	}
}

// TestMark: whoever sees the directory reads the newest word.
func TestMark(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "checkpoints")
	if word, err := Marked(dir); word != "" || err != nil {
		t.Errorf("nothing there: %q, %v", word, err)
	}
	for _, want := range []string{"run-1 abc", "run-1 def"} {
		if err := Mark(dir, want); err != nil {
			t.Fatal(err)
		}
		if word, err := Marked(dir); word != want || err != nil {
			t.Errorf("%q, %v, want %q", word, err, want)
		}
	}
	if list, err := List(dir); len(list) != 0 || err != nil {
		t.Errorf("a mark is listed: %v, %v", list, err)
	}
	if err := Mark(filepath.Join(dir, markName, "below"), "x"); err == nil {
		t.Error("marked below a file")
	}
}
