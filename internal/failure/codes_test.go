package failure

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestMeanings compares the table with that of docs/operating.md, and with the codes that there are.
func TestMeanings(t *testing.T) {
	var want []string
	for _, m := range Meanings() {
		want = append(want, fmt.Sprintf("| %d | %s |", m.Code, m.Text))
	}
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| code | meaning |\n|---|---|\n")
	table, _, ended := strings.Cut(table, "\n\n")
	if got := strings.Split(table, "\n"); !found || !ended || !slices.Equal(got, want) {
		t.Errorf("docs/operating.md has\n%s\nwant\n%s", table, strings.Join(want, "\n"))
	}
	file, err := parser.ParseFile(token.NewFileSet(), "failure.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	for _, d := range file.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, s := range group.Specs {
			codes++
			value := s.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value
			if !slices.ContainsFunc(Meanings(), func(m Meaning) bool { return fmt.Sprint(m.Code) == value }) {
				t.Errorf("%s = %s has no meaning", s.(*ast.ValueSpec).Names[0], value)
			}
		}
	}
	if codes < 9 || len(want) != codes+2 { // success, and the end by a panic
		t.Errorf("%d codes and %d meanings", codes, len(want))
	}
	for _, m := range Meanings() {
		if line := fmt.Sprintf("%5d  %.20s", m.Code, m.Text); !strings.Contains(CodesHelp(), line) {
			t.Errorf("the help lacks %q", line)
		}
	}
}
