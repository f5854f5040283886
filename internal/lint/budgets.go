package lint

import (
	"fmt"
	"go/ast"
	"strings"
	"unicode/utf8"
)

const (
	maxFileLines     = 600
	maxFunctionLines = 70
	maxLineWidth     = 120
	maxParameters    = 5
)

// kernelTrees may have functions of more parameters: a kernel's operands and shapes are its meaning. So may tests,
// whose helpers take the columns of a table.
var kernelTrees = []string{"model/device"}

// Budgets checks sizes: lines of a file and a function, width of a line, number of parameters.
func Budgets(t *Tree) []Finding {
	var found []Finding
	t.source(func(p *Package, f *File) {
		if n := len(f.Lines); n > maxFileLines {
			found = append(found, Finding{"file-length", f.Path, fmt.Sprintf("%d lines, at most %d", n, maxFileLines)})
		}
		for i, line := range f.Lines {
			width := utf8.RuneCountInString(line)
			if width > maxLineWidth {
				found = append(found, Finding{"line-width", fmt.Sprintf("%s:%d", f.Path, i+1),
					fmt.Sprintf("%d columns, at most %d", width, maxLineWidth)})
			}
		}
		for _, decl := range f.AST.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				found = append(found, functionBudget(t, p, f, fn)...)
			}
		}
	})
	return found
}

func functionBudget(t *Tree, p *Package, f *File, fn *ast.FuncDecl) []Finding {
	var found []Finding
	where := f.Path + ":" + functionName(fn)
	first, last := t.Fset.Position(fn.Pos()).Line, t.Fset.Position(fn.End()).Line
	if n := last - first + 1; n > maxFunctionLines {
		found = append(found, Finding{"function-length", where, fmt.Sprintf("%d lines, at most %d", n, maxFunctionLines)})
	}
	if fn.Body != nil && !f.Test && !under(p.Dir, kernelTrees) && fn.Type.Params.NumFields() > maxParameters {
		found = append(found, Finding{"parameters", where,
			fmt.Sprintf("%d parameters, at most %d", fn.Type.Params.NumFields(), maxParameters)})
	}
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

// under reports whether dir is one of trees or below it.
func under(dir string, trees []string) bool {
	for _, tree := range trees {
		if dir == tree || strings.HasPrefix(dir, tree+"/") {
			return true
		}
	}
	return false
}
