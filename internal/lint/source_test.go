package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// goFile is one parsed Go file. Paths are relative to the module's root, with slashes.
type goFile struct {
	path      string
	source    []byte
	syntax    *ast.File
	positions *token.FileSet
	test      bool
	generated bool
}

func (f goFile) dir() string { return path.Dir(f.path) }

func (f goFile) line(p token.Pos) int { return f.positions.Position(p).Line }

func (f goFile) at(p token.Pos) string { return fmt.Sprintf("%s:%d", f.path, f.line(p)) }

// house is everything that the rules look at.
type house struct {
	code  []goFile
	texts map[string][]byte // every text file, the Go files among them
}

// add takes one file in; binary files only by name.
func (h *house) add(name string, content []byte) error {
	if h.texts == nil {
		h.texts = map[string][]byte{}
	}
	if bytes.IndexByte(content, 0) >= 0 {
		content = nil
	}
	h.texts[name] = content
	if path.Ext(name) != ".go" || strings.Contains("/"+name, "/testdata/") {
		return nil
	}
	positions := token.NewFileSet()
	syntax, err := parser.ParseFile(positions, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	h.code = append(h.code, goFile{
		path: name, source: content, syntax: syntax, positions: positions,
		test:      strings.HasSuffix(name, "_test.go"),
		generated: ast.IsGenerated(syntax),
	})
	return nil
}

// exists says whether a file of that name, or a folder with any file in it, is in the house.
func (h *house) exists(name string) bool {
	if _, ok := h.texts[strings.TrimSuffix(name, "/")]; ok {
		return true
	}
	folder := strings.TrimSuffix(name, "/") + "/"
	for file := range h.texts {
		if strings.HasPrefix(file, folder) {
			return true
		}
	}
	return false
}

// moduleRoot is the nearest folder above the test that holds go.mod.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = parent
	}
}

// open reads the house, but not what the ignore list keeps out of it.
func open(t *testing.T) *house {
	t.Helper()
	root := moduleRoot(t)
	h := &house{}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		if entry.IsDir() {
			hidden := strings.HasPrefix(entry.Name(), ".") && relative != "." && relative != ".ci"
			if hidden || relative == "runs" {
				return fs.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() || ignored(relative) {
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return h.add(relative, content)
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ignored follows the lines of .gitignore that name files.
func ignored(name string) bool {
	switch path.Ext(name) {
	case ".test", ".prof", ".out":
		return true
	}
	return name == "retort" || name == ".git"
}

// owner is the package of the floors that a folder belongs to: itself, or the
// one above it when it lies below its `internal` or holds a command.
func owner(dir string, command bool) (entry, bool) {
	var best entry
	found := false
	for _, e := range floors {
		rest, below := strings.CutPrefix(dir, e.path+"/")
		part := below && (command || strings.HasPrefix(rest, "internal/"))
		if (dir == e.path || part) && (!found || len(e.path) > len(best.path)) {
			best, found = e, true
		}
	}
	return best, found
}
