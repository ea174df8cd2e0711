package apptest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// tells sends any payload and returns the answer.
func (m *mallory) tells(pl envelope.Payload) byte {
	m.w.T.Helper()
	if pl.MessageID == ([16]byte{}) {
		pl.MessageID = chat.NewMessageID()
	}
	if pl.Sent.IsZero() {
		pl.Sent = time.Now()
	}
	sealed, err := m.peer.Seal(m.now(), pl, 0, true)
	m.w.check(err)
	frame, err := m.peer.Frame(m.now(), sealed)
	m.w.check(err)
	answers, err := m.link.Deliver(context.Background(), victimRef, [][]byte{frame})
	m.w.check(err)
	synctest.Wait()
	if answers[0] == core.AnswerRefused { // and it moved no key: the same bytes are refused again
		again, err := m.link.Deliver(context.Background(), victimRef, [][]byte{frame})
		if err != nil || again[0] != core.AnswerRefused {
			m.w.T.Errorf("what was refused is answered %v the second time, %v", again, err)
		}
	}
	return answers[0]
}

func (m *mallory) conversation() chat.ConversationID {
	return chat.DirectConversation(chat.PersonID(m.env.Self.ID()), m.victim.Me())
}

func body(t testing.TB, b interface{ Encode() ([]byte, error) }) []byte {
	t.Helper()
	raw, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (m *mallory) text(text string) []byte {
	return body(m.w.T, envelope.MessageBody{Text: text})
}

// shownTexts is everything in a conversation, in order.
func (p *Person) shownTexts(in chat.ConversationID) (out []string) {
	p.w.T.Helper()
	page, err := p.Core.Messages(context.Background(), chat.MessageQuery{Conversation: in, Limit: chat.MaxPage, TextOnly: true})
	p.w.check(err)
	for _, m := range page {
		out = append(out, m.Text)
	}
	return out
}

// A contact's program may say what it likes: what is not as it should be is
// refused, and changes nothing.
func TestHostileMessages(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		conv := m.conversation()
		own, err := alice.Core.Send(context.Background(), conv, core.Outgoing{Text: "von alice"})
		w.check(err)
		synctest.Wait()
		for name, pl := range map[string]envelope.Payload{
			"another conversation": {Type: envelope.TypeMessage, Conversation: chat.NewMessageID(), Seq: 2, Body: m.text("x")},
			"no place":             {Type: envelope.TypeMessage, Conversation: conv, Body: m.text("x")},
			"far ahead":            {Type: envelope.TypeMessage, Conversation: conv, Seq: 1 << 40, Body: m.text("x")},
			"at the end for ever":  {Type: envelope.TypeMessage, Conversation: conv, Seq: 1<<64 - 1, Body: m.text("x")},
			"no text":              {Type: envelope.TypeMessage, Conversation: conv, Seq: 2, Body: m.text("")},
			"no body":              {Type: envelope.TypeMessage, Conversation: conv, Seq: 2},
			"garbage":              {Type: envelope.TypeMessage, Conversation: conv, Seq: 2, Body: []byte{0xff, 0xff}},
			"bidi in the name":     {Type: envelope.TypeStart, Conversation: conv, Body: body(t, envelope.StartBody{Name: "a\u202eb"})},
			"blank name":           {Type: envelope.TypeStart, Conversation: conv, Body: body(t, envelope.StartBody{Name: " "})},
			"garbage as a bundle":  {Type: envelope.TypeBundle, Conversation: conv, Body: []byte{1}},
			"garbage as receipt":   {Type: envelope.TypeRead, Conversation: conv, Body: []byte{1}},
			"garbage as reach":     {Type: envelope.TypeReach, Conversation: conv, Body: []byte{1}},
		} {
			if a := m.tells(pl); a != core.AnswerRefused {
				t.Errorf("%s: answer %d", name, a)
			}
		}
		if ct, _ := alice.Core.Contact(context.Background(), chat.PersonID(m.env.Self.ID())); ct.Name != "bob" {
			t.Errorf("contact %+v", ct)
		}
		w.Section("under the id of a message of alice's")
		m.tells(envelope.Payload{Type: envelope.TypeMessage, Conversation: conv, Seq: 2, MessageID: own, Body: m.text("gefälscht")})
		if got := alice.shownTexts(conv); !slices.Equal(got, []string{"von alice"}) {
			t.Errorf("shown %q", got)
		}
		w.Section("honest messages still come through, and times from any year")
		late := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		if a := m.tells(envelope.Payload{Type: envelope.TypeMessage, Conversation: conv, Seq: 2, Sent: late, Body: m.text("spät")}); a != core.AnswerCommitted {
			t.Errorf("answer %d", a)
		}
		page, err := alice.Core.Messages(context.Background(), chat.MessageQuery{Conversation: conv})
		w.check(err)
		if _, err := json.Marshal(page); err != nil {
			t.Errorf("the page cannot be told: %v", err)
		}
		if got := alice.shownTexts(conv); !slices.Equal(got, []string{"von alice", "spät"}) {
			t.Errorf("shown %q", got)
		}
	})
}

// A payload of a type that this version does not know, wherever it belongs, is
// acknowledged and left alone; so are fields that it does not know.
func TestPayloadsOfALaterVersion(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		conv := m.conversation()
		group := chat.ConversationID(chat.NewMessageID())
		for _, pl := range []envelope.Payload{
			{Type: 200, Conversation: conv, Body: []byte("später")},
			{Type: 201, Conversation: group, Body: []byte("in einer Gruppe")},
			{Type: envelope.TypeMessage, Conversation: conv, Seq: 1, Body: m.text("mit mehr"), Ext: canon.Ext{}},
		} {
			if a := m.tells(pl); a != core.AnswerCommitted {
				t.Errorf("type %d: answer %d", pl.Type, a)
			}
		}
		w.Advance(time.Minute)
		if got := alice.shownTexts(conv); !slices.Equal(got, []string{"mit mehr"}) {
			t.Errorf("shown %q", got)
		}
		if _, err := alice.Core.Conversation(context.Background(), group); err == nil {
			t.Error("a conversation was made")
		}
	})
}

// Receipts and acknowledgements count for what their sender was sent, and for
// nobody else's messages.
func TestForgedReceipts(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		carol := w.Person("carol")
		w.Pair(alice, carol)
		carol.GoesOffline()
		secret := alice.Sends(carol, "für carol")
		w.Advance(time.Second)
		conv := m.conversation()
		for _, in := range []chat.ConversationID{conv, alice.With(carol)} {
			m.tells(envelope.Payload{Type: envelope.TypeRead, Conversation: in, Body: body(t, envelope.ReadBody{IDs: [][16]byte{secret}})})
		}
		if s := alice.State(secret); s != chat.Queued {
			t.Fatalf("state %s by somebody else's receipt", s)
		}
		carol.ComesOnline()
		carol.Receives(secret)
		alice.Sees(secret, chat.Delivered)
	})
}

// Whatever was carried comes again, in any order: nothing changes, and nobody
// starts to talk because of it.
func TestReplay(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		for range 5 {
			bob.Receives(alice.Sends(bob, "a"))
			alice.Receives(bob.Sends(alice, "b"))
		}
		w.Advance(time.Hour)
		carried := w.Net.Carried()
		texts := alice.shownTexts(alice.With(bob))
		for _, p := range []*Person{alice, bob} {
			other := alice
			if p == alice {
				other = bob
			}
			for i := len(carried) - 1; i >= 0; i-- {
				p.Core.Frames(context.Background(), other.Me().String(), other.link.key, [][]byte{carried[i]})
			}
		}
		w.Advance(time.Hour)
		for _, p := range []*Person{alice, bob} {
			if got := p.shownTexts(alice.With(bob)); !slices.Equal(got, texts) {
				t.Errorf("%s shows %q", p.Name, got)
			}
		}
		// At most one repeated acknowledgement for each, and then silence.
		if n := len(w.Net.Carried()) - len(carried); n > len(carried) {
			t.Errorf("the replay caused %d frames", n)
		}
		if slices.Contains(append(alice.Notices(bob), bob.Notices(alice)...), chat.NoticeSessionRenewed) {
			t.Error("the replay caused a new session")
		}
	})
}

// stranger is somebody with nothing but another's bundle.
func (w *World) stranger(name string, victim []byte) (id identity.ID, frame []byte) {
	w.T.Helper()
	self, err := session.NewSelf(rand.Reader, time.Now())
	w.check(err)
	env := session.Env{Self: self, Now: time.Now(), Rand: rand.Reader}
	p, err := session.PeerOf(env, victim)
	w.check(err)
	w.check(p.Start(env, nil))
	sealed, err := p.Seal(env, envelope.Payload{
		Type: envelope.TypeStart, Conversation: chat.DirectConversation(chat.PersonID(self.ID()), chat.PersonID(p.ID())),
		MessageID: chat.NewMessageID(), Sent: time.Now(), Body: body(w.T, envelope.StartBody{Name: name}),
	}, 0, true)
	w.check(err)
	frame, err = p.Frame(env, sealed)
	w.check(err)
	return self.ID(), frame
}

// bundleOf is what a contact's connection would be given.
func bundleOf(w *World, p, contact *Person) []byte {
	w.T.Helper()
	b, err := p.Core.Bundle(context.Background(), contact.Me().String())
	w.check(err)
	return b
}

// crowd puts wishes of strangers into somebody's queue.
func (w *World) crowd(p *Person, n int) {
	w.T.Helper()
	w.check(p.store.Update(context.Background(), func(tx core.Tx) error {
		for i := range n {
			r := chat.Request{ID: chat.PersonID{1, byte(i)}, Name: "Volk", ReceivedAt: time.Now(), Frame: []byte{1}}
			if err := tx.PutRequest(r); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestStrangers(t *testing.T) {
	Run(t, func(w *World) {
		ctx := context.Background()
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		bundle := bundleOf(w, alice, bob)
		id, frame := w.stranger("Mallory", bundle)
		knock := func(f []byte) byte { return alice.Core.Frames(ctx, "", core.HostKey{7}, [][]byte{f})[0] }
		w.Section("not visible: strangers are refused and leave nothing")
		if a := knock(frame); a != core.AnswerRefused {
			t.Errorf("answer %d", a)
		}
		if rs, _ := alice.Core.Requests(ctx); len(rs) != 0 {
			t.Fatalf("requests %+v", rs)
		}
		w.Section("visible: kept, once, and up to a limit")
		w.check(alice.Core.SetSetting(ctx, core.SettingVisible, "true"))
		if a := knock(frame); a != core.AnswerCommitted {
			t.Errorf("answer %d", a)
		}
		if a := knock(frame); a != core.AnswerDuplicate {
			t.Errorf("answer %d to the same again", a)
		}
		w.crowd(alice, 97)
		for i := range 5 {
			_, f := w.stranger("Mallory", bundle)
			if a := knock(f); i < 2 && a != core.AnswerCommitted || i >= 2 && a != core.AnswerBusy {
				t.Errorf("answer %d to stranger %d", a, i)
			}
		}
		if rs, _ := alice.Core.Requests(ctx); len(rs) != 100 {
			t.Errorf("%d requests are kept", len(rs))
		}
		_, odd := w.stranger("evil\u202ename", bundle)
		if a := knock(odd); a == core.AnswerCommitted {
			t.Error("a name that lies was taken")
		}
		w.Section("accepted, declined, forgotten")
		w.check(alice.Core.AnswerRequest(ctx, chat.PersonID(id), true))
		if ct, err := alice.Core.Contact(ctx, chat.PersonID(id)); err != nil || ct.Name != "Mallory" || ct.Verified {
			t.Errorf("%+v, %v", ct, err)
		}
		rs, err := alice.Core.Requests(ctx)
		w.check(err)
		w.check(alice.Core.AnswerRequest(ctx, rs[0].ID, false))
		if _, err := alice.Core.Contact(ctx, rs[0].ID); err == nil {
			t.Error("declined, but a contact")
		}
		w.Advance(8 * 24 * time.Hour)
		if rs, _ := alice.Core.Requests(ctx); len(rs) != 0 {
			t.Errorf("%d requests are kept for ever", len(rs))
		}
	})
}

// Somebody blocked who comes as a stranger is answered as one.
func TestBlockedStranger(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		ctx := context.Background()
		m.introduces()
		carol := w.Person("carol")
		w.Pair(alice, carol)
		bundle := bundleOf(w, alice, carol)
		w.check(alice.Core.SetBlocked(ctx, chat.PersonID(m.env.Self.ID()), true))
		for _, visible := range []string{"false", "true"} {
			w.check(alice.Core.SetSetting(ctx, core.SettingVisible, visible))
			if visible == "true" {
				w.crowd(alice, 100)
			}
			m.now()
			m.w.check(m.peer.LearnBundle(m.now(), bundle, true))
			m.w.check(m.peer.Start(m.now(), nil))
			sealed, err := m.peer.Seal(m.now(), envelope.Payload{
				Type: envelope.TypeStart, Conversation: m.conversation(), MessageID: chat.NewMessageID(),
				Sent: time.Now(), Body: body(t, envelope.StartBody{Name: "bob"}),
			}, 0, true)
			w.check(err)
			theirs, err := m.peer.Frame(m.now(), sealed)
			w.check(err)
			_, unknown := w.stranger("Fremd", bundle)
			a := alice.Core.Frames(ctx, "", core.HostKey{7}, [][]byte{theirs})[0]
			b := alice.Core.Frames(ctx, "", core.HostKey{7}, [][]byte{unknown})[0]
			if a != b {
				t.Errorf("visible=%s: somebody blocked is answered %d, a stranger %d", visible, a, b)
			}
		}
		for _, text := range alice.shownTexts(m.conversation()) {
			t.Errorf("shown %q", text)
		}
	})
}

// A flood of names in the network, and names that are none.
func TestNamesInTheNetwork(t *testing.T) {
	Run(t, func(w *World) {
		alice := w.Person("alice")
		near := func() int {
			all, err := alice.Core.Nearby(context.Background())
			w.check(err)
			return len(all)
		}
		alice.Core.Visible(core.HostKey{1, 1}, "Bob")
		for _, bad := range []string{"a\u202eb", strings.Repeat("x", chat.MaxNameSize+1), " ", "a\nb"} {
			alice.Core.Visible(core.HostKey{1, 2}, bad)
		}
		if near() != 1 {
			t.Errorf("%d names are shown", near())
		}
		alice.Core.Visible(core.HostKey{1, 1}, "\u202e")
		if near() != 0 {
			t.Error("the old name stays for a new one that cannot be shown")
		}
		for i := range 2000 {
			alice.Core.Visible(core.HostKey{2, byte(i), byte(i >> 8)}, "Volk")
		}
		if n := near(); n > 500 {
			t.Errorf("%d names are kept", n)
		}
		alice.Core.Visible(core.HostKey{2}, "Neu")
		if all, _ := alice.Core.Nearby(context.Background()); !slices.ContainsFunc(all, func(n core.Nearby) bool { return n.Name == "Neu" }) {
			t.Error("a machine known already cannot change its name")
		}
	})
}

// sealedFor counts what is sealed and what waits unsealed for somebody.
func (p *Person) sealedFor(other *Person) (sealed, unsealed int) {
	p.w.T.Helper()
	p.w.check(p.store.View(context.Background(), func(tx core.ReadTx) error {
		items, err := tx.Outbox(other.Me(), 0, 10_000)
		for _, it := range items {
			if it.Inner == nil {
				unsealed++
			} else {
				sealed++
			}
		}
		return err
	}))
	return sealed, unsealed
}

// No more is sealed than a ratchet can skip: whatever of it gets lost, the rest
// still opens.
func TestWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("1,100 messages take a minute under the race detector")
	}
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		bob.GoesOffline()
		for i := range 1100 {
			alice.Sends(bob, "x")
			if i == 500 {
				alice.Restarts()
			}
		}
		sealed, unsealed := alice.sealedFor(bob)
		if sealed > session.NewWindow || sealed < session.NewWindow/2 || sealed+unsealed != 1100 {
			t.Errorf("%d sealed and %d unsealed", sealed, unsealed)
		}
		bob.ComesOnline()
		w.Advance(time.Minute)
		if sealed, unsealed := alice.sealedFor(bob); sealed+unsealed > 0 {
			t.Errorf("%d sealed and %d unsealed remain", sealed, unsealed)
		}
	})
}

// What somebody blocked sends on a connection that has not ended yet is not taken,
// under any name, and not lost either.
func TestBlockedKeepsSending(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		ctx := context.Background()
		m.introduces()
		me := chat.PersonID(m.env.Self.ID())
		sealed, err := m.peer.Seal(m.now(), envelope.Payload{
			Type: envelope.TypeMessage, Conversation: m.conversation(), MessageID: chat.NewMessageID(),
			Seq: 1, Sent: time.Now(), Body: m.text("hallo"),
		}, 0, true)
		w.check(err)
		frame, err := m.peer.Frame(m.now(), sealed)
		w.check(err)
		id := m.code.Auth.ID()
		refs := []string{me.String(), "invite:" + hex.EncodeToString(id[:])}
		w.check(alice.Core.SetBlocked(ctx, me, true))
		for _, ref := range append(refs, "") {
			if a := alice.Core.Frames(ctx, ref, m.link.key, [][]byte{frame}); a[0] != core.AnswerBusy && ref != "" || a[0] <= core.AnswerDuplicate {
				t.Errorf("%q: answer %d", ref, a[0])
			}
		}
		if got := alice.shownTexts(m.conversation()); len(got) != 0 {
			t.Errorf("shown %q", got)
		}
		w.check(alice.Core.SetBlocked(ctx, me, false))
		if a := alice.Core.Frames(ctx, refs[0], m.link.key, [][]byte{frame}); a[0] != core.AnswerCommitted {
			t.Errorf("unblocked: answer %d", a[0])
		}
		if got := alice.shownTexts(m.conversation()); !slices.Equal(got, []string{"hallo"}) {
			t.Errorf("unblocked: shown %q", got)
		}
	})
}

// regular is an inviter whose machine hands out another bundle than the one that
// the invitation names, of the same identity.
type regular struct{ *mallory }

func (r regular) Bundle(context.Context, string) ([]byte, error) { return r.env.Self.Bundle(), nil }

func TestBundleIsTheInvitations(t *testing.T) {
	Run(t, func(w *World) {
		bob := w.Person("bob")
		m := program(w, bob)
		m.link.handler = regular{m}
		var err error
		m.own, err = m.env.Self.Invite(rand.Reader, time.Now(), time.Now().Add(time.Hour).Truncate(time.Second), nil)
		w.check(err)
		m.code = m.own.Code
		bob.Accepts(m.code.String())
		w.Advance(10 * time.Minute)
		if n := len(w.Net.Carried()); n != 0 {
			t.Errorf("%d frames were sealed for other keys", n)
		}
		inviter := chat.PersonID(m.env.Self.ID())
		if ct, err := bob.Core.Contact(context.Background(), inviter); err != nil || !ct.Pending {
			t.Errorf("%+v, %v", ct, err)
		}
		w.Section("the right one")
		m.link.handler = m
		bob.Restarts()
		w.Advance(time.Minute)
		if len(m.got) == 0 {
			t.Error("nothing came for the right keys")
		}
	})
}

// Two answer one invitation at the same time: the first one is taken, the second
// refused, and alice is warned.
func TestTwoGuests(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		other := program(w, alice)
		other.code, other.link.key = m.code, core.HostKey{67}
		other.link.Follow(victimRef, nil, nil)
		synctest.Wait()
		other.peer = session.NewPeer(m.code.From)
		other.starts()
		m.introduces()
		first := envelope.Payload{Type: envelope.TypeStart, Conversation: other.conversation(), Body: body(t, envelope.StartBody{Name: "eve"})}
		if a := other.tells(first); a != core.AnswerRefused {
			t.Errorf("the second guest is answered %d", a)
		}
		cs, err := alice.Core.Contacts(context.Background())
		if err != nil || len(cs) != 1 || cs[0].Name != "bob" {
			t.Errorf("contacts %+v, %v", cs, err)
		}
		page, err := alice.Core.Messages(context.Background(), chat.MessageQuery{Conversation: m.conversation()})
		w.check(err)
		if !slices.ContainsFunc(page, func(l chat.Message) bool { return l.Text == string(chat.NoticeInviteReused) }) {
			t.Error("alice is not warned")
		}
	})
}

// A guest who connected in time and answers after the invitation's end.
func TestGuestIsTooLate(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		w.Advance(8 * 24 * time.Hour)
		a := m.tells(envelope.Payload{Type: envelope.TypeStart, Conversation: m.conversation(), Body: body(t, envelope.StartBody{Name: "bob"})})
		if a != core.AnswerRefused {
			t.Errorf("answer %d", a)
		}
		if cs, err := alice.Core.Contacts(context.Background()); err != nil || len(cs) != 0 {
			t.Errorf("contacts %+v, %v", cs, err)
		}
	})
}

// A contact whose program was put back to an older state, and who tells nothing of
// it: a new session is begun.
func TestPeerWasPutBack(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		m.introduces()
		w.Advance(time.Minute)
		say := func(text string) envelope.Payload {
			return envelope.Payload{Type: envelope.TypeMessage, Conversation: m.conversation(), Seq: 1, Body: m.text(text)}
		}
		old := m.peer.Clone()
		if a := m.tells(say("vorher")); a != core.AnswerCommitted {
			t.Fatalf("answer %d", a)
		}
		m.peer = old
		if a := m.tells(say("noch einmal")); a != core.AnswerCannotOpen {
			t.Errorf("answer %d", a)
		}
		w.Advance(time.Minute)
		starts := 0
		for _, pl := range m.got {
			if pl.Type == envelope.TypeStart {
				starts++
			}
		}
		if starts != 2 {
			t.Errorf("alice has begun %d sessions", starts)
		}
		if got := alice.shownTexts(m.conversation()); !slices.Equal(got, []string{"vorher"}) {
			t.Errorf("shown %q", got)
		}
	})
}

// The one-time keys of an invitation end with its use.
func TestOneTimeKeysEnd(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		alice.Receives(bob.Sends(alice, "hallo"))
		w.check(alice.store.View(context.Background(), func(tx core.ReadTx) error {
			all, err := tx.Invitations()
			if len(all) != 1 || len(all[0].Keys) != 0 || all[0].UsedBy != bob.Me() {
				t.Errorf("%d invitations, keys of %d bytes", len(all), len(all[0].Keys))
			}
			return err
		}))
	})
}

// Where a contact says to be reached is looked at from then on.
func TestReachIsKept(t *testing.T) {
	attack(t, func(w *World, alice *Person, m *mallory) {
		host := core.HostKey{9, 9}
		packed := []byte{1, 10, 0, 0, 9, 0x0f, 0xa1}
		at := func(key core.HostKey) *envelope.ReachBody {
			return &envelope.ReachBody{HostKey: key, Addrs: [][]byte{packed, {1, 2, 3}}}
		}
		m.says(envelope.TypeStart, envelope.StartBody{Name: "bob", Reach: at(host)})
		m.says(envelope.TypeReach, at(core.HostKey{8, 8}))
		w.Net.mu.Lock()
		defer w.Net.mu.Unlock()
		book := alice.link.follows[chat.PersonID(m.env.Self.ID()).String()]
		for _, key := range []core.HostKey{host, {8, 8}} {
			if got := book[key]; len(got) != 1 || !strings.HasPrefix(got[0], "/ip4/10.0.0.9/") {
				t.Errorf("followed at %q", got)
			}
		}
	})
}
