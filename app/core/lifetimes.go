package core

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/envelope"
)

// Lifetimes is about messages that go: by themselves, or because this person wants
// them gone. Others keep what they have.
type Lifetimes interface {
	// SetTimer sets how long new messages of a conversation live, for both sides:
	// one of chat.Lives. Both see a line that tells of it.
	SetTimer(ctx context.Context, conversation chat.ConversationID, life time.Duration) error
	// DeleteMessage deletes a message here, with its files. An own one that has not
	// left this computer is not sent any more; of one that is under way, what is to be
	// sent goes when its recipient has acknowledged it.
	DeleteMessage(ctx context.Context, id chat.MessageID) error
	// ClearConversation does the same with everything of a conversation, with its
	// draft. The conversation and the contact stay.
	ClearConversation(ctx context.Context, conversation chat.ConversationID) error
}

// LifeReads are what lifetimes need to read from the store.
type LifeReads interface {
	Timer(id chat.ConversationID) (chat.Timer, error)
	// LastPlace is the highest place of a conversation, of what was deleted too.
	LastPlace(id chat.ConversationID) (uint64, error)
	// Expired are messages whose time is over and that nobody waits for: no own ones
	// that are not acknowledged or that failed.
	Expired(now time.Time, limit int) ([]chat.MessageID, error)
	// NextExpiry is when the next message goes after a time, zero if none does.
	NextExpiry(after time.Time) (time.Time, error)
}

// LifeWrites are what lifetimes need to write into the store.
type LifeWrites interface {
	PutTimer(id chat.ConversationID, t chat.Timer) error
	// StartLife lets the lives of messages begin that were read at a time.
	StartLife(ids []chat.MessageID, read time.Time) error
	// DeleteMessage removes a message with its files and all that was made of it, and
	// keeps its id, so that InsertMessage leaves it alone. Its outbox item stays.
	DeleteMessage(id chat.MessageID) error
}

// deleteBatch is how many messages are deleted in one transaction.
const deleteBatch = 200

// SetTimer implements Lifetimes.
func (c *Core) SetTimer(ctx context.Context, conversation chat.ConversationID, life time.Duration) error {
	if chat.LifeName(life) == "other" {
		return fmt.Errorf("core: timer of %s: %w", life, chat.ErrUnsupported)
	}
	return c.update(ctx, func(s *step) error {
		conv, err := s.writable(conversation)
		if err != nil {
			return err
		}
		t, err := s.Timer(conversation)
		if err != nil || t.Life == life {
			return err
		}
		t = chat.Timer{Life: life, Version: t.Version + 1, By: s.me()}
		if err := s.changeTimer(conv, t, true); err != nil {
			return err
		}
		body, err := envelope.TimerBody{Life: uint32(life / time.Second), Version: t.Version}.Encode() //nolint:gosec // at most chat.MaxLife
		if err != nil {
			return err
		}
		return s.queue(conv.Contact, chat.NewMessageID(), unsealed{
			Type: envelope.TypeTimer, Conversation: conversation, Sent: s.env.Now.UnixMilli(), Body: body,
		})
	})
}

// changeTimer stores a timer and tells of it.
func (s *step) changeTimer(conv chat.Conversation, t chat.Timer, own bool) error {
	if err := s.PutTimer(conv.ID, t); err != nil {
		return err
	}
	s.publish(event.Event{Kind: event.ConversationChanged, Conversation: conv.ID})
	return s.notice(conv.Contact, chat.TimerNotice(t.Life, own))
}

// maxTimerJump is how many changes of a timer may be unknown: no sender can set one
// that nobody can change any more.
const maxTimerJump = 1 << 20

func (in *inbox) timerPayload(person chat.PersonID, p envelope.Payload) (func() error, error) {
	body, err := envelope.DecodeTimer(p.Body)
	life := time.Duration(body.Life) * time.Second
	if err != nil || life > chat.MaxLife {
		return nil, errInvalid
	}
	conv := chat.ConversationID(p.Conversation)
	now, err := in.Timer(conv)
	if err != nil && !errors.Is(err, chat.ErrNotFound) {
		return nil, err
	}
	if body.Version == 0 || body.Version > now.Version+maxTimerJump {
		return nil, errInvalid
	}
	return func() error {
		if err := in.PutConversation(conv, person, in.env.Now); err != nil {
			return err
		}
		now, err := in.Timer(conv) // another frame of this call may have changed it
		if err != nil {
			return err
		}
		t := chat.Timer{Life: life, Version: body.Version, By: person}
		switch {
		case !t.After(now):
			return nil
		case t.Life == now.Life:
			return in.PutTimer(conv, t)
		}
		return in.changeTimer(chat.Conversation{ID: conv, Contact: person}, t, false)
	}, nil
}

// DeleteMessage implements Lifetimes.
func (c *Core) DeleteMessage(ctx context.Context, id chat.MessageID) error {
	return c.deleteAll(ctx, func(ReadTx) ([]chat.MessageID, error) { return []chat.MessageID{id}, nil }, false)
}

// ClearConversation implements Lifetimes.
func (c *Core) ClearConversation(ctx context.Context, conversation chat.ConversationID) error {
	err := c.update(ctx, func(s *step) error {
		if _, err := s.Conversation(conversation); err != nil {
			return err
		}
		s.publish(event.Event{Kind: event.ConversationChanged, Conversation: conversation})
		return s.SetDraft(conversation, "")
	})
	if err != nil {
		return err
	}
	return c.deleteAll(ctx, func(tx ReadTx) (ids []chat.MessageID, err error) {
		page, err := tx.Messages(chat.MessageQuery{Conversation: conversation, Limit: deleteBatch})
		for _, m := range page {
			ids = append(ids, m.ID)
		}
		return ids, err
	}, true)
}

// deleteExpired deletes what time is over for. It writes nothing if there is nothing.
func (c *Core) deleteExpired(ctx context.Context) error {
	some, err := read(ctx, c, func(tx ReadTx) ([]chat.MessageID, error) { return tx.Expired(c.now(), 1) })
	if err != nil || len(some) == 0 {
		return err
	}
	return c.deleteAll(ctx, func(tx ReadTx) ([]chat.MessageID, error) {
		return tx.Expired(c.now(), deleteBatch)
	}, true)
}

// deleteAll deletes what next finds, once, or until it finds less than a batch, and
// scrubs afterwards. Each batch is one transaction.
func (c *Core) deleteAll(ctx context.Context, next func(ReadTx) ([]chat.MessageID, error), again bool) error {
	some := false
	for more := true; more; {
		var files []chat.File
		batch := func(s *step) error {
			files = nil
			ids, err := next(s)
			if err != nil {
				return err
			}
			some = some || len(ids) > 0
			more = again && len(ids) == deleteBatch
			for _, id := range ids {
				had, err := s.deleteMessage(id)
				if err != nil {
					return err
				}
				files = append(files, had...)
			}
			return nil
		}
		err := c.update(ctx, batch)
		if errors.Is(err, chat.ErrDiskFull) {
			err = c.update(ctx, batch) // the first attempt has freed the ballast
		}
		if err != nil {
			return err
		}
		if err := c.removeFiles(ctx, files); err != nil {
			c.log.Warn("files of deleted messages stay for now", "err", err) // sweepFiles removes them
		}
	}
	if some {
		c.lives.scrub()
	}
	return nil
}

func (c *Core) removeFiles(ctx context.Context, files []chat.File) error {
	if c.files.store == nil {
		return nil
	}
	for _, f := range files {
		c.files.cancel(f.ID)
	}
	return c.removeUnused(ctx, files)
}

// deleteMessage deletes a message and returns the files it had.
func (s *step) deleteMessage(id chat.MessageID) ([]chat.File, error) {
	m, err := s.Message(id)
	if err != nil {
		return nil, err
	}
	files, err := s.Files(id)
	if err != nil {
		return nil, err
	}
	it, err := s.OutboxItem(id)
	switch {
	case errors.Is(err, chat.ErrNotFound):
	case err != nil:
		return nil, err
	case it.SentAt.IsZero() && it.MailedAt.IsZero() && it.Attempts == 0:
		if err := s.giveUp(it); err != nil {
			return nil, err
		}
		s.publish(event.Event{Kind: event.NetworkChanged})
	}
	s.publish(event.Event{Kind: event.MessageChanged, Conversation: m.Conversation}) // without an id: look at all
	s.publish(event.Event{Kind: event.ConversationChanged, Conversation: m.Conversation})
	return files, s.Tx.DeleteMessage(id)
}

// expiryOf is when a message goes that is stored now: an own one its life after it
// was sent, another at the latest when nobody has read it for long.
func expiryOf(m chat.Message) time.Time {
	switch {
	case m.Life == 0:
		return time.Time{}
	case m.State == chat.Received:
		return m.ReceivedAt.Add(m.Life + chat.UnreadLife)
	default:
		return m.SentAt.Add(m.Life)
	}
}

// lives is the work of letting messages go.
type lives struct{ dirty chan struct{} }

func (l *lives) init() { l.dirty = make(chan struct{}, 1) }

// scrub asks for the WAL to be emptied. It never blocks.
func (l *lives) scrub() {
	select {
	case l.dirty <- struct{}{}:
	default:
	}
}

const (
	// lifeLook is how long at most nobody looks whether a message's time is over: a
	// computer may sleep, and its clock may be set.
	lifeLook = 10 * time.Minute
	// scrubAgain is after how long another attempt is made to empty the WAL.
	scrubAgain = 10 * time.Second
	// leastLook keeps messages that go one after the other from costing a transaction
	// each.
	leastLook = time.Second
)

// lifeLoop lets messages go when their time is over. What an earlier run of the
// program deleted and could not scrub any more is scrubbed first.
func (c *Core) lifeLoop(ctx context.Context) error {
	c.lives.scrub()
	for {
		wait := lifeLook
		err := c.deleteExpired(ctx)
		if err == nil {
			wait, err = c.untilExpiry(ctx)
		}
		if err != nil && ctx.Err() == nil {
			c.log.Warn("messages whose time is over stay for now", "err", err)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-c.lives.dirty:
			t.Stop()
			c.scrubNow(ctx)
		case <-t.C:
		}
	}
}

func (c *Core) untilExpiry(ctx context.Context) (time.Duration, error) {
	next, err := read(ctx, c, func(tx ReadTx) (time.Time, error) { return tx.NextExpiry(c.now()) })
	if err != nil || next.IsZero() {
		return lifeLook, err
	}
	return min(max(next.Sub(c.now()), leastLook), lifeLook), nil
}

// scrubNow empties the WAL, and tries again later if somebody reads it just now.
func (c *Core) scrubNow(ctx context.Context) {
	if err := c.store.Scrub(ctx); err != nil && ctx.Err() == nil {
		c.log.Info("deleted messages are not scrubbed yet", "err", err)
		time.AfterFunc(scrubAgain, c.lives.scrub)
	}
}
