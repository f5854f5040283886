package lint

import (
	"fmt"
	"go/ast"
)

// maxNesting is how deep statements may lie in loops, branches and cases. (golangci-lint's counterparts don't count
// loops over ranges, or count ifs only.)
const maxNesting = 4

// kernelTrees may loop over as many dimensions as they have.
var kernelTrees = []string{"model/device"}

// Nesting checks how deep statements lie; a function literal starts anew. Tests may loop over as many columns as
// their tables have.
func Nesting(t *Tree) []Finding {
	var found []Finding
	t.source(func(p *Package, f *File) {
		if f.Test || under(p.Dir, kernelTrees) {
			return
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			var body *ast.BlockStmt
			switch n := n.(type) {
			case *ast.FuncDecl:
				body = n.Body
			case *ast.FuncLit:
				body = n.Body
			}
			if body == nil {
				return true
			}
			if deep := deepest(body, 0); deep.level > maxNesting {
				found = append(found, Finding{"nesting", t.at(deep.at.Pos()),
					fmt.Sprintf("%d levels of loops and branches, at most %d", deep.level, maxNesting)})
			}
			return true
		})
	})
	return found
}

// depth is the deepest statement of some code, and how many loops and branches it lies in.
type depth struct {
	level int
	at    ast.Node
}

// deepest looks at all below n, which lies at level.
func deepest(n ast.Node, level int) depth {
	most := depth{level, n}
	ast.Inspect(n, func(m ast.Node) bool {
		var inner depth
		switch m := m.(type) {
		case *ast.FuncLit:
			return false
		case *ast.IfStmt:
			inner = deepest(m.Body, level+1)
			if m.Else != nil {
				next := level + 1
				if _, chain := m.Else.(*ast.IfStmt); chain {
					next = level
				}
				if other := deepest(m.Else, next); other.level > inner.level {
					inner = other
				}
			}
		case *ast.ForStmt:
			inner = deepest(m.Body, level+1)
		case *ast.RangeStmt:
			inner = deepest(m.Body, level+1)
		case *ast.CaseClause, *ast.CommClause:
			if m == n {
				return true
			}
			inner = deepest(m, level+1)
		default:
			return true
		}
		if inner.level > most.level {
			most = inner
		}
		return false
	})
	return most
}
