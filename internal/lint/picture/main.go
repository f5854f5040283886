// Command picture draws who imports whom: the packages that the programs are made of, layer under layer, as an SVG.
// An arrow that others stand for (a imports b, b imports c, a imports c) is left out; what everybody imports is a dot.
//
//	make picture
//
// When it fails: it prints one line and exits with 1, and the old picture stays.
package main

import (
	"flag"
	"fmt"
	"os"

	"byol/internal/lint"
)

func main() {
	root := flag.String("root", ".", "the repository")
	out := flag.String("o", "docs/architecture.svg", "the picture")
	flag.Parse()
	if err := draw(*root, *out); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func draw(root, out string) error {
	t, err := lint.Load(root)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(newPicture(t).svg()), 0o644)
}
