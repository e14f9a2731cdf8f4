//go:build arm64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// The instruction set that the machine has and that GODEBUG (cpu.asimd=off) leaves. Only tests change it.
var (
	hasNEON = cpu.ARM64.HasASIMD
	useNEON = hasNEON
)

// useAssembly reports whether a level above plain Go is in use.
func useAssembly() bool { return useNEON }

// Level is the instruction set in use, one of Levels.
func Level() string {
	if useNEON {
		return "neon"
	}
	return "generic"
}

// Levels lists the instruction sets that this machine and this build can run, slowest first.
func Levels() []string {
	if hasNEON {
		return []string{"generic", "neon"}
	}
	return []string{"generic"}
}
