package train

import (
	"regexp"
	"sort"
	"strings"
)

// turnWords are the words at which a thought turns back; the page's probes use the same.
var turnWords = regexp.MustCompile(`(?i)\b(?:wait|hmm|alternatively|hold on|let me (?:re-?)?check|let me verify|let's verify|actually|on second thought)\b`)

// turnStops end a line or a sentence.
const turnStops = "\n.!?。！？"

// FindReflections finds by its words where an answer turns back. decode makes text of tokens; endThink is the text that ends a thought, or what
// follows the thought's last token; closing are the tokens that close a thought and open an answer, and are passed on. Of several such
// words in one line or sentence the first counts, and a thought that begins with one does not turn back there.
func FindReflections(tokens []int32, decode func(tokens []int32) string, endThink string, closing []int32) Reflections {
	text := decode(tokens)
	end := strings.Index(text, endThink)
	f := Reflections{Thought: len(tokens), IsClosed: end >= 0, Close: closing}
	// tokenAt is the token that holds the byte at a place of the text.
	tokenAt := func(place int) int {
		return sort.Search(len(tokens), func(i int) bool { return len(decode(tokens[:i+1])) > place })
	}
	if f.IsClosed {
		f.Thought = tokenAt(end)
		text = text[:end]
	}
	from := 0
	for _, m := range turnWords.FindAllStringIndex(text, -1) {
		if at := tokenAt(m[0]); (from == 0 || strings.ContainsAny(text[from:m[0]], turnStops)) && at > 0 && at < f.Thought && (len(f.Turns) == 0 || at > f.Turns[len(f.Turns)-1]) {
			f.Turns = append(f.Turns, at)
		}
		from = m[1]
	}
	return f
}
