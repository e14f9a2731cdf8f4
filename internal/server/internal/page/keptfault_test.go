package page

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain turns the test binary into the server that is killed when it is called as: binary keep FOLDER.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "keep" {
		if err := keepForever(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// conversationOf is a version of the conversation: its turns say which.
func conversationOf(version int) string {
	turns := strings.TrimSuffix(strings.Repeat(`{"text":"`+strconv.Itoa(version)+`"},`, 2000), ",")
	return `{"id":"` + someID + `","title":"` + strconv.Itoa(version) + `","turns":[` + turns + `]}`
}

// keepForever keeps one version after the other, and tells which are kept.
func keepForever(dir string) error {
	p, err := New(Options{Conversations: dir})
	if err != nil {
		return err
	}
	for version := 1; ; version++ {
		r := httptest.NewRequest("POST", "/page/api/conversations/"+someID, strings.NewReader(conversationOf(version)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if p.ServeHTTP(w, r); w.Code != 200 {
			return fmt.Errorf("version %d: %d %s", version, w.Code, w.Body)
		}
		fmt.Println(version)
	}
}

// A server that is killed while it keeps a conversation leaves a whole one: the last that it told of, or the one after it.
func TestKeptKilled(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	halves, most := 0, 0
	for range 12 {
		c := exec.CommandContext(t.Context(), binary, "keep", dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(time.Duration(20+rand.IntN(60)) * time.Millisecond)
			_ = c.Process.Kill() // it runs until then
		}()
		told := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if told, err = strconv.Atoi(lines.Text()); err != nil {
				t.Fatal(lines.Text())
			}
		}
		_ = c.Wait() // it was killed
		if _, err := os.Stat(filepath.Join(dir, someID+".json"+partEnding)); err == nil {
			halves++
		}
		p, err := New(Options{Conversations: dir})
		if err != nil {
			t.Fatal(err)
		}
		if told == 0 {
			continue
		}
		var kept struct {
			Title string              `json:"title"`
			Turns []map[string]string `json:"turns"`
		}
		want(t, p, 200, "GET", "/page/api/conversations/"+someID, "", &kept)
		version, _ := strconv.Atoi(kept.Title)
		if version != told && version != told+1 || len(kept.Turns) != 2000 || kept.Turns[1999]["text"] != kept.Title {
			t.Fatalf("told of version %d, kept %q with %d turns", told, kept.Title, len(kept.Turns))
		}
		most = max(most, told)
	}
	if most == 0 {
		t.Error("nothing was kept before a kill")
	}
	// What a kill has left is in nobody's way, and goes with the conversation.
	p, err := New(Options{Conversations: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, someID+".json"+partEnding), []byte(`{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	var list struct{ Conversations []conversationHead }
	want(t, p, 200, "GET", "/page/api/conversations", "", &list)
	if len(list.Conversations) != 1 {
		t.Errorf("the list: %+v", list)
	}
	want(t, p, 200, "POST", "/page/api/conversations/"+someID, conversationOf(7), nil)
	if err := os.WriteFile(filepath.Join(dir, someID+".json"+partEnding), []byte(`{"id":`), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, p, 200, "DELETE", "/page/api/conversations/"+someID, "", nil)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v left of what was deleted, %v", entries, err)
	}
	t.Logf("%d kills left a half file; at most %d versions were kept before one", halves, most)
}

// smallDisk is a file on a disk with so much room, which tells that it is full at a place.
type smallDisk struct {
	*os.File
	room int
	at   string // write, sync or close
}

func (d *smallDisk) fault(op string) error {
	return &os.PathError{Op: op, Path: d.Name(), Err: syscall.ENOSPC}
}

func (d *smallDisk) Write(text []byte) (int, error) {
	if d.at != "write" || len(text) <= d.room {
		return d.File.Write(text)
	}
	n, _ := d.File.Write(text[:d.room])
	return n, d.fault("write")
}

func (d *smallDisk) Sync() error {
	if d.at == "sync" {
		return d.fault("sync")
	}
	return d.File.Sync()
}

func (d *smallDisk) Close() error {
	err := d.File.Close()
	if d.at == "close" {
		return d.fault("close")
	}
	return err
}

// A disk that is full leaves what was kept before, and nothing beside it, and is told of in one line; with room again it is kept.
func TestKeptOnAFullDisk(t *testing.T) {
	p, _, dir := newPage(t)
	const path = "/page/api/conversations/" + someID
	want(t, p, 200, "POST", path, conversationOf(1), nil)
	for _, at := range []string{"open", "write", "sync", "close"} {
		p.openPart = func(root *os.Root, name string) (partFile, error) {
			if at == "open" {
				return nil, &os.PathError{Op: "openat", Path: name, Err: syscall.ENOSPC}
			}
			f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
			return &smallDisk{f, 1000, at}, err
		}
		w := ask(t, p, "POST", path, conversationOf(2))
		var answer struct {
			Error struct{ Message string } `json:"error"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %s", w.Body, err)
		}
		if m := answer.Error.Message; w.Code != 507 || !strings.Contains(m, "no space left on device") && !strings.Contains(m, syscall.ENOSPC.Error()) || !strings.Contains(m, "as it was before") || strings.Contains(m, "\n") {
			t.Errorf("%s: %d %q", at, w.Code, m)
		}
		var kept struct{ Title string }
		want(t, p, 200, "GET", path, "", &kept)
		if entries, err := os.ReadDir(dir); kept.Title != "1" || err != nil || len(entries) != 1 {
			t.Errorf("%s: kept %q, %v, %v", at, kept.Title, entries, err)
		}
	}
	p.openPart = openPart
	want(t, p, 200, "POST", path, conversationOf(3), nil)
	var kept struct{ Title string }
	if want(t, p, 200, "GET", path, "", &kept); kept.Title != "3" {
		t.Errorf("with room again: %q", kept.Title)
	}
}
