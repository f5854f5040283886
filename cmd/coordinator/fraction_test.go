package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"byol/internal/failure"
)

func TestParseFraction(t *testing.T) {
	for text, want := range map[string]float64{"1%": 0.01, "10%": 0.1, " 0.5 % ": 0.005, "0.01": 0.01, "100%": 1,
		"": -1, "0%": -1, "101%": -1, "ten": -1, "-1%": -1, "NaN": -1, "%": -1} {
		got, err := parseFraction(text)
		if want < 0 {
			if err == nil {
				t.Errorf("%q is taken as %g", text, got)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%q is %g, %v, want %g", text, got, err, want)
		}
	}
}

// TestDrawFraction: each class gives its share, of free rows alone, by the seed.
func TestDrawFraction(t *testing.T) {
	labels, free := make([]int32, 0, 1000), []int{}
	for i := range 1000 {
		labels = append(labels, int32(i%10/7)) // 700 of class 0, 300 of class 1
		if i%5 > 0 {
			free = append(free, i)
		}
	}
	labels[1] = -1
	free = slices.DeleteFunc(free, func(i int) bool { return i == 1 })
	classes := []string{"cat", "dog"}
	rows, err := drawFraction(labels, free, 0.05, classes, 3)
	if err != nil {
		t.Fatal(err)
	}
	n := map[int32]int{}
	for _, row := range rows {
		n[labels[row]]++
		if !slices.Contains(free, row) {
			t.Errorf("row %d is not free", row)
		}
	}
	if n[0] != 35 || n[1] != 15 || !slices.IsSorted(rows) || len(slices.Compact(slices.Clone(rows))) != 50 {
		t.Errorf("%v of each class, %v", n, rows)
	}
	again, _ := drawFraction(labels, free, 0.05, classes, 3)
	other, _ := drawFraction(labels, free, 0.05, classes, 4)
	if !slices.Equal(rows, again) || slices.Equal(rows, other) {
		t.Error("the draw is not a function of the seed")
	}
	_, err = drawFraction(labels, free, 0.0015, classes, 3)
	f := failure.Of(err, unforeseen)
	if !strings.Contains(f.What, "0.15 % of the images") || !strings.Contains(f.Why, "dog (300)") ||
		strings.Contains(f.Why, "cat") || f.Code != failure.Data {
		t.Errorf("error %+v, want one that names dog alone", f)
	}
}

// TestListedRows looks images up by their names.
func TestListedRows(t *testing.T) {
	names := []string{"/data/train/cat/1.jpg", "/data/train/dog/1.jpg", "/data/train/dog/n01_7.JPEG",
		"/data/a.tar:x/2.jpg"}
	for _, c := range []struct {
		list string
		want []int
		err  string
	}{
		{"n01_7.JPEG\ncat/1.jpg\n", []int{0, 2}, ""},
		{"./dog/1.jpg\n\n  2.jpg  \ndog/1.jpg", []int{1, 3}, ""},
		{"x/2.jpg\n/data/train/cat/1.jpg", []int{0, 3}, ""},
		{"1.jpg", nil, "1 of its names are of several images: 1.jpg"},
		{"cat/1.jpg\nbird/1.jpg\nt/1.jpg", nil, "2 of its names are of no image: bird/1.jpg, t/1.jpg"},
		{"\n \n", nil, "it names nothing"},
	} {
		rows, err := listedRows(strings.NewReader(c.list), len(names), func(i int) string { return names[i] })
		if fmt.Sprint(err) != c.err && (err != nil || c.err != "") || !slices.Equal(rows, c.want) {
			t.Errorf("%q: %v, %v, want %v, %s", c.list, rows, err, c.want, c.err)
		}
	}
}
