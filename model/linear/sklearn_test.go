package linear_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"byol/model/linear"
)

// TestAgreesWithScikitLearn runs the published protocol on features of which scikit-learn's logistic regression has
// said how many it gets right (testdata/make_sklearn.py).
func TestAgreesWithScikitLearn(t *testing.T) {
	const rows, cut, dim, classes = 4000, 2000, 16, 6
	file, err := os.ReadFile("testdata/features.bin")
	if err != nil {
		t.Fatal(err)
	}
	all, labels := linear.Cached{X: make([]float32, rows*dim), Dim: dim}, make([]int32, rows)
	for i := range all.X {
		all.X[i] = float32(int8(file[i])) / 16
	}
	for i := range labels {
		labels[i] = int32(file[rows*dim+i])
	}
	var want struct{ Images, Top1, Top5 int64 }
	text, err := os.ReadFile("testdata/sklearn.json")
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		t.Fatal(err)
	}
	training := linear.Cached{X: all.X[:cut*dim], Dim: dim}
	p := linear.PublishedFor(cut)
	p.Rates = []float64{0.4, 0.1} // two, for the time they take
	f := fit(t, onCPU(t, 2), p, dim, classes, labels[:cut])
	train(t, f, training, 1<<30)
	best, _, err := f.Choose(t.Context(), training)
	if err != nil {
		t.Fatal(err)
	}
	counts, err := f.Score(t.Context(), linear.Cached{X: all.X[cut*dim:], Dim: dim}, labels[cut:])
	if err != nil {
		t.Fatal(err)
	}
	got := counts[best]
	t.Logf("top-1 %d, top-5 %d of %d; scikit-learn %d, %d of %d", got.Top1, got.Top5, got.Images, want.Top1, want.Top5,
		want.Images)
	points := func(a, b int64) float64 { return 100 * math.Abs(float64(a-b)) / float64(want.Images) }
	if got.Images != want.Images || points(got.Top1, want.Top1) > 0.5 || points(got.Top5, want.Top5) > 0.5 {
		t.Errorf("counts %+v, scikit-learn %+v: more than 0.5 points apart", got, want)
	}
}
