package source

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"path"
)

// IndexFile lies beside the tars that `coordinator data shard` makes.
const IndexFile = "index.json"

// IndexFormat is what it says it is.
const IndexFormat = "byol shards 1"

// Index says what a set of shards holds.
type Index struct {
	Format   string   `json:"format"`
	Images   int      `json:"images"`
	Classes  []string `json:"classes"`
	Source   string   `json:"source_manifest"`    // of what it was made from
	MiB      int      `json:"shard_mib"`          // what was asked for
	Renamed  int      `json:"renamed,omitempty"`  // images whose names cannot be in a tar as they are
	Labelled bool     `json:"labelled,omitempty"` // any image is
	Shards   []Shard  `json:"shards"`
}

// Shard is one tar of it.
type Shard struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	Images int    `json:"images"`
	Sums   string `json:"crc32c"` // of each image, in order: four bytes each, little-endian, as base64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Sum is the checksum of an image's bytes: CRC-32C, as in Index.
func Sum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// PackSums is checksums as Shard.Sums.
func PackSums(sums []uint32) string {
	var b []byte
	for _, s := range sums {
		b = binary.LittleEndian.AppendUint32(b, s)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// changed is the error of an image whose bytes are not those that are known of it.
func changed(name, why, try string) error {
	return failed("read image "+name, why, try, ErrChanged)
}

// sumsBeside gives the checksums of all images if the tars are all that an index beside them lists, in its order; nil
// if there is no index or it is of others.
func sumsBeside(ctx context.Context, files Files, paths []string, parts []*index) ([]uint32, error) {
	name := beside(paths[0], IndexFile)
	text, err := readFile(ctx, files, name)
	switch {
	case absent(err):
		return nil, nil
	case known(err):
		return nil, err
	}
	var x Index
	if err != nil || json.Unmarshal(text, &x) != nil || x.Format != IndexFormat || len(x.Shards) != len(paths) {
		return nil, nil // somebody else's, or of more shards than these
	}
	var sums []uint32
	for k, shard := range x.Shards {
		switch {
		case path.Base(paths[k]) != shard.Name:
			return nil, nil
		case shard.Bytes != parts[k].keys[0].size || shard.Images != parts[k].len():
			return nil, failed("open data "+paths[k], fmt.Sprintf("it has %d bytes and %d images, %s says %d and %d",
				parts[k].keys[0].size, parts[k].len(), name, shard.Bytes, shard.Images), "copy it again", ErrChanged)
		}
		b, err := base64.StdEncoding.DecodeString(shard.Sums)
		if err != nil || len(b) != 4*shard.Images {
			return nil, failed("open data "+paths[k], name+" has no checksum for each of its images", "copy "+name+" again", err)
		}
		for ; len(b) > 0; b = b[4:] {
			sums = append(sums, binary.LittleEndian.Uint32(b))
		}
	}
	return sums, nil
}
