// Package apptest is the world in which the core is tested: named people with
// the real core, the real cryptography and the real database, between whom
// frames are carried by hand, so that a test may drop, repeat, hold back or
// damage them, take somebody offline, kill a program between two steps, or let
// an hour pass. It runs inside testing/synctest: time is virtual.
//
//	apptest.Run(t, func(w *apptest.World) {
//		alice, bob := w.Person("alice"), w.Person("bob")
//		w.Pair(alice, bob)
//		w.Section("bob is offline")
//		bob.GoesOffline()
//		m := alice.Sends(bob, "hi")
//		alice.Sees(m, chat.Queued)
//		w.Advance(time.Hour)
//		bob.ComesOnline()
//		bob.Receives(m)
//		alice.Sees(m, chat.Delivered)
//	})
//
// RunSimulated is the same world on real nodes and a simulated network.
package apptest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run/fileport"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/p2p/p2ptest"
	"github.com/kuvert-im/kuvert/storage/sqlite"
)

// patience is how long, in virtual time, an expectation may take to come true.
const patience = 5 * time.Minute

// World is a test's people and the network between them.
type World struct {
	T testing.TB
	// Net carries frames by hand, Sim packets; one of them is nil.
	Net *Net
	Sim *p2ptest.Network

	dir    string
	people []*Person
	log    worldLog
}

// Run runs fn in a world of its own, beside other tests, and afterwards stops
// everybody in it. A test may call it once.
func Run(t *testing.T, fn func(*World)) {
	t.Helper()
	t.Parallel()
	run(t, func(w *World) (end func()) {
		w.Net = newNet()
		w.Net.log = w.log.add
		return w.Net.close
	}, fn)
}

// run runs fn in a world with the network that connect makes.
func run(t *testing.T, connect func(*World) (end func()), fn func(*World)) {
	t.Helper()
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		w := &World{T: t, dir: dir}
		end := connect(w)
		defer func() {
			for _, p := range w.people {
				p.stop()
			}
			end()
			if t.Failed() {
				t.Log(w.log.text())
			}
		}()
		fn(w)
	})
}

// fastDir is a folder in memory where there is one: what a disk does is tested
// with the store, here it would only be waited for.
func fastDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "kuvert-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Section marks a part of the scenario in the log that a failure prints.
func (w *World) Section(title string) { w.log.add("== " + title) }

// Advance lets time pass and then waits until nothing moves.
func (w *World) Advance(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// Person adds somebody, up and reachable.
func (w *World) Person(name string) *Person {
	w.T.Helper()
	p := &Person{Name: name, w: w, path: filepath.Join(w.dir, name+".db")}
	if w.Sim != nil {
		p.machine, p.discovery = w.Sim.Machine(name), true
	}
	p.open()
	err := core.Create(context.Background(), p.store, core.NewProfile{Name: name, Network: core.NetworkLAN})
	w.check(err)
	w.people = append(w.people, p)
	p.start()
	p.Me()
	return p
}

// Pair makes two people contacts by an invitation and waits until both sides
// have it.
func (w *World) Pair(a, b *Person) {
	w.T.Helper()
	b.Accepts(a.Invites())
	w.eventually("are contacts", func() bool { return a.has(b) && b.has(a) })
	synctest.Wait()
}

// eventually waits for a condition, in virtual time.
func (w *World) eventually(what string, cond func() bool) {
	w.T.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		synctest.Wait()
		if cond() {
			return
		}
		if time.Now().After(end) {
			w.T.Fatalf("not in %s: %s\n%s", patience, what, w.log.text())
		}
	}
}

func (w *World) check(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatalf("%v\n%s", err, w.log.text())
	}
}

// worldLog is one merged log of everybody.
type worldLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *worldLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, time.Now().Format("15:04:05.000 ")+line)
}

func (l *worldLog) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// Person is somebody with a running Kuvert.
type Person struct {
	Name string
	Core *core.Core

	w      *World
	me     chat.PersonID
	path   string
	db     *sqlite.Store
	store  *faultStore
	files  fileport.Store
	clock  clock
	link   *Link // in a world whose frames are carried by hand
	cancel context.CancelFunc
	done   chan struct{}

	// In a simulated network.
	machine   *p2ptest.Machine
	discovery bool
}

// clock is a computer's clock, which may be wrong.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

// Now implements core.Clock.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

// SetClock makes the person's clock go wrong by d, in either direction.
func (p *Person) SetClock(d time.Duration) {
	p.w.log.add(fmt.Sprintf("%s's clock is off by %s", p.Name, d))
	p.clock.mu.Lock()
	defer p.clock.mu.Unlock()
	p.clock.off = d
}

func (p *Person) open() {
	p.w.T.Helper()
	db, err := sqlite.Open(context.Background(), sqlite.Config{Path: p.path, Key: &[32]byte{7}})
	p.w.check(err)
	p.db, p.store = db, newFaultStore(db)
	p.files, err = fileport.Open(context.Background(), p.path+".files", p.store)
	p.w.check(err)
}

// start runs the core, on the network if the person is not offline.
func (p *Person) start() {
	p.w.T.Helper()
	net, err := p.network()
	p.w.check(err)
	p.Core, err = core.New(core.Config{Store: p.store, Transport: net, Files: p.files, Clock: &p.clock, BackupWork: backupWork, Log: p.w.log.logger(p.Name)})
	p.w.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.done = cancel, make(chan struct{})
	go func(c *core.Core, done chan struct{}) {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			p.w.log.add(fmt.Sprintf("%s: run: %v", p.Name, err))
		}
	}(p.Core, p.done)
	synctest.Wait()
}

// network is the person's end of the network for one start.
func (p *Person) network() (core.Transport, error) {
	seed, _, _, err := core.Endpoint(context.Background(), p.store)
	if err != nil {
		return nil, err
	}
	if p.w.Sim != nil {
		return p.node(seed)
	}
	if p.link == nil {
		p.link = p.w.Net.newLink(p.Name, seed)
	}
	p.link.restart(seed)
	return p.link, nil
}

func (p *Person) stop() {
	if p.cancel == nil {
		return
	}
	p.cancel()
	<-p.done
	p.cancel = nil
	p.w.check(errors.Join(p.files.Close(), p.db.Close()))
}

// Restarts ends the program, wherever it is, and starts it again.
func (p *Person) Restarts() {
	p.w.T.Helper()
	p.w.log.add(p.Name + " restarts")
	p.stop()
	p.open()
	p.start()
}

// Quits ends the program; Starts starts it again.
func (p *Person) Quits() { p.w.log.add(p.Name + " quits"); p.stop() }

// Starts starts the program again after Quits.
func (p *Person) Starts() {
	p.w.T.Helper()
	p.w.log.add(p.Name + " starts")
	p.open()
	p.start()
}

// GoesOffline takes the person's computer off the network.
func (p *Person) GoesOffline() {
	if p.machine != nil {
		p.machine.Unplug()
	} else {
		p.w.Net.SetOnline(p.link, false)
	}
	synctest.Wait()
}

// ComesOnline puts it back.
func (p *Person) ComesOnline() {
	if p.machine != nil {
		p.machine.Plug()
	} else {
		p.w.Net.SetOnline(p.link, true)
	}
	synctest.Wait()
}

// Me is the person's id.
func (p *Person) Me() chat.PersonID {
	p.w.T.Helper()
	if p.me.IsZero() {
		me, err := p.Core.Whoami(context.Background())
		p.w.check(err)
		p.me = me.ID
	}
	return p.me
}

// With is the conversation with somebody.
func (p *Person) With(other *Person) chat.ConversationID {
	return chat.DirectConversation(p.Me(), other.Me())
}

// Invites issues an invitation.
func (p *Person) Invites() string {
	p.w.T.Helper()
	inv, err := p.Core.Invite(context.Background(), 0)
	p.w.check(err)
	return inv.Code
}

// Accepts accepts one.
func (p *Person) Accepts(code string) {
	p.w.T.Helper()
	_, err := p.Core.Accept(context.Background(), code, false)
	p.w.check(err)
}

// has reports whether somebody is a contact who has answered.
func (p *Person) has(other *Person) bool {
	ct, err := p.Core.Contact(context.Background(), other.Me())
	return err == nil && !ct.Pending && ct.GivenName == other.Name
}

// Sends sends a text.
func (p *Person) Sends(to *Person, text string) chat.MessageID {
	p.w.T.Helper()
	id, err := p.Core.Send(context.Background(), p.With(to), core.Outgoing{Text: text})
	p.w.check(err)
	return id
}

// Receives waits until the messages are there.
func (p *Person) Receives(ids ...chat.MessageID) {
	p.w.T.Helper()
	for _, id := range ids {
		p.w.eventually(p.Name+" receives "+id.String(), func() bool {
			m, err := p.Core.Message(context.Background(), id)
			return err == nil && m.State == chat.Received
		})
	}
}

// Sees waits until an own message has a state (or one beyond it).
func (p *Person) Sees(id chat.MessageID, s chat.State) {
	p.w.T.Helper()
	p.w.eventually(fmt.Sprintf("%s sees %s %s", p.Name, id, s), func() bool {
		m, err := p.Core.Message(context.Background(), id)
		return err == nil && (m.State == s || m.State > s && s != chat.Queued && m.State < chat.Failed)
	})
}

// State is the state of a message now.
func (p *Person) State(id chat.MessageID) chat.State {
	p.w.T.Helper()
	m, err := p.Core.Message(context.Background(), id)
	p.w.check(err)
	return m.State
}

// Texts are the texts of the conversation with somebody, in its order.
func (p *Person) Texts(with *Person) []string {
	p.w.T.Helper()
	var out []string
	q := chat.MessageQuery{Conversation: p.With(with), Limit: chat.MaxPage, TextOnly: true, After: &chat.Position{}}
	for {
		page, err := p.Core.Messages(context.Background(), q)
		p.w.check(err)
		for _, m := range page {
			out = append(out, m.Text)
			q.After = &chat.Position{Seq: m.Seq, ID: m.ID}
		}
		if len(page) < q.Limit {
			return out
		}
	}
}

// Reads marks everything in a conversation as read.
func (w *World) Reads(who, with *Person) {
	w.T.Helper()
	w.check(who.Core.MarkRead(context.Background(), who.With(with), math.MaxInt64))
}

// Delivered waits until everything that from sent is delivered.
func (w *World) Delivered(from, to *Person) {
	w.T.Helper()
	page, err := from.Core.Messages(context.Background(), chat.MessageQuery{Conversation: from.With(to), Limit: chat.MaxPage, TextOnly: true})
	w.check(err)
	for _, m := range page {
		if m.Sender == from.Me() {
			from.Sees(m.ID, chat.Delivered)
		}
	}
}

// Snapshot stops the person, copies the profile and starts again.
func (p *Person) Snapshot() []byte {
	p.w.T.Helper()
	p.stop()
	b, err := os.ReadFile(p.path)
	p.w.check(err)
	p.open()
	p.start()
	return b
}

// PutBack replaces the profile by an older copy of it.
func (p *Person) PutBack(snapshot []byte) {
	p.w.T.Helper()
	p.stop()
	p.w.check(os.WriteFile(p.path, snapshot, 0o600))
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(p.path + suffix)
	}
	p.open()
	p.start()
}

// Notices are the app's own lines in the conversation with somebody.
func (p *Person) Notices(with *Person) []chat.Notice {
	p.w.T.Helper()
	page, err := p.Core.Messages(context.Background(), chat.MessageQuery{Conversation: p.With(with), Limit: chat.MaxPage})
	p.w.check(err)
	var out []chat.Notice
	for _, m := range page {
		if m.Kind == chat.KindNotice {
			out = append(out, chat.Notice(m.Text))
		}
	}
	return out
}

// StartsWithFullDisk starts the program again after Quits, and no transaction
// succeeds.
func (p *Person) StartsWithFullDisk() {
	p.w.T.Helper()
	p.w.log.add(p.Name + " starts with a full disk")
	p.open()
	p.DiskIsFull(true)
	p.start()
}

// Offline opens the profile after Quits as a brief command does: without a
// network, and without running it.
func (p *Person) Offline(do func(*core.Core)) {
	p.w.T.Helper()
	p.open()
	c, err := core.New(core.Config{Store: p.store, Files: p.files, Clock: &p.clock, Log: p.w.log.logger(p.Name)})
	p.w.check(err)
	do(c)
	p.w.check(errors.Join(p.files.Close(), p.db.Close()))
}

// Link is the person's end of a network that is carried by hand.
func (p *Person) Link() *Link { return p.link }

// InvitationRef is what the core calls the connection with an invitation's guest
// or inviter.
func InvitationRef(code string) string {
	c, err := invite.Parse(code)
	if err != nil {
		return ""
	}
	id := c.Auth.ID()
	return "invite:" + hex.EncodeToString(id[:])
}
