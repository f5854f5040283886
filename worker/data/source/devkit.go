package source

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
)

// ImageNet's validation set as it is delivered, and the development kit, whose ground truth numbers classes in an order
// of its own that stands in meta.mat.
const (
	valTar      = "ILSVRC2012_img_val.tar"
	devkit      = "ILSVRC2012_devkit_t12"
	truthFile   = devkit + "/data/ILSVRC2012_validation_ground_truth.txt"
	synsetsFile = devkit + "/data/meta.mat"
)

// validationLabels are the WordNet ids of the validation images by name, from the development kit beside the tar: the
// archive, or the folder that it unpacks to.
func validationLabels(ctx context.Context, files Files, tar string) (from string, labels []string, err error) {
	from = beside(tar, devkit+".tar.gz")
	packed, err := readFile(ctx, files, from)
	var truth, synsets []byte
	switch {
	case absent(err):
		from = beside(tar, truthFile)
		if truth, err = readFile(ctx, files, from); err != nil {
			return from, nil, err
		}
		from = beside(tar, synsetsFile)
		if synsets, err = readFile(ctx, files, from); err != nil {
			return from, nil, err
		}
	case err != nil:
		return from, nil, err
	default:
		if truth, synsets, err = unpackDevkit(packed); err != nil {
			return from, nil, err
		}
	}
	names, err := synsetsOf(synsets)
	if err != nil {
		return from, nil, fmt.Errorf("%s: %w", path.Base(synsetsFile), err)
	}
	for i, line := range splitLines(truth) {
		id, err := strconv.Atoi(line)
		if err != nil || names[id] == "" {
			return from, nil, fmt.Errorf("%s, line %d: %q is no class of %s", path.Base(truthFile), i+1, line,
				path.Base(synsetsFile))
		}
		labels = append(labels, names[id])
	}
	return from, labels, nil
}

// unpackDevkit takes the two files from the archive.
func unpackDevkit(packed []byte) (truth, synsets []byte, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, nil, err
	}
	for r := tar.NewReader(io.LimitReader(z, maxBeside)); truth == nil || synsets == nil; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, nil, fmt.Errorf("there is no %s and %s in it", path.Base(truthFile), path.Base(synsetsFile))
		case err != nil:
			return nil, nil, err
		}
		switch path.Base(h.Name) {
		case path.Base(truthFile):
			truth, err = io.ReadAll(r)
		case path.Base(synsetsFile):
			synsets, err = io.ReadAll(r)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return truth, synsets, nil
}
