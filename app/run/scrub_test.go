package run

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	for text, want := range map[string]string{
		"disk full":                         "disk full",
		`not an address: "fd83:9c1a::b7e5"`: "not an address: [text]",
		"read tcp4 127.0.0.1:34503->127.0.0.1:60640: connection reset by peer":                           "read tcp4 [address]->[address]: connection reset by peer",
		"dial tcp6 [fd83:9c1a:77e2::b7e5]:42151: refused":                                                "dial tcp6 [address]: refused",
		"from fe80::1%eth0 to ::1":                                                                       "from [address] to [address]",
		"range 10.201.64.0/26 or fd00::/8":                                                               "range [address] or [address]",
		"failed to dial 12D3KooWBvRAYBZA1VQpeoziCngzU4mHQp9TaYtC2T74babh1DHi: [/ip4/10.0.0.1/tcp/42151]": "failed to dial [machine]: [/[address]/tcp/42151]",
		"/dns4/office.example.org/udp/7/quic-v1":                                                         "/[address]/udp/7/quic-v1",
		"person " + strings.Repeat("a2", 26):                                                             "person [id]",
		"node " + strings.Repeat("0f", 32):                                                               "node [id]",
		"core: store: code: 0x0: error 0x0 (remote)":                                                     "core: store: code: 0x0: error 0x0 (remote)",
	} {
		if got := scrub(text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
}

// The log takes nothing of it, in whatever kind of value it comes.
func TestLogIsScrubbed(t *testing.T) {
	var b bytes.Buffer
	const host = "10.77.31.5"
	addr := netip.MustParseAddrPort(host + ":443")
	log := newLog(&b).With("always", host)
	log.Warn("failed", "err", fmt.Errorf("dial: %w", errors.New(addr.String())), "addr", addr, "list", []string{host}, "text", host,
		slog.Group("in", slog.String("one", host)), "count", 7)
	log.Debug("not at this level")
	if out := b.String(); strings.Contains(out, host) || !strings.Contains(out, "count=7") || !strings.Contains(out, "msg=failed") || strings.Contains(out, "level=DEBUG") {
		t.Errorf("the log says %s", out)
	}
	b.Reset()
	t.Setenv(logLevelEnv, "debug")
	newLog(&b).Debug("now it is")
	if !strings.Contains(b.String(), "now it is") {
		t.Error("no debug messages")
	}
}
