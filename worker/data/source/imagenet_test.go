package source_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"byol/internal/failure"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

// imageNet is a set like ImageNet's training set, small: as a folder, and as the tar of tars that it is delivered as,
// with classes and images in another order than by name.
func imageNet(t testing.TB) *sourcetest.Memory {
	m := &sourcetest.Memory{}
	var outer []entry
	for _, class := range []string{"n02", "n10", "n01"} {
		var inner []entry
		for _, i := range []int{10, 2, 33} {
			name := fmt.Sprintf("%s_%d.JPEG", class, i)
			b := append(picture(t, "grey.jpg"), class+name...)
			inner = append(inner, entry{name, b})
			m.Write("folder/train/"+class+"/"+name, b)
		}
		outer = append(outer, entry{class + ".tar", archive(t, inner...)})
	}
	m.Write("tars/ILSVRC2012_img_train.tar", archive(t, outer...))
	return m
}

func opened(t testing.TB, files source.Files, uri string) source.Source {
	t.Helper()
	src, err := source.OpenIn(t.Context(), files, uri, source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// TestTarOfTars: ImageNet as it is delivered is the same set as the folder that it unpacks to: images, order, labels,
// classes and manifest.
func TestTarOfTars(t *testing.T) {
	m := imageNet(t)
	const uri = "tars/ILSVRC2012_img_train.tar"
	a, b := opened(t, m, "folder"), opened(t, m, uri)
	same(t, a, b)
	if a.Manifest() != b.Manifest() {
		t.Errorf("manifests %s and %s", a.Manifest(), b.Manifest())
	}
	if got := b.Name(0); got != uri+":n01/n01_10.JPEG" {
		t.Errorf("the first is named %s", got)
	}
	sourcetest.Run(t, func() (source.Source, error) { return source.OpenIn(t.Context(), m, uri, source.Options{}) }, true)
}

// same wants equal entries, bytes and labels in equal order.
func same(t testing.TB, a, b source.Source) {
	t.Helper()
	if a.Len() != b.Len() || !slices.Equal(a.Classes(), b.Classes()) {
		t.Fatalf("%d images of %v, and %d of %v", a.Len(), a.Classes(), b.Len(), b.Classes())
	}
	for i := range a.Len() {
		x, errX := a.Bytes(t.Context(), i, nil)
		y, errY := b.Bytes(t.Context(), i, nil)
		if errX != nil || errY != nil || !bytes.Equal(x, y) || a.Label(i) != b.Label(i) {
			t.Errorf("image %d is %s of class %d, %v, and %s of class %d, %v", i, a.Name(i), a.Label(i), errX, b.Name(i),
				b.Label(i), errY)
		}
	}
}

func TestDamagedTarOfTars(t *testing.T) {
	inner := archive(t, entry{"x.jpg", picture(t, "grey.jpg")})
	for want, b := range map[string][]byte{
		"n01.tar in it: it is damaged after 0 images": archive(t, entry{"n01.tar", bytes.Repeat([]byte("junk"), 512)}),
		"n01.tar in it: it is cut short":              archive(t, entry{"n01.tar", inner[:700]}),
		"it is cut short after 0 images, in n01.tar":  archive(t, entry{"n01.tar", inner})[:1500],
		"tars in tars in a tar":                       archive(t, entry{"a.tar", archive(t, entry{"n01.tar", inner})}),
	} {
		m := &sourcetest.Memory{}
		m.Write("t.tar", b)
		if _, err := source.OpenIn(t.Context(), m, "t.tar", source.Options{}); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

const devkit = "ILSVRC2012_devkit_t12"

// TestValidationSet: the labels of ImageNet's validation tar come from the development kit beside it, packed or
// unpacked, by the images' names; without it they are none, and that is said.
func TestValidationSet(t *testing.T) {
	synsets := source.PackedMat(t)
	const truth = "300\n1\n3\n1\n"
	var images []entry
	for _, i := range []int{3, 1, 4, 2} {
		images = append(images, entry{fmt.Sprintf("ILSVRC2012_val_%08d.JPEG", i), picture(t, "grey.jpg")})
	}
	kit := func(truth string) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(archive(t, entry{devkit + "/readme.txt", []byte("x")}, entry{devkit + "/data/meta.mat", synsets},
			entry{devkit + "/data/ILSVRC2012_validation_ground_truth.txt", []byte(truth)})); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const val = "in/ILSVRC2012_img_val.tar"
	for name, files := range map[string]map[string][]byte{
		"packed": {"in/" + devkit + ".tar.gz": kit(truth)},
		"unpacked": {"in/" + devkit + "/data/meta.mat": synsets,
			"in/" + devkit + "/data/ILSVRC2012_validation_ground_truth.txt": []byte(truth)},
		"names": {"in/ILSVRC2012_img_val.labels.txt": []byte("n02100735\nn02119789\r\nn02110185\nn02119789")},
	} {
		m := &sourcetest.Memory{}
		m.Write(val, archive(t, images...))
		for at, b := range files {
			m.Write(at, b)
		}
		src := opened(t, m, val)
		var got []string
		for i := range src.Len() {
			got = append(got, src.Classes()[src.Label(i)])
		}
		// Images 3, 1, 4, 2.
		if want := []string{"n02110185", "n02100735", "n02119789", "n02119789"}; !slices.Equal(got, want) ||
			!slices.IsSorted(src.Classes()) {
			t.Errorf("%s: %v of %v, want %v", name, got, src.Classes(), want)
		}
	}
	m := &sourcetest.Memory{}
	m.Write(val, archive(t, images...))
	src := opened(t, m, val)
	if o := src.Omitted(); len(src.Classes()) != 0 || len(o) != 1 || o[0].Count != 4 ||
		!strings.Contains(o[0].Why, "put "+devkit+".tar.gz beside the tar") {
		t.Errorf("without the kit: classes %v, left out %v", src.Classes(), o)
	}
	for want, b := range map[string][]byte{"has 3 of them for 4 images": kit("300\n1\n3"),
		"gzip: invalid header": []byte("not a zip, nothing"), "line 2: \"7\" is no class": kit("300\n7\n3\n1\n")} {
		m.Write("in/"+devkit+".tar.gz", b)
		_, err := source.OpenIn(t.Context(), m, val, source.Options{})
		var f *failure.Failure
		if !errors.As(err, &f) || !strings.Contains(err.Error(), want) || f.Try == "" {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
