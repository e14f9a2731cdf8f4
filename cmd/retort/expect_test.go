package main

import (
	"math"
	"strings"
	"testing"

	"github.com/retort-ml/retort/hub"
)

func TestExpectSpeed(t *testing.T) {
	e := expectSpeed(1 << 30)
	if e == nil || e.Read < 1e8 || math.Abs(e.TokensPerSecond*(1<<30)-e.Read) > 1e-6*e.Read {
		t.Fatalf("%+v, want the speed of memory over what a step reads", e)
	}
	if text := (&speedEvent{20, 1 << 30, 2e10}).describe(); text != "at most about 20 tokens/s here, an estimate: memory is read at 20.0 GB/s, 1 GiB a token" {
		t.Errorf("says %q", text)
	}
	if e := expectSpeed(1000); e != nil || !strings.Contains(e.describe(), "not told") {
		t.Errorf("%+v of a model that fits into a cache", e)
	}
}

// Of a model that is not here yet the files tell; of a distil also the part that is only looked up.
func TestReadOfPlan(t *testing.T) {
	file := func(name string, size int64) hub.PlannedFile {
		return hub.PlannedFile{File: hub.File{Path: name, Size: size}}
	}
	plan := &hub.Plan{Files: []hub.PlannedFile{file("config.json", 5000), file("a-00001-of-00002.gguf", 1000), file("a-00002-of-00002.gguf", 777)}}
	if got := readOfPlan(plan); got != 1777 {
		t.Errorf("%v bytes, want those of the weights", got)
	}
	plan.Reference.Alias = "deepseek-r1-distill-qwen-1.5b"
	if got := readOfPlan(plan) / 1777; math.Abs(got-(1-151936*1536/1777088000.0)) > 1e-3 {
		t.Errorf("a share of %v, want all but the embedding", got)
	}
}
