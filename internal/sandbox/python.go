package sandbox

import (
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// python is an interpreter and the files that it needs.
type python struct {
	Executable string   `json:"executable"` // without symbolic links
	Version    string   `json:"version"`
	Folders    []string `json:"folders"` // of the standard library
	Libraries  []string `json:"libraries"`

	loader string            // the path that the executable names as its loader; "" if it is linked statically
	names  map[string]string // of the shared libraries: name to path
}

// probe asks an interpreter where its parts are: it loads each module of the standard library that is a shared library,
// and then looks at what is mapped. The modules left out are tests, or open a display.
const probe = `
import importlib, json, os, sys, sysconfig
folders = {os.path.realpath(sysconfig.get_path(k)) for k in ("stdlib", "platstdlib")}
for name in ("math", "_struct", "_ctypes", "_json", "zlib"):
    try:
        where = getattr(importlib.import_module(name), "__file__", None)
        if where:
            folders.add(os.path.dirname(os.path.realpath(where)))
    except ImportError:
        pass
for folder in list(folders):
    for entry in sorted(os.listdir(folder)):
        name = entry.split(".")[0]
        if entry.endswith(".so") and not name.startswith(("_test", "_xx", "xx", "_tkinter")):
            try:
                importlib.import_module(name)
            except Exception:
                pass
libraries = set()
with open("/proc/self/maps") as maps:
    for line in maps:
        path = line.split(None, 5)[5:]
        if path and ".so" in path[0] and path[0].startswith("/"):
            libraries.add(path[0].rstrip("\n"))
outer = [f for f in folders if not any(f != g and f.startswith(g + os.sep) for g in folders)]
executable = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
print(json.dumps({"executable": executable, "version": sys.version.split()[0], "folders": sorted(outer),
    "libraries": sorted(l for l in libraries if not any(l.startswith(f + os.sep) for f in outer))}))
`

// probeTime is long: the first start of an interpreter reads a cold disk.
const probeTime = 60 * time.Second

// findPython locates the interpreter and its files.
func findPython(ctx context.Context, name string) (python, error) {
	if name == "" {
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return python{}, unavailable("this machine has no %s: install Python 3, or name the interpreter", name)
	}
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	command := exec.CommandContext(ctx, path, "-I", "-B", "-c", probe)
	command.WaitDelay = time.Second
	text, err := command.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %.300s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return python{}, unavailable("%s does not say where its files are: %w", path, err)
	}
	var p python
	if err := json.Unmarshal(text, &p); err != nil {
		return python{}, unavailable("%s: %w", path, err)
	}
	return p, p.readBinaries()
}

// readBinaries finds the loader, and the names by which libraries ask for one another.
func (p *python) readBinaries() error {
	file, err := elf.Open(p.Executable)
	if err != nil {
		return unavailable("%s is no program for this system: %w", p.Executable, err)
	}
	defer func() { _ = file.Close() }() // it was only read
	for _, part := range file.Progs {
		if part.Type != elf.PT_INTERP || part.Filesz > 4096 {
			continue
		}
		text := make([]byte, part.Filesz)
		if _, err := part.ReadAt(text, 0); err != nil {
			return unavailable("%s: %w", p.Executable, err)
		}
		p.loader = strings.TrimRight(string(text), "\x00")
	}
	p.names = make(map[string]string, len(p.Libraries))
	for _, path := range p.Libraries {
		name := filepath.Base(path)
		if library, err := elf.Open(path); err == nil {
			if own, err := library.DynString(elf.DT_SONAME); err == nil && len(own) == 1 && filepath.Base(own[0]) == own[0] {
				name = own[0]
			}
			_ = library.Close() // it was only read
		}
		p.names[name] = path
	}
	return nil
}

// binds are the files and folders that the interpreter sees: where from, and where to.
func (p *python) binds() []bind {
	list := []bind{{From: p.Executable, To: p.Executable}}
	if p.loader != "" {
		list = append(list, bind{From: p.loader, To: p.loader})
	}
	for _, folder := range p.Folders {
		list = append(list, bind{From: folder, To: folder, Folder: true})
	}
	names := make([]string, 0, len(p.names))
	for name := range p.names {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list = append(list, bind{From: p.names[name], To: libraryFolder + "/" + name})
	}
	return list
}

// covered are the folders of packages that were installed beside the standard library; nothing of them is shown.
func (p *python) covered() []string {
	var list []string
	for _, folder := range p.Folders {
		for _, name := range [...]string{"site-packages", "dist-packages"} {
			path := filepath.Join(folder, name)
			if info, err := os.Lstat(path); err == nil && info.IsDir() {
				list = append(list, path)
			}
		}
	}
	return list
}

// Where things lie inside.
const (
	libraryFolder = "/libraries"
	programFolder = "/program"
	scratchFolder = "/scratch"
	inputFile     = "/input"
)

// bind is a file or folder that is shown inside.
type bind struct {
	From   string
	To     string
	Folder bool
}
