package ui

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// groupGap is the silence after which a sender's next message starts a new group.
const groupGap = 10 * time.Minute

// patience is how long a message may wait before its reason is shown: less is how
// long sending takes anyway.
const patience = 2 * time.Second

// scene is what the items of a conversation are made from.
type scene struct {
	*view
	me      chat.PersonID
	name    string                  // the other person's
	whole   map[chat.MessageID]bool // long texts that are shown in full
	divided bool                    // there is a line above what is new:
	divider uint64                  // messages of others after this place
	found   chat.MessageID          // a search led there
	// before are the files of the bubbles as they were shown last, made as they are
	// now.
	before, made map[chat.MessageID]*widgets.Files
	now          time.Time
}

// items turns messages into what the history shows.
func (s *scene) items() []widgets.Item {
	out := make([]widgets.Item, 0, len(s.msgs)+8)
	newest := s.newestOwn()
	lastDay, date, divided := int64(-1), "", !s.divided
	for i, m := range s.msgs {
		at := shown(m)
		if d := day(at); d != lastDay {
			lastDay, date = d, longDay(at, s.now)
			out = append(out, widgets.Item{Key: widgets.Key{Kind: widgets.ItemDay, ID: m.ID, Day: d}, Seq: m.Seq, Text: date, Day: date})
		}
		if !divided && m.Seq > s.divider && m.Sender != s.me && m.Kind == chat.KindText {
			divided = true
			out = append(out, widgets.Item{Key: widgets.Key{Kind: widgets.ItemDivider}, Seq: m.Seq, Text: t("conversation.new"), Day: date})
		}
		it := s.item(m, m.ID == newest)
		it.Day = date
		it.First = i == 0 || !s.grouped(s.msgs[i-1], m) || (len(out) > 0 && out[len(out)-1].Key.Kind != widgets.ItemBubble)
		it.Last = i == len(s.msgs)-1 || !s.grouped(m, s.msgs[i+1])
		out = append(out, it)
	}
	return out
}

// grouped reports whether two messages that follow each other are one group.
func (s *scene) grouped(a, b chat.Message) bool {
	return a.Kind == chat.KindText && b.Kind == chat.KindText && a.Sender == b.Sender &&
		day(shown(a)) == day(shown(b)) && shown(b).Sub(shown(a)) < groupGap
}

func (s *scene) newestOwn() chat.MessageID {
	for i := len(s.msgs) - 1; i >= 0; i-- {
		if m := s.msgs[i]; m.Sender == s.me && m.Kind == chat.KindText {
			return m.ID
		}
	}
	return chat.MessageID{}
}

func (s *scene) item(m chat.Message, newestOwn bool) widgets.Item {
	if m.Kind != chat.KindText {
		return widgets.Item{Key: widgets.Key{Kind: widgets.ItemNotice, ID: m.ID}, Seq: m.Seq, Text: notice(m, s.name)}
	}
	it := widgets.Item{
		Key: widgets.Key{Kind: widgets.ItemBubble, ID: m.ID}, Seq: m.Seq, Text: m.Text,
		Own: m.Sender == s.me, Time: clock(shown(m)), Marked: m.ID == s.found,
		Files: s.cards(m),
	}
	it.Shown, it.More = s.fold(m)
	if it.Own {
		it.Mark = mark(m.State)
		s.ownState(&it, m, newestOwn)
	}
	s.quote(&it, m)
	if s.opened[m.ID] {
		d, known := s.ways[m.ID]
		it.Detail = details(m, d, known, s.name, s.now)
	}
	return it
}

// A text longer than foldBytes or foldLines is folded, so that one message never
// fills the conversation, nor keeps the window busy. Unfolded it shows at most
// wholeLines; copying takes all of it.
const (
	foldBytes  = 2000
	foldLines  = 30
	foldTo     = 20 // lines that are shown of a folded text
	wholeLines = 2000
)

// fold says how much of a text is shown and what leads to the rest.
func (s *scene) fold(m chat.Message) (bytes int, more string) {
	if len(m.Text) <= foldBytes && strings.Count(m.Text, "\n") < foldLines {
		return 0, ""
	}
	if s.whole[m.ID] {
		return cut(m.Text, len(m.Text), wholeLines), t("conversation.less")
	}
	return cut(m.Text, foldBytes, foldTo), t("conversation.more")
}

// cut is where a text ends that has at most so many bytes and lines.
func cut(s string, bytes, lines int) int {
	at := 0
	for ; lines > 0; lines-- {
		n := strings.IndexByte(s[at:], '\n')
		if n < 0 {
			at = len(s)
			break
		}
		at += n + 1
	}
	at = min(at, bytes)
	for at > 0 && at < len(s) && !utf8.RuneStart(s[at]) {
		at--
	}
	if at > 0 && at < len(s) && s[at-1] == '\n' {
		at--
	}
	return at
}

// ownState says in words how far an own message is: always if it failed, else with
// the newest one only.
func (s *scene) ownState(it *widgets.Item, m chat.Message, newest bool) {
	if !newest && m.State != chat.Failed {
		return
	}
	it.Word = t(stateWords[m.State])
	d, known := s.ways[m.ID]
	if known && d.Where == core.WhereMailbox && m.State == chat.Sent {
		it.Word = t("conversation.word.mailbox")
	}
	switch {
	case m.State == chat.Failed:
		it.Failed, it.Action = true, t("conversation.menu.resend")
		if it.Note = why(d.Why, s.name); it.Note == "" {
			it.Note = t("delivery.failed")
		}
	case m.State == chat.Queued && known && s.now.Sub(m.SentAt) >= patience && !s.opened[m.ID]:
		it.Note = why(d.Why, s.name)
	}
}

func (s *scene) quote(it *widgets.Item, m chat.Message) {
	q, ok := s.quotes[m.ReplyTo]
	if !ok || q.Kind != chat.KindText {
		return
	}
	it.QuoteOf, it.Quote, it.QuoteWho = q.ID, gist(q), s.name
	if q.Sender == s.me {
		it.QuoteWho = t("conversation.you")
	}
}

func mark(s chat.State) widgets.Mark {
	switch s {
	case chat.Queued:
		return widgets.MarkQueued
	case chat.Sent:
		return widgets.MarkSent
	case chat.Delivered:
		return widgets.MarkDelivered
	case chat.Read:
		return widgets.MarkRead
	case chat.Failed:
		return widgets.MarkFailed
	case chat.Received:
	}
	return widgets.MarkNone
}

// named gives a contact a name to show as long as they have not told theirs.
func named(c chat.Contact) chat.Contact {
	if c.Name == "" {
		c.Name = t("main.row.unnamed")
	}
	return c
}

// row is a conversation as the list shows it.
func row(c chat.Contact, v chat.Conversation, me chat.PersonID, open bool, now time.Time) widgets.Row {
	r := widgets.Row{
		Contact: c.ID, Name: c.Name, Verified: c.Verified, Online: c.Online && !c.Blocked,
		Unread: v.Unread, Time: rowTime(v.LastAt, now),
	}
	switch {
	case v.Draft != "" && !open:
		r.Lead, r.Draft, r.Preview = t("main.row.draft"), true, one(v.Draft)
	case c.Blocked:
		r.Preview = t("main.row.blocked")
	case v.Last != nil:
		preview(&r, *v.Last, c.Name, me)
	case c.Pending:
		r.Preview = t("main.row.pending")
	default:
		r.Preview = t("main.row.new")
	}
	return r
}

func preview(r *widgets.Row, m chat.Message, name string, me chat.PersonID) {
	if m.Kind == chat.KindText {
		r.Icon, _ = fileLabel(m.Attachments)
	}
	switch {
	case m.Kind != chat.KindText:
		r.Preview = notice(m, name)
	case m.Sender == me:
		r.Lead, r.Preview, r.Mark = t("main.row.me"), gist(m), mark(m.State)
	default:
		r.Preview = gist(m)
	}
}

// statusLine is what the header says about a person.
func statusLine(c chat.Contact, now time.Time) string {
	switch {
	case c.Blocked:
		return t("conversation.blocked")
	case c.Pending:
		return t("conversation.pending")
	case c.Online:
		return t("conversation.online")
	case c.LastSeen.IsZero():
		return t("conversation.offline")
	}
	switch day(now) - day(c.LastSeen) {
	case 0:
		return t("conversation.seen.today", "Time", clock(c.LastSeen))
	case 1:
		return t("conversation.seen.yesterday", "Time", clock(c.LastSeen))
	}
	return t("conversation.seen.day", "Date", rowDate(c.LastSeen))
}

func rowDate(at time.Time) string { return at.Local().Format(t("main.date.layout.year")) }

// trouble is the most serious thing that is wrong, as a banner says it.
func trouble(n core.Network) (tone widgets.Tone, key string) {
	switch {
	case n.Trouble == core.TroubleDatabase:
		return widgets.ToneError, "error.database"
	case n.Trouble == core.TroubleDiskFull:
		return widgets.ToneError, "error.disk"
	case n.Trouble == core.TroubleNoNetwork || !n.Online:
		return widgets.ToneWarning, "error.offline"
	}
	return widgets.ToneInfo, ""
}
