package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"byol/coordinator/settings"
	"byol/internal/atomicfile"
	"byol/internal/canvas"
	"byol/internal/failure"
	"byol/worker/data"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/views"
)

// pairsAtMost bounds a picture of pairs.
const pairsAtMost = 64

// viewsCommand draws what the augmentations do.
func viewsCommand() *cobra.Command {
	s := &settings.Values{}
	var output string
	var epoch int64
	var where access
	n := 4
	cmd := &cobra.Command{Use: "views IMAGE|DATA -o views.png",
		Short: "Draw what the augmentations make of pictures, and how they were drawn",
		Long: "Draw pictures and the pairs of views that training makes of them, with what was drawn for each view: crop,\n" +
			"mirroring, colours in their order, blur, solarizing. Of a data set the first images of the epoch's order are\n" +
			"taken, as training with this --seed sees them; of a single picture its views in one epoch after another.",
		Args: oneArgument("picture, folder, tar pattern or synthetic:N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case output == "":
				return usage("views wants a file to write", "", "-o views.png")
			case strings.ToLower(filepath.Ext(output)) != ".png":
				return usage(fmt.Sprintf("views writes no %s", output), "it writes PNG", "-o views.png")
			case n < 1 || n > pairsAtMost:
				return usage(fmt.Sprintf("--n cannot be %d", n), fmt.Sprintf("it is from 1 to %d", pairsAtMost), "--n 4")
			case epoch < 0:
				return usage(fmt.Sprintf("--epoch cannot be %d", epoch), "epochs are counted from 0", "--epoch 0")
			}
			a, err := chosenViews(cmd, s)
			if err = cmp.Or(err, checkPlace(output)); err != nil {
				return err
			}
			pairs, names, err := where.drawPairs(cmd, args[0], drawn{a, s.Seed, epoch, n})
			if err != nil {
				return err
			}
			printPairs(cmd.OutOrStdout(), pairs, names)
			sheet := pairSheet(pairs, names, a.Size)
			if err := atomicfile.Replace(output, func(w io.Writer) error { return png.Encode(w, sheet) }); err != nil {
				return &failure.Failure{What: "cannot write " + output, Why: err.Error(), Try: "-o with a place that has room",
					Code: failure.Usage}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d × %d pixels\n", output, sheet.Bounds().Dx(), sheet.Bounds().Dy())
			return err
		}}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&output, "output", "o", "", "`FILE` to write, a PNG")
	f.IntVar(&n, "n", n, "how many pairs")
	f.Int64Var(&epoch, "epoch", 0, "the `EPOCH` in which they are seen, from 0")
	addViewFlags(cmd, s)
	where.addFlags(cmd)
	return cmd
}

// viewSettings are the settings of a run that decide what views are.
func viewSettings(name string) bool {
	return name == "seed" || name == "image-size" || settings.Find(name).Group == settings.Augmentation
}

// addViewFlags gives a command the flags of a run that decide what views are.
func addViewFlags(cmd *cobra.Command, s *settings.Values) {
	all := newFlags(s)
	for _, row := range settings.All() {
		if viewSettings(row.Name) {
			cmd.Flags().AddFlag(all.Lookup(row.Name))
		}
	}
}

// chosenViews are the pipelines that flags of addViewFlags name.
func chosenViews(cmd *cobra.Command, s *settings.Values) (views.Augment, error) {
	for _, row := range settings.All() {
		if viewSettings(row.Name) {
			if err := checkValue(&row, s); err != nil {
				return views.Augment{}, err
			}
		}
	}
	if s.Augment == "auto" {
		s.Augment = pipelineFor(s.ImageSize)
	}
	r := &resolution{settings: s, flags: runFlags(cmd), origins: map[string]string{}}
	err := r.settleViews()
	return r.views, err
}

// drawn says which views of pictures are to be made.
type drawn struct {
	views views.Augment
	seed  uint64
	epoch int64
	n     int
}

// drawPairs makes n pairs of views of what path names.
func (a access) drawPairs(cmd *cobra.Command, path string, d drawn) (list []data.Pair, names []string, err error) {
	var images source.Source = lonePicture(path)
	one := isFile(path) && !strings.HasSuffix(path, ".tar")
	if !one {
		if images, err = openData(cmd, path, a); err != nil {
			return nil, nil, err
		}
		defer images.Close()
	}
	order := data.Sampler{Seed: d.seed, Batch: 1, Len: images.Len()}
	pairs := data.Pairs{Source: images, Augment: d.views, Seed: d.seed}
	for i := range int64(d.n) {
		index, at := 0, d.epoch+i
		if !one {
			if i == int64(images.Len()) {
				break
			}
			index, at = order.Image(d.epoch*int64(images.Len()) + i)
		}
		p, err := pairs.Make(cmd.Context(), index, at)
		if err != nil {
			return nil, nil, dataFailure("data", path, err)
		}
		if p.Unreadable != nil && one {
			return nil, nil, &failure.Failure{What: "cannot read " + path, Why: p.Unreadable.Error(),
				Try: "another picture; JPEG, PNG, WebP, BMP, TIFF, PPM and GIF are known", Code: failure.Data}
		}
		list = append(list, p)
		names = append(names, images.Name(index))
	}
	return list, names, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// lonePicture is a set of one picture, the file of that name.
type lonePicture string

// Len is one.
func (lonePicture) Len() int { return 1 }

// Name is the file's.
func (p lonePicture) Name(int) string { return string(p) }

// Entry is the file's.
func (p lonePicture) Entry(int) string { return string(p) }

// Label is none.
func (lonePicture) Label(int) int { return -1 }

// Classes are none.
func (lonePicture) Classes() []string { return nil }

// Bytes are the file's.
func (p lonePicture) Bytes(context.Context, int, []byte) ([]byte, error) {
	return os.ReadFile(string(p))
}

// Omitted is nothing.
func (lonePicture) Omitted() []source.Omission { return nil }

// Manifest is of no use for one picture.
func (lonePicture) Manifest() string { return "" }

// Close has nothing to release.
func (lonePicture) Close() error { return nil }

// printPairs says how each view was drawn.
func printPairs(w io.Writer, pairs []data.Pair, names []string) {
	for i, p := range pairs {
		fmt.Fprintf(w, "image %d in epoch %d: %s\n", p.Index, p.Epoch, plain(names[i]))
		if p.Unreadable != nil {
			fmt.Fprintf(w, "  unreadable, another takes its place in training: %s\n", plain(p.Unreadable.Error()))
			continue
		}
		for v := range p.Views {
			fmt.Fprintf(w, "  view %d  %s\n", v+1, strings.Join(p.Views[v].Words(), "; "))
		}
	}
}

// Sizes of a sheet of pairs, in pixels.
const (
	sheetCell  = 224
	sheetSpace = 16
	sheetLine  = 16
	sheetLines = 7 // of text under a view, at most
	sheetRow   = sheetCell + sheetLines*sheetLine + 2*sheetSpace
)

// Colours of a sheet. The frames of the crops are in those of the views' names.
var (
	sheetGround = color.RGBA{255, 255, 255, 255}
	sheetInk    = color.RGBA{26, 34, 48, 255}
	sheetSoft   = color.RGBA{91, 102, 118, 255}
	viewInk     = [2]color.RGBA{{217, 72, 15, 255}, {37, 99, 235, 255}}
)

// pairSheet draws pictures, the crops in them, their views, and how these were drawn. Many pairs stand in two columns.
func pairSheet(pairs []data.Pair, names []string, size int) image.Image {
	const width = 3*sheetCell + 4*sheetSpace
	columns := 1
	if len(pairs) > 4 {
		columns = 2
	}
	rows := (len(pairs) + columns - 1) / columns
	m := canvas.New(columns*width, rows*sheetRow+sheetSpace, sheetGround, 12)
	for i := range pairs {
		at := image.Pt(i%columns*width+sheetSpace, i/columns*sheetRow+sheetSpace)
		drawPair(m, at, &pairs[i], names[i], size)
	}
	return m
}

func drawPair(m *canvas.Canvas, at image.Point, p *data.Pair, name string, size int) {
	cell := func(column int) image.Rectangle {
		from := at.Add(image.Pt(column*(sheetCell+sheetSpace), 0))
		return image.Rectangle{Min: from, Max: from.Add(image.Pt(sheetCell, sheetCell))}
	}
	text := func(column, line int, words string, ink color.Color) {
		c := cell(column)
		m.Text(c.Min.X, c.Max.Y+(line+1)*sheetLine, m.Fit(words, sheetCell+sheetSpace/2), ink)
	}
	text(0, 0, fmt.Sprintf("image %d, epoch %d", p.Index, p.Epoch), sheetInk)
	text(0, 1, filepath.Base(name), sheetSoft)
	if p.Unreadable != nil {
		text(0, 2, "unreadable: another takes its place", viewInk[0])
		return
	}
	text(0, 2, fmt.Sprintf("%d × %d", p.Picture.Width, p.Picture.Height), sheetSoft)
	in := m.Picture(cell(0), pictureOf(p.Picture))
	for v := range p.Views {
		m.Frame(framed(in, p.Picture, p.Views[v].Crop), 2, viewInk[v])
		m.Picture(cell(v+1), views.Visible(p.Pixels[v], size))
		text(v+1, 0, fmt.Sprintf("view %d", v+1), viewInk[v])
		for line, words := range p.Views[v].Words() {
			text(v+1, line+1, words, sheetInk)
		}
	}
}

// framed is where a crop lies in a picture that is drawn into a rectangle.
func framed(in image.Rectangle, m *picture.Image, crop picture.Rect) image.Rectangle {
	x, y := float64(in.Dx())/float64(m.Width), float64(in.Dy())/float64(m.Height)
	place := func(px, py int) image.Point { return in.Min.Add(image.Pt(int(float64(px)*x), int(float64(py)*y))) }
	return image.Rectangle{Min: place(crop.X, crop.Y), Max: place(crop.X+crop.W, crop.Y+crop.H)}
}

// pictureOf is a decoded picture for the image library.
func pictureOf(m *picture.Image) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height))
	for i := range m.Width * m.Height {
		copy(out.Pix[4*i:4*i+3], m.Pix[3*i:3*i+3])
		out.Pix[4*i+3] = 255
	}
	return out
}
