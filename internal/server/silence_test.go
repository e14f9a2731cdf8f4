//go:build long

package server

import (
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLongSilence: replies that begin after 340 s reach clients that give up on a server that sends nothing for 300 s.
func TestLongSilence(t *testing.T) {
	s, h := serve(t, func(o *Options) { o.Slots = 1 })
	ok(t, h, "/v1/completions", `{"model":"lab","prompt":"x","max_tokens":1}`)
	slot, f := s.queue.enter("somebody else")
	if f != nil {
		t.Fatal(f)
	}
	time.AfterFunc(340*time.Second, slot.leave)
	const js = `const r = await fetch(process.argv[1] + '/v1/chat/completions', {method: 'POST', headers: {'content-type': 'application/json'}, body: process.argv[2]}); console.log(await r.text());`
	const py = `import sys, json, urllib.request
q = urllib.request.Request(sys.argv[1] + '/v1/chat/completions', sys.argv[2].encode(), {'content-type': 'application/json'})
print(urllib.request.urlopen(q).read().decode())`
	var all sync.WaitGroup
	for _, c := range []struct {
		name      string
		arguments []string
	}{
		{"node", []string{"--input-type=module", "-e", js}}, {"python3", []string{"-c", py}},
		{"curl", []string{"-sS", "-H", "content-type: application/json"}},
	} {
		if _, err := exec.LookPath(c.name); err != nil {
			t.Logf("%s is not here", c.name)
			continue
		}
		for _, stream := range []string{"false", "true"} {
			text := body("lab", `,"max_tokens":9,"stream":`+stream)
			arguments := append(c.arguments[:len(c.arguments):len(c.arguments)], h.URL, text)
			if c.name == "curl" {
				arguments = append(c.arguments[:len(c.arguments):len(c.arguments)], "-d", text, h.URL+"/v1/chat/completions")
			}
			all.Go(func() {
				began := time.Now()
				out, err := exec.CommandContext(t.Context(), c.name, arguments...).CombinedOutput()
				if err != nil || time.Since(began) < 339*time.Second || !strings.Contains(string(out), `"finish_reason":"`) {
					t.Errorf("%s, stream %s: %v after %v: %.300s", c.name, stream, err, time.Since(began), out)
				}
			})
		}
	}
	all.Wait()
}
