//go:build purego || (!amd64 && !arm64)

package kernel

// quantLevels: no level has instructions for it.
func quantLevels() []string { return []string{"generic"} }

// setQuantLevel makes the only one the one in use.
func setQuantLevel(string) {}

// bestQuantLevel is what this machine uses by itself.
func bestQuantLevel() string { return "generic" }

func useQuantGo() bool { return true }
