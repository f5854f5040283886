package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// maxLabel bounds labels, so that a damaged one is told from a class.
	maxLabel = 1<<20 - 1
	// maxLabelName is the longest class name, in bytes.
	maxLabelName = 256
	// maxSidecar bounds what of a sidecar is read.
	maxSidecar = 1 << 20
)

// label is what a sidecar says: a number, a name, or nothing.
type label struct {
	is     bool
	number int
	name   string
}

// readLabel reads a label. problem says why what stands there is none; an error is a number that cannot be a class.
func readLabel(r io.Reader, ext string) (l label, problem string, err error) {
	b, err := io.ReadAll(io.LimitReader(r, maxSidecar+1))
	b = bytes.TrimPrefix(b, []byte("\ufeff")) // Windows' editors begin a text with it
	switch {
	case err != nil:
		return l, "", err
	case len(b) > maxSidecar:
		return l, fmt.Sprintf("it is of more than %d bytes", maxSidecar), nil
	case ext == "json":
		return jsonLabel(b)
	}
	return textLabel(strings.TrimSpace(string(b)))
}

// jsonLabel takes "label" of an object. An object without one says nothing of a class, and is no problem.
func jsonLabel(b []byte) (label, string, error) {
	var v struct{ Label json.RawMessage }
	if err := json.Unmarshal(b, &v); err != nil {
		if bytes.HasPrefix(bytes.TrimSpace(b), []byte("{")) && !bytes.Contains(bytes.ToLower(b), []byte(`"label"`)) {
			return label{}, "", nil // NaN and the like, which Python writes, in a file about other things
		}
		return label{}, "it is no JSON object with a label", nil
	}
	text := string(v.Label)
	switch {
	case text == "" || text == "null":
		return label{}, "", nil
	case text[0] == '"':
		var name string
		if err := json.Unmarshal(v.Label, &name); err != nil {
			return label{}, "it is no name", nil
		}
		return textLabel(strings.TrimSpace(name))
	}
	if _, err := strconv.Atoi(text); err != nil && !isInteger(text) {
		return label{}, "it is neither a whole number nor a name", nil
	}
	return textLabel(text)
}

// textLabel is a whole number, or a name: a line with a letter in it.
func textLabel(text string) (label, string, error) {
	if isInteger(text) {
		n, err := strconv.Atoi(text)
		if err != nil || n < -1 || n > maxLabel {
			return label{}, "", fmt.Errorf("%s is not from 0 to %d", text, maxLabel)
		}
		return label{is: n >= 0, number: n}, "", nil
	}
	letters := strings.IndexFunc(text, unicode.IsLetter) >= 0 && !strings.EqualFold(text, "nan") &&
		!strings.EqualFold(text, "none")
	odd := strings.IndexFunc(text, unicode.IsControl) >= 0 || !utf8.ValidString(text) || len(text) > maxLabelName
	number := false
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		number = true
	}
	if text == "" || !letters || odd || number || strings.ContainsAny(text[:1], "[{(") {
		return label{}, "it is neither a whole number nor a name", nil
	}
	return label{name: text}, "", nil
}

func isInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// labelling turns what the parts of a set say into classes: numbers as they are; if any is a name, the names in order,
// and numbers are names too.
type labelling struct {
	classes []string
	names   [][]int32       // of each part: the class of its k-th name
	numbers map[int32]int32 // of a number, where there are names; nil where there are none
}

// newLabelling takes the classes' order from lines, the names that lie beside the tars, if they name all of them.
func newLabelling(parts []*index, lines []string) labelling {
	highest, named := int32(-1), map[string]int32{}
	for _, x := range parts {
		for _, l := range x.labels {
			highest = max(highest, l)
		}
		for _, name := range x.classes {
			named[name] = -1
		}
	}
	if len(named) == 0 {
		return labelling{classes: numbered(highest, lines)}
	}
	l := labelling{numbers: map[int32]int32{}}
	for _, x := range parts {
		for _, n := range x.labels {
			if n >= 0 {
				l.numbers[n], named[strconv.Itoa(int(n))] = -1, -1
			}
		}
	}
	var names []string
	for name := range named {
		names = append(names, name)
	}
	slices.Sort(names)
	if slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(lines, n) }) {
		lines = names
	}
	for i, name := range lines {
		named[name] = int32(i)
	}
	for n := range l.numbers {
		l.numbers[n] = named[strconv.Itoa(int(n))]
	}
	for _, x := range parts {
		part := make([]int32, len(x.classes))
		for k, name := range x.classes {
			part[k] = named[name]
		}
		l.names = append(l.names, part)
	}
	l.classes = printables(lines)
	return l
}

// numbered names the labels 0 to highest by lines, or by their numbers.
func numbered(highest int32, lines []string) []string {
	if highest < 0 {
		return nil
	}
	if len(lines) > int(highest) {
		return printables(lines)
	}
	names := make([]string, highest+1)
	for i := range names {
		names[i] = strconv.Itoa(i)
	}
	return names
}

// of is the class of what part's index holds.
func (l *labelling) of(part int, held int32) int {
	switch {
	case held <= -2:
		return int(l.names[part][-2-held])
	case held >= 0 && l.numbers != nil:
		return int(l.numbers[held])
	}
	return int(held)
}

// labelsBeside gives labels to tars that have none, from what lies beside them: NAME.labels.txt, a line with the
// class's name for each image of NAME.tar by name, or for ImageNet's validation set the development kit.
func labelsBeside(ctx context.Context, files Files, paths []string, parts []*index, omitted *omissions) error {
	for k, x := range parts {
		if slices.ContainsFunc(x.labels, func(l int32) bool { return l != -1 }) || x.len() == 0 {
			continue
		}
		from, lines, err := linesBeside(ctx, files, paths[k])
		switch {
		case absent(err):
			if path.Base(paths[k]) == valTar {
				for range x.len() {
					omitted.add("labels", "these images count as unlabelled: put "+devkit+".tar.gz beside the tar", paths[k])
				}
			}
			continue
		case err != nil:
			return failed("read the labels of "+paths[k], err.Error(), "fetch "+from+" again, or take it away", err)
		case len(lines) != x.len():
			return failed("read the labels of "+paths[k],
				fmt.Sprintf("%s has %d of them for %d images", from, len(lines), x.len()),
				"the whole archive and its own labels, or none", nil)
		}
		x.label(lines)
	}
	return nil
}

// absent reports whether there is nothing of that name. A service that does not say what is missing refuses it.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDenied) }

// linesBeside gives the names of the classes of a tar's images, by the images' names, and where they stand.
func linesBeside(ctx context.Context, files Files, tar string) (from string, lines []string, err error) {
	from = strings.TrimSuffix(tar, path.Ext(tar)) + ".labels.txt"
	text, err := readFile(ctx, files, from)
	if err == nil {
		return from, splitLines(text), nil
	}
	if !absent(err) || path.Base(tar) != valTar {
		return from, nil, err
	}
	return validationLabels(ctx, files, tar)
}

func splitLines(text []byte) []string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines
}

// label gives the images these classes, in the order of their names.
func (x *index) label(lines []string) {
	order := make([]int, x.len())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(x.nameBytes(a), x.nameBytes(b)) })
	known := map[string]int32{}
	for n, i := range order {
		k, again := known[lines[n]]
		if !again {
			k = int32(len(x.classes))
			x.classes, known[lines[n]] = append(x.classes, lines[n]), k
		}
		x.labels[i] = -2 - k
	}
}

// classesBeside are the lines of a classes.txt that lies beside a tar.
func classesBeside(ctx context.Context, files Files, tar string) []string {
	b, err := readFile(ctx, files, beside(tar, "classes.txt"))
	if err != nil {
		return nil
	}
	return splitLines(b)
}
