package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"slices"
	"strings"

	"byol/coordinator/features"
	"byol/coordinator/page"
	"byol/internal/canvas"
	"byol/internal/failure"
	pb "byol/proto"
	"byol/worker"
	"byol/worker/data"
	"byol/worker/data/source"
	"byol/worker/data/views"
	"byol/worker/encoder"
	"byol/worker/knn"
)

// What of the pictures of a run is on its page.
const (
	pagePairs      = 64
	pageEmbeddings = 1000
	pageQueries    = 8
	pageNear       = 8
	pageSide       = 96 // of a picture, at most
)

// pictures are those of a page under way, of the run in a directory.
type pictures struct {
	page   *page.Page
	dir    string
	config *pb.RunConfig
	how    reportOptions
}

// addData says what a run was trained on, and shows some of it as training sees it, and as the encoder does.
func (a pictures) addData(ctx context.Context, st *pb.Status) {
	p, c := a.page, a.config
	add := func(name, value, more string) {
		p.Data = append(p.Data, page.Fact{Name: name, Value: value, More: more})
	}
	if c.Data == "" {
		p.PairsNote, p.MapNote = "the run's data are not known", "the run's data are not known"
		return
	}
	labels := "no labels"
	if c.Classes > 0 {
		labels = fmt.Sprintf("%d classes", c.Classes)
	}
	add("training images", grouped(c.Samples), c.Data+", "+labels)
	if c.EvalData != "" {
		add("evaluation images", "", c.EvalData)
	}
	add("manifest", c.ManifestHash, "")
	if n := st.GetProgress().GetUnreadableImages(); n > 0 {
		p.Data = append(p.Data, page.Fact{Name: "unreadable", Value: grouped(n), Bad: true,
			More: "replaced by others; the last one " + st.Progress.LastUnreadableImage})
	}
	if a.how.hurried {
		why := "left out, as the run was asked to stop; coordinator report " + quoted(short(a.dir)) + " shows them"
		p.PairsNote, p.MapNote = why, why
		return
	}
	images, err := a.how.where.open(ctx, c.Data)
	if err != nil {
		why := "the images cannot be read here: " + firstLine(err.Error())
		p.PairsNote, p.MapNote = why, why
		return
	}
	defer images.Close()
	if images.Manifest() != c.ManifestHash {
		why := "the images that are there now are not those that the run began with"
		p.PairsNote, p.MapNote = why, why
		return
	}
	for _, left := range images.Omitted() {
		add("skipped", left.String(), left.Why)
	}
	addPairs(ctx, p, images, c)
	if err := a.addEmbeddings(ctx, images); err != nil {
		var known *failure.Failure
		why := err.Error()
		if errors.As(err, &known) {
			why = known.What
		}
		p.MapNote = "no embeddings were computed: " + why
	}
}

// addPairs shows the first pairs of views of the first epoch.
func addPairs(ctx context.Context, p *page.Page, images source.Source, c *pb.RunConfig) {
	a, err := worker.Augmentation(c)
	if err != nil {
		p.PairsNote = "the views of this run are not known to this program: " + firstLine(err.Error())
		return
	}
	order := data.Sampler{Seed: c.Seed, Batch: 1, Len: images.Len()}
	pairs := data.Pairs{Source: images, Augment: a, Seed: c.Seed}
	for i := range int64(min(pagePairs, images.Len())) {
		index, epoch := order.Image(i)
		pair, err := pairs.Make(ctx, index, epoch)
		if err != nil {
			p.PairsNote = "the images cannot be read here: " + firstLine(err.Error())
			return
		}
		if pair.Unreadable != nil {
			continue
		}
		about := fmt.Sprintf("image %d", index)
		for v := range pair.Views {
			about += fmt.Sprintf("\nview %d: %s", v+1, strings.Join(pair.Views[v].Words(), "; "))
		}
		p.Pairs = append(p.Pairs, page.Pair{One: thumbnail(views.Visible(pair.Pixels[0], a.Size)),
			Two: thumbnail(views.Visible(pair.Pixels[1], a.Size)), About: about})
	}
	p.PairsNote = fmt.Sprintf("The first %d pairs of the first epoch: view 1 left, view 2 right. %s", len(p.Pairs),
		"Rest the pointer on one to read how it was drawn.")
	if differ := a.FromPaper(); len(differ) > 0 {
		p.PairsNote += " Not the paper's: " + strings.Join(differ, ", ") + "."
	}
}

// thumbnail is a small picture: photographs as JPEG, few pixels as they are.
func thumbnail(m image.Image) page.Picture {
	m = canvas.Shrink(m, pageSide)
	var b bytes.Buffer
	if max(m.Bounds().Dx(), m.Bounds().Dy()) <= smallImage {
		_ = png.Encode(&b, m) // a buffer takes everything
	} else {
		_ = jpeg.Encode(&b, m, &jpeg.Options{Quality: 80}) // the same
	}
	return b.Bytes()
}

// embeddings are images with what the encoder makes of them, of length 1.
type embeddings struct {
	images []int // their indices
	x      []float32
	dim    int
}

// addEmbeddings computes the embeddings of some images by the newest checkpoint, and shows where they lie.
func (a pictures) addEmbeddings(ctx context.Context, images source.Source) error {
	p, patience := a.page, a.how.patience
	if patience <= 0 {
		p.MapNote = "no embeddings were computed; coordinator report " + quoted(short(a.dir)) + " computes them"
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("they took longer than %v", patience))
	defer cancel()
	e, err := a.embed(ctx, images)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	knn.Normalize(e.x, e.dim)
	at, share := page.Flatten(e.x, e.dim)
	p.Map = &page.Map{At: at, Classes: images.Classes(), About: fmt.Sprintf(
		"%s embeddings of %d numbers, of length 1, along the two directions in which they differ most, which hold %s of "+
			"the differences.",
		grouped(int64(len(at))), e.dim, percent(share))}
	for _, i := range e.images {
		p.Map.Class = append(p.Map.Class, images.Label(i))
	}
	addNeighbours(ctx, p, images, e)
	return nil
}

// embed has the embeddings computed by a worker of this machine.
func (a pictures) embed(ctx context.Context, images source.Source) (*embeddings, error) {
	c, o := a.config, a.how
	ck := newestIn(a.dir)
	if ck == nil {
		return nil, errors.New("there is no checkpoint")
	}
	from, _, err := encoder.FromCheckpoint(ck.Path, encoder.Online, buildName())
	if err != nil {
		return nil, err
	}
	if o.worker == "" {
		o.worker = besideThis("worker")
	}
	var file bytes.Buffer
	if err := from.WriteSafetensors(&file); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(file.Bytes())
	logs, err := os.MkdirTemp("", "byol-report-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(logs)
	job, err := features.Start(ctx, features.Options{Config: &pb.RunConfig{Arch: from.Arch, Width: int32(from.Width),
		Stem: from.Stem, Padding: from.Padding, ImageSize: int32(from.ImageSize), Augment: c.Augment, Device: c.Device,
		Isa: c.Isa, Kernels: "auto", Data: c.Data, DataTimeoutSeconds: o.where.timeout.Seconds()},
		Encoder: file.Bytes(), SHA256: hex.EncodeToString(sum[:]),
		BatchSize: 16, Sets: []features.Set{{Name: "--data", Manifest: images.Manifest()}}, Build: buildName(),
		Listen: "127.0.0.1:0", Workers: 1, WorkerBinary: o.worker, Logs: logs, Say: func(string) {},
		Progress: func(features.Progress) {}})
	if err != nil {
		return nil, err
	}
	defer job.Close()
	return collect(ctx, job, knn.Subset(images.Len(), pageEmbeddings))
}

// taskImages is how many images a worker is given at once.
const taskImages = 32

// collect asks for the features of images, and leaves out those that cannot be decoded.
func collect(ctx context.Context, job *features.Job, wanted []int) (*embeddings, error) {
	dim, _, err := job.Ready(ctx)
	if err != nil {
		return nil, err
	}
	e := &embeddings{dim: dim}
	err = job.Features(ctx, features.Request{Doing: "embeddings", Tasks: (len(wanted) + taskImages - 1) / taskImages,
		Total: int64(len(wanted)), Task: func(i int) (images []int64, epoch int64) {
			for _, w := range wanted[i*taskImages : min((i+1)*taskImages, len(wanted))] {
				images = append(images, int64(w))
			}
			return images, 0
		}}, func(b features.Block) error {
		bad := map[int]bool{}
		for _, u := range b.Unreadable {
			bad[u.At] = true
		}
		for k, image := range b.Images {
			if !bad[k] {
				e.images = append(e.images, int(image))
				e.x = append(e.x, b.Data[k*dim:][:dim]...)
			}
		}
		return nil
	})
	if err == nil && len(e.images) < 2 {
		err = errors.New("there are no images")
	}
	return e, err
}

// addNeighbours shows, for a few images, those whose embeddings point in the direction nearest to theirs.
func addNeighbours(ctx context.Context, p *page.Page, images source.Source, e *embeddings) {
	pairs := data.Pairs{Source: images, Augment: views.Augment{Size: 1, MaxArea: 1, Ratio: [2]float64{1, 1}}}
	show := func(i int) (page.Picture, string) {
		pair, err := pairs.Make(ctx, e.images[i], 0)
		if err != nil || pair.Unreadable != nil {
			return nil, ""
		}
		name := fmt.Sprintf("image %d", e.images[i])
		if label := images.Label(e.images[i]); label >= 0 && label < len(images.Classes()) {
			name = images.Classes()[label]
		}
		return thumbnail(pictureOf(pair.Picture)), name
	}
	for _, q := range knn.Subset(len(e.images), pageQueries) {
		of, name := show(q)
		if of == nil {
			continue
		}
		n := page.Neighbours{Of: of, Name: name}
		for _, i := range nearestRows(e.x, e.dim, q, pageNear) {
			if near, name := show(i); near != nil {
				label := images.Label(e.images[i])
				n.Near = append(n.Near, page.Near{Image: near, Name: name,
					Same: label >= 0 && label == images.Label(e.images[q])})
			}
		}
		p.Neighbours = append(p.Neighbours, n)
	}
}

// nearestRows are the n rows whose products with row q are greatest, without itself.
func nearestRows(unit []float32, dim, q, n int) []int {
	rows := len(unit) / dim
	product := make([]float64, rows)
	order := make([]int, 0, rows)
	for i := range rows {
		for k := range dim {
			product[i] += float64(unit[i*dim+k]) * float64(unit[q*dim+k])
		}
		if i != q && !math.IsNaN(product[i]) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case product[a] > product[b]:
			return -1
		case product[a] < product[b]:
			return 1
		}
		return 0
	})
	return order[:min(n, len(order))]
}
