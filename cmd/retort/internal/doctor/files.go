package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/retort-ml/retort/hub"
	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/runstore"
)

// written are the folders that are written, by what they hold.
func (p *Place) written() map[string]string {
	all := maps.Clone(p.Folders)
	if all == nil {
		all = map[string]string{}
	}
	if p.Hub.CacheDir != "" {
		all["models"] = p.Hub.CacheDir
	}
	if p.Packed != "" {
		all["packed copies"] = p.Packed
	}
	if p.Runs != "" {
		all["runs"] = p.Runs
	}
	return all
}

// The room below which little, or nothing, can be written.
const (
	littleDisk = 2 << 30
	noDisk     = 64 << 20
)

// disk says how much can still be written where models and runs lie.
func disk(_ context.Context, p *Place) (found []Finding) {
	told := map[string]bool{}
	least := int64(-1)
	for _, what := range slices.Sorted(maps.Keys(p.written())) {
		path := p.written()[what]
		free, err := hub.Free(path)
		if err != nil {
			continue
		}
		if least < 0 || free < least {
			least = free
		}
		status := OK
		switch {
		case free < noDisk:
			status = Fault
		case free < littleDisk:
			status = Warning
		}
		line := fmt.Sprintf("%s left", size(free))
		if status != OK && !told[line] {
			told[line] = true
			found = append(found, Finding{Status: status, Found: fmt.Sprintf("%s for %s in %s", line, what, path), Do: "retort models prune, retort models rm"})
		}
	}
	if least < 0 {
		return one(Note, "", "this system does not say how much room is left")
	}
	return orOK(found, "%s left", size(least))
}

// folders looks whether what is written can be written, and by nobody else.
func folders(_ context.Context, p *Place) (found []Finding) {
	all := p.written()
	for _, what := range slices.Sorted(maps.Keys(all)) {
		path := all[what]
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // it is made when it is needed
		case err != nil:
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s: %v", what, err), Do: "look at the path"})
			continue
		case !info.IsDir():
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s: %s is no folder", what, path), Do: "move the file away, or choose another folder"})
			continue
		}
		if mode := info.Mode(); hasModes && mode.Perm()&0o002 != 0 && mode&fs.ModeSticky == 0 {
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s: every user can replace what lies in %s", what, path), Do: "chmod o-w " + path})
		}
		if err := tryWrite(path); err != nil {
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s: %v", what, err), Do: "chown or chmod the folder, or choose another"})
		}
	}
	return orOK(found, "can be written, by nobody else")
}

// tryWrite writes a file in a folder and removes it.
func tryWrite(path string) error {
	file, err := os.CreateTemp(path, ".retort-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// downloads finds what was begun and is used by nothing.
func downloads(_ context.Context, p *Place) []Finding {
	removal, err := hub.PlanPrune(p.Hub)
	if err != nil {
		return one(Fault, "look at the path", "%v", err)
	}
	begun := 0
	for _, path := range removal.Paths {
		if strings.HasSuffix(path, ".incomplete") {
			begun++
		}
	}
	if n := len(removal.Paths); n > 0 {
		return one(Warning, "retort models prune, or pull again, which goes on", "%d broken downloads and %d files that no model uses, %s", begun, n-begun, size(removal.Bytes))
	}
	return one(OK, "", "none was broken off")
}

// packed finds packed copies of weights that no model will read.
func packed(_ context.Context, p *Place) []Finding {
	if p.Packed == "" {
		return one(Note, "", "none are kept")
	}
	list, err := model.ListPacked(p.Packed)
	if err != nil {
		return one(Fault, "look at the path", "%v", err)
	}
	var all, gone int64
	stale := 0
	for _, c := range list {
		if all += c.Bytes; c.Stale != "" {
			stale, gone = stale+1, gone+c.Bytes
		}
	}
	switch {
	case stale > 0:
		return one(Warning, "retort models prune", "%d packed copies of no use, %s", stale, size(gone))
	case len(list) == 0:
		return one(OK, "", "none in %s", p.Packed)
	}
	return one(OK, "", "%d packed copies, %s", len(list), size(all))
}

// links finds names in the caches that lead nowhere, and models that are not whole.
func links(_ context.Context, p *Place) (found []Finding) {
	if p.Hub.CacheDir == "" {
		return one(Note, "", "there is no cache of models")
	}
	pattern := filepath.Join(p.Hub.CacheDir, "models--*", "snapshots")
	tops, err := filepath.Glob(pattern)
	if err != nil {
		return one(Note, "", "%v", err)
	}
	for _, top := range tops {
		_ = filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error { // a folder that cannot be read is passed over
			if err == nil && entry.Type()&fs.ModeSymlink != 0 {
				if _, err := os.Stat(path); err != nil {
					repo := strings.ReplaceAll(strings.TrimPrefix(filepath.Base(filepath.Dir(top)), "models--"), "--", "/")
					found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s: %s leads nowhere", repo, filepath.Base(path)), Do: "retort pull hf:" + repo})
				}
			}
			return nil
		})
	}
	return orOK(short(found), "every name leads to its file")
}

// runs looks at every run's record and at its checkpoints.
func runs(ctx context.Context, p *Place) (found []Finding) {
	if p.Runs == "" {
		return one(Note, "", "there is no folder of runs")
	}
	list, err := runstore.List(p.Runs)
	if err != nil {
		return one(Fault, "look at the path", "%v", err)
	}
	interrupted := 0
	for _, s := range list {
		if ctx.Err() != nil {
			break
		}
		if s.Status == runstore.StatusDamaged {
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("%s: %s", s.Dir, s.Fault), Do: "retort explain run-damaged"})
			continue
		}
		if s.Status == runstore.StatusInterrupted {
			interrupted++
		}
		r, err := runstore.Read(s.Dir)
		if err != nil {
			found = append(found, Finding{Status: Fault, Found: err.Error(), Do: "retort explain run-damaged"})
			continue
		}
		faults, err := r.CheckpointFaults(p.Deep)
		if err != nil {
			faults = append(faults, err.Error())
		}
		for _, fault := range faults {
			found = append(found, Finding{Status: Fault, Found: s.Dir + ": " + fault, Do: "--resume passes a damaged checkpoint over; remove it"})
		}
		if s.Manifest.Created.After(p.now().Add(24 * 60 * 60 * 1e9)) {
			found = append(found, Finding{Status: Warning, Found: s.Dir + " was made in the future", Do: "look at the clock"})
		}
	}
	if len(list) == 0 {
		return one(OK, "", "none in %s", p.Runs)
	}
	return orOK(short(found), "%d can be read, of which %d were interrupted", len(list), interrupted)
}
