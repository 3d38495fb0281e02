// Command cross checks that the program compiles for other systems, without
// generating code: it reads all sources, the libraries' too, and checks their
// types. Of libraries the bodies of functions are left out.
//
//	go run ./internal/cross darwin/arm64 linux/arm64
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	failed := false
	for _, target := range os.Args[1:] {
		system, processor, ok := strings.Cut(target, "/")
		if !ok {
			fmt.Fprintf(os.Stderr, "%q is not SYSTEM/PROCESSOR\n", target)
			os.Exit(2)
		}
		problems, checked, err := check(system, processor)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", target, err)
			os.Exit(2)
		}
		for _, problem := range problems {
			fmt.Fprintf(os.Stderr, "%s: %s\n", target, problem)
			failed = true
		}
		fmt.Printf("%s: %d packages\n", target, checked)
	}
	if failed {
		os.Exit(1)
	}
}

// check gives what does not compile for a system, and how many packages it read.
func check(system, processor string) (problems []string, checked int, err error) {
	top, err := os.Getwd()
	if err != nil {
		return nil, 0, err
	}
	config := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports | packages.NeedDeps |
			packages.NeedTypes | packages.NeedSyntax | packages.NeedTypesSizes | packages.NeedModule,
		Env: append(os.Environ(), "GOOS="+system, "GOARCH="+processor, "CGO_ENABLED=0"),
		ParseFile: func(set *token.FileSet, name string, src []byte) (*ast.File, error) {
			file, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
			if file != nil && !strings.HasPrefix(name, top+string(filepath.Separator)) {
				withoutBodies(file)
			}
			return file, err
		},
	}
	roots, err := packages.Load(config, ".")
	if err != nil {
		return nil, 0, err
	}
	packages.Visit(roots, nil, func(p *packages.Package) {
		checked++
		ours := p.Module != nil && p.Module.Main
		for _, e := range p.Errors {
			// Without bodies a library's imports may look unused.
			if ours || e.Kind != packages.TypeError {
				problems = append(problems, e.Error())
			}
		}
	})
	return problems, checked, nil
}

// withoutBodies leaves out what functions do. A function without a body is
// declared elsewhere, as in assembly; a generic one has to have one.
func withoutBodies(file *ast.File) {
	for _, decl := range file.Decls {
		if function, ok := decl.(*ast.FuncDecl); ok && function.Body != nil {
			function.Body.List = nil
		}
	}
}
