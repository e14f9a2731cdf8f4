package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/retort-ml/retort/internal/kernel"
)

// The line of the machine names every instruction set, whichever machine it is.
func TestVersionMachine(t *testing.T) {
	for want, f := range map[string]versionFacts{
		"go1.26 linux/arm64, 8 CPUs, instruction set neon of [generic neon], for quantised weights dotprod, i8mm, BF16 emulated": {
			Go: "go1.26", System: "linux/arm64", CPUs: 8, Level: "neon", Levels: []string{"generic", "neon"}, Bytes: []string{"dotprod", "i8mm"}, BF16: "emulated"},
		"go1.26 darwin/arm64, 4 CPUs, instruction set neon of [generic neon], for quantised weights dotprod, BF16 emulated": {
			Go: "go1.26", System: "darwin/arm64", CPUs: 4, Level: "neon", Levels: []string{"generic", "neon"}, Bytes: []string{"dotprod"}, BF16: "emulated"},
		"go1.26 linux/amd64, 2 CPUs, instruction set avx2 of [generic avx2], for quantised weights none of their own, BF16 emulated": {
			Go: "go1.26", System: "linux/amd64", CPUs: 2, Level: "avx2", Levels: []string{"generic", "avx2"}, BF16: "emulated"},
	} {
		if got := f.machine(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	status, stdout, _ := retort(t, t.Context(), "version")
	for _, name := range slices.Concat(kernel.Levels(), kernel.ByteProducts()) {
		if status != exitDone || !strings.Contains(stdout, name) {
			t.Errorf("status %d, %q, which does not name %s", status, stdout, name)
		}
	}
	_, stdout, _ = retort(t, t.Context(), "version", "--json")
	var facts versionFacts
	if err := json.Unmarshal([]byte(stdout), &facts); err != nil || !slices.Equal(facts.Bytes, kernel.ByteProducts()) || facts.Bytes == nil {
		t.Errorf("%s: %v", stdout, err)
	}
}
