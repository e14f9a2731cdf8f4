package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/retort-ml/retort/runstore"
)

// The bounds of a list of runs.
const (
	maxFolders = 5000
	maxRuns    = 1000
)

// runHead is a run in the list.
type runHead struct {
	Name    string             `json:"name"`
	Kind    string             `json:"kind"`
	Title   string             `json:"title,omitempty"` // what is trained or asked
	Created time.Time          `json:"created"`
	Status  string             `json:"status"`
	Step    int                `json:"step"`
	Steps   int                `json:"steps,omitempty"` // that it is to make, 0 where it is not known
	Parents []string           `json:"parents,omitempty"`
	Last    map[string]float64 `json:"last,omitempty"` // the numbers of the last step
	Fault   string             `json:"fault,omitempty"`
}

// listRuns answers with all runs, the newest first.
func (p *Page) listRuns(http.ResponseWriter, *http.Request) (any, error) {
	answer := struct {
		Shown bool      `json:"shown"`
		Runs  []runHead `json:"runs"`
	}{p.options.Runs != "", []runHead{}}
	if !answer.Shown {
		return answer, nil
	}
	folders, err := p.runFolders()
	if err != nil {
		return nil, err
	}
	for _, parent := range sortedKeys(folders) {
		answer.Runs = append(answer.Runs, p.headsOf(parent, folders[parent])...)
	}
	sort.SliceStable(answer.Runs, func(i, j int) bool { return answer.Runs[i].Created.After(answer.Runs[j].Created) })
	answer.Runs = answer.Runs[:min(len(answer.Runs), maxRuns)]
	return answer, nil
}

// runFolders finds the folders that hold a run.json, by their parents. It follows no link.
func (p *Page) runFolders() (map[string][]string, error) {
	found := map[string][]string{}
	root, err := os.OpenRoot(p.options.Runs)
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err != nil {
		return nil, &fault{http.StatusInternalServerError, "the folder of the runs cannot be opened"}
	}
	defer func() { _ = root.Close() }() // it was only read
	seen := 0
	err = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // a folder that cannot be read holds nothing for this page
		}
		if seen++; seen > 20*maxFolders {
			return fs.SkipAll
		}
		if !entry.IsDir() {
			if entry.Name() == "run.json" && path.Dir(name) != "." {
				dir := path.Dir(name)
				found[path.Dir(dir)] = append(found[path.Dir(dir)], dir)
			}
			return nil
		}
		if name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "checkpoints" || entry.Name() == "model" || strings.Count(name, "/") >= maxDepth) {
			return fs.SkipDir
		}
		return nil
	})
	return found, err
}

// headsOf summarises the runs of one folder.
func (p *Page) headsOf(parent string, names []string) []runHead {
	var list []runHead
	good := map[string]bool{}
	for _, name := range names {
		at, err := openPlace(p.options.Runs, name)
		if err == nil {
			err = at.safe()
			at.close()
		}
		if err != nil {
			list = append(list, runHead{Name: name, Status: string(runstore.StatusDamaged), Fault: err.Error()})
			continue
		}
		good[name] = true
	}
	if len(good) < len(names) || p.hasLinks(parent) {
		// runstore.List would open those as well that are not to be opened.
		for name := range good {
			list = append(list, p.headAlone(name))
		}
		return list
	}
	summaries, err := runstore.List(filepath.Join(p.options.Runs, filepath.FromSlash(parent)))
	if err != nil {
		return append(list, runHead{Name: parent, Status: string(runstore.StatusDamaged), Fault: "the folder cannot be read"})
	}
	for i := range summaries {
		s := &summaries[i]
		name := path.Join(parent, filepath.Base(s.Dir))
		if !good[name] {
			continue
		}
		h := runHead{Name: name, Kind: s.Kind, Created: s.Manifest.Created, Status: string(s.Status), Step: s.Step, Parents: s.Manifest.Parents, Fault: p.withoutRoot(s.Fault)}
		h.describe(s.Manifest.Config)
		h.Last = p.lastNumbers(name)
		list = append(list, h)
	}
	return list
}

// withoutRoot takes the path of the runs' folder out of a message.
func (p *Page) withoutRoot(text string) string {
	return strings.ReplaceAll(text, strings.TrimSuffix(p.options.Runs, string(filepath.Separator))+string(filepath.Separator), "")
}

// hasLinks reports whether a folder holds links beside its runs.
func (p *Page) hasLinks(parent string) bool {
	entries, err := os.ReadDir(filepath.Join(p.options.Runs, filepath.FromSlash(parent)))
	if err != nil {
		return true
	}
	for _, entry := range entries {
		if entry.Type()&fs.ModeSymlink != 0 {
			return true
		}
	}
	return false
}

// headAlone summarises a run without those beside it.
func (p *Page) headAlone(name string) runHead {
	record, err := runstore.Read(filepath.Join(p.options.Runs, filepath.FromSlash(name)))
	if err != nil {
		return runHead{Name: name, Status: string(runstore.StatusDamaged), Fault: p.withoutRoot(err.Error())}
	}
	h := runHead{Name: name, Kind: record.Manifest.Kind, Created: record.Manifest.Created, Status: string(record.Status), Parents: record.Manifest.Parents}
	if n := len(record.Rows); n > 0 {
		h.Step = record.Rows[n-1].Step
	}
	h.describe(record.Manifest.Config)
	h.Last = p.lastNumbers(name)
	return h
}

// describe says in a few words what a run does.
func (h *runHead) describe(config json.RawMessage) {
	var c struct {
		Steps   int    `json:"steps"`
		Variant string `json:"variant"`
		Title   string `json:"title"`
		Task    string `json:"task"`
		Model   any    `json:"model"`
	}
	_ = json.Unmarshal(config, &c) // what is not there is not told
	h.Steps, h.Title = c.Steps, c.Variant
	if h.Kind == "eval" {
		h.Title = strings.TrimPrefix(fmt.Sprint(c.Title, ", ", c.Model), ", ")
	}
}

// lastNumbers reads the last whole line of a run's metrics.
func (p *Page) lastNumbers(name string) map[string]float64 {
	at, err := openPlace(p.options.Runs, name)
	if err != nil {
		return nil
	}
	defer at.close()
	f, size, err := at.open("metrics.jsonl", maxRecords)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // it was only read
	text := make([]byte, min(size, 64<<10))
	n, _ := f.ReadAt(text, size-int64(len(text)))
	lines := strings.Split(string(text[:n]), "\n")
	if len(lines) < 2 {
		return nil
	}
	var fields map[string]any
	if json.Unmarshal([]byte(lines[len(lines)-2]), &fields) != nil {
		return nil
	}
	last := map[string]float64{}
	for key, value := range fields {
		if x, ok := value.(float64); ok {
			last[key] = x
		}
	}
	return last
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

// placeOf opens the run that a request names.
func (p *Page) placeOf(r *http.Request) (*place, error) {
	return openPlace(p.options.Runs, r.URL.Query().Get("run"))
}

// stand is what was found of the runs of one folder a moment ago.
type stand struct {
	mu    sync.Mutex
	at    time.Time
	heads []runHead
}

// statusOf returns how a run stands, at most two seconds late.
func (p *Page) statusOf(name string) string {
	parent := path.Dir(name)
	s := p.stands.get(parent, func() *stand { return &stand{} })
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) > 2*time.Second {
		entries, err := os.ReadDir(filepath.Join(p.options.Runs, filepath.FromSlash(parent)))
		if err != nil {
			return string(runstore.StatusDamaged)
		}
		var names []string
		for _, entry := range entries {
			if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
				child := path.Join(parent, entry.Name())
				if at, err := openPlace(p.options.Runs, child); err == nil {
					at.close()
					names = append(names, child)
				}
			}
		}
		s.heads, s.at = p.headsOf(parent, names), time.Now()
	}
	for i := range s.heads {
		if s.heads[i].Name == name {
			return s.heads[i].Status
		}
	}
	return string(runstore.StatusDamaged)
}
