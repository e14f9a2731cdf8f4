package behaviour

// KeywordNames are the ten words by which DeepSeek-R1 measures reflection (arXiv:2501.12948v2, on the growth of reflective words).
var KeywordNames = [10]string{"wait", "mistake", "however", "but", "retry", "error", "verify", "wrong", "evaluate", "check"}

// Keywords counts the words of KeywordNames, in their order.
type Keywords [len(KeywordNames)]int

// Total returns the sum of the counts.
func (k Keywords) Total() (total int) {
	for _, count := range k {
		total += count
	}
	return total
}

// CountKeywords counts whole words (runs of ASCII letters, of either case) of any text.
func CountKeywords(text string) (counts Keywords) {
	var word [8]byte // the longest keyword has 8 letters
	length := 0
	for at := 0; at <= len(text); at++ {
		var letter byte
		if at < len(text) {
			letter = text[at] | 0x20
		}
		if letter >= 'a' && letter <= 'z' {
			if length < len(word) {
				word[length] = letter
			}
			length++
			continue
		}
		if length >= 3 && length <= len(word) {
			for i, name := range KeywordNames {
				if string(word[:length]) == name {
					counts[i]++
				}
			}
		}
		length = 0
	}
	return counts
}
