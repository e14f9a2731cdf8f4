//go:build (amd64 || arm64) && !purego

package kernel

// quantLevels are Levels.
func quantLevels() []string { return Levels()[:1] }

// setQuantLevel makes one of quantLevels the one in use: there is one.
func setQuantLevel(string) {}

// bestQuantLevel is what this machine uses by itself.
func bestQuantLevel() string { return "generic" }

func useQuantGo() bool { return true }
