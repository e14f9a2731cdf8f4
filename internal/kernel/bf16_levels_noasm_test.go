//go:build purego || !amd64

package kernel

// bf16Levels are Levels: no level has instructions for BF16.
func bf16Levels() []string { return Levels() }

// setBF16Level makes one of bf16Levels the one in use.
func setBF16Level(level string) { setLevel(level) }

// bestBF16Level is what this machine uses by itself.
func bestBF16Level() string { return bf16Levels()[len(bf16Levels())-1] }
