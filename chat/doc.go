// Package chat is: Messages to token ids through the model's own template (one BOS, one place), and reply ids back into thinking and answer.
//
// It holds no vocabulary (the caller's [Tokenizer] does), it knows no model by its name, and it neither runs a model nor
// counts a budget. gpt-oss's channels are not among the thoughts it knows.
//
// Invariants: a rendered prompt is byte for byte what transformers renders of the same template and input, and what Python
// refuses is an error. [Encode] yields exactly one BOS where the model has one, whatever template and tokenizer add by
// themselves. Whether a reply begins within a thought is read from the end of the rendered prompt, never guessed from the
// reply. What a [Splitter] yields does not depend on where the stream was cut. Templates and inputs come from outside:
// [Limits] bounds what they cost, and none of them makes this package panic.
package chat
