package page

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

const someID = "0123456789abcdef"

func TestConversations(t *testing.T) {
	p, _, dir := newPage(t)
	var list struct {
		Kept          bool               `json:"kept"`
		Conversations []conversationHead `json:"conversations"`
	}
	want(t, p, 200, "GET", "/page/api/conversations", "", &list)
	if !list.Kept || len(list.Conversations) != 0 {
		t.Errorf("at first: %+v", list)
	}
	hostile := `<script>alert(1)</script>\u2028\"`
	body := `{"id":"` + someID + `","title":"` + hostile + `","turns":[{"text":"a"},{"text":"b"}]}`
	want(t, p, 200, "POST", "/page/api/conversations/"+someID, body, nil)
	w := ask(t, p, "GET", "/page/api/conversations/"+someID, "")
	if w.Code != 200 || strings.Contains(w.Body.String(), "<script") {
		t.Errorf("status %d; markup is not escaped: %s", w.Code, w.Body)
	}
	want(t, p, 200, "GET", "/page/api/conversations", "", &list)
	if len(list.Conversations) != 1 || list.Conversations[0].Turns != 2 || list.Conversations[0].Title != "<script>alert(1)</script>\u2028\"" {
		t.Errorf("the list: %+v", list)
	}
	info, err := os.Stat(filepath.Join(dir, someID+".json"))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
	body = strings.Replace(body, "<script>", "again", 1)
	want(t, p, 200, "POST", "/page/api/conversations/"+someID, body, nil)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v left over, %v", entries, err)
	}
	want(t, p, 200, "DELETE", "/page/api/conversations/"+someID, "", nil)
	want(t, p, 404, "GET", "/page/api/conversations/"+someID, "", nil)
	want(t, p, 404, "DELETE", "/page/api/conversations/"+someID, "", nil)
}

func TestConversationsRefuse(t *testing.T) {
	p, _, dir := newPage(t)
	path := "/page/api/conversations/"
	for _, id := range []string{"short", strings.Repeat("a", 17), "ABCDEF0123456789", "..%2f..%2fetc%2fpasswd", "0123456789abcde%2f", "0123456789abcde%00", "con"} {
		for _, method := range []string{"GET", "DELETE", "POST"} {
			body := ""
			if method == "POST" {
				body = `{"id":"` + id + `","turns":[]}`
			}
			if w := ask(t, p, method, path+id, body); w.Code != http.StatusBadRequest && w.Code != http.StatusNotFound {
				t.Errorf("%s %s: status %d", method, id, w.Code)
			}
		}
	}
	want(t, p, 400, "POST", path+someID, `{"id":"ffffffffffffffff"}`, nil)
	want(t, p, 400, "POST", path+someID, `{"id":`, nil)
	want(t, p, 413, "POST", path+someID, `{"id":"`+strings.Repeat("x", maxConversation)+`"}`, nil)
	r := httptest.NewRequest("POST", path+someID, strings.NewReader(`{"id":"`+someID+`"}`))
	r.Header.Set("Content-Type", "text/plain")
	w := httptest.NewRecorder()
	if p.ServeHTTP(w, r); w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("text/plain: status %d", w.Code)
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		t.Errorf("something was kept: %v", entries)
	}
}

func TestConversationsThatAreLinks(t *testing.T) {
	p, _, dir := newPage(t)
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"title":"secret"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, someID+".json")); err != nil {
		t.Skipf("no links here: %v", err)
	}
	want(t, p, 404, "GET", "/page/api/conversations/"+someID, "", nil)
	if w := ask(t, p, "GET", "/page/api/conversations", ""); strings.Contains(w.Body.String(), "secret") {
		t.Errorf("the list follows a link: %s", w.Body)
	}
	want(t, p, 200, "POST", "/page/api/conversations/"+someID, `{"id":"`+someID+`","turns":[]}`, nil)
	if text, err := os.ReadFile(secret); err != nil || string(text) != `{"title":"secret"}` {
		t.Errorf("the file behind the link was written: %s, %v", text, err)
	}
}

func TestNoConversationsAreKept(t *testing.T) {
	p, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	want(t, p, 200, "GET", "/page/api/conversations", "", nil)
	want(t, p, 501, "GET", "/page/api/conversations/"+someID, "", nil)
	want(t, p, 501, "POST", "/page/api/conversations/"+someID, `{"id":"`+someID+`","turns":[]}`, nil)
}

// A damaged file is named in the list and does no other harm.
func TestDamagedConversation(t *testing.T) {
	p, _, dir := newPage(t)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, someID+".json"), []byte(`{"title":`), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, p, 422, "GET", "/page/api/conversations/"+someID, "", nil)
	if w := ask(t, p, "GET", "/page/api/conversations", ""); !strings.Contains(w.Body.String(), "cannot be read") {
		t.Errorf("the list: %s", w.Body)
	}
}
