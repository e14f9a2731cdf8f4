package sandbox_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/retort-ml/retort/internal/sandbox"
	"github.com/retort-ml/retort/verify"
)

func TestMain(m *testing.M) {
	if sandbox.IsInit() {
		os.Exit(sandbox.Init())
	}
	os.Exit(m.Run())
}

// recorder is a Runner that keeps whatever came out of the program's processes.
type recorder struct {
	*sandbox.Sandbox

	lock  sync.Mutex
	heard strings.Builder
}

func (r *recorder) hear(text []byte) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if r.heard.Len() < 64<<20 {
		r.heard.Write(text)
		r.heard.WriteByte('\n')
	}
}

func (r *recorder) Run(ctx context.Context, job verify.CodeJob) (verify.CodeResult, error) {
	_, foreign := job.Files["program.py"]
	wall := job.Time + job.Time/4
	if job.Time > time.Second {
		wall = time.Minute // not an attempt at the limit of time: a machine under load may take long
	}
	serve := func(line []byte) []byte {
		if foreign {
			r.hear(line)
		}
		return job.Serve(line)
	}
	if job.Serve == nil {
		serve = func(line []byte) []byte { r.hear(line); return nil }
	}
	result, err := r.Sandbox.Run(ctx, sandbox.Program{
		Files: job.Files, Main: job.Main, Stdin: []byte(job.Stdin), Serve: serve,
		Limits: sandbox.Limits{CPU: job.Time, Wall: wall, Memory: job.Memory, Output: 4 << 20},
	})
	if foreign {
		r.hear(result.Stdout)
		r.hear(result.Stderr)
	}
	if err == nil && result.Ending == sandbox.Cancelled {
		err = ctx.Err()
	}
	endings := map[sandbox.Ending]verify.CodeEnding{
		sandbox.Exited: verify.CodeExited, sandbox.Killed: verify.CodeKilled,
		sandbox.TimedOut: verify.CodeTimedOut, sandbox.TooMuch: verify.CodeTooMuch,
	}
	return verify.CodeResult{Ending: endings[result.Ending], Status: result.Status, Stdout: result.Stdout, Stderr: result.Stderr}, err
}

// helpers begins each attempt. refused is "denied" where the attempt raised an exception, which is what should happen.
const helpers = `
import os, sys
def refused(attempt):
    try:
        return "ok %r" % (attempt(),)
    except BaseException:
        return "denied"
NUMBERS = {"x86_64": 0, "aarch64": 1}[os.uname().machine]
def call(numbers, *arguments):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(ctypes.c_long(numbers[NUMBERS]), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result
SPACE = bytes(4096)
`

// mark is in the name of every file that an attempt tries to leave behind.
const mark = "retort-escape-mark"

// attempt is a program that tries to score without solving, or to do harm. In the modes output and call its answer must be
// a text that it cannot know; in the mode check, f must return 41 for 7 and 43 for 8.
type attempt struct {
	name   string
	code   string
	rule   string // of the verdict
	answer string // of the verdict; "" is not looked at
}

// inside is what programs try that are judged by their output. Each prints "denied" if all was refused.
var inside = []attempt{
	{"tcp", `import socket; print(refused(lambda: socket.create_connection(("127.0.0.1", 22), 1)))`, verify.RuleOutput, "denied"},
	{"tcpListen", `import socket; print(refused(lambda: socket.create_server(("", 0))))`, verify.RuleOutput, "denied"},
	{"udp", `import socket; print(refused(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("8.8.8.8", 53))))`, verify.RuleOutput, "denied"},
	{"ipv6", `import socket; print(refused(lambda: socket.socket(socket.AF_INET6)))`, verify.RuleOutput, "denied"},
	{"unixSocket", `import socket; print(refused(lambda: socket.socket(socket.AF_UNIX).connect("/run/systemd/private")))`, verify.RuleOutput, "denied"},
	{"abstractSocket", `import socket; print(refused(lambda: socket.socket(socket.AF_UNIX).bind("\0x")))`, verify.RuleOutput, "denied"},
	{"netlink", `import socket; print(refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)))`, verify.RuleOutput, "denied"},
	{"packetSocket", `import socket; print(refused(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)))`, verify.RuleOutput, "denied"},
	{"vsock", `import socket; print(refused(lambda: socket.socket(40, socket.SOCK_STREAM)))`, verify.RuleOutput, "denied"},
	{"dns", `import socket; print(refused(lambda: socket.getaddrinfo("example.com", 80)))`, verify.RuleOutput, "denied"},
	{"http", `import urllib.request; print(refused(lambda: urllib.request.urlopen("http://127.0.0.1/", timeout=1)))`, verify.RuleOutput, "denied"},

	{"fork", `print(refused(os.fork))`, verify.RuleOutput, "denied"},
	{"forkBomb", `
def bomb():
    while True:
        os.fork()
print(refused(bomb))`, verify.RuleOutput, "denied"},
	{"subprocess", `import subprocess; print(refused(lambda: subprocess.run([sys.executable, "-c", "1"])))`, verify.RuleOutput, "denied"},
	{"system", `print("denied" if os.system("true") != 0 else "ok")`, verify.RuleOutput, "denied"},
	{"spawn", `print(refused(lambda: os.posix_spawn(sys.executable, [sys.executable, "-c", "1"], {})))`, verify.RuleOutput, "denied"},
	{"multiprocessing", `
import multiprocessing
def start():
    p = multiprocessing.get_context("spawn").Process(target=print); p.start()
print(refused(start))`, verify.RuleOutput, "denied"},
	{"daemon", `
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            import time; time.sleep(600)
        os._exit(0)
print(refused(daemon))`, verify.RuleOutput, "denied"},
	{"vforkCall", `print(refused(lambda: call((58, 220), 0x4111 if NUMBERS else 0, 0, 0, 0, 0)))`, verify.RuleOutput, "denied"},
	{"cloneNamespaces", `print(refused(lambda: call((56, 220), 0x10000000 | 17, 0, 0, 0, 0)))`, verify.RuleOutput, "denied"},
	{"cloneThreadNamespace", `print(refused(lambda: call((56, 220), 0x10000 | 0x100 | 0x800 | 0x20000, 0, 0, 0, 0)))`, verify.RuleOutput, "denied"},
	{"clone3", `print(refused(lambda: call((435, 435), SPACE, 88)))`, verify.RuleOutput, "denied"},
	{"execItself", `
if not os.path.exists("/scratch/again"):
    open("/scratch/again", "w").close()
    os.execv(sys.executable, [sys.executable, "-c", "import os; print('denied' if not os.path.exists('/proc') else 'ok')"])`, verify.RuleOutput, "denied"},

	{"unshare", `print(refused(lambda: call((272, 97), 0x10000000)))`, verify.RuleOutput, "denied"},
	{"setns", `print(refused(lambda: call((308, 268), 0, 0)))`, verify.RuleOutput, "denied"},
	{"mount", `print(refused(lambda: call((165, 40), b"none", b"/scratch", b"tmpfs", 0, 0)))`, verify.RuleOutput, "denied"},
	{"remountWritable", `print(refused(lambda: call((165, 40), 0, b"/", 0, 32, 0)))`, verify.RuleOutput, "denied"},
	{"mountSetattr", `print(refused(lambda: call((442, 442), -100, b"/", 0, SPACE, 32)))`, verify.RuleOutput, "denied"},
	{"umount", `print(refused(lambda: call((166, 39), b"/scratch", 2)))`, verify.RuleOutput, "denied"},
	{"newMountCalls", `print(refused(lambda: call((428, 428), -100, b"/", 1)), refused(lambda: call((430, 430), b"proc", 0)))`, verify.RuleOutput, "denied denied"},
	{"chroot", `print(refused(lambda: os.chroot("/scratch")))`, verify.RuleOutput, "denied"},
	{"pivotRoot", `print(refused(lambda: call((155, 41), b".", b".")))`, verify.RuleOutput, "denied"},
	{"setuid", `print(refused(lambda: os.setuid(0)), refused(lambda: os.setresuid(0, 0, 0)), refused(lambda: os.setgroups([0])))`, verify.RuleOutput, "denied denied denied"},
	{"capset", `print(refused(lambda: call((126, 91), SPACE, SPACE)))`, verify.RuleOutput, "denied"},
	{"mknod", `print(refused(lambda: os.mknod("/scratch/disk", 0o60600, os.makedev(254, 0))))`, verify.RuleOutput, "denied"},
	{"devices", `print(sorted(os.listdir("/dev")), refused(lambda: open("/dev/mem")), refused(lambda: open("/dev/kmsg")))`, verify.RuleOutput, "['null', 'stdin'] denied denied"},
	{"hostname", `import socket; print(refused(lambda: socket.sethostname("x")))`, verify.RuleOutput, "denied"},
	{"clock", `import time; print(refused(lambda: time.clock_settime(0, 0)))`, verify.RuleOutput, "denied"},
	{"reboot", `print(refused(lambda: call((169, 142), 0xfee1dead, 672274793, 0x1234567)))`, verify.RuleOutput, "denied"},

	{"ptrace", `print(refused(lambda: call((101, 117), 16, 1, 0, 0)))`, verify.RuleOutput, "denied"},
	{"processMemory", `print(refused(lambda: call((310, 270), 1, SPACE, 1, SPACE, 1, 0)))`, verify.RuleOutput, "denied"},
	{"pidfd", `print(refused(lambda: call((434, 434), 1, 0)), refused(lambda: call((438, 438), 3, 1, 0)))`, verify.RuleOutput, "denied denied"},
	{"killParent", `print(os.getppid(), refused(lambda: os.kill(-1, 9)), refused(lambda: [os.kill(p, 9) for p in range(2, 4000)]))`, verify.RuleOutput, "0 denied denied"},
	{"killGroup", `import signal; os.killpg(0, signal.SIGTERM); os.kill(0, 9); print("denied")`, verify.RuleOutput, "denied"},
	{"bpf", `print(refused(lambda: call((321, 280), 0, SPACE, 128)))`, verify.RuleOutput, "denied"},
	{"keys", `print(refused(lambda: call((250, 219), 0, -3, 1)), refused(lambda: call((248, 217), b"user", b"x", b"y", 1, -3)))`, verify.RuleOutput, "denied denied"},
	{"ioUring", `print(refused(lambda: call((425, 425), 8, SPACE)))`, verify.RuleOutput, "denied"},
	{"perf", `print(refused(lambda: call((298, 241), SPACE, 0, -1, -1, 0)))`, verify.RuleOutput, "denied"},
	{"userfault", `print(refused(lambda: call((323, 282), 0)))`, verify.RuleOutput, "denied"},
	{"fileHandle", `print(refused(lambda: call((304, 265), -100, SPACE, 0)))`, verify.RuleOutput, "denied"},
	{"dropParentDeath", `print(refused(lambda: call((157, 167), 1, 0, 0, 0, 0)))`, verify.RuleOutput, "denied"},
	{"newFilter", `print(refused(lambda: call((317, 277), 1, 0, SPACE)))`, verify.RuleOutput, "denied"},
	{"personality", `print(refused(lambda: call((135, 92), 0x40000)))`, verify.RuleOutput, "denied"},
	{"terminalInput", `import fcntl; print(refused(lambda: fcntl.ioctl(0, 0x5412, b"x")))`, verify.RuleOutput, "denied"},
	{"raiseLimits", `
import resource
print(refused(lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 40))), refused(lambda: resource.setrlimit(resource.RLIMIT_CPU, (99, 99))))`, verify.RuleOutput, "denied denied"},

	{"procfs", `print(refused(lambda: open("/proc/1/environ")), refused(lambda: open("/proc/self/mem", "wb")), refused(lambda: os.listdir("/sys")))`, verify.RuleOutput, "denied denied denied"},
	{"hostFiles", `print(refused(lambda: open("/etc/passwd")), refused(lambda: open("/etc/shadow")), refused(lambda: os.listdir("/home")))`, verify.RuleOutput, "denied denied denied"},
	{"dotDot", `
os.chdir("/")
print(refused(lambda: open("../../../../../etc/passwd")), os.listdir("/..") == os.listdir("/"))`, verify.RuleOutput, "denied True"},
	{"writeOutside", `
written = []
for folder in ("/", "/program", "/dev", "/libraries", "/usr", "/etc", "/home", "/var/tmp", "/dev/shm", os.path.dirname(os.__file__), os.path.dirname(sys.executable)):
    try:
        open(folder + "/` + mark + `", "w").close(); written.append(folder)
    except OSError:
        pass
open("/scratch/` + mark + `", "w").close()
print(written)`, verify.RuleOutput, "[]"},
	{"rewriteHarness", `print(refused(lambda: open("/program/main.py", "a")), refused(lambda: os.unlink("/program/main.py")), refused(lambda: os.chmod("/program", 0o777)))`, verify.RuleOutput, "denied denied denied"},
	{"rewriteLibrary", `print(refused(lambda: open(os.__file__, "a")), refused(lambda: os.rename(os.__file__, "/scratch/x")))`, verify.RuleOutput, "denied denied"},
	{"rewriteInput", `print(refused(lambda: os.write(0, b"x")), refused(lambda: open("/dev/stdin", "w")), refused(lambda: os.ftruncate(0, 0)))`, verify.RuleOutput, "denied denied denied"},
	{"symlink", `
os.symlink("/etc/passwd", "/scratch/link"); os.symlink("/program/main.py", "/scratch/main")
print(refused(lambda: open("/scratch/link")), refused(lambda: open("/scratch/main", "w")))`, verify.RuleOutput, "denied denied"},
	{"hardLink", `print(refused(lambda: os.link("/program/program.py", "/scratch/x")))`, verify.RuleOutput, "denied"},
	{"executable", `
import shutil
shutil.copyfile(sys.executable, "/scratch/python"); os.chmod("/scratch/python", 0o6755)
print(refused(lambda: os.execv("/scratch/python", ["python"])))`, verify.RuleOutput, "denied"},
	{"hugeFile", `
def fill():
    with open("/scratch/x", "wb") as f:
        for _ in range(1000): f.write(bytes(1 << 20))
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
print(refused(fill))`, verify.RuleOutput, "denied"},
	{"manyFiles", `print(refused(lambda: [open("/scratch/%d" % i, "w").close() for i in range(100000)]))`, verify.RuleOutput, "denied"},
	{"manyDescriptors", `print(refused(lambda: [os.open("/dev/null", 0) for i in range(10000)]))`, verify.RuleOutput, "denied"},
	{"memfd", `print(refused(lambda: os.memfd_create("x")))`, verify.RuleOutput, "denied"},
	{"sharedMemory", `
from multiprocessing import shared_memory
print(refused(lambda: shared_memory.SharedMemory(create=True, size=1 << 30)), refused(lambda: call((29, 194), 0, 1 << 20, 0o1600)))`, verify.RuleOutput, "denied denied"},
	{"messageQueue", `print(refused(lambda: call((240, 180), b"x", 0o102, 0o600, 0)), refused(lambda: call((68, 186), 0, 0o1600)))`, verify.RuleOutput, "denied denied"},
	{"memoryBomb", `
def bomb():
    hold = []
    while True: hold.append(bytearray(64 << 20))
print(refused(bomb))`, verify.RuleOutput, "denied"},
	{"threadBomb", `
import threading, time
def bomb():
    threading.stack_size(64 << 10)
    for _ in range(10000):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print(refused(bomb), flush=True); os._exit(0)`, verify.RuleOutput, "denied"},
	{"priority", `print(refused(lambda: os.nice(-5)), refused(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))))`, verify.RuleOutput, "denied denied"},

	{"busyLoop", `while True: pass`, verify.RuleTime, ""},
	{"sleep", `import time; time.sleep(600)`, verify.RuleTime, ""},
	{"busyThreads", `
import hashlib, threading
block = bytes(1 << 20)
def work():
    while True: hashlib.sha256(block)
for _ in range(8): threading.Thread(target=work).start()`, verify.RuleTime, ""},
	{"ignoreSignals", `
import signal
for s in range(1, 65):
    try: signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: pass`, verify.RuleTime, ""},
	{"cancelAlarm", `import signal; signal.setitimer(signal.ITIMER_REAL, 0); signal.alarm(0)
while True: pass`, verify.RuleTime, ""},
	{"regexBacktrack", `import re; re.match(r"(a+)+$", "a" * 60 + "b")`, verify.RuleTime, ""},
	{"bigPower", `x = 7 ** (7 ** 9); print(x)`, verify.RuleTime, ""},
	{"waitForInput", `sys.stdin.read(); os.read(4, 1)`, verify.RuleTime, ""},
	{"hugeOutput", `
while True: sys.stdout.write("x" * 65536)`, verify.RuleTooMuch, ""},
	{"hugeErrors", `
while True: sys.stderr.write("x" * 65536)`, verify.RuleTooMuch, ""},
	{"hugeChannel", `
while True: os.write(3, b"x" * 65536)`, verify.RuleTooMuch, ""},

	{"exitZero", `sys.exit(0)`, verify.RuleOutput, ""},
	{"quickExit", `os._exit(0)`, verify.RuleOutput, ""},
	{"atExit", `import atexit; atexit.register(lambda: (print("passed", flush=True), os.write(3, b"passed\n"), os._exit(0)))`, verify.RuleOutput, "passed"},
	{"closeAll", `os.closerange(0, 256); os._exit(0)`, verify.RuleOutput, ""},
	{"fakeMark", `
for fd in range(1, 64):
    try: os.write(fd, b"passed\nright\nok\n")
    except OSError: pass
os._exit(0)`, verify.RuleOutput, "passed"},
	{"replaceOutput", `
import builtins, io
class Agree(str):
    def __eq__(self, other): return True
    def __hash__(self): return 0
    def strip(self, *a): return self
builtins.print = lambda *a, **k: None
sys.stdout.write(Agree("anything")); sys.stdout.flush()`, verify.RuleOutput, "anything"},
	{"recursionCrash", `
sys.setrecursionlimit(1 << 30)
x = []
for _ in range(200000): x = [x]
repr(x)`, verify.RuleFailed, ""},
	{"segfault", `import ctypes; ctypes.string_at(0)`, verify.RuleFailed, ""},
	{"abort", `os.abort()`, verify.RuleFailed, ""},
	{"classHierarchy", `
found = [c for c in ().__class__.__base__.__subclasses__() if c.__name__ == "_wrap_close"]
module = sys.modules[found[0].__module__]
print("denied" if module.system("cat /etc/passwd") else "ok")`, verify.RuleOutput, "denied"},
	{"environment", `
print(dict(os.environ), file=sys.stderr); print(len([k for k in os.environ if k.startswith("RETORT")]))`, verify.RuleOutput, "0"},
	{"readEverything", `
for folder, _, names in os.walk("/"):
    if "python3" in folder or folder == "/libraries": continue
    for name in names:
        try: os.write(2, open(folder + "/" + name, "rb").read(1 << 20) if "python" not in name and ".so" not in name else b"")
        except OSError: pass
print("read")`, verify.RuleOutput, "read"},
	{"searchMemory", `
import gc
for thing in gc.get_objects():
    if type(thing) is dict:
        for value in list(thing.values()):
            if type(value) is str and len(value) < 1000: os.write(2, value.encode("utf-8", "replace") + b"\n")
frame = sys._getframe()
while frame:
    for value in [*frame.f_locals.values(), *frame.f_globals.values()]:
        if type(value) in (str, bytes, list): os.write(2, ascii(value).encode()[:1000] + b"\n")
    frame = frame.f_back
print("searched")`, verify.RuleOutput, "searched"},
	{"pickle", `
import pickle
class P:
    def __reduce__(self): return (os.system, ("cat /etc/passwd",))
print("denied" if pickle.loads(pickle.dumps(P())) else "ok")`, verify.RuleOutput, "denied"},
	{"badSource", "\x00\xff", verify.RuleFailed, ""},
}

// forgers are what functions try whose value is compared.
var forgers = []attempt{
	{"equalObject", "class Y:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n    __hash__ = None\ndef f(x): return Y()", verify.RuleValue, "opaque"},
	{"equalString", "class Y(str):\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\n    def __repr__(self): return 'x'\n    def __str__(self): return 'y'\ndef f(x): return Y('z')", verify.RuleValue, "'z'"},
	{"equalNumber", "class Y(int):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0\n    __rsub__ = __sub__\n    def __repr__(self): return 'True'\ndef f(x): return Y(5)", verify.RuleValue, "5"},
	{"equalList", "class Y(list):\n    def __eq__(self, other): return True\n    def __iter__(self): return iter(())\n    def __len__(self): return 1\ndef f(x): return Y([3])", verify.RuleValue, "[3]"},
	{"falseClass", "class Y:\n    __class__ = int\n    def __eq__(self, other): return True\ndef f(x): return Y()", verify.RuleFailed, ""},
	{"metaclass", "class M(type):\n    def __eq__(self, other): return True\n    def __instancecheck__(self, x): return True\n    def __hash__(self): return 0\nclass Y(metaclass=M): pass\ndef f(x): return Y", verify.RuleValue, "opaque"},
	{"replaceBuiltins", "import builtins\nfor name in ('isinstance', 'repr', 'ascii', 'str', 'bool', 'len', 'eval', 'compile'): setattr(builtins, name, lambda *a, **k: True)\ndef f(x): return 'q'", verify.RuleValue, ""},
	{"replaceJSON", "import json, os\njson.dumps = json.loads = lambda *a, **k: 'passed'\ndef f(x): return None", verify.RuleValue, "None"},
	{"replaceWrite", "import os\nkeep = os.write\nos.write = lambda fd, data: keep(fd, b'passed\\n') and len(data)\ndef f(x): return 'w'", verify.RuleValue, "'w'"},
	{"readFrames", "import os, sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        for name, value in list(frame.f_locals.items()):\n            os.write(2, (name + ' ' + ascii(value)[:2000]).encode() + b'\\n')\n            if name == 'job': os.write(3, (value['mark'] + ' True\\n').encode()); os.write(3, (value['mark'] + ' passed\\n').encode())\n        frame = frame.f_back\n    os._exit(0)", verify.RuleValue, "True"},
	{"readJob", "import json, os\ndef f(x):\n    job = json.load(open('/program/call.json'))\n    os.write(2, json.dumps(job).encode())\n    os.write(3, (job.get('mark', '') + ' passed\\n').encode())\n    os._exit(0)", verify.RuleValue, ""},
	{"harnessImport", "import sys\nsys.path.insert(0, '/program')\ndef f(x):\n    import main\n    return [n for n in dir(main)]", verify.RuleValue, ""},
	{"exitInCall", "import sys\ndef f(x): sys.exit(0)", verify.RuleFailed, ""},
	{"quickExitInCall", "import os\ndef f(x): os._exit(0)", verify.RuleFailed, ""},
	{"exitAtImport", "import os\nos._exit(0)", verify.RuleFailed, ""},
	{"generator", "def f(x):\n    while True: yield x", verify.RuleValue, "opaque"},
	{"cycle", "def f(x):\n    a = []\n    a.append(a)\n    return a", verify.RuleFailed, ""},
	{"notANumber", "def f(x): return float('nan')", verify.RuleValue, "nan"},
	{"forgedLiteral", "import os, json\ndef f(x):\n    mark = json.load(open('/program/call.json'))['mark']\n    os.write(3, (mark + ' __import__(\"os\").system(\"id\")\\n').encode())\n    os._exit(0)", verify.RuleValue, ""},
	{"deepLiteral", "import os, json\ndef f(x):\n    mark = json.load(open('/program/call.json'))['mark']\n    os.write(3, mark.encode() + b' ' + b'[' * 1000000 + b'\\n')\n    os._exit(0)", verify.RuleValue, ""},
}

// checkers are what functions try against tests that run in a process of their own.
var checkers = []attempt{
	{"checkEqualObject", "class Y:\n    def __eq__(self, other): return True\ndef f(x): return Y()", verify.RuleAssert, ""},
	{"checkDefinesCheck", "def check(candidate): pass\ndef f(x): return 0", verify.RuleAssert, ""},
	{"checkAssertionError", "import builtins\nbuiltins.AssertionError = KeyError\ndef f(x): raise builtins.AssertionError", verify.RuleAssert, ""},
	{"checkExit", "import sys\ndef f(x): sys.exit(0)", verify.RuleFailed, ""},
	{"checkFakePass", "import os\ndef f(x):\n    for fd in range(1, 10):\n        try: os.write(fd, b'passed\\nvalue passed\\n')\n        except OSError: pass\n    return 0", verify.RuleAssert, ""},
	{"checkEvalInTests", "import os\ndef f(x):\n    os.write(3, b'value (lambda: os._exit(0))()\\n')\n    return 41", verify.RuleAssert, ""},
	{"checkClose", "import os\ndef f(x):\n    os.closerange(0, 64)\n    while True: pass", verify.RuleTime, ""},
	{"checkStealRequests", "import os\ndef f(x):\n    os.write(3, b'value 0\\n')\n    os.write(2, os.read(4, 4096))\n    return 0", verify.RuleAssert, ""},
	{"checkReadFiles", "import os\ndef f(x):\n    for name in os.listdir('/program'): os.write(2, open('/program/' + name, 'rb').read())\n    return 0", verify.RuleAssert, ""},
	{"checkForgedClass", "import os\ndef f(x):\n    while True:\n        os.write(3, b\"value ().__class__.__class__('Y',(),{'__eq__':lambda a,b:True})()\\n\")\n        if not os.read(4, 65536): os._exit(0)", verify.RuleAssert, ""},
	{"checkForgedLiteral", "import os\ndef f(x):\n    os.write(3, b'value __import__(\"os\")._exit(0)\\n')\n    os._exit(0)", verify.RuleAssert, ""},
}

// TestEscapes runs every attempt: none scores, none learns what is expected, and none leaves anything behind.
func TestEscapes(t *testing.T) {
	requireSandbox(t)
	secret := "S" + rand.Text()
	t.Setenv("RETORT_ESCAPE_SECRET", secret)
	mounts := readMounts(t)
	box := sandbox.New(sandbox.Options{})
	check := fmt.Sprintf("SECRET = %q\ndef check(candidate):\n    assert candidate(7) == 41\n    assert candidate(8) == 43\n", secret)
	output, expected := secret, []byte(fmt.Sprintf("%q", secret))
	groups := []struct {
		problem  verify.CodeProblem
		attempts []attempt
	}{
		{verify.CodeProblem{Tests: []verify.CodeTest{{Input: "5\n", Output: &output}}}, inside},
		{verify.CodeProblem{EntryPoint: "f", Tests: []verify.CodeTest{{Args: jsons("7"), Expected: expected}}}, forgers},
		{verify.CodeProblem{Tests: []verify.CodeTest{{Assert: "assert f(7) == '" + secret + "'"}}}, forgers},
		{verify.CodeProblem{EntryPoint: "f", Check: check}, checkers},
	}
	two := make(chan struct{}, 2)
	var done sync.WaitGroup
	count := 0
	for i, g := range groups {
		for _, a := range g.attempts {
			count++
			two <- struct{}{}
			done.Go(func() {
				defer func() { <-two }()
				t.Run(fmt.Sprintf("%d/%s", i, a.name), func(t *testing.T) { try(t, box, g.problem, a, secret) })
			})
		}
	}
	done.Wait()
	if count < 40 {
		t.Errorf("%d attempts, want at least 40", count)
	}
	t.Logf("%d attempts", count)
	leftNothing(t, mounts)
}

func jsons(text string) []json.RawMessage { return []json.RawMessage{json.RawMessage(text)} }

func try(t *testing.T, box *sandbox.Sandbox, p verify.CodeProblem, a attempt, secret string) {
	t.Helper()
	r := &recorder{Sandbox: box}
	begin := helpers
	if p.EntryPoint != "" || p.Tests[0].Assert != "" || a.name == "badSource" {
		begin = ""
	}
	limit := 4 * time.Second
	if a.rule == verify.RuleTime {
		limit = time.Second
	}
	v := verify.CheckCode(t.Context(), r, p, "```python\n"+begin+a.code+"\n```\n", verify.CodeOptions{Time: limit, Memory: 256 << 20})
	if v.Outcome == verify.Right {
		t.Errorf("scored: %v", v)
	}
	if v.Outcome != verify.Wrong || v.Rule != a.rule || a.answer != "" && v.Answer != a.answer {
		t.Errorf("%v (rule %q, answer %q), want rule %q, answer %q", v, v.Rule, v.Answer, a.rule, a.answer)
	}
	if strings.Contains(r.heard.String(), secret) {
		t.Error("the program learnt what is expected")
	}
}

// requireSandbox skips where this machine cannot isolate, and says why. With RETORT_SANDBOX=required it fails instead, for a
// machine that is known to isolate.
func requireSandbox(t *testing.T) {
	t.Helper()
	if report := sandbox.New(sandbox.Options{}).Check(t.Context()); !report.Usable {
		if os.Getenv("RETORT_SANDBOX") == "required" {
			t.Fatalf("no isolation: %s", report.Reason)
		}
		t.Skipf("no isolation on this machine: %s", report.Reason)
	}
}

func readMounts(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// leftNothing looks for processes in other namespaces, new mounts, and files with the mark.
func leftNothing(t *testing.T, mounts string) {
	t.Helper()
	if now := readMounts(t); now != mounts {
		t.Errorf("mounts changed from\n%s\nto\n%s", mounts, now)
	}
	if left := foreignProcesses(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	for _, folder := range []string{"/", "/var/tmp", "/dev/shm", "/dev", "/etc", "/home", "/usr", ".", os.TempDir()} {
		if found, _ := filepath.Glob(folder + "/" + mark + "*"); len(found) > 0 {
			t.Errorf("files are left: %v", found)
		}
	}
}

// foreignProcesses are the descendants of this process that live in another process namespace.
func foreignProcesses(t *testing.T) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		return nil
	}
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	parents := map[string]string{}
	for _, entry := range entries {
		text, _ := os.ReadFile(entry + "/stat") // a process may end while we look
		if at := strings.LastIndexByte(string(text), ')'); at >= 0 {
			if fields := strings.Fields(string(text[at+1:])); len(fields) > 1 {
				parents[filepath.Base(entry)] = fields[1]
			}
		}
	}
	var list []string
	for pid := range parents {
		ours := false
		for at, steps := pid, 0; at != "" && steps < 100; at, steps = parents[at], steps+1 {
			ours = ours || at == strconv.Itoa(os.Getpid())
		}
		space, err := os.Readlink("/proc/" + pid + "/ns/pid")
		if ours && err == nil && space != own {
			list = append(list, pid)
		}
	}
	return list
}
