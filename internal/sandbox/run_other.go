//go:build !linux

package sandbox

import (
	"context"
	"runtime"
)

// run refuses: the isolation is made of Linux namespaces.
func (s *Sandbox) run(context.Context, Program) (Result, []Layer, error) {
	return Result{}, nil, unavailable("%s has no namespaces: programs are run on Linux only", runtime.GOOS)
}

// Init is never wanted here.
func Init() int { return 1 }
