package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// plantedStrings is how many strings TestNothingLeaks promises to look for.
const plantedStrings = 100

// leakHouse is a computer whose every file is looked through: home, temporary folder
// and all others of the system lie in root. What a person asked for in plain text (the
// files they send, save and export, and those with passphrases) lies in own.
type leakHouse struct {
	t         *testing.T
	root, own string
	env       []string

	hay     *haystack
	planted int
	said    int // files with what programs said
}

func newLeakHouse(t *testing.T) *leakHouse {
	t.Helper()
	temp, err := os.MkdirTemp("", "kuvert-") // short: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(temp) })
	h := &leakHouse{t: t, root: filepath.Join(temp, "all"), own: filepath.Join(temp, "own"), hay: newHaystack()}
	for name, dir := range map[string]string{
		"HOME": "home", "TMPDIR": "tmp", "XDG_RUNTIME_DIR": "run", "XDG_DATA_HOME": "home/share", "XDG_CONFIG_HOME": "home/config",
		"XDG_CACHE_HOME": "home/cache", "XDG_STATE_HOME": "home/state", "QLOGDIR": "qlog",
	} {
		dir = filepath.Join(h.root, dir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, dir)
	}
	for _, dir := range []string{h.own, filepath.Join(h.root, "usb")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// As talkative as can be; what they write to standard error is kept in root.
	for name, level := range map[string]string{"KUVERT_LOG": "debug", "GOLOG_LOG_LEVEL": "debug", "QUIC_GO_LOG_LEVEL": "debug", "GOTRACEBACK": "all"} {
		t.Setenv(name, level)
	}
	t.Setenv("KUVERT_KEY_FILE", "")
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(h.root, "no-bus"))
	h.env = os.Environ()
	return h
}

// plant makes a string that must be found nowhere.
func (h *leakHouse) plant(what string) string {
	var b strings.Builder
	for range 16 {
		var c [1]byte
		_, _ = rand.Read(c[:])
		b.WriteByte('a' + c[0]%26)
	}
	h.secret(what, b.String())
	return b.String()
}

// secret has a text that somebody else made up looked for.
func (h *leakHouse) secret(what, text string) {
	h.planted++
	h.hay.addText(what, text)
}

// link has an invitation or access link looked for: the text, and what it says.
func (h *leakHouse) link(what, text string, secret, size int) {
	h.t.Helper()
	h.secret(what, text)
	_, code, _ := strings.Cut(text, ":")
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(code)
	if err != nil {
		h.t.Fatal(err)
	}
	h.hay.add(what+", its secret", raw[secret:secret+size])
}

// file writes a file of this person's own and returns its path.
func (h *leakHouse) file(name string, content []byte) string {
	h.t.Helper()
	path := filepath.Join(h.own, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// passphrase plants a passphrase and returns a file with it.
func (h *leakHouse) passphrase(what string) (file string) {
	word := h.plant(what)
	return h.file("pass-"+strings.ReplaceAll(what, " ", "-"), []byte(word+"\n"))
}

// keep puts what a program said where it is looked for.
func (h *leakHouse) keep(said []byte) {
	h.t.Helper()
	h.said++
	if err := os.WriteFile(filepath.Join(h.root, fmt.Sprintf("stderr-%d", h.said)), said, 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// do is a command of somebody that succeeds.
func (h *leakHouse) do(s *side, into any, args ...string) {
	h.t.Helper()
	runKuvertd(h.t, h.env, s.profile, into, args...)
}

// refused is a command of somebody that fails. What it tells the person is theirs.
func (h *leakHouse) refused(s *side, args ...string) {
	h.t.Helper()
	cmd := exec.Command(kuvertd, append([]string{"--profile", s.profile}, args...)...)
	cmd.Env = h.env
	if out, err := cmd.CombinedOutput(); err == nil {
		h.t.Errorf("%v was not refused: %s", args, out)
	}
}

// leakSide is a person with a passphrase.
type leakSide struct {
	*side
	name, pass string
	daemon     *daemon
}

func (h *leakHouse) person(who string) *leakSide {
	h.t.Helper()
	s := &leakSide{
		side: &side{profile: filepath.Join(h.root, "home", who), env: h.env},
		name: h.plant("the name of " + who), pass: h.passphrase("the passphrase of " + who),
	}
	h.do(s.side, nil, "init", "--name", s.name, "--passphrase-file", s.pass)
	h.serve(s)
	return s
}

func (h *leakHouse) serve(s *leakSide) {
	h.t.Helper()
	d, err := startDaemon(s.profile, h.env, "--passphrase-file", s.pass)
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := d.wait(); err != nil {
		h.t.Fatal(err)
	}
	s.daemon = d
	h.t.Cleanup(func() { _ = d.cmd.Process.Kill() })
}

// stop ends somebody's program, gently or not.
func (h *leakHouse) stop(s *leakSide, kill bool) {
	h.t.Helper()
	if kill {
		s.daemon.kill()
	} else if err := s.daemon.end(); err != nil {
		h.t.Error(err)
	}
	h.keep(s.daemon.stderr.Bytes())
	s.daemon = nil
}

func (h *leakHouse) attach(s *leakSide, do func(core.Client) error) {
	h.t.Helper()
	c, err := run.Attach(h.t.Context(), s.profile)
	if err == nil {
		err = do(c)
		_ = c.Close()
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// look fails for everything that is found now.
func (h *leakHouse) look(when string, running ...*leakSide) {
	h.t.Helper()
	found, files, size := h.hay.tree(h.t, h.root)
	for _, s := range running {
		found = append(found, h.hay.process(s.daemon.cmd.Process.Pid)...)
	}
	found = append(found, h.logs()...)
	h.t.Logf("%s: %d strings in %d files of %d MiB: %d hits", when, h.planted, files, size>>20, len(found))
	for i, f := range found {
		if i == 20 {
			h.t.Errorf("and %d more", len(found)-i)
			break
		}
		h.t.Errorf("%s: %v", when, f)
	}
}

// logs looks at the programs' own logs for whom they talked to: others' libraries tell
// that where one asks them to.
func (h *leakHouse) logs() (found []trace) {
	h.t.Helper()
	peers := newHaystack()
	for _, begin := range []string{"127.0.0.1", "[::1]", "12D3KooW", "KUVERT:", "KUVERT-NODE:"} {
		peers.addAs("an address, a key or a link", "its beginning", []byte(begin))
	}
	logs, _ := filepath.Glob(filepath.Join(h.root, "home", "*", "kuvert.log"))
	for _, path := range logs {
		b, err := os.ReadFile(path)
		if err != nil {
			h.t.Error(err)
		}
		found = append(found, peers.look(path, b)...)
	}
	return found
}

// send has one side write to the other.
func (h *leakHouse) send(from, to *leakSide, text string, args ...string) (id string) {
	h.t.Helper()
	var sent struct{ ID string }
	h.do(from.side, &sent, append([]string{"send", to.name, text}, args...)...)
	return sent.ID
}

func (h *leakHouse) arrives(from, to *leakSide, text string) {
	h.t.Helper()
	waitUntil(h.t, "a message arrives", func() bool {
		var list []messageLine
		h.do(to.side, &list, "messages", from.name)
		for _, m := range list {
			here := true
			for _, a := range m.Attachments {
				here = here && a.State == chat.FileHere
			}
			if m.Text == text {
				return here
			}
		}
		return false
	})
}

// photo is a JPEG with strings in all that does not show.
func (h *leakHouse) photo(what string) []byte {
	h.t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for i := range 320 * 240 {
		img.Set(i%320, i/320, color.RGBA{uint8(i), uint8(i / 320), uint8(i % 7 * 30), 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		h.t.Fatal(err)
	}
	out := append([]byte{}, b.Bytes()[:2]...)
	segment := func(marker byte, content string) {
		out = append(out, 0xff, marker)
		out = binary.BigEndian.AppendUint16(out, uint16(len(content)+2))
		out = append(out, content...)
	}
	segment(0xe1, "Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"+h.plant(what+": Exif"))
	segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00"+h.plant(what+": XMP"))
	segment(0xfe, h.plant(what+": comment"))
	out = append(out, b.Bytes()[2:]...)
	return append(out, h.plant(what+": behind its end")...)
}

// drawing is a PNG with a string in a text chunk.
func (h *leakHouse) drawing(what string) []byte {
	h.t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 40, 40))); err != nil {
		h.t.Fatal(err)
	}
	text := "tEXtComment\x00" + h.plant(what+": text chunk")
	const head = 33 // signature and IHDR
	out := append([]byte{}, b.Bytes()[:head]...)
	out = binary.BigEndian.AppendUint32(out, uint32(len(text)-4))
	out = append(out, text...)
	out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(text)))
	return append(out, b.Bytes()[head:]...)
}

// bitmap is a BMP whose rows of pixels are a string.
func (h *leakHouse) bitmap(what string) []byte {
	row := h.plant(what + ": pixels")
	const side = 16
	out := []byte("BM")
	for _, n := range []uint32{54 + side*side*3, 0, 54, 40, side, side, 1 | 24<<16, 0, side * side * 3, 2835, 2835, 0, 0} {
		out = binary.LittleEndian.AppendUint32(out, n)
	}
	for range side {
		out = append(out, strings.Repeat(row, 3)...)
	}
	return out
}

// pictures has the beginnings of pictures looked for: nothing of a profile is one.
func (h *leakHouse) pictures() {
	for what, begin := range map[string]string{
		"a PNG": "\x89PNG\r\n\x1a\n", "a JPEG": "\xff\xd8\xff\xdb\x00\x84\x00", "a JPEG with Exif": "\xff\xd8\xff\xe1\x00\x22Exif",
		"a database": "SQLite format 3\x00", "an age identity": "AGE-SECRET-KEY-",
	} {
		h.hay.addAs(what, "its beginning", []byte(begin))
	}
}

// TestNothingLeaks uses two profiles as people do, plants strings wherever one can be
// typed, sent, saved or searched for, kills the programs in between and looks for the
// strings in every file of both computers.
func TestNothingLeaks(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of two people's doings")
	}
	h := newLeakHouse(t)
	h.pictures()
	alice, bob := h.person("alice"), h.person("bob")
	h.pairLeaky(alice, bob)
	h.settings(alice)
	h.talk(alice, bob)
	h.sendLeakyFiles(alice, bob)
	h.searches(alice, bob)
	h.look("while both run", alice, bob)

	h.backups(alice, bob)
	h.mistakes(alice)
	h.forget(alice, bob)
	h.look("with backups, mistakes and deletions", alice, bob)

	h.crash(alice, bob)
	h.look("after a crash")
	h.serve(alice)
	h.serve(bob)
	h.overNode(alice, bob)
	h.exports(alice, bob)
	h.stop(alice, false)
	h.stop(bob, false)
	h.look("at rest")

	h.restored(alice, bob)
	h.damaged(bob)
	if h.planted < plantedStrings {
		t.Errorf("only %d strings are planted", h.planted)
	}
	h.look("restored, moved and damaged")
	h.control()
}

// pairLeaky makes the two contacts of each other.
func (h *leakHouse) pairLeaky(a, b *leakSide) {
	h.t.Helper()
	var inv [2]invitation // the first stays open
	for i := range inv {
		h.do(a.side, &inv[i], "invite", "--qr", filepath.Join(h.own, fmt.Sprint(i, ".png")))
		const secretAt = 1 + 32 // docs/protocol/invitations.md
		h.link("an invitation", inv[i].Invitation, secretAt, 16)
	}
	h.do(b.side, nil, "accept", inv[1].Invitation)
	waitUntil(h.t, "they meet", func() bool {
		var list []contactLine
		h.do(a.side, &list, "contacts")
		return len(list) == 1 && list[0].Online && list[0].Name == b.name
	})
	var me [2]core.Profile
	for i, s := range []*leakSide{a, b} {
		h.do(s.side, &me[i], "whoami")
		h.secret("an id", me[i].ID.String())
		h.hay.add("an id", me[i].ID[:])
	}
	a.to = chat.DirectConversation(me[0].ID, me[1].ID)
	b.to = a.to
	var safety struct{ Number string }
	h.do(a.side, &safety, "safety", b.name)
	h.secret("the safety number", safety.Number)
	h.do(a.side, nil, "verify", b.name, "--yes")
	alias := h.plant("a contact's own name here")
	h.attach(b, func(c core.Client) error { return c.Rename(h.t.Context(), me[0].ID, alias) })
	a.name = alias // as bob says
}

// settings writes into what can be set.
func (h *leakHouse) settings(a *leakSide) {
	h.t.Helper()
	const addrs = "10.83.147.219, 172.29.113.87, 10.201.64.0/26"
	h.do(a.side, nil, "settings", "set", core.SettingTryAddrs, addrs)
	for _, one := range strings.Split(addrs, ", ") {
		h.secret("an address to try", one)
	}
	name := h.plant("a new name")
	h.do(a.side, nil, "settings", "set", core.SettingName, name)
	h.do(a.side, nil, "settings", "set", core.SettingNotifyContent, "true")
}

// talk writes both ways, answers and leaves drafts.
func (h *leakHouse) talk(a, b *leakSide) {
	h.t.Helper()
	var last, id string
	for i := range 12 {
		last = fmt.Sprintf("%s — das war %s", h.plant("a message"), h.plant("a message's end"))
		id = h.send(a, b, last)
		if i%4 == 0 {
			h.send(b, a, h.plant("an answer"), "--reply", id)
		}
	}
	h.arrives(a, b, last)
	h.do(b.side, nil, "read", a.name)
	long := strings.Repeat(h.plant("a long message")+" ", 2000)
	h.send(a, b, strings.TrimSpace(long))
	for _, s := range []*leakSide{a, b} {
		for range 3 {
			text := h.plant("a draft")
			h.attach(s, func(c core.Client) error { return c.SaveDraft(h.t.Context(), s.to, text) })
		}
	}
}

// sendLeakyFiles sends files of all kinds, with what shows and what does not.
func (h *leakHouse) sendLeakyFiles(a, b *leakSide) {
	h.t.Helper()
	h.do(a.side, nil, "settings", "set", core.SettingPhotoData, "false")
	kinds := []struct {
		ext     string
		content []byte
	}{
		{".txt", []byte(h.plant("a text file") + " und " + h.plant("a text file's end"))},
		{".csv", []byte(strings.Repeat(h.plant("a table")+";1\n", 20000))},
		{".utf16.txt", utf16Text(h.plant("a file in UTF-16"))},
		{".jpg", h.photo("a photo")},
		{".png", h.drawing("a drawing")},
		{".bmp", h.bitmap("a bitmap")},
	}
	for _, k := range kinds {
		path := h.file(h.plant("a file's name")+k.ext, k.content)
		text := h.plant("what stands under a file")
		id := h.send(a, b, text, "--file", path)
		h.arrives(a, b, text)
		h.do(b.side, nil, "file", id)
		h.do(b.side, nil, "save", id, filepath.Join(h.own, "saved-"+filepath.Base(path)))
	}
	h.do(a.side, nil, "settings", "set", core.SettingPhotoData, "true")
	path := h.file(h.plant("a photo's name")+".jpg", h.photo("a photo without its data"))
	text := h.plant("what stands under a photo")
	h.send(b, a, text, "--file", path)
	waitUntil(h.t, "a photo comes back", func() bool {
		var list []messageLine
		h.do(a.side, &list, "search", text)
		return len(list) == 1 && list[0].Attachments[0].State == chat.FileHere
	})
}

func utf16Text(s string) (b []byte) {
	b = append(b, 0xff, 0xfe)
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// searches looks for what is there and what is not.
func (h *leakHouse) searches(a, b *leakSide) {
	h.t.Helper()
	word := h.plant("a word to search for")
	h.send(a, b, "Es geht um "+word)
	var list []messageLine
	h.do(a.side, &list, "search", word[3:12])
	if len(list) != 1 {
		h.t.Errorf("found %d messages", len(list))
	}
	h.do(a.side, &list, "search", h.plant("a search for nothing"))
	h.do(a.side, &list, "search", h.plant("a search with a filter"), "--in", b.name, "--file")
}

// backups writes a whole backup, daily ones, and one with files.
func (h *leakHouse) backups(a, b *leakSide) {
	h.t.Helper()
	pass := h.passphrase("the passphrase of a backup")
	h.do(a.side, nil, "backup", filepath.Join(h.root, "usb", "whole.age"), "--with-files", "--backup-passphrase-file", pass)
	h.do(a.side, nil, "backup", "auto", filepath.Join(h.root, "usb"), "--backup-passphrase-file", pass)
	waitUntil(h.t, "the first daily backup", func() bool {
		var s core.BackupStatus
		h.do(a.side, &s, "backup", "status")
		return !s.Last.IsZero()
	})
	for range 2 {
		h.send(a, b, h.plant("a message between backups"))
		h.do(a.side, nil, "backup", "now")
	}
}

// mistakes are what people do wrong; what they typed belongs into no log.
func (h *leakHouse) mistakes(a *leakSide) {
	h.t.Helper()
	secret := h.plant("the name of a missing file")
	h.refused(a.side, "send", a.to.String(), "x", "--file", filepath.Join(h.own, secret+".pdf"))
	h.refused(a.side, "send", h.plant("somebody who is not known"), h.plant("a message to nobody"))
	h.refused(a.side, "accept", "KUVERT:"+strings.ToUpper(h.plant("a mistyped invitation")))
	h.refused(a.side, "nodes", "add", "KUVERT-NODE:"+strings.ToUpper(h.plant("a mistyped access link")))
	h.refused(a.side, "settings", "set", core.SettingTryAddrs, h.plant("a wrong address"))
	h.refused(a.side, "settings", "set", core.SettingName, h.plant("a wrong name")+"\t")
	h.refused(a.side, "backup", filepath.Join(h.own, h.plant("a missing folder"), "b.age"), "--backup-passphrase-file", h.passphrase("the passphrase of no backup"))
	h.refused(a.side, "backup", "auto", filepath.Join(h.own, h.plant("a missing folder for daily backups")), "--backup-passphrase-file", h.passphrase("the passphrase of no daily backup"))
	h.refused(a.side, "passphrase", "check", "--passphrase-file", h.passphrase("a wrong passphrase"))
	h.refused(a.side, "send", a.to.String(), strings.Repeat(h.plant("a message that is too long"), 8<<10))
	broken := h.photo("a broken photo")
	h.refused(a.side, "send", a.to.String(), "x", "--file", h.file(h.plant("a broken photo's name")+".jpg", broken[:200]))
}

// forget deletes messages here, and lets others disappear.
func (h *leakHouse) forget(a, b *leakSide) {
	h.t.Helper()
	h.do(a.side, nil, "timer", b.name, "1h")
	h.send(a, b, h.plant("a message that disappears"))
	path := h.file(h.plant("a deleted file's name")+".txt", []byte(h.plant("a deleted file")))
	id := h.send(a, b, h.plant("a deleted message"), "--file", path)
	h.do(a.side, nil, "delete", id)
	h.do(a.side, nil, "timer", b.name, "off")
	last := h.plant("the last message before everything is deleted")
	h.send(a, b, last)
	h.arrives(a, b, last)
	h.do(b.side, nil, "clear", a.name)
}

// crash kills one program while it seals a file and the other one while it takes one.
func (h *leakHouse) crash(a, b *leakSide) {
	h.t.Helper()
	line := h.plant("a large file") + "\n"
	path := h.file(h.plant("a large file's name")+".txt", []byte(strings.Repeat(line, 24<<20/len(line))))
	h.send(a, b, h.plant("what stands under a large file"), "--file", path)
	killAt(h.t, b.side, b.daemon, 1<<20)
	h.keep(b.daemon.stderr.Bytes())
	b.daemon = nil
	sealing := exec.Command(kuvertd, "--profile", a.profile, "send", a.to.String(), h.plant("a message that is never sent"), "--file", path)
	sealing.Env = h.env
	if err := sealing.Start(); err != nil {
		h.t.Fatal(err)
	}
	waitUntil(h.t, "a file is being sealed", func() bool { return drafts(h.t, a.side) > 0 })
	h.stop(a, true)
	_ = sealing.Wait() // the running Kuvert is gone
	if wal, err := os.Stat(filepath.Join(a.profile, "kuvert.db-wal")); err != nil || wal.Size() == 0 {
		h.t.Errorf("the crash left no WAL: %v", err)
	}
}

// overNode sends a message by way of a node.
func (h *leakHouse) overNode(a, b *leakSide) {
	h.t.Helper()
	n := newAlwaysOn(h.t, h.own, h.env) // its folder is another computer's
	link, err := n.start()
	if err != nil {
		h.t.Fatal(err)
	}
	const tokenAt = 1 + 32
	h.link("a node's access link", link, tokenAt, 32)
	for _, s := range []*leakSide{a, b} {
		h.do(s.side, nil, "nodes", "add", link)
	}
	waitUntil(h.t, "the node is in use", func() bool {
		var list []struct{ State string }
		h.do(b.side, &list, "nodes")
		return len(list) == 1 && list[0].State == string(core.NodeConnected)
	})
	h.stop(b, false)
	text := h.plant("a message by way of a node")
	id := h.send(a, b, text, "--file", h.file(h.plant("a file's name for a node")+".txt", []byte(h.plant("a file for a node"))))
	waitUntil(h.t, "the node has it", func() bool {
		var list []struct{ Where core.Where }
		h.do(a.side, &list, "delivery", id)
		return len(list) == 1 && list[0].Where == core.WhereMailbox
	})
	h.look("with a node", a)
	h.lookAtNode(n.dir)
	h.serve(b)
	h.arrives(a, b, text)
	n.kill()
	h.keep(n.stderr.Bytes())
}

// lookAtNode looks at what the node has: its own key and a plain database, but nothing
// of those whose mail it keeps.
func (h *leakHouse) lookAtNode(dir string) {
	h.t.Helper()
	found, files, _ := h.hay.tree(h.t, dir)
	if files < 3 {
		h.t.Errorf("the node has only %d files", files)
	}
	for _, f := range found {
		if f.what != "a node's access link, its secret" && f.what != "a database" {
			h.t.Errorf("at the node: %v", f)
		}
	}
}

// exports writes what a person asked for in plain text elsewhere.
func (h *leakHouse) exports(a, b *leakSide) {
	h.t.Helper()
	h.do(a.side, nil, "export", "--all", filepath.Join(h.own, "export"))
	h.do(a.side, nil, "documents", filepath.Join(h.own, "documents"))
	h.do(a.side, nil, "invite", "--file", filepath.Join(h.own, "invitation.kuvert"))
	h.do(a.side, nil, "passphrase", "sheet", filepath.Join(h.own, "sheet.pdf"), "--passphrase-file", a.pass)
	h.do(b.side, nil, "contacted")
	fresh := h.passphrase("a new passphrase")
	h.do(b.side, nil, "passphrase", "set", fresh, "--passphrase-file", b.pass)
	b.pass = fresh
}

// restored makes a profile of a backup, moves it on and erases a person.
func (h *leakHouse) restored(a, b *leakSide) {
	h.t.Helper()
	backup := filepath.Join(h.own, "pass-the-passphrase-of-a-backup")
	c := &leakSide{side: &side{profile: filepath.Join(h.root, "home", "restored"), env: h.env}, pass: h.passphrase("the passphrase of a restored profile")}
	h.refused(c.side, "restore", filepath.Join(h.root, "usb"), "--backup-passphrase-file", h.passphrase("a wrong passphrase of a backup"), "--passphrase-file", c.pass)
	h.do(c.side, nil, "restore", filepath.Join(h.root, "usb"), "--backup-passphrase-file", backup, "--passphrase-file", c.pass)
	h.serve(c)
	h.send(c, b, h.plant("a message of a restored profile"))
	h.do(c.side, nil, "move", filepath.Join(h.root, "usb", "moved.age"), "--backup-passphrase-file", h.passphrase("the passphrase of a move"))
	h.stop(c, true)
	h.do(a.side, nil, "erase", b.name, "--yes", "--passphrase-file", a.pass)
}

// damaged breaks a database, and reads what it still holds.
func (h *leakHouse) damaged(s *leakSide) {
	h.t.Helper()
	path := filepath.Join(s.profile, "kuvert.db")
	db, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	for at := 6 * 4096; at < len(db); at += 5 * 4096 {
		db[at+100] ^= 1
	}
	if err := os.WriteFile(path, db, 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.refused(s.side, "messages", s.to.String(), "--passphrase-file", s.pass)
	h.do(s.side, nil, "salvage", filepath.Join(h.own, "salvaged"), "--passphrase-file", s.pass)
}

// control plants two files that must be found, each with another string.
func (h *leakHouse) control() {
	h.t.Helper()
	word := h.plant("the control")
	files := map[string][]byte{"home/cache/plain": []byte("a " + word), "tmp/wide": utf16Text("a " + word)}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(h.root, name), content, 0o600); err != nil {
			h.t.Fatal(err)
		}
	}
	found, _, _ := h.hay.tree(h.t, h.root)
	for name := range files {
		if !slices.ContainsFunc(found, func(f trace) bool { return f.what == "the control" && strings.HasPrefix(f.where, name) }) {
			h.t.Errorf("the control in %s is not found", name)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	cmd := exec.Command("sleep", "60")
	cmd.Env = append(os.Environ(), "WORD="+word)
	if err := cmd.Start(); err != nil {
		h.t.Skip("no other program to look at")
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	waitUntil(h.t, "the control's environment is found", func() bool { return len(h.hay.process(cmd.Process.Pid)) > 0 })
}
