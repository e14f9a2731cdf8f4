package sandbox_test

import (
	"testing"

	"github.com/retort-ml/retort/internal/sandbox"
)

// BenchmarkRun is the price of a sandbox: a program that does nothing.
func BenchmarkRun(b *testing.B) {
	s := sandbox.New(sandbox.Options{})
	if report := s.Check(b.Context()); !report.Usable {
		b.Skip(report.Reason)
	}
	for b.Loop() {
		if _, err := s.Run(b.Context(), script("")); err != nil {
			b.Fatal(err)
		}
	}
}
