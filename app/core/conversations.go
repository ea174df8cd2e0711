package core

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// Conversations implements Client.
func (c *Core) Conversations(ctx context.Context) ([]chat.Conversation, error) {
	return read(ctx, c, ReadTx.Conversations)
}

// Conversation implements Client.
func (c *Core) Conversation(ctx context.Context, id chat.ConversationID) (chat.Conversation, error) {
	return read(ctx, c, func(tx ReadTx) (chat.Conversation, error) { return tx.Conversation(id) })
}

// Messages implements Client.
func (c *Core) Messages(ctx context.Context, q chat.MessageQuery) ([]chat.Message, error) {
	if q.Limit < 0 || q.Limit > chat.MaxPage {
		return nil, fmt.Errorf("core: a page of %d messages: %w", q.Limit, chat.ErrTooLong)
	}
	return read(ctx, c, func(tx ReadTx) ([]chat.Message, error) { return tx.Messages(q) })
}

// Message implements Client.
func (c *Core) Message(ctx context.Context, id chat.MessageID) (chat.Message, error) {
	return read(ctx, c, func(tx ReadTx) (chat.Message, error) { return tx.Message(id) })
}

// writable returns a conversation in which something may be sent; chat.ErrBlocked if
// its contact is blocked.
func (s *step) writable(id chat.ConversationID) (chat.Conversation, error) {
	conv, err := s.Conversation(id)
	if err != nil {
		return conv, err
	}
	ct, err := s.Contact(conv.Contact)
	if err == nil && ct.Blocked {
		err = chat.ErrBlocked
	}
	return conv, err
}

// Send implements Client: steps 1 to 4 of a message's way out.
func (c *Core) Send(ctx context.Context, conversation chat.ConversationID, out Outgoing) (chat.MessageID, error) {
	if err := checkOutgoing(out); err != nil {
		return chat.MessageID{}, err
	}
	if c.full() {
		return chat.MessageID{}, chat.ErrDiskFull
	}
	files, done, err := c.sealFiles(ctx, conversation, out)
	if err != nil {
		return chat.MessageID{}, err
	}
	id := chat.NewMessageID()
	err = c.update(ctx, func(s *step) error {
		conv, err := s.writable(conversation)
		if err != nil {
			return err
		}
		m := chat.Message{
			ID: id, Conversation: conversation, Sender: s.me(), Kind: chat.KindText, Text: out.Text,
			SentAt: s.env.Now, ReceivedAt: s.env.Now, State: chat.Queued, ReplyTo: out.ReplyTo,
			Attachments: attachmentsOf(files), Life: conv.Timer,
		}
		m.ExpiresAt = expiryOf(m)
		parents, err := s.place(&m)
		if err != nil {
			return err
		}
		if err := s.addWithFiles(m, files); err != nil {
			return err
		}
		// Encrypting files takes its time: a draft that was written since stays.
		if len(files) == 0 || conv.Draft == out.Text {
			if err := s.SetDraft(conversation, ""); err != nil {
				return err
			}
		}
		body, err := messageBody(m, files)
		if err != nil {
			return err
		}
		return s.queue(conv.Contact, id, unsealed{
			Type: envelope.TypeMessage, Conversation: conversation, Seq: m.Seq, Parents: parents,
			Sent: m.SentAt.UnixMilli(), Body: body,
		})
	})
	done(err == nil)
	if err != nil {
		return chat.MessageID{}, err
	}
	return id, nil
}

// checkOutgoing refuses what cannot be a message.
func checkOutgoing(out Outgoing) error {
	if len(out.Files) > chat.MaxFiles {
		return fmt.Errorf("core: %d files: %w", len(out.Files), chat.ErrTooLong)
	}
	err := checkText(out.Text)
	if errors.Is(err, chat.ErrEmpty) && out.Text == "" && len(out.Files) > 0 {
		return nil
	}
	return err
}

func checkText(text string) error {
	switch {
	case strings.TrimSpace(text) == "":
		return chat.ErrEmpty
	case len(text) > chat.MaxTextSize:
		return chat.ErrTooLong
	case !utf8.ValidString(text):
		return fmt.Errorf("core: text is not UTF-8: %w", chat.ErrUnsupported)
	}
	return nil
}

// place gives a message of my own its place at the end of the conversation and
// returns its parents.
func (s *step) place(m *chat.Message) ([][16]byte, error) {
	top, err := s.LastPlace(m.Conversation)
	if err != nil {
		return nil, err
	}
	m.Seq = top + 1
	last, err := s.Messages(chat.MessageQuery{Conversation: m.Conversation, Limit: 1, TextOnly: true})
	if err != nil || len(last) == 0 {
		return nil, err
	}
	return [][16]byte{last[0].ID}, nil
}

// addMessage stores a message and tells the screens.
func (s *step) addMessage(m chat.Message) error { return s.addWithFiles(m, nil) }

// addWithFiles stores a message with its files. One that is known is left alone.
func (s *step) addWithFiles(m chat.Message, files []chat.File) error {
	inserted, err := s.InsertMessage(m)
	if err != nil || !inserted {
		return err
	}
	if err := s.putFiles(m, files); err != nil {
		return err
	}
	if len(files) > 0 {
		s.then(s.core.files.wake)
	}
	s.publish(event.Event{Kind: event.MessageAdded, Conversation: m.Conversation, Message: m.ID})
	s.publish(event.Event{Kind: event.ConversationChanged, Conversation: m.Conversation})
	return nil
}

// notice writes a line of the app's own into the conversation with a person.
func (s *step) notice(person chat.PersonID, n chat.Notice) error {
	conv := chat.DirectConversation(s.me(), person)
	if err := s.PutConversation(conv, person, s.env.Now); err != nil {
		return err
	}
	m := chat.Message{
		ID: noticeID(s.env.Now), Conversation: conv, Sender: person, Kind: chat.KindNotice,
		Text: string(n), SentAt: s.env.Now, ReceivedAt: s.env.Now, State: chat.Received,
	}
	if _, err := s.place(&m); err != nil {
		return err
	}
	// A notice shares the place of the message before it, so that it takes none in
	// the order that both sides compute.
	m.Seq--
	return s.addMessage(m)
}

// noticeID makes ids that sort behind (nearly) every drawn one and among
// themselves by time.
func noticeID(now time.Time) chat.MessageID {
	id := chat.NewMessageID()
	id[0], id[1] = 0xFF, 0xFF
	binary.BigEndian.PutUint64(id[2:], uint64(now.UnixMilli())) //nolint:gosec // after 1970
	return id
}

// raise moves own messages forward and tells the screens.
func (s *step) raise(ids []chat.MessageID, state chat.State) error {
	changed, err := s.RaiseState(ids, state)
	if err != nil {
		return err
	}
	convs := map[chat.ConversationID]bool{}
	for _, id := range changed {
		m, err := s.Message(id)
		if err != nil {
			return err
		}
		s.publish(event.Event{Kind: event.MessageChanged, Conversation: m.Conversation, Message: id})
		convs[m.Conversation] = true
	}
	for id := range convs {
		s.publish(event.Event{Kind: event.ConversationChanged, Conversation: id})
	}
	return nil
}

// Resend implements Client.
func (c *Core) Resend(ctx context.Context, id chat.MessageID) error {
	return c.update(ctx, func(s *step) error {
		m, err := s.Message(id)
		if err != nil {
			return err
		}
		if m.State != chat.Failed {
			return nil
		}
		conv, err := s.Conversation(m.Conversation)
		if err != nil {
			return err
		}
		if ct, err := s.Contact(conv.Contact); err != nil || ct.Blocked {
			return errors.Join(err, chat.ErrBlocked)
		}
		files, err := s.Files(id)
		if err != nil {
			return err
		}
		body, err := messageBody(m, files)
		if err != nil {
			return err
		}
		if err := s.raise([]chat.MessageID{id}, chat.Queued); err != nil {
			return err
		}
		return s.queue(conv.Contact, id, unsealed{
			Type: envelope.TypeMessage, Conversation: m.Conversation, Seq: m.Seq,
			Sent: m.SentAt.UnixMilli(), Body: body,
		})
	})
}

// MarkRead implements Client. The others are told only if the settings allow.
func (c *Core) MarkRead(ctx context.Context, conversation chat.ConversationID, seq uint64) error {
	return c.update(ctx, func(s *step) error {
		conv, err := s.Conversation(conversation)
		if err != nil {
			return err
		}
		ids, err := s.Tx.MarkRead(conversation, seq)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.StartLife(ids, s.env.Now); err != nil {
			return err
		}
		s.publish(event.Event{Kind: event.ConversationChanged, Conversation: conversation})
		set, err := settingsFrom(s)
		if err != nil || set[SettingReadReceipts] != "true" {
			return err
		}
		return s.queueRead(conv, ids)
	})
}

func (s *step) queueRead(conv chat.Conversation, ids []chat.MessageID) error {
	for len(ids) > 0 {
		n := min(len(ids), envelope.MaxRead)
		var body envelope.ReadBody
		for _, id := range ids[:n] {
			body.IDs = append(body.IDs, id)
		}
		ids = ids[n:]
		b, err := body.Encode()
		if err != nil {
			return err
		}
		err = s.queue(conv.Contact, chat.NewMessageID(), unsealed{
			Type: envelope.TypeRead, Conversation: conv.ID, Sent: s.env.Now.UnixMilli(), Body: b,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// SaveDraft implements Client.
func (c *Core) SaveDraft(ctx context.Context, conversation chat.ConversationID, text string) error {
	if len(text) > chat.MaxTextSize {
		return chat.ErrTooLong
	}
	return c.update(ctx, func(s *step) error {
		conv, err := s.Conversation(conversation)
		if err != nil || conv.Draft == text {
			return err
		}
		s.publish(event.Event{Kind: event.ConversationChanged, Conversation: conversation})
		return s.SetDraft(conversation, text)
	})
}

// Delivery implements Client.
func (c *Core) Delivery(ctx context.Context, id chat.MessageID) (Delivery, error) {
	return read(ctx, c, func(tx ReadTx) (Delivery, error) {
		m, err := tx.Message(id)
		if err != nil {
			return Delivery{}, err
		}
		return c.delivery(tx, m)
	})
}

func (c *Core) delivery(tx ReadTx, m chat.Message) (Delivery, error) {
	d := Delivery{State: m.State, Where: WhereHere}
	conv, err := tx.Conversation(m.Conversation)
	if err != nil {
		return d, err
	}
	d.Recipient = conv.Contact
	if ct, err := tx.Contact(conv.Contact); err == nil {
		d.Name = ct.Name
	}
	it, err := tx.OutboxItem(m.ID)
	if errors.Is(err, chat.ErrNotFound) {
		switch m.State {
		case chat.Failed:
			d.Why = WhyRefused
		case chat.Read:
			d.Where = WhereRead
		case chat.Delivered:
			d.Where = WhereDevice
		case chat.Queued, chat.Sent, chat.Received:
		}
		return d, nil
	}
	if err != nil {
		return d, err
	}
	d.SentAt, d.NextTry, d.Attempts = it.SentAt, it.NextAt, it.Attempts
	if !it.MailedAt.IsZero() {
		d.Where, d.HeldAt = WhereMailbox, it.MailedAt
		if d.Holder, err = holderName(tx, it); err != nil {
			return d, err
		}
	}
	if d.Why, err = c.why(tx, it); err != nil {
		return d, err
	}
	if _, next := c.lanes.mailTrouble(it.Contact); d.NextTry.IsZero() && it.MailedAt.IsZero() {
		d.NextTry = next
	}
	return d, nil
}

// holderName says whose computer holds an item, "" if it is a node of nobody's.
func holderName(tx ReadTx, it chat.OutboxItem) (string, error) {
	nodes, err := tx.Nodes()
	if err != nil {
		return "", err
	}
	for _, n := range nodes {
		if n.Host == it.MailedTo && !n.Keeper.IsZero() {
			ct, err := tx.Contact(n.Keeper)
			return ct.Name, err
		}
	}
	return "", nil
}

// whyPending tells an invitation that waits for its answer from one that was
// refused.
func whyPending(tx ReadTx, person chat.PersonID) (Why, error) {
	_, err := joiningOf(tx, person)
	if errors.Is(err, chat.ErrNotFound) {
		return WhyRefused, nil
	}
	return WhyNotAccepted, err
}

// why finds out what an item of the outbox waits for.
func (c *Core) why(tx ReadTx, it chat.OutboxItem) (Why, error) {
	ct, err := tx.Contact(it.Contact)
	if err != nil {
		return WhyNone, err
	}
	p, err := peerFrom(tx, it.Contact)
	if err != nil {
		return WhyNone, err
	}
	active, has := p.Active()
	connected := c.net.Connected(it.Contact.String())
	switch {
	case c.trouble.now() == TroubleDiskFull:
		return WhyDiskFull, nil
	case ct.Blocked:
		return WhyBlocked, nil
	case !c.net.State().Online:
		return WhyNoNetwork, nil
	case ct.Pending:
		return whyPending(tx, ct.ID)
	case p.Alarmed():
		return WhyTwoThere, nil
	case p.Refuses():
		return WhyTwoHere, nil
	case !connected:
		return c.whyAway(tx, it)
	case !has || !active.Confirmed:
		return WhyRenewing, nil
	case it.SentAt.IsZero() && it.Attempts > 0:
		return WhyOtherBusy, nil
	}
	return WhyUnconfirmed, nil
}

// whyAway tells what a message waits for whose recipient is not connected.
func (c *Core) whyAway(tx ReadTx, it chat.OutboxItem) (Why, error) {
	if !it.MailedAt.IsZero() {
		return WhyOffline, nil
	}
	if why, _ := c.lanes.mailTrouble(it.Contact); why != WhyNone {
		return why, nil
	}
	return WhyNotFound, nil
}
