package source

import "slices"

// WithClasses is src with the labels of these classes, matched by name; an image of a class that is not among them has
// none. Two sets of one numbering can be compared.
func WithClasses(src Source, classes []string) Source {
	own := src.Classes()
	if slices.Equal(own, classes) {
		return src
	}
	number := make(map[string]int, len(classes))
	for i, name := range classes {
		number[name] = i
	}
	r := &renumbered{Source: src, classes: classes, labels: make([]int, len(own))}
	for i, name := range own {
		r.labels[i] = -1
		if n, known := number[name]; known {
			r.labels[i] = n
		}
	}
	return r
}

// Among is src without the labels of classes that are not among these; the others keep their numbers.
func Among(src Source, names []string) Source {
	return WithClasses(WithClasses(src, names), src.Classes())
}

type renumbered struct {
	Source
	classes []string
	labels  []int // by those of the Source
}

// Classes implements Source.
func (r *renumbered) Classes() []string { return r.classes }

// Label implements Source.
func (r *renumbered) Label(i int) int {
	if label := r.Source.Label(i); label >= 0 {
		return r.labels[label]
	}
	return -1
}
