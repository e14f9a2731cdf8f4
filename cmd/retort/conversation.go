package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/retort-ml/retort/chat"
)

// savedMessage is one line of a conversation in a file, as in the data that sft reads one by one.
type savedMessage struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// maxSaved bounds the messages of a file.
const maxSaved = 1 << 20

// save writes the conversation with its system message to path, a message a line. A file that is there is replaced as a whole.
func (t *talk) save(path string) error {
	if path == "" {
		return errors.New("/save wants the name of a file")
	}
	if t.speaker != nil && !t.speaker.hasTemplate() {
		return errors.New("nothing is remembered: the model has no template")
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	list := t.messages()
	if len(list) == 0 {
		return errors.New("there are no messages yet")
	}
	for _, m := range list {
		if err := encoder.Encode(savedMessage{m.Role, m.Content}); err != nil {
			return err
		}
	}
	beside := path + ".part"
	err := os.WriteFile(beside, b.Bytes(), 0o600) // conversations are private
	if err == nil {
		err = os.Rename(beside, path)
	}
	if err != nil {
		_ = os.Remove(beside)
		return err
	}
	t.out.note("%s: %d messages", path, len(list))
	return nil
}

// load replaces the conversation by that of a file; after an error it is as it was. A system message may come first, and becomes the setting.
func (t *talk) load(ctx context.Context, path string) error {
	if path == "" {
		return errors.New("/load wants the name of a file")
	}
	if t.speaker != nil && !t.speaker.hasTemplate() {
		return errors.New("nothing can be remembered: the model has no template")
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	system, history, err := readConversation(ctx, file)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	t.set.System, t.history, t.question = system, history, ""
	if n := len(history); n > 0 {
		t.question = history[n-2].Content
	}
	t.out.note("%s: %d messages", path, len(t.messages()))
	return nil
}

// readConversation reads messages: at most one of the system, then those of user and assistant by turns.
func readConversation(ctx context.Context, in io.Reader) (system string, history []chat.Message, err error) {
	isFirst := true
	err = readLines(ctx, bufio.NewReader(in), func(line []byte) error {
		var m savedMessage
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&m); err != nil {
			return fmt.Errorf(`want {"role":...,"content":...}: %w`, err)
		}
		if decoder.More() {
			return errors.New("more than one object on a line")
		}
		want := []string{"user", "assistant"}[len(history)%2]
		switch {
		case m.Role == "system" && isFirst:
			system = m.Content
		case m.Role != want:
			return fmt.Errorf("role: got %.20q, want %q", m.Role, want)
		case len(history) == maxSaved:
			return fmt.Errorf("more than %d messages", maxSaved)
		default:
			history = append(history, chat.Message{Role: m.Role, Content: m.Content})
		}
		isFirst = false
		return nil
	})
	if err == nil && len(history)%2 != 0 {
		err = errors.New("the last question has no answer")
	}
	if err == nil && isFirst {
		err = errors.New("no messages")
	}
	return system, history, err
}
