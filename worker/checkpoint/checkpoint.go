// Package checkpoint is the bytes of a checkpoint and the atomic act of storing one. It knows nothing of
// networks: a State is a step, the run's configuration as text, and named tensors. The byte layout is in
// docs/checkpoint-format.md.
//
// A directory of checkpoints has any number of readers, which never see a file that is half written, and may have
// several writers: the last one decides what `latest` names. The package starts no goroutines and keeps nothing open
// between calls.
//
// When it fails: a Save that returned is not lost, whatever happens to the process or the machine. One that returns an
// error leaves the checkpoints and `latest` as they were, or has stored a whole checkpoint all the same; what it had
// half written is removed, or by the next Save where the process died. Load and Verify recompute the digest of every
// byte and answer ErrInvalid for a file that was truncated or damaged. Newest steps over such files and tells which.
package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"strings"
	"time"

	"byol/internal/disk"
	"byol/internal/safetensors"
)

// FormatVersion is what Save writes and the newest that Load reads.
const FormatVersion = 1

// Suffix ends the name of every checkpoint file.
const Suffix = ".safetensors"

var (
	// ErrInvalid is wrapped by errors about a file that is not a whole, undamaged checkpoint.
	ErrInvalid = errors.New("checkpoint: does not verify")
	// ErrNone says that a directory holds no checkpoint that verifies.
	ErrNone = errors.New("checkpoint: none found")
)

// State is everything a run needs to go on: Step is the number of committed steps.
type State struct {
	Step    int64
	Config  string // the run's configuration, opaque here
	Tensors []safetensors.Tensor
}

// Info describes a stored checkpoint. StateSHA256 is empty where the file's header cannot be read.
type Info struct {
	Step        int64
	Path        string
	Bytes       int64
	StateSHA256 string
	Created     time.Time
}

// Problem names a file that does not verify.
type Problem struct {
	Path string
	Err  error
}

// Digest is the state_sha256 of s in hexadecimal: a SHA-256 over the step and, in name order, name, element
// type, shape and bytes of every tensor. It does not depend on the configuration or on the tensors' order.
func Digest(s State) string {
	h := newDigest(s.Step)
	for _, t := range sortedByName(s.Tensors) {
		h.tensor(t)
	}
	return h.String()
}

func sortedByName(tensors []safetensors.Tensor) []safetensors.Tensor {
	out := slices.Clone(tensors)
	slices.SortFunc(out, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// digest hashes length-prefixed fields, so that no two states have the same input.
type digest struct{ h hash.Hash }

func newDigest(step int64) digest {
	d := digest{sha256.New()}
	d.number(uint64(step))
	return d
}

func (d digest) number(v uint64) {
	d.h.Write(binary.LittleEndian.AppendUint64(nil, v))
}

func (d digest) bytes(b []byte) {
	d.number(uint64(len(b)))
	d.h.Write(b)
}

func (d digest) tensor(t safetensors.Tensor) {
	d.bytes([]byte(t.Name))
	d.bytes([]byte(t.DType))
	d.number(uint64(len(t.Shape)))
	for _, n := range t.Shape {
		d.number(uint64(n))
	}
	d.bytes(t.Data)
}

// String is the digest so far, in hexadecimal.
func (d digest) String() string { return hex.EncodeToString(d.h.Sum(nil)) }

// opened is a checkpoint file whose header has been read and understood.
type opened struct {
	file   disk.File
	data   *safetensors.File
	info   Info
	config string
}

func open(files disk.FS, path string) (*opened, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open checkpoint: %w", err)
	}
	o := &opened{file: f}
	if err := o.readHeader(); err != nil {
		f.Close()
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, path, err)
	}
	return o, nil
}

func (o *opened) readHeader() error {
	st, err := o.file.Stat()
	if err != nil {
		return err
	}
	if o.data, err = safetensors.Read(o.file, st.Size()); err != nil {
		return err
	}
	meta := o.data.Meta()
	if v, err := strconv.Atoi(meta["format_version"]); err != nil || v < 1 {
		return errors.New("no format_version: not a checkpoint of this program")
	} else if v > FormatVersion {
		return fmt.Errorf("format_version %d, this build reads up to %d", v, FormatVersion)
	}
	step, err := strconv.ParseInt(meta["step"], 10, 64)
	if err != nil || step < 0 {
		return fmt.Errorf("step %q is no number of steps", meta["step"])
	}
	o.config = meta["config"]
	if got := textDigest(o.config); got != meta["config_sha256"] {
		return fmt.Errorf("config_sha256 is %q, the configuration's is %s", meta["config_sha256"], got)
	}
	o.info = Info{
		Step: step, Path: o.file.Name(), Bytes: st.Size(), StateSHA256: meta["state_sha256"], Created: st.ModTime(),
	}
	return nil
}

func textDigest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// check reads every tensor in name order, gives it to keep where that is set, and compares the digest.
func (o *opened) check(keep func(safetensors.Tensor)) error {
	infos := slices.Clone(o.data.Tensors())
	slices.SortFunc(infos, func(a, b safetensors.Info) int { return strings.Compare(a.Name, b.Name) })
	h := newDigest(o.info.Step)
	for _, i := range infos {
		t, err := o.data.Tensor(i.Name)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrInvalid, o.info.Path, err)
		}
		h.tensor(t)
		if keep != nil {
			keep(t)
		}
	}
	if got := h.String(); got != o.info.StateSHA256 {
		return fmt.Errorf("%w: %s: state_sha256 is %q, the data's is %s", ErrInvalid, o.info.Path, o.info.StateSHA256, got)
	}
	return nil
}

// Load reads the checkpoint at path and verifies it. The tensors come in name order.
func Load(path string) (State, error) { return LoadPart(path, func(string) bool { return true }) }

// LoadPart is Load with no more than the tensors that are wanted, and one beside them in memory. All are verified.
func LoadPart(path string, wanted func(name string) bool) (State, error) {
	o, err := open(disk.System{}, path)
	if err != nil {
		return State{}, err
	}
	defer o.file.Close()
	s := State{Step: o.info.Step, Config: o.config}
	err = o.check(func(t safetensors.Tensor) {
		if wanted(t.Name) {
			s.Tensors = append(s.Tensors, t)
		}
	})
	if err != nil {
		return State{}, err
	}
	return s, nil
}

// Verify reads the checkpoint at path and recomputes its digest, one tensor in memory at a time.
func Verify(path string) (Info, error) { return verify(disk.System{}, path) }

func verify(files disk.FS, path string) (Info, error) {
	o, err := open(files, path)
	if err != nil {
		return Info{}, err
	}
	defer o.file.Close()
	return o.info, o.check(nil)
}

// Config reads the step and the configuration of the checkpoint at path without reading its tensors.
func Config(path string) (Info, string, error) { return header(disk.System{}, path) }

func header(files disk.FS, path string) (Info, string, error) {
	o, err := open(files, path)
	if err != nil {
		return Info{}, "", err
	}
	defer o.file.Close()
	return o.info, o.config, nil
}
