//go:build arm64 && !purego

package kernel

// quantLevels are the ways to multiply quantised weights that this machine has.
func quantLevels() []string {
	if hasDotProd {
		return append(Levels(), "dotprod")
	}
	return Levels()
}

// setQuantLevel makes one of quantLevels the one in use. Nothing else may run meanwhile.
func setQuantLevel(level string) {
	useDotProd = level == "dotprod"
	if useDotProd {
		level = "neon"
	}
	setLevel(level)
}

// bestQuantLevel is what this machine uses by itself.
func bestQuantLevel() string { return quantLevels()[len(quantLevels())-1] }

func useQuantGo() bool { return !useNEON }
