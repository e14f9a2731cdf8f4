package tinymodel

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

const limit = 4 << 20 // 4 MiB

// faults lists what is wrong with a folder that is to be embedded.
func faults(folder fs.FS) (found []string) {
	count, total := map[string]int64{}, int64(0)
	err := fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		switch path {
		case Config, Weights, Tokenizer, Made:
			count[path] = info.Size()
		default:
			found = append(found, path+": not a file of the model")
		}
		if info.Size() == 0 {
			found = append(found, path+": empty")
		}
		total += info.Size()
		return nil
	})
	if err != nil {
		found = append(found, err.Error())
	}
	if total >= limit {
		found = append(found, "4 MiB or more")
	}
	made, err := fs.ReadFile(folder, Made)
	if err != nil {
		found = append(found, err.Error())
	}
	delete(count, Made)
	switch {
	case len(count) != 0 && len(count) != 3:
		found = append(found, "part of a model")
	case present(folder) && !strings.Contains(string(made), "retort "):
		found = append(found, "MADE.txt names no command")
	case !present(folder) && !strings.HasPrefix(string(made), "No model"):
		found = append(found, "MADE.txt does not say that there is no model")
	}
	return found
}

func TestEmbedded(t *testing.T) {
	for _, fault := range faults(Files()) {
		t.Error(fault)
	}
	if got, want := Present(), present(Files()); got != want {
		t.Errorf("Present: got %v, want %v", got, want)
	}
}

func TestFaults(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	full := func() fstest.MapFS {
		return fstest.MapFS{Config: file("{}"), Weights: file("w"), Tokenizer: file("{}"), Made: file("retort lab --seed 1\n")}
	}
	if found := faults(full()); found != nil || !present(full()) {
		t.Errorf("a whole model: %v, present %v", found, present(full()))
	}
	for _, name := range []string{Config, Weights, Tokenizer, Made} {
		without := full()
		delete(without, name)
		if present(without) == (name != Made) || faults(without) == nil {
			t.Errorf("without %s: present %v, faults %v", name, present(without), faults(without))
		}
		empty := full()
		empty[name] = file("")
		if faults(empty) == nil {
			t.Errorf("empty %s passes", name)
		}
	}
	for name, change := range map[string]func(fstest.MapFS){
		"a foreign file":  func(f fstest.MapFS) { f["notes.md"] = file("x") },
		"too much":        func(f fstest.MapFS) { f[Weights] = file(strings.Repeat("x", limit)) },
		"no command":      func(f fstest.MapFS) { f[Made] = file("by hand\n") },
		"a false no-text": func(f fstest.MapFS) { f[Made] = file("No model\n") },
	} {
		folder := full()
		change(folder)
		if faults(folder) == nil {
			t.Errorf("%s passes", name)
		}
	}
	if found := faults(fstest.MapFS{Made: file("No model is embedded.\n")}); found != nil {
		t.Errorf("no model: %v", found)
	}
}
