package source

import (
	"fmt"
	"path"
	"strings"
)

// Omission is a kind of thing that lies in a set and that is left out.
type Omission struct {
	What  string // ".txt", "hidden files"
	Why   string
	Count int
	First string // the first of them, printable
}

// String is the omission in a line, without its first.
func (o Omission) String() string { return fmt.Sprintf("%s %d", o.What, o.Count) }

// omissions are kept in the order in which kinds were first met.
type omissions []Omission

func (o *omissions) add(what, why, name string) {
	for i := range *o {
		if (*o)[i].What == what {
			(*o)[i].Count++
			return
		}
	}
	*o = append(*o, Omission{What: what, Why: why, Count: 1, First: name})
}

// addFile notes a file that is no image by its ending.
func (o *omissions) addFile(name string) {
	ending := strings.ToLower(path.Ext(name))
	if ending == "" {
		o.add("without an ending", "pictures are told by it", name)
		return
	}
	o.add(Printable(ending), "no ending of a picture that is read", name)
}

// merge adds those of another part of the set, whose name is put before.
func (o *omissions) merge(from omissions, part string) {
	for _, m := range from {
		o.add(m.What, m.Why, part+":"+m.First)
		for i := range *o {
			if (*o)[i].What == m.What {
				(*o)[i].Count += m.Count - 1
			}
		}
	}
}

// clause says what was left out instead, for an error; "" if nothing was.
func (o omissions) clause() string {
	if len(o) == 0 {
		return ""
	}
	return ", " + Skipped(o.printable())
}

// Skipped is what was left out in a line: "skipped 3: .webp 1, .txt 2"; "" if nothing was.
func Skipped(all []Omission) string {
	if len(all) == 0 {
		return ""
	}
	total, words := 0, make([]string, len(all))
	for i, o := range all {
		total += o.Count
		words[i] = o.String()
	}
	return fmt.Sprintf("skipped %d: %s", total, strings.Join(words, ", "))
}

func (o omissions) printable() []Omission {
	out := make([]Omission, len(o))
	for i, m := range o {
		m.First = Printable(m.First)
		out[i] = m
	}
	return out
}

// endings are those of image files, for people.
const endings = ".jpg .jpeg .jpe .jfif .png .webp .gif .bmp .tif .tiff .ppm .pgm .pbm .pnm"

// isImage goes by the name's ending; what the file is, is told by its content when it is decoded.
func isImage(name string) bool { return isEnding(strings.TrimPrefix(path.Ext(name), ".")) }

// isEnding reports whether files that end in this, behind the dot, are images.
func isEnding(ending string) bool {
	switch strings.ToLower(ending) {
	case "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm", "pbm", "pnm":
		return true
	}
	return false
}
