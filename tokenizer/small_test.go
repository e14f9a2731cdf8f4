package tokenizer

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
)

// smallCase is one text of testdata/small.json with what Hugging Face's tokenizers make of it.
type smallCase struct {
	Text      string
	IDs       []int32
	IDsAsText *[]int32  `json:"ids_as_text"` // special tokens as text, where that differs
	CutAt     int       `json:"cut_at"`
	Cut       [2]string // IDs[CutAt:] decoded, with and without special tokens
}

type smallTokenizer struct {
	Name          string
	Before, After []int32
	Tokenizer     json.RawMessage
	Cases         []smallCase
}

func smallTokenizers(t testing.TB) []smallTokenizer {
	t.Helper()
	data, err := os.ReadFile("testdata/small.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Made []smallTokenizer }
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Made) != 6 {
		t.Fatalf("%d tokenizers", len(golden.Made))
	}
	return golden.Made
}

func checkSmall(t *testing.T, k *Tokenizer, made *smallTokenizer) {
	t.Helper()
	if before, after := k.Affixes(); !slices.Equal(before, made.Before) || !slices.Equal(after, made.After) {
		t.Errorf("affixes %v %v, want %v %v", before, after, made.Before, made.After)
	}
	for _, c := range made.Cases {
		for range 2 { // the second time from the cache
			if got := k.Encode(c.Text); !slices.Equal(got, c.IDs) {
				t.Errorf("Encode(%q) = %v, want %v", c.Text, got, c.IDs)
			}
		}
		asText := c.IDs
		if c.IDsAsText != nil {
			asText = *c.IDsAsText
		}
		if got := k.EncodeText(c.Text); !slices.Equal(got, asText) {
			t.Errorf("EncodeText(%q) = %v, want %v", c.Text, got, asText)
		}
		for i, want := range c.Cut {
			options := DecodeOptions{SkipSpecial: i == 1}
			cut := c.IDs[c.CutAt:]
			if got := k.DecodeText(cut, options); got != want {
				t.Errorf("DecodeText(%v, %v) = %q, want %q", cut, options, got, want)
			}
			decoder := k.NewDecoderWith(options)
			streamed := ""
			for _, id := range cut {
				streamed += decoder.Push(id)
			}
			if streamed += decoder.Flush(); streamed != want {
				t.Errorf("streamed %v = %q, want %q", cut, streamed, want)
			}
		}
	}
}

// The ids and texts of small tokenizers of every shape are Hugging Face's, also after they were written and read again.
func TestSmallAgainstHuggingFace(t *testing.T) {
	for _, made := range smallTokenizers(t) {
		t.Run(made.Name, func(t *testing.T) {
			k, err := Parse(made.Tokenizer)
			if err != nil {
				t.Fatal(err)
			}
			checkSmall(t, k, &made)
			data, err := k.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			checkSmall(t, again, &made)
		})
	}
}
