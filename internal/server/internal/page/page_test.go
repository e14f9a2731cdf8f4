package page

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// newPage makes a page over fresh folders, and returns them.
func newPage(t *testing.T) (p *Page, runs, conversations string) {
	t.Helper()
	runs, conversations = t.TempDir(), filepath.Join(t.TempDir(), "kept")
	p, err := New(Options{Runs: runs, Conversations: conversations, Resamples: 50})
	if err != nil {
		t.Fatal(err)
	}
	return p, runs, conversations
}

// ask sends a request with a JSON body, or none for "".
func ask(t *testing.T, h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// want asks and checks the status, and reads the answer into a value unless it is nil.
func want(t *testing.T, h http.Handler, status int, method, path, body string, into any) {
	t.Helper()
	w := ask(t, h, method, path, body)
	if w.Code != status {
		t.Fatalf("%s %s: status %d, want %d: %.300s", method, path, w.Code, status, w.Body)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%s %s: %v: %.300s", method, path, err, w.Body)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Options{Runs: file, Conversations: file, Resamples: -1, Poll: -1})
	for _, part := range []string{"Runs", "Conversations", "Resamples", "Poll"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not name %s: %v", part, err)
		}
	}
}

func TestEveryAnswerHasThePolicy(t *testing.T) {
	p, _, _ := newPage(t)
	for _, path := range []string{"/", "/page/app.js", "/page/none.js", "/page/api/runs", "/page/api/none", "/page/api/samples?run=none", "/page/../page.go"} {
		h := ask(t, p, "GET", path, "").Header()
		for name, value := range headers {
			if h.Get(name) != value {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("the policy lets something in: %s", policy)
	}
}

func TestAssets(t *testing.T) {
	p, _, _ := newPage(t)
	w := ask(t, p, "GET", "/", "")
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, %s", w.Code, w.Header().Get("Content-Type"))
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	p.ServeHTTP(again, r)
	if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("the same file again: status %d, %d bytes", again.Code, again.Body.Len())
	}
	for _, path := range []string{"/page/", "/page/assets/app.js", "/page/%2e%2e/page.go", "/page/app.js/", "/page/.."} {
		if w := ask(t, p, "GET", path, ""); w.Code == http.StatusOK {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
	if w := ask(t, p, "POST", "/", "{}"); w.Code == http.StatusOK {
		t.Errorf("POST /: status %d", w.Code)
	}
}

// inline is what the policy would stop, and what a string could become HTML through.
var inline = regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|createContextualFragment|srcdoc|javascript:|setTimeout\(["'` + "`" + `]|import\(["'` + "`" + `]https?:|from ["']https?:`)

func TestAssetsNeedNothingElse(t *testing.T) {
	p, _, _ := newPage(t)
	known := map[string]bool{}
	for path := range p.assets {
		known[path] = true
	}
	imported := regexp.MustCompile(`(?:from|import)\s*\(?\s*"(\./[^"]+)"`)
	linked := regexp.MustCompile(`(?:src|href)="([^"#]+)"`)
	for path, a := range p.assets {
		text := string(a.text)
		if found := inline.FindString(text); found != "" {
			t.Errorf("%s holds %q", path, found)
		}
		for _, m := range imported.FindAllStringSubmatch(text, -1) {
			if !known["/page/"+strings.TrimPrefix(m[1], "./")] {
				t.Errorf("%s imports %s, which is not there", path, m[1])
			}
		}
		if !strings.HasPrefix(a.kind, "text/html") {
			continue
		}
		if regexp.MustCompile(`<script>|<script [^>]*>[^<]|<style|\son[a-z]+=|style=`).MatchString(text) {
			t.Errorf("%s holds script or style of its own, which the policy stops", path)
		}
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s links %s, which is not there", path, m[1])
			}
		}
	}
}

// The page and the reports have one palette.
func TestColoursAreThoseOfReports(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "..", "..", "report", "theme.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	css, err := embedded.ReadFile("assets/theme.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(css), `:root[data-theme="dark"]`)
	byMedia := dark[strings.Index(dark, "@media"):]
	shades := 0
	ast.Inspect(file, func(n ast.Node) bool {
		c, ok := n.(*ast.CompositeLit)
		if !ok || len(c.Elts) != 3 {
			return true
		}
		var fields [3]string
		for i, e := range c.Elts {
			if literal, ok := e.(*ast.BasicLit); ok {
				fields[i], _ = strconv.Unquote(literal.Value) // a literal is well formed
			}
		}
		shades++
		for where, colour := range map[*string]string{&light: fields[1], &dark: fields[2], &byMedia: fields[2]} {
			if !strings.Contains(*where, fmt.Sprintf("--%s: %s;", fields[0], colour)) {
				t.Errorf("--%s is not %s everywhere", fields[0], colour)
			}
		}
		return true
	})
	if shades < 15 {
		t.Errorf("found %d colours of the reports", shades)
	}
}

func TestUnknownRoutes(t *testing.T) {
	p, _, _ := newPage(t)
	for _, c := range [][2]string{{"GET", "/page/api/"}, {"PUT", "/page/api/runs"}, {"DELETE", "/page/api/runs"}, {"POST", "/page/api/unknown"}} {
		if w := ask(t, p, c[0], c[1], ""); w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: status %d", c[0], c[1], w.Code)
		}
	}
}
