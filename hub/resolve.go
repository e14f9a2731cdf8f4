package hub

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Store is whose a folder of models is.
type Store string

// The stores.
const (
	NoStore     Store = ""             // a path that was given
	HuggingFace Store = "Hugging Face" // the cache of Hugging Face's tools, and ours
	Ollama      Store = "Ollama"       // only read
)

// Local is a model on this machine's disk.
type Local struct {
	// Path is a file or a folder to open. Ollama's have no extension.
	Path      string
	Store     Store
	Reference Reference // zero for a path that was given
	Bytes     int64     // of its files; 0 for a path that was given

	commit string
}

// NotHereError says that a model would have to be downloaded; see [NewPlan].
type NotHereError struct{ Reference Reference }

// Error says which model, without what to do: that is the command's to know.
func (e *NotHereError) Error() string {
	if e.Reference.Ollama != "" {
		return fmt.Sprintf("hub: %s is not in Ollama's store", e.Reference)
	}
	return fmt.Sprintf("hub: %s is not on this machine", e.Reference)
}

// UnknownError says that a text names no model. Known are the names that would.
type UnknownError struct {
	Text  string
	Known []string
}

// Error says what the text is not. DeepSeek-R1 itself is answered with the names of its distils.
func (e *UnknownError) Error() string {
	switch strings.ToLower(strings.SplitN(e.Text, ":", 2)[0]) {
	case "r1", "deepseek-r1":
		return fmt.Sprintf("hub: %s: DeepSeek-R1 is a model of 671 billion parameters, which is not run here; the models distilled from it are %s",
			e.Text, strings.Join(Aliases()[:len(Aliases())/2], ", "))
	}
	return fmt.Sprintf("hub: %.200q is neither a file or a folder nor the name of a model", e.Text)
}

// Resolve finds the model that a text names, on the disk alone. The text is a
// path; hf:ORG/NAME[@REVISION][:QUANT] or an alias, in the cache;
// ollama:NAME[:TAG]; or one of these without its prefix, if a store has it. Files
// of stores are read where they lie. What would have to be downloaded is a
// *NotHereError; a text that names nothing is an *UnknownError, unless it can be
// nothing but a path: then it is the file system's error.
func Resolve(text string, o Options) (Local, error) {
	if !strings.HasPrefix(text, hubPrefix) && !strings.HasPrefix(text, ollamaPrefix) {
		if _, err := os.Stat(text); err == nil {
			return Local{Path: text}, nil
		} else if isPath(text) {
			return Local{}, fmt.Errorf("hub: %w", err)
		}
	}
	r, parseErr := ParseReference(text)
	if parseErr == nil || strings.HasPrefix(text, hubPrefix) || strings.HasPrefix(text, ollamaPrefix) {
		if parseErr != nil {
			return Local{}, parseErr
		}
		return r.resolve(&o)
	}
	if bare, err := parseOllama(text); err == nil {
		if local, err := o.inOllama(bare); local != nil || err != nil {
			return deref(local), err
		}
	}
	if bare, err := parseRepo(text); err == nil {
		if local, err := o.cached(bare); local != nil || err != nil {
			return deref(local), err
		}
	}
	return Local{}, &UnknownError{text, o.known()}
}

// isPath says whether a text can be nothing but a path.
func isPath(text string) bool {
	extension := strings.ToLower(filepath.Ext(text))
	return filepath.IsAbs(text) || strings.HasPrefix(text, ".") || strings.Contains(text, `\`) || extension == ".gguf" || extension == ".safetensors"
}

func deref(l *Local) Local {
	if l == nil {
		return Local{}
	}
	return *l
}

// resolve finds a reference.
func (r Reference) resolve(o *Options) (Local, error) {
	find := o.cached
	if r.Ollama != "" {
		find = o.inOllama
	}
	local, err := find(r)
	if local == nil && err == nil && r.Alias != "" && r.Quant == defaultQuant {
		// As its makers published it is as good as any.
		local, err = o.cached(Reference{Repo: distils[r.Alias].name, Quant: quantSafetensors, Alias: r.Alias})
	}
	if local == nil && err == nil {
		err = &NotHereError{r}
	}
	return deref(local), err
}

// known lists the names that Resolve would find, and the aliases.
func (o *Options) known() []string {
	names := Aliases()
	models, err := List(*o)
	if err != nil {
		return names
	}
	for _, m := range models {
		text := m.Reference.String()
		names = append(names, text, strings.TrimPrefix(strings.TrimPrefix(text, hubPrefix), ollamaPrefix))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// errNoCache is the error of everything that needs the cache.
var errNoCache = errors.New("hub: no folder for models: HF_HUB_CACHE, HF_HOME and the user's folder are not set")
