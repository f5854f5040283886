package data_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"byol/worker/data"
	"byol/worker/data/jpeg"
	"byol/worker/data/picture"
	"byol/worker/data/source"
	"byol/worker/data/source/sourcetest"
)

// broken is a decoder with a bug: it panics on files that begin with its mark, everywhere or at regions alone.
type broken struct {
	picture.Decoder
	regions bool
}

const mark = "P6\n#bug"

func (b broken) Decode(d []byte, limits picture.Limits, region picture.Rect, dst *picture.Image) error {
	if strings.HasPrefix(string(d), mark) && (!b.regions || region != (picture.Rect{})) {
		var none []byte
		_ = none[len(d)]
	}
	return b.Decoder.Decode(d, limits, region, dst)
}

// TestDecoderThatPanics: a bug in a decoder costs the pictures that meet it, which are named with a request to report
// them, the same ones whatever the number of workers and whether pictures are kept; at a region alone it costs none.
func TestDecoderThatPanics(t *testing.T) {
	files := &sourcetest.Memory{}
	ppm := func(comment string, i int) []byte {
		return fmt.Appendf(nil, "P6\n#%s\n16 16\n255\n%s", comment, strings.Repeat(string(rune('a'+i)), 3*16*16))
	}
	for i := range 13 {
		files.Write(fmt.Sprintf("set/%02d.ppm", i), ppm([]string{"good", "bug"}[i%4/3], i))
	}
	src, err := source.OpenIn(t.Context(), files, "set", source.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, regions := range []bool{false, true} {
		var want [][]int
		for _, c := range []struct {
			workers int
			cache   int64
		}{{1, 0}, {1, 1 << 20}, {4, 0}, {2, 2000}} {
			var got [][]int
			named := map[string]bool{}
			for w := range c.workers {
				cfg := config(t, src, 8, 4)
				cfg.ShardBegin, cfg.ShardEnd, cfg.CacheBytes = w*4/c.workers, (w+1)*4/c.workers, c.cache
				cfg.Decoder = broken{jpeg.NewDecoder(), regions}
				cfg.OnUnreadable = func(_ int, name string, err error) {
					named[name] = true
					if !strings.Contains(err.Error(), "please report this picture (runtime error: index out of range") {
						t.Errorf("%s: %v", name, err)
					}
				}
				l := data.NewLoader(src, cfg)
				for step, b := range take(t, l, 6) {
					if w == 0 {
						got = append(got, nil)
					}
					got[step] = append(got[step], b.Images...)
				}
				l.Close()
			}
			if n := len(named); n != 3 && !regions || n != 0 && regions {
				t.Errorf("regions %v, %+v: %d pictures are replaced: %v", regions, c, n, named)
			}
			if want == nil {
				want = got
			}
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("regions %v, %+v: images %v, want %v", regions, c, got, want)
			}
		}
		found, err := data.Verify(t.Context(), src, broken{jpeg.NewDecoder(), regions}, nil)
		if err != nil || len(found) != 3 && !regions || len(found) != 0 && regions {
			t.Errorf("regions %v: verify finds %v, %v", regions, found, err)
		}
	}
}
