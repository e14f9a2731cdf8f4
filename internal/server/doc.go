// Package server is: HTTP API and web page.
//
// It speaks the dialects of OpenAI, Anthropic and Ollama over engines of this process. It opens no model file (ModelSpec.Open
// does), trains nothing, keeps no conversation, and makes no connection of its own.
//
// Invariants:
//   - No request reaches a handler before Host, Origin, Sec-Fetch-Site, content type and key have been looked at, in this order.
//   - A field of the OpenAI specification is done or refused by its name; one from elsewhere is named in X-Retort-Ignored. A prompt is
//     never shortened.
//   - Thought and answer are split by where the rendered prompt ends and by the marks; their pieces of a stream, joined, are what a
//     reply at once holds. The counts of usage are those of tokens that were sampled.
//   - When a client goes, its work stops. A reply that has begun ends whole, or with an error in its dialect.
//   - No prompt, no reply and no key is logged.
package server
