//go:build arm64 && !purego

package kernel

// quantLevels are the ways to multiply quantised weights that this machine has.
func quantLevels() []string {
	levels := Levels()
	if hasDotProd {
		levels = append(levels, "dotprod")
	}
	if hasI8MM {
		levels = append(levels, "i8mm")
	}
	return levels
}

// setQuantLevel makes one of quantLevels the one in use. Nothing else may run meanwhile.
func setQuantLevel(level string) {
	useI8MM = level == "i8mm"
	useDotProd = useI8MM || level == "dotprod"
	if useDotProd {
		level = "neon"
	}
	setLevel(level)
}

// bestQuantLevel is what this machine uses by itself.
func bestQuantLevel() string { return quantLevels()[len(quantLevels())-1] }

func useQuantGo() bool { return !useNEON }
