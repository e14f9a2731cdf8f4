package train

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
)

// ThinkAnswerFormat reports whether a reply is a thought and an answer, each between its tags and
// the tags on lines of their own, by the rule of open-r1's format_reward:
//
//	^<think>\n.*?\n</think>\n<answer>\n.*?\n</answer>$
//
// where . is any character, ^ the beginning and, as Python's MULTILINE has it, $ the end of the
// text or of a line. Linear in the text's length.
func ThinkAnswerFormat(text string) bool {
	const middle, end = "\n</think>\n<answer>\n", "\n</answer>"
	rest, ok := strings.CutPrefix(text, "<think>\n")
	if !ok {
		return false
	}
	// The first middle leaves the most room for the end, so no other has to be tried.
	_, rest, ok = strings.Cut(rest, middle)
	for ok {
		_, rest, ok = strings.Cut(rest, end)
		if ok && (rest == "" || rest[0] == '\n') {
			return true
		}
	}
	return false
}

// tagTexts are the four that TagCount looks for.
var tagTexts = [4]string{"<think>\n", "\n</think>\n", "\n<answer>\n", "\n</answer>"}

// TagCount is a quarter for each of the four tags, with the line ends beside it, that stands in the
// reply exactly once (open-r1's tag_count_reward).
func TagCount(text string) float64 {
	sum := 0.0
	for _, tag := range tagTexts {
		if strings.Count(text, tag) == 1 {
			sum += 0.25
		}
	}
	return sum
}

// CosineOptions are the parameters of the reward of an answer's length. If the four values are all
// 0 they are those of open-r1: -1, -0.5, 0.5 and 1.
type CosineOptions struct {
	// MinWrong is the reward of the shortest wrong answer, MaxWrong that of the longest.
	MinWrong float64 `json:"min_wrong" yaml:"min_wrong"`
	MaxWrong float64 `json:"max_wrong" yaml:"max_wrong"`
	// MaxRight is the reward of the shortest right answer, MinRight that of the longest.
	MinRight float64 `json:"min_right" yaml:"min_right"`
	MaxRight float64 `json:"max_right" yaml:"max_right"`
	// MaxTokens is the length of the longest; 0 means rollout.max_new_tokens.
	MaxTokens int `json:"max_tokens" yaml:"max_tokens"`
}

func (o CosineOptions) resolved(maxNewTokens int) CosineOptions {
	if o.MinWrong == 0 && o.MaxWrong == 0 && o.MinRight == 0 && o.MaxRight == 0 {
		o.MinWrong, o.MaxWrong, o.MinRight, o.MaxRight = -1, -0.5, 0.5, 1
	}
	setDefault(&o.MaxTokens, maxNewTokens)
	return o
}

func (o *CosineOptions) validate() error {
	if !(o.MinWrong <= o.MaxWrong && o.MinRight <= o.MaxRight) || o.MaxTokens < 0 || math.IsInf(o.MinWrong+o.MaxRight, 0) {
		return errors.New("train: reward.cosine_values: " + fmt.Sprintf("got %+v, want min_wrong <= max_wrong, min_right <= max_right and max_tokens at least 0", *o))
	}
	return nil
}

// Reward is, for an answer of n tokens and M = MaxTokens,
//
//	end + (begin-end)/2 * (1 + cos(pi min(n,M)/M))
//
// with begin, end = MaxRight, MinRight of a right answer and MinWrong, MaxWrong of a wrong one
// (arXiv 2502.03373, section 4; open-r1's cosine_scaled_reward, which counts characters and lets
// the cosine turn back beyond M). o must be resolved.
func (o *CosineOptions) Reward(isRight bool, tokens int) float64 {
	begin, end := o.MinWrong, o.MaxWrong
	if isRight {
		begin, end = o.MaxRight, o.MinRight
	}
	progress := math.Min(1, float64(tokens)/float64(max(1, o.MaxTokens)))
	return end + 0.5*(begin-end)*(1+math.Cos(math.Pi*progress))
}

// RepetitionPenalty is penalty (1 - different/all) over the sequences of n words of the text, in
// lower case, and 0 if there are fewer words (arXiv 2502.03373, appendix C.2; open-r1's
// repetition_penalty_reward). penalty is at most 0, n at least 1.
func RepetitionPenalty(text string, n int, penalty float64) float64 {
	words := strings.Fields(strings.ToLower(text))
	total := len(words) - n + 1
	if n < 1 || total < 1 {
		return 0
	}
	// Words become numbers, so that a sequence of any length is compared by few bytes; a sequence
	// is the number of the one a word shorter and its last word.
	ids := map[string]int{}
	current := make([]int, len(words))
	for i, w := range words {
		id, ok := ids[w]
		if !ok {
			id = len(ids)
			ids[w] = id
		}
		current[i] = id
	}
	single := slices.Clone(current)
	different := len(ids)
	for length := 2; length <= n; length++ {
		pairs := map[[2]int]int{}
		for i := range len(words) - length + 1 {
			key := [2]int{current[i], single[i+length-1]}
			id, ok := pairs[key]
			if !ok {
				id = len(pairs)
				pairs[key] = id
			}
			current[i] = id
		}
		different = len(pairs)
	}
	return penalty * (1 - float64(different)/float64(total))
}

// SoftOverlong punishes an answer of n tokens that comes near the most that it may have:
//
//	0                        n <= M - b
//	(M - b - n) / b          M - b < n <= M
//	-1                       n > M
//
// with M = most and b = buffer (DAPO, arXiv 2503.14476, equation 13). buffer is at least 1.
func SoftOverlong(n, most, buffer int) float64 {
	switch begin := most - buffer; {
	case n <= begin:
		return 0
	case n <= most:
		return float64(begin-n) / float64(buffer)
	}
	return -1
}

// languageScripts are the scripts that a language is written in.
var languageScripts = map[string][]*unicode.RangeTable{
	"ar": {unicode.Arabic}, "de": {unicode.Latin}, "el": {unicode.Greek}, "en": {unicode.Latin}, "es": {unicode.Latin},
	"fr": {unicode.Latin}, "he": {unicode.Hebrew}, "hi": {unicode.Devanagari}, "it": {unicode.Latin},
	"ja": {unicode.Han, unicode.Hiragana, unicode.Katakana}, "ko": {unicode.Hangul}, "pt": {unicode.Latin},
	"ru": {unicode.Cyrillic}, "uk": {unicode.Cyrillic}, "zh": {unicode.Han},
}

func languageCodes() string {
	return strings.Join(slices.Sorted(maps.Keys(languageScripts)), ", ")
}

// unspaced are the scripts in which each character counts as a word.
var unspaced = []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana}

// LanguageShare is the share of a thought's words that are in the target language:
// words of the language / words (DeepSeek-R1, arXiv 2501.12948, section 2.3.2). ok is false if the
// thought has no words, or the language is not known.
//
// The thought is what stands between <think> and </think>, or the whole text without the former. A
// word is a run of letters, or one character of Han and the kana; it is in the language if its
// first letter is in one of the language's scripts, which does not tell English from French. A
// single letter is a variable and no word, nor is a command of LaTeX.
func LanguageShare(text, code string) (share float64, ok bool) {
	scripts, known := languageScripts[code]
	if !known {
		return 0, false
	}
	if _, rest, found := strings.Cut(text, "<think>"); found {
		text = rest
	}
	text, _, _ = strings.Cut(text, "</think>")
	words, target := 0, 0
	count := func(first rune) {
		words++
		if unicode.IsOneOf(scripts, first) {
			target++
		}
	}
	var before, first rune // of the open run: the rune ahead of it and its first letter
	length := 0
	end := func() {
		if length > 1 && before != '\\' {
			count(first)
		}
		length = 0
	}
	last := rune(0)
	for _, r := range text {
		switch {
		case unicode.IsOneOf(unspaced, r):
			end()
			count(r)
		case unicode.IsLetter(r):
			if length == 0 {
				before, first = last, r
			}
			length++
		case unicode.IsMark(r):
		default:
			end()
		}
		last = r
	}
	end()
	if words == 0 {
		return 0, false
	}
	return float64(target) / float64(words), true
}

// lengthReward compares the length n of an answer with the shortest and the longest of its group:
// lambda = 1/2 - (n - shortest)/(longest - shortest) of a right answer and min(0, lambda) of a wrong
// one; 0 if all are equally long (Kimi k1.5, arXiv 2501.12599, section 2.3.3).
func lengthReward(isRight bool, n, shortest, longest int) float64 {
	if longest == shortest {
		return 0
	}
	lambda := 0.5 - float64(n-shortest)/float64(longest-shortest)
	if isRight {
		return lambda
	}
	return math.Min(0, lambda)
}
