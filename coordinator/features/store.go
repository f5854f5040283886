package features

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"byol/internal/failure"
	"byol/internal/vector"
)

// Identity is what decides every bit of the features of a Store.
type Identity struct {
	Encoder     string `json:"encoder"`     // the checksum of its file
	Data        string `json:"data"`        // the manifest of the images
	View        string `json:"view"`        // how they are looked at
	Fingerprint string `json:"fingerprint"` // of the workers
	Images      int    `json:"images"`
	Dim         int    `json:"dim"`
}

// stored is a line of a Store's journal, behind the first, which is its Identity: a block that is in the file.
type stored struct {
	Images     int             `json:"images"`
	Digest     uint64          `json:"digest,string"`
	Unreadable []storedProblem `json:"unreadable,omitempty"`
}

type storedProblem struct {
	Image int    `json:"image"`
	Name  string `json:"name"`
	Error string `json:"error"`
}

// Store keeps the features of a set of images in a file: float32 with the low byte first, a row for each image in
// order; beside it a journal has a line for each block, with its checksum.
type Store struct {
	id         Identity
	data       *os.File
	journal    *os.File
	images     int
	unreadable []storedProblem
}

// OpenStore opens the Store called name in dir, or makes it. What it holds of the same identity and intact is kept;
// note says what became of the rest, "" for nothing. A disk without room for all of it is told before anything is
// computed.
func OpenStore(dir, name string, id Identity) (s *Store, note string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, "", noStore(dir, err)
	}
	s = &Store{id: id}
	path := filepath.Join(dir, name)
	if s.data, err = os.OpenFile(path+".f32", os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, "", noStore(dir, err)
	}
	if s.journal, err = os.OpenFile(path+".jsonl", os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return nil, "", errors.Join(noStore(dir, err), s.data.Close())
	}
	if note, err = s.recover(); err == nil {
		err = s.room(dir)
	}
	if err != nil {
		return nil, "", errors.Join(err, s.Close())
	}
	return s, note, nil
}

func noStore(dir string, err error) error {
	what := "cannot keep features in " + dir
	if errors.Is(err, syscall.ENOSPC) {
		what = "no space left for the features in " + dir
	}
	return &failure.Failure{What: what, Why: err.Error(), Err: err, Try: "--out with a place on another disk; what is " +
		"there is kept, and the same command goes on from it", Code: failure.Checkpoint}
}

// room refuses a disk that has no room for what is to come.
func (s *Store) room(dir string) error {
	var fs syscall.Statfs_t
	if syscall.Statfs(dir, &fs) != nil {
		return nil // it will be seen
	}
	need, free := int64(s.id.Images-s.images)*int64(4*s.id.Dim), int64(fs.Bavail)*int64(fs.Bsize)
	if need <= free {
		return nil
	}
	const mib = 1 << 20
	return noStore(dir, fmt.Errorf("%d MiB are needed for %d images of %d features, %d MiB are free: %w", need/mib+1,
		s.id.Images-s.images, s.id.Dim, free/mib, syscall.ENOSPC))
}

// recover reads the journal, and cuts both files where they are whole and of this identity.
func (s *Store) recover() (note string, err error) {
	lines := bufio.NewReader(s.journal)
	first, err := lines.ReadBytes('\n')
	var id Identity
	if err != nil || json.Unmarshal(first, &id) != nil {
		return "", s.begin()
	}
	if id != s.id {
		what := "of another encoder"
		switch {
		case id.Encoder != s.id.Encoder:
		case id.Fingerprint != s.id.Fingerprint:
			what = "computed by " + id.Fingerprint
		case id.Data != s.id.Data:
			what = "of other images"
		default:
			what = "of images seen otherwise"
		}
		return "the features in " + s.data.Name() + " are " + what + ": they are computed anew", s.begin()
	}
	whole := int64(len(first))
	for {
		line, err := lines.ReadBytes('\n')
		var b stored
		if err != nil || json.Unmarshal(line, &b) != nil || !s.intact(b) {
			if len(line) > 0 {
				note = fmt.Sprintf("the features in %s are damaged from image %d on: these are computed anew", s.data.Name(),
					s.images)
			}
			break
		}
		whole += int64(len(line))
		s.images += b.Images
		s.unreadable = append(s.unreadable, b.Unreadable...)
	}
	return note, s.cut(whole)
}

// intact reports whether the next block is in the file as the journal says.
func (s *Store) intact(b stored) bool {
	if b.Images < 1 || s.images+b.Images > s.id.Images {
		return false
	}
	rows := make([]float32, b.Images*s.id.Dim)
	return s.Rows(s.images, rows) == nil && vector.Digest(rows) == b.Digest
}

// begin makes the store empty.
func (s *Store) begin() error {
	line, err := json.Marshal(s.id)
	if err == nil {
		err = s.cut(0)
	}
	if err == nil {
		_, err = s.journal.Write(append(line, '\n'))
	}
	if err != nil {
		return noStore(filepath.Dir(s.data.Name()), err)
	}
	return nil
}

// cut drops everything behind the images that are there, and behind that many bytes of the journal.
func (s *Store) cut(journal int64) error {
	at := int64(s.images) * int64(4*s.id.Dim)
	err := errors.Join(s.data.Truncate(at), s.journal.Truncate(journal))
	for _, f := range []struct {
		file *os.File
		to   int64
	}{{s.data, at}, {s.journal, journal}} {
		if _, e := f.file.Seek(f.to, io.SeekStart); err == nil {
			err = e
		}
	}
	return err
}

// Images is how many of the images are there: the first so many.
func (s *Store) Images() int { return s.images }

// Unreadable are the images among them that could not be decoded: their rows are zeros.
func (s *Store) Unreadable() map[int]string {
	out := make(map[int]string, len(s.unreadable))
	for _, u := range s.unreadable {
		out[u.Image] = u.Name + ": " + u.Error
	}
	return out
}

// Append adds the features of the next images.
func (s *Store) Append(b Block) error {
	line := stored{Images: len(b.Images), Digest: vector.Digest(b.Data)}
	for _, u := range b.Unreadable {
		line.Unreadable = append(line.Unreadable, storedProblem{Image: s.images + u.At, Name: u.Name, Error: u.Text})
	}
	text, err := json.Marshal(line)
	if err == nil {
		_, err = s.data.Write(vector.Bytes(b.Data))
	}
	if err == nil {
		_, err = io.Copy(s.journal, bytes.NewReader(append(text, '\n')))
	}
	if err != nil {
		return noStore(filepath.Dir(s.data.Name()), err)
	}
	s.images += len(b.Images)
	s.unreadable = append(s.unreadable, line.Unreadable...)
	return nil
}

// Rows reads the rows from first on, as many as there is room for. It may be called from any goroutine.
func (s *Store) Rows(first int, to []float32) error {
	if _, err := s.data.ReadAt(vector.Bytes(to), int64(first)*int64(4*s.id.Dim)); err != nil {
		return fmt.Errorf("read features: %w", err)
	}
	return nil
}

// Close closes the files. What is in them stays.
func (s *Store) Close() error { return errors.Join(s.data.Close(), s.journal.Close()) }
