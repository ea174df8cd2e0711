package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/envelope"
	"github.com/kuvert-im/kuvert/crypto/handshake"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// maxSeqJump is how far ahead of what is known a message may claim its place to
// be. It keeps a hostile sender from pinning a message to the end for ever.
const maxSeqJump = 1 << 20

// errInvalid marks a payload that opened but says something that must not be
// taken: the frame is refused and nothing of it is kept.
var errInvalid = errors.New("invalid payload")

// Frames implements TransportHandler: steps 2 to 8 of a message's way in. All
// frames of a call share one commit; one that is bad changes nothing.
func (c *Core) Frames(ctx context.Context, ref string, host HostKey, frames [][]byte) []byte {
	answers := make([]byte, len(frames))
	if c.full() {
		return slices.Repeat([]byte{AnswerBusy}, len(frames))
	}
	err := c.update(ctx, func(s *step) error {
		in := inbox{step: s, ref: ref, host: host}
		for i, f := range frames {
			a, err := in.take(f)
			if err != nil {
				return err
			}
			answers[i] = a
		}
		return in.finish()
	})
	if err != nil {
		c.log.Warn("frames not taken", "count", len(frames), "err", err)
		for i := range answers {
			answers[i] = AnswerBusy
		}
	}
	return answers
}

// inbox takes the frames of one call.
type inbox struct {
	*step
	ref  string
	host HostKey
	// mailed: from a mailbox, so that nobody is connected.
	mailed bool

	wantAck map[chat.PersonID]bool // something new asks for an acknowledgement
	repeat  map[chat.PersonID]bool // something known came again: repeat the last one
	heal    map[chat.PersonID]bool // evidence that a session is broken
	replies []func() error         // what is queued in answer, once everything was taken in
}

// reply puts an answer off until all frames of the call were taken in: they may
// still replace the session.
func (in *inbox) reply(queue func() error) { in.replies = append(in.replies, queue) }

func mark(m *map[chat.PersonID]bool, id chat.PersonID) {
	if *m == nil {
		*m = map[chat.PersonID]bool{}
	}
	(*m)[id] = true
}

// take handles one frame. An error is the store's and ends the whole call.
func (in *inbox) take(raw []byte) (answer byte, err error) {
	kind, _, env, err := handshake.ParseFrame(raw)
	if err != nil {
		return in.refuse("malformed frame", err), nil
	}
	if kind == handshake.KindHandshake {
		return in.takeHandshake(raw)
	}
	person, err := in.core.personOf(in, in.ref)
	if errors.Is(err, chat.ErrNotFound) {
		in.refuse("envelope of nobody known", nil)
		return AnswerBusy, nil // not for good: who this is may be settled in a moment
	}
	if err != nil {
		return 0, err
	}
	return in.takeRatchet(person, raw, env)
}

// refuse answers a frame that cannot be taken and notes the reason. The answer is
// the same whatever it was.
func (in *inbox) refuse(why string, err error) byte {
	in.core.log.Info("frame refused", "why", why, "recognised", in.ref != "", "err", err)
	return AnswerRefused
}

func (in *inbox) takeRatchet(person chat.PersonID, raw, env []byte) (byte, error) {
	ct, err := in.Contact(person)
	if err != nil && !errors.Is(err, chat.ErrNotFound) {
		return 0, err
	}
	if err != nil || ct.Blocked {
		return AnswerBusy, nil
	}
	if seen, err := in.known(person, env); err != nil || seen {
		return AnswerDuplicate, err
	}
	p, err := in.peer(person)
	if err != nil {
		return 0, err
	}
	q := p.Clone()
	opened, err := q.Open(in.env, raw)
	if err != nil {
		return in.notOpened(person, p, err)
	}
	return in.opened(person, q, opened, nil)
}

// known reports whether an envelope came before; if it asked for an
// acknowledgement, that was lost. (One that did not ask is never answered: two
// acknowledgements would call for each other for ever.)
func (in *inbox) known(person chat.PersonID, env []byte) (bool, error) {
	seen, asks, err := in.Seen(envelope.InnerHash(env))
	if seen && asks {
		mark(&in.repeat, person)
	}
	return seen, err
}

// notOpened keeps what a frame that would not open proves about the session,
// and nothing else of it.
func (in *inbox) notOpened(person chat.PersonID, p *session.Peer, err error) (byte, error) {
	in.core.log.Info("envelope not opened", "err", err)
	news := p.Observe(in.env, err)
	if news {
		in.setPeer(person, p)
		mark(&in.heal, person)
	}
	if news && errors.Is(err, session.ErrBranch) {
		return AnswerRefused, in.alarm(person)
	}
	return answerOf(err), nil
}

// alarm warns, once, of a second installation that nobody announced: no new
// session begins before this person is verified again.
func (in *inbox) alarm(person chat.PersonID) error {
	ct, err := in.Contact(person)
	if err != nil {
		return err
	}
	ct.Verified = false
	in.contactChanged(person)
	return errors.Join(in.PutContact(ct), in.notice(person, chat.NoticeBranch))
}

// opened takes in what a frame said. q is the peer as it is after opening; admit
// runs once the payload has been found valid and before it is taken in.
func (in *inbox) opened(person chat.PersonID, q *session.Peer, o session.Opened, admit func() error) (byte, error) {
	apply, err := in.applier(person, o.Payload)
	if errors.Is(err, errInvalid) {
		return in.refuse("invalid payload", err), nil
	}
	if err != nil {
		return 0, err
	}
	if admit != nil {
		if err := admit(); err != nil {
			return 0, err
		}
	}
	before, err := in.peer(person)
	if err != nil {
		return 0, err
	}
	alarmed := q.Alarmed() && !before.Alarmed()
	in.setPeer(person, q)
	if err := in.PutSeen(o.InnerHash, person, in.env.Now, o.WantAck); err != nil {
		return 0, err
	}
	if err := apply(); err != nil {
		return 0, err
	}
	if err := in.acknowledged(person, o.Acked); err != nil {
		return 0, err
	}
	if o.SelfRolledBack {
		if err := in.rolledBack(person, o.CounterAbove); err != nil {
			return 0, err
		}
	}
	if err := in.sessionNews(person, o); err != nil {
		return 0, err
	}
	if o.WantAck {
		mark(&in.wantAck, person)
	}
	if alarmed {
		return AnswerCommitted, in.alarm(person)
	}
	return AnswerCommitted, nil
}

// sessionNews follows up on what opening did to the sessions themselves.
func (in *inbox) sessionNews(person chat.PersonID, o session.Opened) error {
	if o.Unseal {
		if err := in.unseal(person); err != nil {
			return err
		}
	}
	if o.NewSession {
		if err := in.queueStart(person); err != nil {
			return err
		}
	}
	if o.InvitationDone != [16]byte{} {
		if err := in.invitationDone(o.InvitationDone); err != nil {
			return err
		}
	}
	if o.Renewed {
		if err := in.notice(person, chat.NoticeSessionRenewed); err != nil {
			return err
		}
	}
	if o.Branch {
		if err := in.notice(person, chat.NoticeBranch); err != nil {
			return err
		}
	}
	return in.settle(person)
}

// invitationDone deletes an invitation's one-time keys: its guest's session
// stands without them.
func (in *inbox) invitationDone(id [16]byte) error {
	inv, err := in.Invitation(id)
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	inv.Keys = nil
	return in.PutInvitation(inv)
}

// settle ends the wait for an inviter's answer: they spoke.
func (in *inbox) settle(person chat.PersonID) error {
	j, err := joiningOf(in, person)
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	ct, err := in.Contact(person)
	if err != nil {
		return err
	}
	ct.Pending = false
	in.contactChanged(person)
	if err := errors.Join(in.PutContact(ct), in.DeleteJoining(j.ID)); err != nil {
		return err
	}
	in.core.aliases.set(inviteRef(j.ID), person)
	in.becomeContact(person)
	in.then(func() { in.core.net.Unfollow(inviteRef(j.ID)) })
	return in.notice(person, chat.NoticeConnected)
}

// applier checks a payload and returns what taking it in does. It writes
// nothing itself.
func (in *inbox) applier(person chat.PersonID, p envelope.Payload) (func() error, error) {
	if knownType(p.Type) && p.Type != envelope.TypeAck && chat.ConversationID(p.Conversation) != chat.DirectConversation(in.me(), person) {
		return nil, errInvalid
	}
	switch p.Type {
	case envelope.TypeMessage:
		return in.message(person, p)
	case envelope.TypeRead:
		return in.readReceipt(person, p)
	case envelope.TypeStart:
		return in.startPayload(person, p)
	case envelope.TypeBundle:
		return in.bundlePayload(person, p)
	case envelope.TypeReach:
		return in.reachPayload(person, p)
	case envelope.TypeDigits:
		return in.digitsPayload(person, p)
	case envelope.TypeTimer:
		return in.timerPayload(person, p)
	}
	// An acknowledgement alone; or a type of a later version, which is
	// acknowledged, so that its sender can go on, and left alone.
	return func() error { return nil }, nil
}

// knownType reports whether this version knows a type of payload.
func knownType(typ uint8) bool { return typ <= envelope.TypeTimer }

func (in *inbox) message(person chat.PersonID, p envelope.Payload) (func() error, error) {
	body, err := envelope.DecodeMessage(p.Body)
	life := time.Duration(body.Life) * time.Second
	if err != nil || body.Text == "" && len(body.Files) == 0 || !utf8.ValidString(body.Text) || life > chat.MaxLife {
		return nil, errInvalid
	}
	files, err := in.takenFiles(body.Files)
	if err != nil {
		return nil, err
	}
	conv := chat.ConversationID(p.Conversation)
	top, err := in.LastPlace(conv)
	if err != nil {
		return nil, err
	}
	if p.Seq == 0 || p.Seq > top+maxSeqJump {
		return nil, errInvalid
	}
	m := chat.Message{
		ID: p.MessageID, Conversation: conv, Sender: person, Kind: chat.KindText, Text: body.Text,
		SentAt: p.Sent.UTC(), ReceivedAt: in.env.Now, State: chat.Received, ReplyTo: body.ReplyTo, Seq: p.Seq,
		Attachments: attachmentsOf(files), Life: life,
	}
	m.ExpiresAt = expiryOf(m)
	return func() error {
		if err := in.PutConversation(conv, person, in.env.Now); err != nil {
			return err
		}
		return in.addWithFiles(m, files)
	}, nil
}

func (in *inbox) readReceipt(person chat.PersonID, p envelope.Payload) (func() error, error) {
	body, err := envelope.DecodeRead(p.Body)
	if err != nil {
		return nil, errInvalid
	}
	var mine []chat.MessageID
	for _, id := range body.IDs {
		m, err := in.Message(id)
		if errors.Is(err, chat.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if m.Sender == in.me() && m.Conversation == chat.ConversationID(p.Conversation) {
			mine = append(mine, m.ID)
		}
	}
	return func() error {
		if _, err := in.DeleteOutbox(person, mine); err != nil {
			return err
		}
		return in.raise(mine, chat.Read)
	}, nil
}

func (in *inbox) startPayload(person chat.PersonID, p envelope.Payload) (func() error, error) {
	body, err := envelope.DecodeStart(p.Body)
	if err != nil || checkName(body.Name) != nil {
		return nil, errInvalid
	}
	return func() error {
		ct, err := in.Contact(person)
		if err != nil {
			return err
		}
		ct.GivenName = body.Name
		ct.Name = shownName(ct)
		in.contactChanged(person)
		if err := in.PutContact(ct); err != nil {
			return err
		}
		return in.keepReach(person, body.Reach)
	}, nil
}

func (in *inbox) bundlePayload(person chat.PersonID, p envelope.Payload) (func() error, error) {
	body, err := envelope.DecodeBundle(p.Body)
	if err != nil {
		return nil, errInvalid
	}
	return func() error {
		peer, err := in.peer(person)
		if err != nil {
			return err
		}
		q := peer.Clone()
		if err := q.LearnBundle(in.env, body.Bundle, false); err != nil {
			in.core.log.Info("bundle not taken", "err", err)
			return nil
		}
		in.setPeer(person, q)
		return nil
	}, nil
}

func (in *inbox) reachPayload(person chat.PersonID, p envelope.Payload) (func() error, error) {
	body, err := envelope.DecodeReach(p.Body)
	if err != nil {
		return nil, errInvalid
	}
	return func() error { return in.keepReach(person, &body) }, nil
}

// finish queues the answers and seals the acknowledgements, after everything of
// the call was taken in, and starts what broken sessions need.
func (in *inbox) finish() error {
	for person := range in.heal {
		p, err := in.peer(person)
		if err != nil {
			return err
		}
		if _, err := in.ready(person, p); err != nil {
			return err
		}
		in.wake(person)
	}
	for _, queue := range in.replies {
		if err := queue(); err != nil {
			return err
		}
	}
	for person := range in.wantAck {
		delete(in.repeat, person)
		if err := in.sealAck(person); err != nil {
			return err
		}
	}
	for person := range in.repeat {
		if err := in.repeatAck(person); err != nil {
			return err
		}
	}
	return nil
}

// repeatAck acknowledges what came twice: the acknowledgement was lost.
func (in *inbox) repeatAck(person chat.PersonID) error {
	p, err := in.peer(person)
	if err != nil {
		return err
	}
	if p.Duplicate() {
		return in.sealAck(person)
	}
	in.then(func() { in.core.lanes.sendAck(person) })
	return nil
}

func (in *inbox) sealAck(person chat.PersonID) error {
	p, err := in.peer(person)
	if err != nil {
		return err
	}
	if !p.AckDue() {
		return nil
	}
	_, err = p.SealAck(in.env)
	if isWait(err) {
		return nil // the next payload, or the next status, carries it
	}
	if err != nil {
		return fmt.Errorf("core: acknowledgement: %w", err)
	}
	in.setPeer(person, p)
	in.then(func() { in.core.lanes.sendAck(person) })
	return nil
}

// rolledBack makes this installation a new one: somebody proved that the profile
// is an older copy of itself, or runs on another machine, too (docs/protocol,
// healing). The user is told in the conversation with them.
func (s *step) rolledBack(by chat.PersonID, counterAbove uint64) error {
	s.core.log.Warn("this profile is an older copy of itself: renewing its keys")
	if p, err := s.peer(by); err != nil {
		return err
	} else if p.FirstProof(s.env) {
		if err := s.notice(by, chat.NoticeTwoHere); err != nil {
			return err
		}
	}
	err := s.changeSelf(func(self *session.Self) error {
		return self.NewInstallation(s.env.Rand, s.env.Now, counterAbove)
	})
	if err != nil {
		return err
	}
	if err := s.dropInvitationKeys(); err != nil {
		return err
	}
	contacts, err := s.Contacts()
	if err != nil {
		return err
	}
	for _, ct := range contacts {
		p, err := s.peer(ct.ID)
		if err != nil {
			return err
		}
		p.Taint()
		s.setPeer(ct.ID, p)
		if err := s.unseal(ct.ID); err != nil {
			return err
		}
		s.wake(ct.ID)
	}
	return nil
}

// dropInvitationKeys deletes the one-time prekeys of every invitation: an older
// copy of a profile may have used them before.
func (s *step) dropInvitationKeys() error {
	all, err := s.Invitations()
	if err != nil {
		return err
	}
	for _, inv := range all {
		inv.Keys, inv.Revoked = nil, true
		if err := s.PutInvitation(inv); err != nil {
			return err
		}
	}
	return nil
}

// contactOnline fills in what is not stored.
func (c *Core) contactOnline(ct chat.Contact) chat.Contact {
	ct.Online = !ct.Blocked && c.net.Connected(ct.ID.String())
	ct.Relayed = ct.Online && c.net.Relayed(ct.ID.String())
	return ct
}

func shownName(ct chat.Contact) string {
	if ct.Alias != "" {
		return ct.Alias
	}
	return ct.GivenName
}
