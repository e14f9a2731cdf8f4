//go:build amd64 && !purego

package kernel

// quantLevels are the ways to multiply quantised weights that this machine has.
func quantLevels() []string {
	levels := Levels()
	if hasAVXVNNI {
		levels = append(levels, "avxvnni")
	}
	if hasAVX512VNNI {
		levels = append(levels, "avx512vnni")
	}
	return levels
}

// setQuantLevel makes one of quantLevels the one in use. Nothing else may run meanwhile.
func setQuantLevel(level string) {
	useAVX512VNNI, useAVXVNNI = level == "avx512vnni", level == "avxvnni"
	switch level {
	case "avx512vnni":
		level = "avx512"
	case "avxvnni":
		level = "avx2"
	}
	setLevel(level)
}

// bestQuantLevel is what this machine uses by itself.
func bestQuantLevel() string {
	switch {
	case hasAVX512VNNI:
		return "avx512vnni"
	case hasAVX512:
		return "avx512"
	case hasAVXVNNI:
		return "avxvnni"
	}
	return Levels()[len(Levels())-1]
}

func useQuantGo() bool { return !useAVX2 }
