package tokenizer

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Where the scanners cut, worked out by hand from the regexes.
func TestSplit(t *testing.T) {
	for _, c := range []struct {
		split        splitter
		text, pieces string // divided by |
	}{
		{splitGPT2, "I'll x'S's 'sa", "I|'ll| x|'|S|'s| '|sa"},
		{splitGPT2, "a  1234 5\t6 \u00bd", "a| | 1234| 5|\t|6| \u00bd"},
		{splitGPT2, "a\n\n b!!\n", "a|\n\n| b|!!|\n"},
		{splitQwen2, "x'Sab'\u017fab'rEb'lx", "x|'S|ab|'\u017f|ab|'rE|b|'lx"},
		{splitQwen2Old, "x'Sab'\u017fab", "x|'S|ab|'\u017fab"},
		{splitQwen2, "a 12  3 !!\r\n\n x", "a| |1|2| | |3| !!\r\n\n| x"},
		{splitQwen2, "\t\tab \n \u3000\n  \u00e9?", "\t|\tab| \n \u3000\n| | \u00e9|?"},
		{splitQwen2, "(a)\nb \u3000c\r", "(a|)\n|b| |\u3000c|\r"},
		{splitLlama3, "1234567 89", "123|456|7| |89"},
		{splitLlama3Old, "1234'\u017fa", "123|4|'\u017fa"},
		{splitLlama3, "a\xff\xfeb  ", "a|\xff\xfe|b|  "},
		{splitNone, "a b", "a b"},
	} {
		var got []string
		for at := 0; at < len(c.text); {
			end := c.split.next(properties(), c.text, at)
			got = append(got, c.text[at:end])
			at = end
		}
		if want := strings.Split(c.pieces, "|"); !slices.Equal(got, want) {
			t.Errorf("splitter %d: %q gives %q, want %q", c.split, c.text, got, want)
		}
	}
}

// Bytes that are no characters are replaced as Rust's String::from_utf8_lossy does: one U+FFFD for each longest beginning of a
// character.
func TestDecodeText(t *testing.T) {
	lab := Lab()
	for _, c := range []struct{ bytes, want string }{
		{"\xe6\x9dA", "\ufffdA"},
		{"\xe6\x9d", "\ufffd"},
		{"\xf0\x9f\x91\xf0\x9f", "\ufffd\ufffd"},
		{"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
		{"\xc0\x80\xf4\x90\x80", "\ufffd\ufffd\ufffd\ufffd\ufffd"},
		{"\xe0\x80\x80", "\ufffd\ufffd\ufffd"},
		{"\x80東\xff", "\ufffd東\ufffd"},
	} {
		ids := lab.Encode(c.bytes)
		if got := lab.DecodeText(ids, DecodeOptions{}); got != c.want {
			t.Errorf("%q decodes to %q, want %q", c.bytes, got, c.want)
		}
		decoder, streamed := lab.NewDecoder(), ""
		for _, id := range ids {
			streamed += decoder.Push(id)
		}
		if streamed += decoder.Flush(); streamed != c.want {
			t.Errorf("%q streams as %q, want %q", c.bytes, streamed, c.want)
		}
	}
}

// An added token of spaces that strips spaces is no reason to be quadratic, nor to look behind the text's end.
func TestStripping(t *testing.T) {
	k, err := New([]Added{{Text: "  ", RStrip: true}, {Text: "<l>", LStrip: true}, {Text: "<r>", RStrip: true}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.Encode("a  <l> <r>  <l>   b"), []int32{'a', 256, 257, ' ', 258, 256, 257, 256, 'b'}; !slices.Equal(got, want) {
		t.Errorf("ids %v, want %v", got, want)
	}
	start := time.Now()
	if n := len(k.Encode(strings.Repeat(" ", 1<<20))); n != 1<<19 {
		t.Errorf("%d tokens", n)
	}
	if spent := time.Since(start); spent > 30*time.Second {
		t.Errorf("%v for a megabyte of spaces", spent)
	}
}
