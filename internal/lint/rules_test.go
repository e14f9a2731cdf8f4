package lint

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// rule finds what breaks one habit of the house.
type rule struct {
	name  string
	check func(*house) []string
}

var rules = []rule{
	{"floors", checkFloors},
	{"package comments", checkPackageComments},
	{"no init", checkInit},
	{"imports", checkImports},
	{"function length", checkFunctionLength},
	{"file length", checkFileLength},
	{"documentation", checkDocumentation},
	{"unfinished words", checkUnfinished},
	{"environment", checkEnvironment},
	{"paths of one machine", checkMachinePaths},
	{"walk", checkWalk},
}

func importPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, "`\"") }

// checkFloors: code that is not a test imports only lower floors, and every package has one.
func checkFloors(h *house) (findings []string) {
	commands := map[string]bool{}
	for _, f := range h.code {
		if f.syntax.Name.Name == "main" {
			commands[f.dir()] = true
		}
	}
	unknown := map[string]bool{}
	for _, f := range h.code {
		from, known := owner(f.dir(), commands[f.dir()])
		if !known {
			if !unknown[f.dir()] {
				findings = append(findings, fmt.Sprintf("%s: package %s has no floor: the floors are in internal/lint/house_test.go", f.path, f.dir()))
			}
			unknown[f.dir()] = true
			continue
		}
		if f.test {
			continue
		}
		for _, spec := range f.syntax.Imports {
			target, ours := strings.CutPrefix(importPath(spec), module+"/")
			if !ours {
				continue
			}
			to, known := owner(target, false)
			switch {
			case !known:
				findings = append(findings, fmt.Sprintf("%s: imports %s, which has no floor", f.at(spec.Pos()), target))
			case to.path != from.path && to.floor >= from.floor:
				findings = append(findings, fmt.Sprintf("%s: %s is floor %d and imports %s, floor %d; only lower floors may be imported", f.at(spec.Pos()), from.path, from.floor, to.path, to.floor))
			}
		}
	}
	return findings
}

// plainWords are the words of a sentence without the grammar that go doc's form adds to it.
func plainWords(s string) []string {
	var words []string
	for _, w := range strings.Fields(strings.ToLower(s)) {
		w = strings.Trim(w, ".,:;`—-")
		if w != "" && !slices.Contains([]string{"is", "holds", "makes", "it", "a", "an", "the"}, w) {
			words = append(words, w)
		}
	}
	return words
}

// checkPackageComments: one file of a package tells what it is, with the sentence of the floors.
func checkPackageComments(h *house) (findings []string) {
	comments := map[string][]string{}
	where := map[string][]string{}
	names := map[string]string{}
	for _, f := range h.code {
		if f.test {
			continue
		}
		names[f.dir()] = f.syntax.Name.Name
		if text := strings.TrimSpace(f.syntax.Doc.Text()); text != "" {
			comments[f.dir()] = append(comments[f.dir()], text)
			where[f.dir()] = append(where[f.dir()], f.path)
		}
	}
	for dir, name := range names {
		if len(comments[dir]) != 1 {
			findings = append(findings, fmt.Sprintf("%s: %d package comments %v, want one", dir, len(comments[dir]), where[dir]))
			continue
		}
		e, known := owner(dir, name == "main")
		if !known || e.path != dir {
			continue
		}
		got := plainWords(comments[dir][0])
		if len(got) > 2 && (got[0] == "package" || got[0] == "command") {
			got = got[2:]
		}
		want := plainWords(e.sentence)
		if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
			findings = append(findings, fmt.Sprintf("%s: the package comment begins otherwise than the floors: want %q", where[dir][0], e.sentence))
		}
	}
	sort.Strings(findings)
	return findings
}

// checkInit: nothing runs because a package was imported.
func checkInit(h *house) (findings []string) {
	for _, f := range h.code {
		for _, d := range f.syntax.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				findings = append(findings, f.at(fn.Pos())+": func init: use a package variable or a map literal")
			}
		}
	}
	return findings
}

// checkImports: forbidden, blank and dot imports, and unsafe outside its few places.
func checkImports(h *house) (findings []string) {
	for _, f := range h.code {
		for _, spec := range f.syntax.Imports {
			target := importPath(spec)
			for forbidden, instead := range forbiddenImports {
				if target == forbidden || strings.HasSuffix(forbidden, "/") && strings.HasPrefix(target, forbidden) {
					findings = append(findings, fmt.Sprintf("%s: imports %s: use %s", f.at(spec.Pos()), target, instead))
				}
			}
			home, _ := owner(f.dir(), false)
			if target == "unsafe" && !f.test && unsafePackages[home.path] == "" {
				findings = append(findings, fmt.Sprintf("%s: imports unsafe: only internal/lint's unsafePackages may", f.at(spec.Pos())))
			}
			if spec.Name != nil && spec.Name.Name == "_" && blankImports[target] == "" {
				findings = append(findings, fmt.Sprintf("%s: imports %s for its effect: name what you use, in a map literal", f.at(spec.Pos()), target))
			}
			if spec.Name != nil && spec.Name.Name == "." {
				findings = append(findings, fmt.Sprintf("%s: imports %s into its own names: write the package's name", f.at(spec.Pos()), target))
			}
		}
	}
	return findings
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return fn.Name.Name
	}
	return receiver(fn) + "." + fn.Name.Name
}

// receiver is the name of the type that a method belongs to.
func receiver(fn *ast.FuncDecl) string {
	kind := fn.Recv.List[0].Type
	for {
		switch t := kind.(type) {
		case *ast.StarExpr:
			kind = t.X
		case *ast.IndexExpr:
			kind = t.X
		case *ast.IndexListExpr:
			kind = t.X
		case *ast.Ident:
			return t.Name
		default:
			return "?"
		}
	}
}

// tooLong judges a length in lines; name is the key of its reason.
func tooLong(name, place string, lines, soft, hard int, reasons map[string]string) string {
	switch {
	case lines > hard:
		return fmt.Sprintf("%s: %s has %d lines, at most %d", place, name, lines, hard)
	case lines > soft && reasons[name] == "":
		return fmt.Sprintf("%s: %s has %d lines, over %d: shorten it, or give the reason in internal/lint", place, name, lines, soft)
	case lines <= soft && reasons[name] != "":
		return fmt.Sprintf("%s: %s has only %d lines: its exception in internal/lint is no longer needed", place, name, lines)
	}
	return ""
}

func checkFunctionLength(h *house) (findings []string) {
	return functionLengths(h, longFunctions)
}

func functionLengths(h *house, reasons map[string]string) (findings []string) {
	seen := map[string]bool{}
	for _, f := range h.code {
		if f.test || f.generated {
			continue
		}
		for _, d := range f.syntax.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			name := f.path + ": " + functionName(fn)
			seen[name] = true
			lines := f.line(fn.End()) - f.line(fn.Pos()) + 1
			if s := tooLong(name, f.at(fn.Pos()), lines, softFunction, hardFunction, reasons); s != "" {
				findings = append(findings, s)
			}
		}
	}
	return append(findings, unusedReasons(seen, reasons)...)
}

func checkFileLength(h *house) (findings []string) {
	return fileLengths(h, longFiles)
}

func fileLengths(h *house, reasons map[string]string) (findings []string) {
	seen := map[string]bool{}
	for _, f := range h.code {
		if f.test || f.generated {
			continue
		}
		seen[f.path] = true
		lines := strings.Count(string(f.source), "\n")
		if s := tooLong(f.path, f.path, lines, softFile, hardFile, reasons); s != "" {
			findings = append(findings, s)
		}
	}
	return append(findings, unusedReasons(seen, reasons)...)
}

// unusedReasons finds exceptions of something that is not in the house.
func unusedReasons(seen map[string]bool, reasons map[string]string) (findings []string) {
	for name := range reasons {
		if !seen[name] {
			findings = append(findings, fmt.Sprintf("internal/lint: exception for %q, which does not exist", name))
		}
	}
	return findings
}

// unfinished marks something that was meant to be mended later.
var unfinished = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b|(?i:\bfor now\b|\bnot implemented yet\b)`)

func checkUnfinished(h *house) (findings []string) {
	for _, f := range h.code {
		if f.test {
			continue
		}
		for i, line := range strings.Split(string(f.source), "\n") {
			if word := unfinished.FindString(line); word != "" {
				findings = append(findings, fmt.Sprintf("%s:%d: %q: finish it, or say in the documentation what is left out", f.path, i+1, word))
			}
		}
	}
	return findings
}

// checkEnvironment: hidden inputs enter in cmd alone. Tests may read where their data lies.
func checkEnvironment(h *house) (findings []string) {
	readers := []string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}
	for _, f := range h.code {
		if f.test || strings.HasPrefix(f.path, "cmd/") {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := s.X.(*ast.Ident); ok && pkg.Name == "os" && slices.Contains(readers, s.Sel.Name) {
				findings = append(findings, fmt.Sprintf("%s: os.%s: the environment is read in cmd only; take it as an option", f.at(s.Pos()), s.Sel.Name))
			}
			return true
		})
	}
	return findings
}

// machinePath is an absolute path that exists on one machine only. It is put
// together from parts so that this file does not hold one.
var machinePath = regexp.MustCompile(`(^|[^\w.~)}$*-])/(` + strings.Join([]string{"work", "tmp", "root", `home/[a-z]\w*`, `Users/[a-z]\w*`}, "|") + `)(/|\b)`)

func checkMachinePaths(h *house) (findings []string) {
	for name, text := range h.texts {
		if name == ".gitignore" || name == "LICENSE" {
			continue
		}
		for i, line := range strings.Split(string(text), "\n") {
			if found := machinePath.FindString(line); found != "" {
				findings = append(findings, fmt.Sprintf("%s:%d: %q: a path of one machine; use a relative path, t.TempDir or mktemp", name, i+1, strings.TrimSpace(found)))
			}
		}
	}
	sort.Strings(findings)
	return findings
}

// walkName is a file or a folder named in docs/walk.md, in code marks.
var walkName = regexp.MustCompile("`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*(?:/|\\.(?:go|s|c|md|yaml|json|jsonl)))`")

// checkWalk: the walk through the house names only doors that are there.
func checkWalk(h *house) (findings []string) {
	for i, line := range strings.Split(string(h.texts["docs/walk.md"]), "\n") {
		for _, m := range walkName.FindAllStringSubmatch(line, -1) {
			if !h.exists(m[1]) {
				findings = append(findings, fmt.Sprintf("docs/walk.md:%d: names %s, which does not exist", i+1, m[1]))
			}
		}
	}
	return findings
}
