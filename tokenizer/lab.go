package tokenizer

import (
	"fmt"
	"strconv"
	"sync"
)

// The special tokens of the lab's text.
const (
	Pad       = "<|pad|>"
	User      = "<|user|>"      // begins a question
	Assistant = "<|assistant|>" // begins a reply
	End       = "<|end|>"       // ends a reply
	Think     = "<think>"
	EndThink  = "</think>"
	Answer    = "<answer>"
	EndAnswer = "</answer>"
)

// The hand-made vocabulary of the lab.
const (
	labSize         = 480 // a multiple of 16, the width of a packed panel
	labLargestToken = 199 // the integers up to here are one token each
)

// labWords are the added tokens that make the text of the lab's tasks short.
var labWords = []string{
	"Use ", ", ", " to make ", " ok\n", " no\n", "wait ", "none",
	"Add ", " and ", "Multiply ", " by ", "Solve ", " for x", "x=", "Sort ",
	"carry ", "sum ", "digits ", "swap ", "true\n", "false\n",
}

// Lab returns the tokenizer of the lab, 480 tokens: the bytes (ids 0 to 255), the special tokens, the integers 10 to 199
// and words of the lab's tasks; what is left is reserved. The integers 0 to 9 are the bytes '0' to '9', because Hugging
// Face's tokenizers know one id per token text. All callers share one Tokenizer.
var Lab = sync.OnceValue(func() *Tokenizer {
	var added []Added
	for _, text := range []string{Pad, User, Assistant, End, Think, EndThink, Answer, EndAnswer} {
		added = append(added, Added{Text: text, Special: true})
	}
	for n := 10; n <= labLargestToken; n++ {
		added = append(added, Added{Text: strconv.Itoa(n)})
	}
	for _, text := range labWords {
		added = append(added, Added{Text: text})
	}
	for i := 0; 256+len(added) < labSize; i++ {
		added = append(added, Added{Text: fmt.Sprintf("<|reserved_%d|>", i), Special: true})
	}
	t, err := New(added)
	if err != nil {
		panic("tokenizer: the lab's vocabulary is not valid")
	}
	return t
})
