package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strings"
)

// failureHeading starts the paragraph of a package comment that says what a caller sees when things break.
const failureHeading = "When it fails"

// Comments checks that each package is introduced in exactly one file, with a paragraph on failure, and that
// each exported name says what it is.
func Comments(t *Tree) []Finding {
	var found []Finding
	for _, p := range t.Packages {
		found = append(found, packageComment(p)...)
	}
	t.source(func(p *Package, f *File) {
		if f.Test || f.AST.Name.Name == "main" {
			return
		}
		for _, decl := range f.AST.Decls {
			found = append(found, undocumented(t, decl)...)
		}
	})
	return found
}

func packageComment(p *Package) []Finding {
	var with []string
	var text string
	sources := 0
	for _, f := range p.Files {
		if f.Test {
			continue
		}
		sources++
		if f.AST.Doc != nil && strings.TrimSpace(f.AST.Doc.Text()) != "" {
			with = append(with, f.Path)
			text = f.AST.Doc.Text()
		}
	}
	switch {
	case sources == 0:
		return nil
	case len(with) != 1:
		return []Finding{{"package-comment", p.Dir,
			fmt.Sprintf("want a package comment in exactly one file, have %q", with)}}
	case !strings.Contains(text, failureHeading):
		return []Finding{{"package-comment", with[0], fmt.Sprintf("no paragraph %q", failureHeading)}}
	}
	return nil
}

func undocumented(t *Tree, decl ast.Decl) []Finding {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		name := functionName(d)
		if d.Doc == nil && ast.IsExported(d.Name.Name) && exportedReceiver(d) && !wellKnown[d.Name.Name] {
			return []Finding{{"undocumented", t.at(d.Pos()), name + " has no comment"}}
		}
	case *ast.GenDecl:
		if d.Tok == token.IMPORT || (d.Doc != nil && d.Tok != token.TYPE) {
			return nil
		}
		var found []Finding
		for _, spec := range d.Specs {
			found = append(found, undocumentedSpec(t, d, spec)...)
		}
		return found
	}
	return nil
}

// wellKnown methods say the same everywhere.
var wellKnown = map[string]bool{"Error": true, "String": true, "Unwrap": true, "Len": true, "Less": true, "Swap": true}

func exportedReceiver(d *ast.FuncDecl) bool {
	r := Receiver(d)
	return r == "" || ast.IsExported(r)
}

func undocumentedSpec(t *Tree, d *ast.GenDecl, spec ast.Spec) []Finding {
	var found []Finding
	switch s := spec.(type) {
	case *ast.TypeSpec:
		if ast.IsExported(s.Name.Name) && s.Doc == nil && d.Doc == nil && s.Comment == nil {
			found = append(found, Finding{"undocumented", t.at(s.Pos()), s.Name.Name + " has no comment"})
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			if ast.IsExported(name.Name) && s.Doc == nil && s.Comment == nil {
				found = append(found, Finding{"undocumented", t.at(s.Pos()), name.Name + " has no comment"})
			}
		}
	}
	return found
}

// unfinished are the words of unfinished work; spelled apart, so that this file doesn't contain them.
var unfinished = regexp.MustCompile(`(?i)\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK|st` + `ubs?|place` +
	`holders?|not imple` + `mented)\b`)

// Words checks that no file speaks of unfinished work.
func Words(t *Tree) []Finding {
	var found []Finding
	t.source(func(p *Package, f *File) {
		for i, line := range f.Lines {
			if word := unfinished.FindString(line); word != "" {
				found = append(found, Finding{"words", fmt.Sprintf("%s:%d", f.Path, i+1), word})
			}
		}
	})
	return found
}

// functionName is "Name" or "Type.Name".
func functionName(fn *ast.FuncDecl) string {
	if r := Receiver(fn); r != "" {
		return r + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// Receiver is the name of the type whose method fn is; "" for a function.
func Receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	for e := fn.Recv.List[0].Type; ; {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.IndexListExpr:
			e = t.X
		case *ast.Ident:
			return t.Name
		default:
			return "?"
		}
	}
}
