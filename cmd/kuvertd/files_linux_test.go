package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	p2pnet "github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	libtls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// onItsWay is how many bytes may be lost with a process that is killed: what was
// asked for and not stored yet (docs/protocol/attachments.md).
const onItsWay = 8<<20 + 512<<10

// bigFile writes a file of random bytes and returns its hash.
func bigFile(t *testing.T, path string, size int64) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, sum), rand.Reader, size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// offer pairs two people and lets alice send a file that bob does not fetch yet.
func offer(t *testing.T, dir string, env []string, size int64) (a, b *side, da, db *daemon, id chat.MessageID, hash string) {
	t.Helper()
	a, b = pairUp(t, dir, env)
	path := filepath.Join(dir, "Film ä.mkv")
	hash = bigFile(t, path, size)
	da, db = serveSide(t, a), serveSide(t, b)
	runKuvertd(t, env, b.profile, nil, "settings", "set", core.SettingFileLimit, "0")
	var sent struct{ ID chat.MessageID }
	begin := time.Now()
	runKuvertd(t, env, a.profile, &sent, "send", "bob", "der Film", "--file", path)
	t.Logf("%d MiB were sealed in %v", size>>20, time.Since(begin).Round(time.Millisecond))
	waitUntil(t, "the message arrives", func() bool {
		var list []messageLine
		runKuvertd(t, env, b.profile, &list, "messages", "alice")
		return len(list) == 1 && list[0].Attachments[0].State == chat.FileOffered && list[0].Attachments[0].Name == "Film ä.mkv"
	})
	return a, b, da, db, sent.ID, hash
}

func serveSide(t *testing.T, s *side) *daemon {
	t.Helper()
	d, err := startDaemon(s.profile, s.env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.wait(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kill)
	return d
}

// fileOfSide asks how it stands with the message's file.
func fileOfSide(t *testing.T, s *side, id chat.MessageID, args ...string) (l fileLine) {
	t.Helper()
	runKuvertd(t, s.env, s.profile, &l, append([]string{"file", id.String()}, args...)...)
	return l
}

// killAt kills a process when its part of a file has a size.
func killAt(t *testing.T, s *side, d *daemon, size int64) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		parts, _ := filepath.Glob(filepath.Join(s.profile, "files", "*.part"))
		if len(parts) == 1 {
			if fi, err := os.Stat(parts[0]); err == nil && fi.Size() >= size {
				d.kill()
				return
			}
		}
		if time.Now().After(end) {
			t.Fatalf("the file does not come in: %v", parts)
		}
	}
}

// saved saves the file on a side and compares it.
func saved(t *testing.T, s *side, id chat.MessageID, hash string) {
	t.Helper()
	path := filepath.Join(s.profile, "..", s.name+"-saved")
	runKuvertd(t, s.env, s.profile, nil, "save", id.String(), path, "--replace")
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil || hex.EncodeToString(sum.Sum(nil)) != hash {
		t.Errorf("%s has another file: %v", s.name, err)
	}
}

// TestAFileSurvivesKills kills the receiving process twice in the middle of a file.
func TestAFileSurvivesKills(t *testing.T) {
	const size = 64 << 20
	dir, env := testEnv(t)
	a, b, _, db, id, hash := offer(t, dir, env, size)
	fetchNow(t, b, id)
	for i := range int64(2) {
		killAt(t, b, db, (2*i+1)*size/4)
		if left := fileOfSide(t, b, id); left.Got < (2*i+1)*size/4-onItsWay || left.State != chat.FileWaiting {
			t.Errorf("after kill %d: %+v", i, left)
		}
		db = serveSide(t, b)
	}
	waitUntil(t, "the file is here", func() bool { return fileOfSide(t, b, id).State == chat.FileHere })
	saved(t, b, id, hash)
	gave := fileOfSide(t, a, id)
	t.Logf("%d bytes of %d were given", gave.Given, gave.Total)
	if gave.Given > gave.Total+gave.Total/2000+2*onItsWay {
		t.Errorf("%d bytes were given twice", gave.Given-gave.Total)
	}
	for _, s := range []*side{a, b} {
		if n := drafts(t, s); n != 0 {
			t.Errorf("%s: %d unfinished files", s.name, n)
		}
	}
}

// fetchNow begins to fetch a file, in no more time than a call takes: another process
// might end when the file is already here.
func fetchNow(t *testing.T, s *side, id chat.MessageID) {
	t.Helper()
	c, err := run.Attach(t.Context(), s.profile)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing waits for it
	if err := c.FetchFile(t.Context(), id, 0); err != nil {
		t.Fatal(err)
	}
}

// drafts counts what is not whole in a profile's files.
func drafts(t *testing.T, s *side) (n int) {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(s.profile, "files"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if !strings.HasSuffix(e.Name(), ".age") && !strings.HasSuffix(e.Name(), ".hashes") {
			n++
		}
	}
	return n
}

// TestALargeFile is 2 GiB with a kill of either process, and then once more without,
// beside a bare stream: make soak. Without -soak it is smaller and measures only.
func TestALargeFile(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() {
		t.Skip("writes a gigabyte")
	}
	if soak {
		size = 2 << 30
	}
	bare := bareStream(t, size)
	dir, env := testEnv(t)
	a, b, da, db, id, hash := offer(t, dir, env, size)
	idle := [2]int64{memoryOf(t, da, "VmRSS"), memoryOf(t, db, "VmRSS")}
	begin := time.Now()
	got, whole := watchFile(t, b, id)
	rate := float64(size) / got.Seconds()
	t.Logf("%d MiB in %v (%.0f MB/s), checked after %v; a bare stream carries %.0f MB/s: ratio %.2f", size>>20, got.Round(time.Millisecond), rate/1e6, whole.Round(time.Millisecond), bare/1e6, rate/bare)
	for i, d := range []*daemon{da, db} {
		over := memoryOf(t, d, "VmHWM") - idle[i]
		t.Logf("process %d: %d MiB idle, at most %d MiB over that", i, idle[i]>>20, over>>20)
		if i == 1 && over > 64<<20 {
			t.Errorf("%d MiB over idle", over>>20)
		}
	}
	if !soak {
		return
	}
	saved(t, b, id, hash)
	gave := fileOfSide(t, a, id).Given
	t.Logf("the first time took %v in all; now with kills", time.Since(begin).Round(time.Second))
	runKuvertd(t, env, b.profile, nil, "files", "--clean", "0")
	fileOfSide(t, b, id, "--fetch")
	killAt(t, b, db, size/3)
	db = serveSide(t, b)
	defer db.kill()
	killAt(t, b, da, 2*size/3) // alice's
	da = serveSide(t, a)
	defer da.kill()
	waitUntil(t, "the file is here", func() bool { return fileOfSide(t, b, id).State == chat.FileHere })
	saved(t, b, id, hash)
	again := fileOfSide(t, a, id).Given // since her restart
	t.Logf("given: %d without a kill, %d after the second of two", gave, again)
	if again > size/3+2*onItsWay {
		t.Errorf("%d bytes were given after two thirds were there", again)
	}
}

// watchFile fetches a file and tells when all of it had come, and when it was
// checked.
func watchFile(t *testing.T, s *side, id chat.MessageID) (got, whole time.Duration) {
	t.Helper()
	c, err := run.Attach(t.Context(), s.profile)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing waits for it
	begin := time.Now()
	if err := c.FetchFile(t.Context(), id, 0); err != nil {
		t.Fatal(err)
	}
	for {
		if parts, _ := filepath.Glob(filepath.Join(s.profile, "files", "*.age")); len(parts) == 1 && got == 0 {
			got = time.Since(begin)
		}
		info, err := c.File(context.Background(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		if info.File.State == chat.FileHere {
			return got, time.Since(begin)
		}
		if time.Since(begin) > 5*time.Minute {
			t.Fatalf("it does not come: %+v", info)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// memoryOf reads a process's memory in bytes.
func memoryOf(t *testing.T, d *daemon, what string) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte(what+":")); ok {
			n, err := strconv.ParseInt(strings.Fields(string(rest))[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatalf("no %s", what)
	return 0
}

// bareID is the protocol of the bare stream, bareSize the variable that makes this
// program its listener.
const (
	bareID   = protocol.ID("/bare/1")
	bareSize = "KUVERT_TEST_BARE_STREAM"
)

func bareHost(t *testing.T) host.Host {
	t.Helper()
	h, err := libp2p.New(libp2p.Transport(tcp.NewTCPTransport), libp2p.Security(libtls.ID, libtls.New), libp2p.DisableRelay(),
		libp2p.DisableMetrics(), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// TestBareListener is the other process of bareStream.
func TestBareListener(t *testing.T) {
	size, err := strconv.ParseInt(os.Getenv(bareSize), 10, 64)
	if err != nil {
		t.Skip("the other process of a measurement")
	}
	h, done := bareHost(t), make(chan time.Duration)
	h.SetStreamHandler(bareID, func(s p2pnet.Stream) {
		begin := time.Now()
		_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{io.LimitReader(s, size)}, make([]byte, 64<<10))
		done <- time.Since(begin)
	})
	fmt.Printf("\n%s%s/p2p/%s\n", bareSize, h.Addrs()[0], h.ID())
	fmt.Printf("\n%s%d\n", bareSize, <-done)
}

// bareStream is how many bytes a second one libp2p stream over TCP and TLS carries
// between two processes of this machine, from memory to nowhere.
func bareStream(t *testing.T, size int64) float64 {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestBareListener$", "-test.v")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d", bareSize, size))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	lines := bufio.NewScanner(out)
	says := func() string {
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), bareSize); ok {
				return rest
			}
		}
		t.Fatal("the other process ended")
		return ""
	}
	info, err := peer.AddrInfoFromString(says())
	if err != nil {
		t.Fatal(err)
	}
	d := bareHost(t)
	if err := d.Connect(t.Context(), *info); err != nil {
		t.Fatal(err)
	}
	s, err := d.NewStream(t.Context(), info.ID, bareID)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64<<10)
	for n := int64(0); n < size; n += int64(len(buf)) {
		if _, err := s.Write(buf); err != nil {
			t.Fatal(err)
		}
	}
	took, err := strconv.ParseInt(says(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return float64(size) / time.Duration(took).Seconds()
}
