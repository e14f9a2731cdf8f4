package lint

import (
	"fmt"
	"go/ast"
)

// checkDocumentation: every exported name at the top of a package, and every
// exported method of an exported type, has a comment.
func checkDocumentation(h *house) (findings []string) {
	for _, f := range h.code {
		if f.test || f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				exported := d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d)))
				if exported && d.Doc.Text() == "" {
					findings = append(findings, fmt.Sprintf("%s: %s has no comment", f.at(d.Pos()), functionName(d)))
				}
			case *ast.GenDecl:
				findings = append(findings, undocumented(f, d)...)
			}
		}
	}
	return findings
}

// undocumented looks at a declaration of types, constants or variables. A group
// of constants or variables may share the comment above the group.
func undocumented(f goFile, d *ast.GenDecl) (findings []string) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" {
				findings = append(findings, fmt.Sprintf("%s: type %s has no comment", f.at(s.Pos()), s.Name.Name))
			}
		case *ast.ValueSpec:
			if d.Doc.Text() != "" || s.Doc.Text() != "" || s.Comment.Text() != "" {
				continue
			}
			for _, name := range s.Names {
				if name.IsExported() {
					findings = append(findings, fmt.Sprintf("%s: %s has no comment", f.at(name.Pos()), name.Name))
				}
			}
		}
	}
	return findings
}
