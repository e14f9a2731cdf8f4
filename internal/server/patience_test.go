package server

import (
	"fmt"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// impatient are clients that give up on a server that sends nothing for two or three seconds; the first argument is the address, the second the request.
var impatient = []struct {
	name      string
	arguments []string
}{
	{"node", []string{"--input-type=module", "-e", `import { request } from 'node:http';
const q = request(process.argv[1] + '/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json' }, timeout: 2500 },
  (r) => { r.setEncoding('utf8'); r.on('data', (text) => process.stdout.write(text)); });
q.on('timeout', () => q.destroy(new Error('nothing came')));
q.on('error', (e) => { console.error(e.message); process.exit(1); });
q.end(process.argv[2]);`}},
	{"python3", []string{"-c", `import sys, urllib.request
q = urllib.request.Request(sys.argv[1] + '/v1/chat/completions', sys.argv[2].encode(), {'content-type': 'application/json'})
print(urllib.request.urlopen(q, timeout=2.5).read().decode())`}},
	{"curl", nil},
}

// asksImpatiently has each client ask for a reply that begins five seconds after the last has asked, or, of a silent server, when all but one have
// gone; it returns how many got it.
func asksImpatiently(t *testing.T, s *Server, h *httptest.Server, stream, silent bool) (got, all int) {
	t.Helper()
	slot, f := s.queue.enter("somebody else")
	if f != nil {
		t.Fatal(f)
	}
	var mu sync.Mutex
	gone := 0
	var clients sync.WaitGroup
	text := body("lab", fmt.Sprintf(`,"max_tokens":9,"stream":%v`, stream))
	for _, c := range impatient {
		if _, err := exec.LookPath(c.name); err != nil {
			continue
		}
		all++
		arguments := append(c.arguments[:len(c.arguments):len(c.arguments)], h.URL, text)
		if c.name == "curl" { // less than a byte a second for two seconds
			arguments = []string{"-sSN", "--speed-time", "2", "--speed-limit", "1", "-H", "content-type: application/json", "-d", text, h.URL + "/v1/chat/completions"}
		}
		clients.Go(func() {
			out, err := exec.CommandContext(t.Context(), c.name, arguments...).CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			if gone++; err == nil && strings.Contains(string(out), `"finish_reason":"`) {
				got++
			} else {
				t.Logf("%s, stream %v: %v: %.200s", c.name, stream, err, out)
			}
		})
	}
	if all == 0 {
		t.Skip("none of the clients is here")
	}
	eventually(t, "all have asked, or given up", func() bool {
		mu.Lock()
		defer mu.Unlock()
		_, waiting := s.queue.counts()
		return silent && gone >= all-1 || !silent && waiting+gone == all
	})
	if !silent {
		time.Sleep(5 * time.Second)
	}
	slot.leave()
	clients.Wait()
	return got, all
}

// TestPatience: clients that wait for a sign of life no longer than a fraction of the time that a reply takes get it, streamed or not; without
// signs they do not. It is TestLongSilence with a quick clock.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		name           string
		stream, silent bool
	}{{"at once", false, false}, {"stream", true, false}, {"silent", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, h := serve(t, func(o *Options) {
				if o.Slots = 1; !c.silent {
					o.Ping, o.PadAfter = 100*time.Millisecond, 100*time.Millisecond
				}
			})
			ok(t, h, "/v1/completions", `{"model":"lab","prompt":"x","max_tokens":1}`)
			got, all := asksImpatiently(t, s, h, c.stream, c.silent)
			// A client does not know that the machine stood still, or that others had it: it may try again.
			for try := 1; try < 4 && !c.silent && got != all; try++ {
				got, all = asksImpatiently(t, s, h, c.stream, c.silent)
			}
			switch {
			case !c.silent && got != all:
				t.Errorf("%d of %d clients got the reply", got, all)
			case c.silent && got > 1: // curl's limit holds from the first byte on
				t.Errorf("%d of %d clients waited for a silent server", got, all)
			}
		})
	}
}
