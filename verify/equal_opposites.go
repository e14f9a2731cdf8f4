package verify

import "strings"

// opposites maps a word that turns an answer round to its opposites.
var opposites = bothWays([][2]string{
	{"increasing", "decreasing"}, {"increases", "decreases"}, {"increase", "decrease"}, {"maximum", "minimum"}, {"left", "right"}, {"up", "down"}, {"upward", "downward"},
	{"upwards", "downwards"}, {"above", "below"}, {"inside", "outside"}, {"north", "south"}, {"east", "west"}, {"profit", "loss"}, {"gain", "loss"},
	{"clockwise", "counterclockwise"}, {"clockwise", "anticlockwise"}, {"before", "after"}, {"odd", "even"}, {"positive", "negative"}, {"first", "last"},
	{"largest", "smallest"}, {"greater", "less"}, {"more", "less"}, {"most", "least"}, {"longer", "shorter"}, {"faster", "slower"}, {"later", "earlier"},
	{"concave", "convex"}, {"attractive", "repulsive"}, {"real", "imaginary"}, {"into", "out"}, {"true", "false"}, {"convergent", "divergent"}, {"converges", "diverges"},
})

func bothWays(pairs [][2]string) map[string][]string {
	table := make(map[string][]string, 2*len(pairs))
	for _, p := range pairs {
		table[p[0]] = append(table[p[0]], p[1])
		table[p[1]] = append(table[p[1]], p[0])
	}
	return table
}

// opposed says whether two short answers each have one word of a pair of opposites: 5 m up, 5 m down.
func opposed(gold, answer string) bool {
	if len(gold) > 200 || len(answer) > 200 {
		return false
	}
	x, y := gold, answer
	for at := 0; at < len(x); at++ {
		if !letterAt(x, at) {
			continue
		}
		start := at
		for letterAt(x, at) {
			at++
		}
		if at-start < 2 || start > 0 && x[start-1] == '\\' {
			continue
		}
		word := strings.ToLower(x[start:at])
		for _, other := range opposites[word] {
			if hasWord(y, other) && !hasWord(y, word) && !hasWord(x, other) {
				return true
			}
		}
	}
	return false
}

// hasWord says whether a word stands in a text, in any case and not as a command.
func hasWord(text, word string) bool {
	text = strings.ToLower(text)
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			return false
		}
		at += from
		from = at + len(word)
		if !letterAt(text, from) && (at == 0 || !letterAt(text, at-1) && text[at-1] != '\\') {
			return true
		}
	}
}
