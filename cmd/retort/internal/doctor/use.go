package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// settingsFile says what is wrong with the file of settings.
func settingsFile(_ context.Context, p *Place) []Finding {
	if p.Fault != nil {
		return one(Fault, "mend that line", "%v", p.Fault)
	}
	if p.Settings == "" {
		return one(OK, "", "no file, every flag has its default")
	}
	if info, err := os.Stat(p.Settings); err == nil && hasModes && info.Mode().Perm()&0o002 != 0 {
		return one(Fault, "chmod o-w "+p.Settings, "every user can change %s", p.Settings)
	}
	return one(OK, "", "%s", p.Settings)
}

// variables finds those that look like ours and that nothing reads.
func variables(_ context.Context, p *Place) (found []Finding) {
	inForce := 0
	for _, name := range slices.Sorted(slices.Values(p.Names)) {
		if !strings.HasPrefix(name, "RETORT_") || p.Known == nil {
			continue
		}
		near, isKnown := p.Known(name)
		if isKnown {
			inForce++
			continue
		}
		do := "unset " + name
		if near != "" {
			do = near + ", or unset it"
		}
		found = append(found, Finding{Status: Warning, Found: name + " is set, and nothing reads it", Do: do})
	}
	if inForce == 0 && len(found) == 0 {
		return one(OK, "", "none is set")
	}
	return orOK(short(found), "%d in force", inForce)
}

// token looks at the form of HF_TOKEN, which is not shown.
func token(_ context.Context, p *Place) []Finding {
	text, ok := "", false
	if p.Lookup != nil {
		text, ok = p.Lookup("HF_TOKEN")
	}
	switch {
	case !ok || text == "":
		return one(OK, "", "HF_TOKEN is not set: public models alone")
	case strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == '"' || r == '\'' || r > 126
	}):
		return one(Fault, "set it again, without quotes and line breaks", "HF_TOKEN holds a character that no token has")
	case !strings.HasPrefix(text, "hf_") || len(text) < 20:
		return one(Warning, "take it from huggingface.co/settings/tokens", "HF_TOKEN does not look like a token, which begins with hf_")
	}
	return one(OK, "", "HF_TOKEN is set")
}

// endpoint looks at the address of the hub and at those of proxies.
func endpoint(_ context.Context, p *Place) (found []Finding) {
	if text := p.Hub.Endpoint; text != "" {
		at, err := url.Parse(text)
		switch {
		case err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" || at.User != nil || at.RawQuery != "":
			found = append(found, Finding{Status: Fault, Found: "HF_ENDPOINT is no address such as https://huggingface.co", Do: "unset HF_ENDPOINT"})
		case at.Scheme == "http" && !isLoopback(at.Hostname()):
			found = append(found, Finding{Status: Fault, Found: fmt.Sprintf("HF_ENDPOINT is not encrypted: a token would be read on the way to %s", at.Hostname()), Do: "https, or unset HF_ENDPOINT"})
		case at.Hostname() != "huggingface.co":
			found = append(found, Finding{Status: Note, Found: "models come from " + at.Host})
		}
	}
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		if text := p.variable(name); text != "" {
			if at, err := url.Parse(text); err != nil || at.Host == "" {
				found = append(found, Finding{Status: Fault, Found: name + " is no address such as http://proxy:3128", Do: "unset " + name})
			}
		}
	}
	if p.Hub.Offline {
		found = append(found, Finding{Status: Note, Found: "HF_HUB_OFFLINE forbids downloads"})
	}
	return orOK(found, "huggingface.co")
}

func isLoopback(host string) bool {
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.IsLoopback()
}

// keys looks at who can read the files that hold keys.
func keys(_ context.Context, p *Place) (found []Finding) {
	there := 0
	for _, path := range p.KeyFiles {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		there++
		switch {
		case err != nil:
			found = append(found, Finding{Status: Fault, Found: err.Error(), Do: "look at the path"})
		case hasModes && info.Mode().Perm()&0o077 != 0:
			found = append(found, Finding{Status: Fault, Found: path + " holds a key that other users can read", Do: "chmod 600 " + path})
		case info.Size() == 0:
			found = append(found, Finding{Status: Warning, Found: path + " is empty", Do: "write the key into it"})
		}
	}
	if there == 0 && len(found) == 0 {
		return one(OK, "", "no file with a key")
	}
	return orOK(found, "%d files with keys, which nobody else can read", there)
}

// port looks whether a server could listen where it would.
func port(ctx context.Context, p *Place) []Finding {
	if p.Listen == "" {
		return one(Note, "", "no address to listen at")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return one(Warning, "--listen 127.0.0.1:0", "%s is taken by %s", p.Listen, whose(ctx, p.Listen))
	case err != nil:
		return one(Warning, "another --listen", "%v", err)
	}
	if err := listener.Close(); err != nil {
		return one(Warning, "", "%v", err)
	}
	return one(OK, "", "%s is free", p.Listen)
}

// whose asks a server who it is.
func whose(ctx context.Context, address string) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/models", nil)
	if err != nil {
		return "another program"
	}
	reply, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(request)
	if err != nil {
		return "another program"
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(io.LimitReader(reply.Body, 1<<16))
	if err == nil && strings.Contains(string(text), `"owned_by":"retort"`) {
		return "a server of Retort"
	}
	return "another server"
}

// sandbox says whether programs can be judged.
func sandbox(ctx context.Context, p *Place) []Finding {
	if p.Sandbox == nil {
		return one(Note, "", "not looked at")
	}
	if isUsable, reason := p.Sandbox(ctx); !isUsable {
		return one(Note, "retort grade --check-sandbox names the layers", "programs as answers cannot be judged here: %s", reason)
	}
	return one(OK, "", "programs as answers can be judged")
}
