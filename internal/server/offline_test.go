package server

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// addressed finds calls of the kernel that name an address of the internet.
var addressed = regexp.MustCompile(`\bAF_INET6?\b.*?(?:inet_addr\("([^"]*)"\)|inet_pton\(AF_INET6, "([^"]*)")`)

// calledAddresses runs tests of this binary under strace, and returns the addresses that any of its processes sent to.
func calledAddresses(t *testing.T, strace, tests string, environment ...string) (loopback int, others []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "calls")
	child := exec.CommandContext(t.Context(), strace, "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", file, os.Args[0], "-test.run", tests)
	child.Env = append(os.Environ(), environment...)
	if out, err := child.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "ptrace") || strings.Contains(string(out), "seccomp") {
			t.Skipf("strace may not be used here: %s", out)
		}
		t.Fatalf("%v: %s", err, out)
	}
	calls, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range addressed.FindAllStringSubmatch(string(calls), -1) {
		if address := net.ParseIP(found[1] + found[2]); address.IsLoopback() {
			loopback++
		} else {
			others = append(others, found[1]+found[2])
		}
	}
	return loopback, others
}

// TestSilent: while the server loads models, answers in each dialect, queues, refuses and ends, no process of it calls anything but this machine.
func TestSilent(t *testing.T) {
	if os.Getenv("RETORT_TRACED") != "" {
		if c, err := net.Dial("udp", "192.0.2.1:9"); err == nil { // it names an address, and sends nothing
			c.Close()
		}
		return
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not here")
	}
	const served = "^(TestChat|TestCompletions|TestMessages|TestOllama|TestTokens|TestLoading|TestMemory|TestForcedCall|TestAttacks|TestBadRequests|TestMetrics|TestShutdown)$"
	loopback, others := calledAddresses(t, strace, served)
	if loopback < 10 || len(others) > 0 {
		t.Errorf("%d calls of this machine, and %q", loopback, others)
	}
	if _, others := calledAddresses(t, strace, "^TestSilent$", "RETORT_TRACED=1"); len(others) != 1 || others[0] != "192.0.2.1" {
		t.Errorf("a call that was made was not seen: %q", others)
	}
}
