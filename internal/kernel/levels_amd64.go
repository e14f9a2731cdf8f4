//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// The instruction sets that the machine has and that GODEBUG (cpu.avx2=off, cpu.avx512f=off) leaves. Each level needs the
// one before it. Only tests change them.
var (
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI1 && cpu.X86.HasBMI2
	hasAVX512 = hasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL
	useAVX2   = hasAVX2
	useAVX512 = hasAVX512
)

// useAssembly reports whether a level above plain Go is in use.
func useAssembly() bool { return useAVX2 }

// Level is the instruction set in use, one of Levels.
func Level() string {
	switch {
	case useAVX512:
		return "avx512"
	case useAVX2:
		return "avx2"
	}
	return "generic"
}

// Levels lists the instruction sets that this machine and this build can run, slowest first.
func Levels() []string {
	levels := []string{"generic"}
	if hasAVX2 {
		levels = append(levels, "avx2")
	}
	if hasAVX512 {
		levels = append(levels, "avx512")
	}
	return levels
}
