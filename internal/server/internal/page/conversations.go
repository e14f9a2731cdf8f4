package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"regexp"
	"sort"
	"strings"
	"time"
)

// The bounds of what is kept.
const (
	maxConversation  = 8 << 20
	maxConversations = 10_000
	maxListed        = 500
)

// conversationID is the id that the page gives, and a file's name without its end.
var conversationID = regexp.MustCompile(`^[0-9a-f]{16}$`)

// conversationHead is what a list shows of a conversation.
type conversationHead struct {
	ID      string    `json:"id"`
	Title   string    `json:"title"`
	Updated time.Time `json:"updated"`
	Turns   int       `json:"turns"`
}

// openConversations opens the folder; nil without an error if there is none yet.
func (p *Page) openConversations(make bool) (*os.Root, error) {
	dir := p.options.Conversations
	if dir == "" {
		return nil, &fault{http.StatusNotImplemented, "this server keeps no conversations"}
	}
	if make {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, &fault{http.StatusInternalServerError, "the folder of conversations cannot be made"}
		}
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &fault{http.StatusInternalServerError, "the folder of conversations cannot be opened"}
	}
	return root, nil
}

// conversationFile returns the name of the file of a request's conversation.
func conversationFile(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !conversationID.MatchString(id) {
		return "", badRequest("got %.40q, want 16 hexadecimal digits", id)
	}
	return id + ".json", nil
}

// listConversations answers with the newest ones.
func (p *Page) listConversations(http.ResponseWriter, *http.Request) (any, error) {
	answer := struct {
		Kept          bool               `json:"kept"`
		Conversations []conversationHead `json:"conversations"`
	}{p.options.Conversations != "", []conversationHead{}}
	if !answer.Kept {
		return answer, nil
	}
	root, err := p.openConversations(false)
	if root == nil {
		return answer, err
	}
	defer func() { _ = root.Close() }() // it was only read
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, &fault{http.StatusInternalServerError, "the folder of conversations cannot be read"}
	}
	for _, entry := range entries {
		id, ok := strings.CutSuffix(entry.Name(), ".json")
		info, err := entry.Info()
		if ok && conversationID.MatchString(id) && err == nil && info.Mode().IsRegular() && info.Size() <= maxConversation {
			answer.Conversations = append(answer.Conversations, conversationHead{ID: id, Updated: info.ModTime().UTC()})
		}
	}
	list := answer.Conversations
	sort.Slice(list, func(i, j int) bool { return list[i].Updated.After(list[j].Updated) })
	list = list[:min(len(list), maxListed)]
	for i := range list {
		head, err := p.conversationHead(root, &list[i])
		if err != nil {
			list[i].Title = "(cannot be read)"
			continue
		}
		list[i] = head
	}
	answer.Conversations = list
	return answer, nil
}

// conversationHead reads a title, and remembers it for as long as the file stays as it is.
func (p *Page) conversationHead(root *os.Root, h *conversationHead) (conversationHead, error) {
	known := p.heads.get(h.ID+" "+h.Updated.String(), func() *conversationHead { return &conversationHead{} })
	p.headsLock.Lock()
	defer p.headsLock.Unlock()
	if known.ID != "" {
		return *known, nil
	}
	text, err := readBounded(root, h.ID+".json", maxConversation)
	if err != nil {
		return *h, err
	}
	var stored struct {
		Title string            `json:"title"`
		Turns []json.RawMessage `json:"turns"`
	}
	if err := json.Unmarshal(text, &stored); err != nil {
		return *h, err
	}
	*known = conversationHead{ID: h.ID, Title: cut(stored.Title, 200), Updated: h.Updated, Turns: len(stored.Turns)}
	return *known, nil
}

// readBounded reads a regular file of at most so many bytes.
func readBounded(root *os.Root, name string, most int64) ([]byte, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > most {
		return nil, fmt.Errorf("%s: no regular file of at most %d bytes", name, most)
	}
	return root.ReadFile(name)
}

// readConversation answers with a conversation as it was written.
func (p *Page) readConversation(_ http.ResponseWriter, r *http.Request) (any, error) {
	name, err := conversationFile(r)
	if err != nil {
		return nil, err
	}
	root, err := p.openConversations(false)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, notFound("there is no such conversation")
	}
	defer func() { _ = root.Close() }() // it was only read
	text, err := readBounded(root, name, maxConversation)
	if err != nil {
		return nil, notFound("there is no such conversation")
	}
	if !json.Valid(text) {
		return nil, &fault{http.StatusUnprocessableEntity, "the conversation's file is damaged: it is not JSON"}
	}
	return json.RawMessage(text), nil
}

// writeConversation keeps a conversation, whole or not at all: it is written beside the old one, which it then replaces.
func (p *Page) writeConversation(w http.ResponseWriter, r *http.Request) (any, error) {
	name, err := conversationFile(r)
	if err != nil {
		return nil, err
	}
	text, err := rawBody(w, r, maxConversation)
	if err != nil {
		return nil, err
	}
	var stored struct {
		ID    string            `json:"id"`
		Turns []json.RawMessage `json:"turns"`
	}
	if err := json.Unmarshal(text, &stored); err != nil || stored.ID+".json" != name {
		return nil, badRequest("want a conversation with the id of its address")
	}
	root, err := p.openConversations(true)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	p.writing.Lock()
	defer p.writing.Unlock()
	if entries, err := fs.ReadDir(root.FS(), "."); err == nil && len(entries) >= maxConversations {
		if _, err := root.Lstat(name); err != nil {
			return nil, &fault{http.StatusInsufficientStorage, fmt.Sprintf("there are %d conversations already: delete some", len(entries))}
		}
	}
	if err := p.replaceFile(root, name, text); err != nil {
		return nil, &fault{http.StatusInsufficientStorage, fmt.Sprintf("the conversation cannot be written, and is on the disk as it was before: %v", err)}
	}
	return map[string]string{"id": stored.ID}, nil
}

// partFile is a file that is being written.
type partFile interface {
	io.WriteCloser
	Sync() error
}

// openPart begins the file that is to replace another one.
func openPart(root *os.Root, name string) (partFile, error) {
	return root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// partEnding ends the name of a file that is being written, or was when the server was killed.
const partEnding = ".part"

// replaceFile puts a file in place of another of its name, and leaves the old one where it fails. The first fault is told: those that follow from it say no more.
func (p *Page) replaceFile(root *os.Root, name string, text []byte) error {
	part := name + partEnding
	f, err := p.openPart(root, part)
	if err != nil {
		return err
	}
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = root.Rename(part, name)
	}
	if err != nil {
		_ = root.Remove(part) // what is left is written over next time
	}
	return err
}

// removeConversation deletes a conversation.
func (p *Page) removeConversation(_ http.ResponseWriter, r *http.Request) (any, error) {
	name, err := conversationFile(r)
	if err != nil {
		return nil, err
	}
	root, err := p.openConversations(false)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, notFound("there is no such conversation")
	}
	defer func() { _ = root.Close() }()
	p.writing.Lock()
	defer p.writing.Unlock()
	_ = root.Remove(name + partEnding) // a server that was killed may have left what is deleted there, too
	if err := root.Remove(name); err != nil {
		return nil, notFound("there is no such conversation")
	}
	return map[string]bool{"deleted": true}, nil
}

// cut shortens a text to at most so many bytes, between characters.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
