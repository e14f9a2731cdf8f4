package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/retort-ml/retort/model"
	"github.com/retort-ml/retort/weights"
)

// inspectCommand shows what a model file holds, without reading its weights.
type inspectCommand struct {
	Path     string `arg:"" name:"path" help:"The model: a path, a name of a store, or an alias."`
	Tensors  bool   `name:"tensors" help:"List every tensor."`
	Metadata bool   `name:"metadata" help:"List the metadata."`
}

// inspectEvent is the --json form.
type inspectEvent struct {
	Path       string         `json:"path"`
	Container  string         `json:"container"`
	Config     *model.Config  `json:"config,omitempty"`
	Fault      string         `json:"fault,omitempty"` // why there is no config
	Parameters int            `json:"parameters"`
	Bytes      int64          `json:"bytes"`
	Formats    map[string]int `json:"formats"` // tensors by format
	Metadata   map[string]any `json:"metadata,omitempty"`
	Tensors    []tensorEvent  `json:"tensors,omitempty"`
}

type tensorEvent struct {
	Name   string `json:"name"`
	Format string `json:"format"`
	Shape  []int  `json:"shape"`
	Bytes  int    `json:"bytes"`
}

// Run opens and prints. A file that is no model of a known kind is shown as well.
func (c *inspectCommand) Run(_ context.Context, out *output) error {
	path, err := findModel(c.Path)
	if err != nil {
		path = c.Path
	}
	f, err := openWeights(path)
	if err != nil {
		return err
	}
	defer f.Close()
	e := inspectEvent{Path: c.Path, Container: f.Container().String(), Formats: map[string]int{}}
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			return err
		}
		e.Parameters += t.Elements()
		e.Bytes += int64(len(t.Data))
		e.Formats[t.Format.String()]++
		e.Tensors = append(e.Tensors, tensorEvent{name, t.Format.String(), t.Shape, len(t.Data)})
	}
	if files, err := openFiles(path); err != nil {
		e.Fault = err.Error()
	} else {
		e.Config = &files.Config
		if err := files.Close(); err != nil {
			return err
		}
	}
	if c.Metadata {
		e.Metadata = map[string]any{}
		for _, pair := range f.Metadata() {
			e.Metadata[pair.Key] = pair.Value
		}
	}
	c.print(out, &e, f.Metadata())
	if !c.Tensors {
		e.Tensors = nil
	}
	return out.event("model", e)
}

func (c *inspectCommand) print(out *output, e *inspectEvent, metadata weights.Metadata) {
	out.result("%-12s %s", "container", e.Container)
	if k := e.Config; k != nil {
		out.result("%-12s %s: %d layers of width %d, %d heads of %d on %d of keys and values, FFN %d", "shape", k.Architecture, k.Layers, k.Width, k.Heads, k.HeadSize, k.KVHeads, k.FFN)
		out.result("%-12s %d tokens, embeddings %s, up to %d positions", "vocabulary", k.VocabSize, map[bool]string{true: "tied", false: "untied"}[k.TieEmbeddings], k.MaxPositions)
		out.result("%-12s BOS %d, ends %v", "ids", k.BOS, k.Ends())
	} else {
		out.result("%-12s not known: %s", "shape", oneLine(e.Fault))
	}
	out.result("%-12s %s in %d tensors, %s", "parameters", humanCount(e.Parameters), len(e.Tensors), humanBytes(e.Bytes))
	var formats []string
	for name, n := range e.Formats {
		formats = append(formats, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(formats)
	out.result("%-12s %s", "formats", strings.Join(formats, ", "))
	if c.Metadata {
		for _, pair := range metadata {
			out.result("%-44s %s", oneLine(pair.Key), oneLine(shortValue(pair.Value)))
		}
	}
	if c.Tensors {
		for _, t := range e.Tensors {
			out.result("%-44s %-7s %v", oneLine(t.Name), t.Format, t.Shape)
		}
	}
}

// shortValue writes a value of metadata in at most a line: of a long list its length and beginning.
func shortValue(value any) string {
	if v := reflect.ValueOf(value); v.Kind() == reflect.Slice && v.Len() > 6 {
		return fmt.Sprintf("%d of %T: %.120v ...", v.Len(), v.Index(0).Interface(), v.Slice(0, 6).Interface())
	}
	if text := fmt.Sprint(value); len(text) > 200 {
		return fmt.Sprintf("%.200s ... (%d bytes)", text, len(text))
	}
	return fmt.Sprint(value)
}
