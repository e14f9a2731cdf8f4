package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const hostile = "<script>alert(1)</script>\"' onload=alert(2) &lt; </style></title>]]>--> ![x](http://evil.test/a.png) [a](javascript:b) [r]: http://evil.test `c` ``` | # $x$ \x1b[31m\x00\u202e\u200b\xff\ue000\r\n\n\n    <img src=http://evil.test>\n# head\n- item\n```\n~~~\n"

// poison puts text into every string that v reaches.
func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			poison(v.Elem(), text)
		}
	case reflect.Slice:
		for i := 0; i < v.Len(); i++ {
			poison(v.Index(i), text)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			poison(v.Field(i), text)
		}
	case reflect.String:
		v.SetString(text)
	}
}

// elements parses text as XML, strictly, and returns its start tags.
func elements(t *testing.T, text []byte) []xml.StartElement {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(text))
	var out []xml.StartElement
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok {
			out = append(out, e.Copy())
		}
	}
}

var allowed = strings.Fields("html head meta title style body header main section footer nav a h1 h2 h3 p div span strong b ul li dl dt dd table caption thead tbody tr th td pre code details summary figure figcaption svg desc g line rect circle polygon path text tspan")

var inert = regexp.MustCompile(`^(class|id|lang|charset|http-equiv|content|name|scope|colspan|tabindex|role|aria-[a-z]+|viewBox|x|y|x1|x2|y1|y2|width|height|rx|cx|cy|r|d|points|text-anchor|xmlns)$`)

// checkInert fails where the elements could do anything but show text.
func checkInert(t *testing.T, all []xml.StartElement) {
	t.Helper()
	ids := map[string]bool{}
	for _, e := range all {
		if !slices.Contains(allowed, e.Name.Local) {
			t.Errorf("element <%s>: want none", e.Name.Local)
		}
		for _, a := range e.Attr {
			switch {
			case a.Name.Local == "href" && strings.HasPrefix(a.Value, "#"):
			case !inert.MatchString(a.Name.Local):
				t.Errorf("<%s>: attribute %s=%q: want none", e.Name.Local, a.Name.Local, a.Value)
			case a.Name.Local == "id":
				if ids[a.Value] {
					t.Errorf("id %q: got it twice", a.Value)
				}
				ids[a.Value] = true
			}
		}
	}
	for _, e := range all {
		for _, a := range e.Attr {
			target := a.Value
			if a.Name.Local == "href" {
				target = target[1:]
			}
			if a.Name.Local == "href" || a.Name.Local == "aria-labelledby" {
				for _, id := range strings.Fields(target) {
					if !ids[id] {
						t.Errorf("<%s>: %s points to %q, which is not there", e.Name.Local, a.Name.Local, id)
					}
				}
			}
		}
	}
}

func TestHTMLIsWellFormedAndInert(t *testing.T) {
	for name, text := range map[string]string{"plain": "", "hostile": hostile} {
		t.Run(name, func(t *testing.T) {
			for _, d := range []*Document{goldenDocument(), exampleDocument()} {
				if text != "" {
					poison(reflect.ValueOf(d), text)
				}
				page, err := HTML(d)
				if err != nil {
					t.Fatal(err)
				}
				checkInert(t, elements(t, page))
				checkBytes(t, page)
				style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindAllSubmatch(page, -1)
				if len(style) != 1 || bytes.Contains(style[0][1], []byte("url(")) || bytes.Contains(style[0][1], []byte("@import")) {
					t.Errorf("style: got %d sheets, want one that loads nothing", len(style))
				}
				if !bytes.Contains(page, []byte(`content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;;`)) {
					t.Error("the content policy is missing")
				}
			}
		})
	}
}

// checkBytes fails on characters that act on a terminal or turn the reading direction.
func checkBytes(t *testing.T, text []byte) {
	t.Helper()
	if !utf8.Valid(text) {
		t.Error("got bytes that are not UTF-8")
	}
	for _, r := range string(text) {
		if r != '\n' && r != '\t' && isHidden(r) {
			t.Errorf("got the character %U, want it made visible", r)
			return
		}
	}
}

func TestSVGIsWellFormedAndInert(t *testing.T) {
	for _, c := range []Chart{goldenLine(), goldenBars(), goldenHistogram()} {
		for _, text := range []string{"", hostile} {
			if text != "" {
				poison(reflect.ValueOf(c), text)
			}
			for _, o := range []*SVGOptions{nil, {Theme: Dark, Wide: true}} {
				picture, err := SVG(c, o)
				if err != nil {
					t.Fatal(err)
				}
				checkInert(t, elements(t, picture))
				checkBytes(t, picture)
			}
		}
	}
}

func TestMarkdownIsInert(t *testing.T) {
	d := goldenDocument()
	poison(reflect.ValueOf(d), hostile)
	text, err := Markdown(d)
	if err != nil {
		t.Fatal(err)
	}
	checkBytes(t, text)
	fence, tables := "", 0
	for _, line := range strings.Split(string(text), "\n") {
		if bars := regexp.MustCompile("^`{3,}").FindString(line); bars != "" && (fence == "" || line == fence) {
			if fence == "" {
				fence = bars
			} else {
				fence = ""
			}
			continue
		}
		if fence != "" {
			continue
		}
		if m := regexp.MustCompile("(^|[^\\\\])(<|`|\\]\\(|\\]:|\\$|~|://)").FindString(strings.ReplaceAll(line, `\\`, "")); m != "" {
			t.Errorf("line %q: got %q without a backslash", line, m)
		}
		if strings.HasPrefix(line, "|") {
			tables++
			if strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") < 3 {
				t.Errorf("line %q: got a broken row", line)
			}
		}
	}
	if fence != "" || tables == 0 {
		t.Errorf("got an open fence %q and %d table rows, want none open and some rows", fence, tables)
	}
}

func TestTranscriptShowsTheModelsText(t *testing.T) {
	d := &Document{Title: "t", Sections: []Section{{Blocks: []Block{&Transcript{Spans: []Span{{FalseVerdict, " <script>x</script>"}}}}}}}
	page, err := HTML(d)
	if err != nil {
		t.Fatal(err)
	}
	if want := `<span class="k-false">&lt;script&gt;x&lt;/script&gt;</span>`; !bytes.Contains(page, []byte(want)) {
		t.Errorf("got no %q", want)
	}
	text, err := Markdown(d)
	if err != nil {
		t.Fatal(err)
	}
	if want := "```text\n <script>x</script>⟨✗ FALSE⟩\n```"; !bytes.Contains(text, []byte(want)) {
		t.Errorf("Markdown: got %q, want %q in it", text, want)
	}
}

func TestEscapeMarkdown(t *testing.T) {
	m := &mark{}
	for in, want := range map[string]string{
		"plain pass_at_1 (a)":  "plain pass_at_1 (a)",
		"[58.8, 63.6]":         `\[58.8, 63.6]`,
		"_x_ *y* `z`":          "\\_x\\_ \\*y\\* \\`z\\`",
		"[a](b)":               `\[a\](b)`,
		"![a](b)":              `!\[a\](b)`,
		"1. x":                 `1\. x`,
		"1.5 x":                "1.5 x",
		"# x":                  `\# x`,
		"- x":                  `\- x`,
		"<b> a|b":              `\<b> a\|b`,
		"two\nlines\tand more": "two lines and more",
		"https://a.test":       `https\://a.test`,
	} {
		if got := m.paragraph(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := m.escape("[58.8, 63.6]"); got != "[58.8, 63.6]" {
		t.Errorf("inside a line: got %q, want the brackets as they are", got)
	}
}
