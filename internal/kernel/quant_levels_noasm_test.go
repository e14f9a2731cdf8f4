//go:build purego || (!amd64 && !arm64)

package kernel

// quantLevels are Levels.
func quantLevels() []string { return Levels() }

// setQuantLevel makes one of quantLevels the one in use: there is one.
func setQuantLevel(string) {}

// bestQuantLevel is what this machine uses by itself.
func bestQuantLevel() string { return "generic" }

func useQuantGo() bool { return true }
