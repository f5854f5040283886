package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"byol/coordinator/settings"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker/data/source"
	"byol/worker/data/store"
)

// dataset is what a run needs to know of its images before it starts.
type dataset struct {
	uri      string // as the workers are told: local paths made absolute
	images   int64
	labelled bool
	classes  int
	names    []string // of the classes
	perClass []int64  // images of each, by these names
	ordered  bool     // its images lie by class, one class after the other
	omitted  []source.Omission
	manifest string
}

// access says how images are got at.
type access struct {
	timeout            time.Duration
	endpoint, cacheDir string
	cacheGiB           int
	note               func(string)
}

func accessOf(s *settings.Values) access {
	return access{timeout: s.DataTimeout, endpoint: s.S3Endpoint, cacheDir: s.CacheDir, cacheGiB: s.CacheGiB}
}

// accessIn is the access of a run that has begun.
func accessIn(c *pb.RunConfig) access {
	return access{timeout: time.Duration(c.DataTimeoutSeconds * float64(time.Second)), endpoint: c.S3Endpoint,
		cacheDir: c.CacheDir, cacheGiB: int(c.CacheGib)}
}

func (a *access) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	timeout, endpoint := settings.Find("data-timeout"), settings.Find("s3-endpoint")
	f.DurationVar(&a.timeout, timeout.Name, timeout.Default.(time.Duration), timeout.Help)
	f.StringVar(&a.endpoint, endpoint.Name, "", endpoint.Help)
	dir, size := settings.Find("cache-dir"), settings.Find("cache-gib")
	f.StringVar(&a.cacheDir, dir.Name, "", dir.Help)
	f.IntVar(&a.cacheGiB, size.Name, size.Default.(int), size.Help)
	a.note = func(text string) { fmt.Fprintln(cmd.ErrOrStderr(), text) }
}

// flags are those that give another program the same access.
func (a access) flags() []string {
	return []string{"--data-timeout", a.timeout.String(), "--s3-endpoint", a.endpoint, "--cache-dir", a.cacheDir,
		"--cache-gib", fmt.Sprint(a.cacheGiB)}
}

func (a access) open(ctx context.Context, uri string) (source.Source, error) {
	return store.Open(ctx, uri, store.Config{Endpoint: a.endpoint, CacheDir: store.CacheAt(a.cacheDir),
		CacheBytes: int64(a.cacheGiB) << 30, Patience: a.timeout, Note: a.note},
		source.Options{CacheDir: indexCache(), Patience: a.timeout})
}

// inspect opens the images at uri and counts them. flag is the one that named them.
func inspect(ctx context.Context, flag, uri string, where access) (dataset, error) {
	uri = absolute(uri)
	images, err := where.open(ctx, uri)
	if err != nil {
		return dataset{}, dataFailure(flag, uri, err)
	}
	d := dataset{uri: uri, images: int64(images.Len()), classes: len(images.Classes()), manifest: images.Manifest(),
		names: images.Classes(), omitted: images.Omitted()}
	d.labelled = d.classes > 0
	d.perClass, d.ordered = arranged(images)
	if err := images.Close(); err != nil {
		return dataset{}, dataFailure(flag, uri, err)
	}
	return d, nil
}

// arranged counts the images of each class, and reports whether they lie by class: all of one, then all of the next.
func arranged(images source.Source) (perClass []int64, ordered bool) {
	perClass = make([]int64, len(images.Classes()))
	runs, last := 0, -1
	for i := range images.Len() {
		label := images.Label(i)
		if label < 0 || label >= len(perClass) {
			continue
		}
		if perClass[label]++; label != last {
			runs, last = runs+1, label
		}
	}
	some := len(perClass) - countZeros(perClass)
	return perClass, some > 1 && runs == some
}

func countZeros(list []int64) (n int) {
	for _, x := range list {
		if x == 0 {
			n++
		}
	}
	return n
}

// dataFailure names the flag and the place of images that cannot be had.
func dataFailure(flag, uri string, err error) *failure.Failure {
	var f *failure.Failure
	if errors.As(err, &f) {
		return &failure.Failure{What: f.What, Why: f.Why, Try: f.Try, Code: failure.Data}
	}
	return &failure.Failure{What: fmt.Sprintf("cannot read the images of --%s %s", flag, uri), Why: err.Error(),
		Try: "coordinator data inspect " + quoted(uri), Code: failure.Data}
}

// indexCache is where indexes of data sets are kept between runs; "" when the user has no such place.
func indexCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "byol", "index")
}

// absolute makes the local paths of a URI independent of the working directory. What exists under that very name is one
// path, whatever commas, braces and spaces are in it; a folder of such a name goes first in lists and patterns, too.
func absolute(uri string) string {
	if strings.HasPrefix(uri, "synthetic:") {
		return uri
	}
	if _, err := os.Stat(uri); err == nil && uri != "" {
		return absolutePath(uri)
	}
	paths, err := source.List(context.Background(), source.Local(), uri)
	if err != nil {
		return uri // whoever opens it says why
	}
	for i, p := range paths {
		paths[i] = absolutePath(p)
	}
	return strings.Join(paths, ",")
}

func absolutePath(path string) string {
	if strings.Contains(path, "://") {
		return path
	}
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}
