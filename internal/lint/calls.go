package lint

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// impure calls make a result depend on more than its arguments.
var impure = []string{
	"os.Environ", "os.Getenv", "os.Getpid", "os.Hostname", "os.LookupEnv", "runtime.GOMAXPROCS", "runtime.NumCPU",
	"time.After", "time.AfterFunc", "time.NewTicker", "time.NewTimer", "time.Now", "time.Since", "time.Sleep", "time.Tick",
	"time.Until",
}

// outside are the imports by which code reaches what is around it: files, other machines, logs. "x/..." is x and all
// below it.
var outside = []string{
	"crypto/rand", "go.uber.org/zap/...", "golang.org/x/sys/unix", "google.golang.org/grpc/...", "log/...", "net/...",
	"os/...", "syscall",
}

// pure lists the packages, and single files of others, whose results are functions of their arguments.
var pure = []string{
	"allreduce/schedule.go",
	"coordinator/launch/policy.go",
	"coordinator/lead",
	"coordinator/run",
	"coordinator/settings",
	"coordinator/status",
	"coordinator/target",
	"internal/fault",
	"internal/safetensors",
	"internal/vector",
	"model",
	"model/arch",
	"model/nn",
	"model/optim",
	"worker/data/picture",
	"worker/data/random",
	"worker/data/sampler.go",
	"worker/data/views",
	"worker/eval",
	"worker/knn",
}

// Purity checks that pure code has nothing around it: it imports nothing that reaches out, and neither asks for the
// time nor for the machine it is on, nor draws from a generator that is not its own.
func Purity(t *Tree) []Finding {
	var found []Finding
	t.source(func(p *Package, f *File) {
		if f.Test || !slices.Contains(pure, p.Dir) && !slices.Contains(pure, f.Path) {
			return
		}
		names := importNames(f)
		for _, spec := range f.AST.Imports {
			if from := strings.Trim(spec.Path.Value, `"`); reachesOut(from) {
				found = append(found, Finding{"impure-import", t.at(spec.Pos()), from + " in pure code"})
			}
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := sel.X.(*ast.Ident)
			if !ok || names[x.Name] == "" {
				return true
			}
			from := names[x.Name]
			if slices.Contains(impure, from+"."+sel.Sel.Name) || globalRand(from, sel.Sel.Name) {
				found = append(found, Finding{"impure-call", t.at(n.Pos()), from + "." + sel.Sel.Name + " in pure code"})
			}
			return true
		})
	})
	for _, name := range pure {
		if t.Package(name) == nil && t.Package(path.Dir(name)).file(name) == nil {
			found = append(found, Finding{"purity", name, "is in the list pure and has no Go files"})
		}
	}
	return found
}

// file is the file of that path, nil if the package has none.
func (p *Package) file(name string) *File {
	if p == nil {
		return nil
	}
	for _, f := range p.Files {
		if f.Path == name {
			return f
		}
	}
	return nil
}

func reachesOut(from string) bool {
	return slices.ContainsFunc(outside, func(pattern string) bool {
		tree, whole := strings.CutSuffix(pattern, "/...")
		return from == tree || whole && strings.HasPrefix(from, tree+"/")
	})
}

// globalRand reports a use of the process-wide generator of math/rand or math/rand/v2.
func globalRand(pkg, name string) bool {
	switch pkg {
	case "math/rand", "math/rand/v2":
		return !slices.Contains([]string{"New", "NewPCG", "NewChaCha8", "NewSource", "NewZipf", "Rand", "Source",
			"PCG", "ChaCha8"}, name)
	}
	return false
}

// importNames maps the name a file uses for a package to the package's path.
func importNames(f *File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.AST.Imports {
		from := strings.Trim(spec.Path.Value, `"`)
		name := path.Base(from)
		if name == "v2" || name == "v3" {
			name = path.Base(path.Dir(from))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = from
	}
	return names
}

// Goroutines checks that goroutines start only in the files listed in goFiles, and that each of these does.
func Goroutines(t *Tree) []Finding {
	var found []Finding
	starts := map[string]bool{}
	t.source(func(p *Package, f *File) {
		if f.Test {
			return
		}
		ast.Inspect(f.AST, func(n ast.Node) bool {
			if !startsGoroutine(n) {
				return true
			}
			starts[f.Path] = true
			if goFiles[f.Path] == "" {
				found = append(found, Finding{"goroutine", t.at(n.Pos()), "starts a goroutine: the file isn't in goFiles"})
			}
			return true
		})
	})
	for name := range goFiles {
		if !starts[name] {
			found = append(found, Finding{"goroutine", name, "is in goFiles and starts no goroutine"})
		}
	}
	return found
}

// startsGoroutine reports a go statement, or a call x.Go(f) as of WaitGroup and errgroup.
func startsGoroutine(n ast.Node) bool {
	if _, ok := n.(*ast.GoStmt); ok {
		return true
	}
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "Go"
}

// Globals checks for init functions and for package-level variables that change.
func Globals(t *Tree) []Finding {
	var found []Finding
	for _, p := range t.Packages {
		var files []*ast.File
		for _, f := range p.Files {
			if f.Generated || f.Test || !builds(t.Root, f.Path) {
				continue
			}
			files = append(files, f.AST)
			for _, decl := range f.AST.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					found = append(found, Finding{"init", t.at(fn.Pos()), "an init function"})
				}
			}
		}
		found = append(found, changingGlobals(t, p.Dir, files)...)
	}
	return found
}

// builds reports whether the file belongs to a build for the machine at hand.
func builds(root, name string) bool {
	dir, base := filepath.Split(filepath.Join(root, name))
	ok, err := build.Default.MatchFile(dir, base)
	return err == nil && ok
}

// noImports lets a package be type-checked alone: what it imports is empty, and the errors that follow are ignored.
type noImports struct{}

func (noImports) Import(from string) (*types.Package, error) {
	p := types.NewPackage(from, path.Base(from))
	p.MarkComplete()
	return p, nil
}

func changingGlobals(t *Tree, dir string, files []*ast.File) []Finding {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: noImports{}, Error: func(error) {}, FakeImportC: true}
	pkg, _ := conf.Check(dir, t.Fset, files, info)
	global := func(e ast.Expr) *ast.Ident {
		id := root(e)
		if id == nil {
			return nil
		}
		v, ok := info.Uses[id].(*types.Var)
		if !ok || pkg == nil || v.Parent() != pkg.Scope() {
			return nil
		}
		return id
	}
	var found []Finding
	report := func(id *ast.Ident, what string) {
		if id != nil {
			found = append(found, Finding{"global", t.at(id.Pos()), fmt.Sprintf("%s is package-level and %s", id.Name, what)})
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for _, e := range n.Lhs {
					report(global(e), "is assigned to")
				}
			case *ast.IncDecStmt:
				report(global(n.X), "is assigned to")
			case *ast.UnaryExpr:
				if _, whole := n.X.(*ast.Ident); whole && n.Op == token.AND {
					report(global(n.X), "has its address taken")
				}
			case *ast.GenDecl:
				found = append(found, stateful(t, pkg, info, n)...)
			}
			return true
		})
	}
	return found
}

// root is the variable at the left end of x, x.f, x[i], *x.
func root(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	case *ast.StarExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	}
	return nil
}

// stateful reports package-level variables whose type is made to change: locks, pools, atomics, channels.
func stateful(t *Tree, pkg *types.Package, info *types.Info, d *ast.GenDecl) []Finding {
	if d.Tok != token.VAR {
		return nil
	}
	var found []Finding
	for _, spec := range d.Specs {
		s := spec.(*ast.ValueSpec)
		if len(s.Names) == 0 || pkg == nil || info.Defs[s.Names[0]] == nil ||
			info.Defs[s.Names[0]].Parent() != pkg.Scope() {
			continue
		}
		typ := s.Type
		if len(s.Values) == 1 && typ == nil {
			if lit, ok := s.Values[0].(*ast.CompositeLit); ok {
				typ = lit.Type
			}
		}
		if index, ok := typ.(*ast.IndexExpr); ok {
			typ = index.X
		}
		switch typ := typ.(type) {
		case *ast.ChanType:
			found = append(found, Finding{"global", t.at(s.Pos()), s.Names[0].Name + " is a package-level channel"})
		case *ast.SelectorExpr:
			if x, ok := typ.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
				found = append(found, Finding{"global", t.at(s.Pos()),
					fmt.Sprintf("%s is a package-level %s.%s", s.Names[0].Name, x.Name, typ.Sel.Name)})
			}
		}
	}
	return found
}
