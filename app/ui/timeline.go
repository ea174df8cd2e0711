package ui

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

const (
	// pageSize is how many messages are asked for at a time: a few screens.
	pageSize = 100
	// keepLoaded is how many messages are held before the far end is let go, so
	// that reading a year back costs no more memory than reading a day back.
	keepLoaded = 600
	// singly is how many changed messages are asked for one by one; beyond that the
	// whole part is loaded anew, in one question.
	singly = 40
)

// timeline is the part of the open conversation that is loaded. It belongs to the
// pump's lane of questions; what the screen gets of it are copies.
type timeline struct {
	client core.Client
	conv   chat.ConversationID
	me     chat.PersonID

	msgs         []chat.Message // in the conversation's order
	older, newer bool           // there is more than that
	first, last  uint64         // the conversation's first and last place
	opened       map[chat.MessageID]bool
	ways         map[chat.MessageID]core.Delivery
	quotes       map[chat.MessageID]chat.Message
	infos        map[fileKey]core.FileInfo // of files that come in or are paused
	stale        []chat.MessageID          // whose infos are out of date
	seals        []core.Sealing            // what is being encrypted for this conversation
}

// view is a copy for the screen.
type view struct {
	conv         chat.ConversationID
	msgs         []chat.Message
	older, newer bool
	first, last  uint64
	ways         map[chat.MessageID]core.Delivery
	quotes       map[chat.MessageID]chat.Message
	opened       map[chat.MessageID]bool
	infos        map[fileKey]core.FileInfo
	seals        []core.Sealing
}

func newTimeline(client core.Client, conv chat.ConversationID, me chat.PersonID) *timeline {
	return &timeline{client: client, conv: conv, me: me, opened: map[chat.MessageID]bool{}, quotes: map[chat.MessageID]chat.Message{}}
}

func (t *timeline) view() *view {
	v := &view{conv: t.conv, msgs: slices.Clone(t.msgs), older: t.older, newer: t.newer, first: t.first, last: t.last, ways: t.ways, infos: t.infos, seals: t.seals}
	v.quotes = make(map[chat.MessageID]chat.Message, len(t.quotes))
	for k, m := range t.quotes {
		v.quotes[k] = m
	}
	v.opened = make(map[chat.MessageID]bool, len(t.opened))
	for k := range t.opened {
		v.opened[k] = true
	}
	return v
}

func place(m chat.Message) chat.Position { return chat.Position{Seq: m.Seq, ID: m.ID} }

func compare(a, b chat.Message) int {
	if a.Seq != b.Seq {
		if a.Seq < b.Seq {
			return -1
		}
		return 1
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

func (t *timeline) ask(ctx context.Context, before, after *chat.Position, limit int) ([]chat.Message, error) {
	return t.client.Messages(ctx, chat.MessageQuery{Conversation: t.conv, Before: before, After: after, Limit: limit})
}

// open loads the newest messages and, with unread ones, far enough back to show
// the first of them; with very many, the part around it.
func (t *timeline) open(ctx context.Context, c chat.Conversation) error {
	if c.Unread > keepLoaded/2 {
		return t.seek(ctx, c.ReadSeq+1)
	}
	return t.newest(ctx, max(pageSize, c.Unread+pageSize/2))
}

// openAt loads the part around a place; nil is where open does.
func (t *timeline) openAt(ctx context.Context, c chat.Conversation, at *chat.Position) error {
	if at == nil {
		return t.open(ctx, c)
	}
	return t.seek(ctx, at.Seq)
}

// newest loads the end of the conversation.
func (t *timeline) newest(ctx context.Context, n int) error {
	msgs, err := t.ask(ctx, nil, nil, min(n, chat.MaxPage))
	if err != nil {
		return err
	}
	t.msgs, t.older, t.newer = msgs, len(msgs) >= n, false
	return t.extend(ctx)
}

// seek loads the part around a place.
func (t *timeline) seek(ctx context.Context, seq uint64) error {
	at := chat.Position{Seq: seq}
	before, err := t.ask(ctx, &at, nil, pageSize)
	if err != nil {
		return err
	}
	from := at
	if len(before) > 0 {
		from = place(before[len(before)-1])
	} else if seq > 0 {
		from = chat.Position{Seq: seq - 1, ID: lastID}
	}
	after, err := t.ask(ctx, nil, &from, pageSize)
	if err != nil {
		return err
	}
	t.msgs = append(before, after...)
	t.older, t.newer = len(before) >= pageSize, len(after) >= pageSize
	return t.extend(ctx)
}

var lastID = chat.MessageID(bytes.Repeat([]byte{0xFF}, 16))

// loadOlder loads the page before what is there and lets go of the far end.
func (t *timeline) loadOlder(ctx context.Context) error {
	if len(t.msgs) == 0 || !t.older {
		return nil
	}
	at := place(t.msgs[0])
	page, err := t.ask(ctx, &at, nil, pageSize)
	if err != nil {
		return err
	}
	t.older = len(page) >= pageSize
	t.msgs = append(page, t.msgs...)
	if len(t.msgs) > keepLoaded {
		t.msgs, t.newer = t.msgs[:keepLoaded:keepLoaded], true
	}
	return t.enrich(ctx)
}

// loadNewer loads the page after what is there and lets go of the far end.
func (t *timeline) loadNewer(ctx context.Context) error {
	if len(t.msgs) == 0 || !t.newer {
		return nil
	}
	at := place(t.msgs[len(t.msgs)-1])
	page, err := t.ask(ctx, nil, &at, pageSize)
	if err != nil {
		return err
	}
	t.newer = len(page) >= pageSize
	t.msgs = append(t.msgs, page...)
	if extra := len(t.msgs) - keepLoaded; extra > 0 {
		t.msgs, t.older = slices.Clone(t.msgs[extra:]), true
	}
	return t.enrich(ctx)
}

// catchUp loads what came after the last message that is there, if that was the
// newest; else it loads the newest.
func (t *timeline) catchUp(ctx context.Context) error {
	if t.newer || len(t.msgs) == 0 {
		return t.newest(ctx, pageSize)
	}
	at := place(t.msgs[len(t.msgs)-1])
	page, err := t.ask(ctx, nil, &at, chat.MaxPage)
	if err != nil {
		return err
	}
	for _, m := range page {
		t.put(m)
	}
	return t.enrich(ctx)
}

// reload asks for the loaded part again.
func (t *timeline) reload(ctx context.Context) error {
	n := min(max(pageSize, len(t.msgs)), keepLoaded)
	if !t.newer || len(t.msgs) == 0 {
		return t.newest(ctx, n)
	}
	from := t.msgs[0]
	at := chat.Position{Seq: from.Seq}
	if from.Seq > 0 {
		at = chat.Position{Seq: from.Seq - 1, ID: lastID}
	}
	page, err := t.ask(ctx, nil, &at, n)
	if err != nil {
		return err
	}
	t.msgs, t.newer = page, len(page) >= n
	return t.extend(ctx)
}

// extend learns how far the conversation reaches, for the scroll thumb.
func (t *timeline) extend(ctx context.Context) error {
	if err := t.loadSeals(ctx); err != nil {
		return err
	}
	t.first, t.last = 0, 0
	if len(t.msgs) == 0 {
		return t.enrich(ctx)
	}
	t.first, t.last = t.msgs[0].Seq, t.msgs[len(t.msgs)-1].Seq
	if t.older {
		if first, err := t.ask(ctx, nil, &chat.Position{}, 1); err != nil {
			return err
		} else if len(first) == 1 {
			t.first = first[0].Seq
		}
	}
	if t.newer {
		if last, err := t.ask(ctx, nil, nil, 1); err != nil {
			return err
		} else if len(last) == 1 {
			t.last = last[0].Seq
		}
	}
	return t.enrich(ctx)
}

// changed takes in what happened and reports whether the screen must be told.
func (t *timeline) changed(ctx context.Context, events []event.Event) (bool, error) {
	n := t.touched(events)
	if n.seals {
		if err := t.loadSeals(ctx); err != nil {
			return false, err
		}
	}
	t.stale = n.ids
	switch {
	case n.all || len(n.ids) > singly:
		t.infos = nil
		return true, t.reload(ctx)
	case len(n.ids) > 0:
		return true, t.update(ctx, n.ids)
	case n.ways && t.waiting():
		return true, t.enrich(ctx)
	}
	return n.seals, nil
}

// touched is what events put out of date here.
type touched struct {
	ids              []chat.MessageID
	all, ways, seals bool
}

func (t *timeline) touched(events []event.Event) touched {
	n := touched{all: len(events) == 0}
	for _, e := range events {
		switch e.Kind {
		case event.MessageAdded, event.MessageChanged, event.FileChanged:
			switch {
			case e.Conversation != t.conv:
			case e.Message.IsZero() && e.Kind == event.FileChanged:
				n.seals = true
			case e.Message.IsZero():
				n.all = true
			default:
				n.ids = append(n.ids, e.Message)
			}
		case event.NetworkChanged, event.TroubleChanged, event.ContactChanged, event.NodeChanged:
			n.ways = true
		case event.ConversationChanged, event.RequestChanged, event.InvitationChanged, event.PairingChanged,
			event.NearbyChanged, event.SettingsChanged, event.WindowRequested, event.BackupChanged:
		}
	}
	return n
}

// update asks for single messages and puts them where they belong.
func (t *timeline) update(ctx context.Context, ids []chat.MessageID) error {
	for _, id := range ids {
		m, err := t.client.Message(ctx, id)
		if errors.Is(err, chat.ErrNotFound) { // deleted since; the event that says so follows
			continue
		}
		if err != nil {
			return err
		}
		t.put(m)
	}
	return t.enrich(ctx)
}

// put replaces a message or inserts it, if it lies in what is loaded.
func (t *timeline) put(m chat.Message) {
	if m.Seq > t.last {
		t.last = m.Seq
	}
	i, found := slices.BinarySearchFunc(t.msgs, m, compare)
	switch {
	case found:
		t.msgs[i] = m
	case i == 0 && t.older, i == len(t.msgs) && t.newer: // outside
	default:
		t.msgs = slices.Insert(t.msgs, i, m)
		if t.first == 0 || m.Seq < t.first {
			t.first = m.Seq
		}
	}
	if _, known := t.quotes[m.ID]; known {
		t.quotes[m.ID] = m
	}
}

// newestOwn is the last message that this person wrote.
func (t *timeline) newestOwn() (chat.Message, bool) {
	for i := len(t.msgs) - 1; i >= 0; i-- {
		if m := t.msgs[i]; m.Sender == t.me && m.Kind == chat.KindText {
			return m, true
		}
	}
	return chat.Message{}, false
}

// waiting reports whether something on screen waits, so that its reason matters.
func (t *timeline) waiting() bool {
	for id := range t.ways {
		if s := t.ways[id].State; s == chat.Queued || s == chat.Sent || s == chat.Failed {
			return true
		}
	}
	return false
}

// enrich asks for what stands in and under the bubbles: the messages that are
// answered to, and the ways of those that failed, wait, or are opened.
func (t *timeline) enrich(ctx context.Context) error {
	t.ways = map[chat.MessageID]core.Delivery{}
	newest, _ := t.newestOwn()
	for _, m := range t.msgs {
		if m.Sender != t.me || m.Kind != chat.KindText {
			continue
		}
		if m.State == chat.Failed || t.opened[m.ID] || (m.ID == newest.ID && (m.State == chat.Queued || m.State == chat.Sent)) {
			if err := t.way(ctx, m.ID); err != nil {
				return err
			}
		}
	}
	if err := t.loadInfos(ctx); err != nil {
		return err
	}
	return t.loadQuotes(ctx)
}

// loadInfos asks how far the files have come that are not whole: those of the
// messages that changed anew, others once.
func (t *timeline) loadInfos(ctx context.Context) error {
	next := map[fileKey]core.FileInfo{}
	for _, m := range t.msgs {
		for i, a := range m.Attachments {
			if m.Sender == t.me || a.State != chat.FileWaiting && a.State != chat.FilePaused {
				continue
			}
			k := fileKey{m.ID, i}
			info, known := t.infos[k]
			if !known || info.File.State != a.State || slices.Contains(t.stale, m.ID) {
				var err error
				if info, err = t.client.File(ctx, m.ID, i); errors.Is(err, chat.ErrNotFound) {
					continue
				} else if err != nil {
					return err
				}
			}
			next[k] = info
		}
	}
	t.infos, t.stale = next, nil
	return nil
}

// loadSeals asks what is being encrypted for this conversation.
func (t *timeline) loadSeals(ctx context.Context) error {
	all, err := t.client.Sealing(ctx)
	t.seals = slices.DeleteFunc(all, func(s core.Sealing) bool { return s.Conversation != t.conv })
	return err
}

func (t *timeline) way(ctx context.Context, id chat.MessageID) error {
	d, err := t.client.Delivery(ctx, id)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		t.ways[id] = d
	}
	return nil // what is not known is not shown
}

func (t *timeline) loadQuotes(ctx context.Context) error {
	used := map[chat.MessageID]chat.Message{}
	for _, m := range t.msgs {
		if m.ReplyTo.IsZero() {
			continue
		}
		q, ok := t.quotes[m.ReplyTo]
		if !ok {
			var err error
			if q, err = t.client.Message(ctx, m.ReplyTo); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				continue // not here (any more): the answer stands alone
			}
		}
		if q.Conversation == t.conv {
			used[m.ReplyTo] = q
		}
	}
	t.quotes = used
	return nil
}
