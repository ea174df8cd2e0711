package ui

import (
	"context"
	"errors"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	ftheme "fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// draftPause is how long nothing must be typed before the draft is stored: short
// enough that a crash costs a few words at most.
const draftPause = 700 * time.Millisecond

// dividerTop is where the line of the new messages stands when a conversation is
// opened.
const dividerTop = 72

// conversation is the pane of the open conversation.
type conversation struct {
	u        *UI
	root     *fyne.Container
	head     *widgets.Head
	find     *find
	history  *widgets.History
	composer *widgets.Composer
	write    *fyne.Container // the composer in its bar
	blocked  *widgets.Banner // in its place
	trouble  *widgets.Banner // what went wrong with the last thing done here
	sealing  *widgets.Banner // which file is being encrypted, to be sent
	hint     *parts.Text

	id       chat.PersonID
	view     *view
	whole    map[chat.MessageID]bool // long texts that are shown in full
	fresh    bool                    // opened, nothing shown yet
	goal     goal                    // where the next view is to be shown
	target   *chat.Position          // where to open it, for as long as it is being opened
	found    chat.MessageID          // marked, since a search led there
	stopMark func()
	divided  bool
	divider  uint64 // messages of others after this place are new
	marked   uint64 // up to here they are marked as read
	dirty    bool   // the draft is not stored yet
	stopSave func()
	stopNote func()
	stopTick func()                            // of the countdown in an open panel
	cards    map[chat.MessageID]*widgets.Files // as shown last
	thumbs   thumbs
	sending  sending
	focused  bool // the composer had the cursor when the window lost the keyboard
}

// goal is where a view is to be shown.
type goal struct {
	kind goalKind
	id   chat.MessageID
	seq  uint64
}

type goalKind int

const (
	goalKeep goalKind = iota
	goalEnd
	goalMessage
	goalSeq
)

func newConversation(u *UI) *conversation {
	c := &conversation{u: u, trouble: widgets.NewBanner(), blocked: widgets.NewBanner(), sealing: widgets.NewBanner(), hint: parts.Muted("").Centered()}
	c.head = widgets.NewHead(u.tips, t("conversation.details"), func() { u.ShowContact(c.id) }, t("search.here"), func() { c.find.show() })
	c.find = newFind(c)
	c.history = widgets.NewHistory(u.tips, t("conversation.newest"))
	c.composer = widgets.NewComposer(u.tips, t("conversation.composer"), t("conversation.send"))
	c.write = container.New(composerBar{}, c.composer.Object())
	c.composer.AddAttach(u.tips, t("file.attach"), c.pickFiles)
	c.sending.clipboard = files.ClipboardPicture
	c.sending.pick = func(e parts.Env, limit int, chosen func([]string)) { files.PickMany(e, limit, chosen) }
	c.trouble.OnAction = func() { c.say("") }
	c.sealing.OnAction = c.stopSealing
	c.blocked.OnAction = c.unblock
	c.listen()
	c.hint.Hide()
	middle := container.NewStack(c.history, parts.Middle(360, c.hint))
	c.root = container.New(&paneLayout{c}, parts.Ground(ftheme.ColorNameBackground, 0, ""), c.head, parts.Line(), middle, c.trouble, parts.Line(), c.write, c.blocked, c.find.bar.Container, c.sealing)
	c.composer.OnRows = func() { c.root.Refresh() }
	return c
}

// listen connects what a person does here.
func (c *conversation) listen() {
	h := c.history
	h.OnOlder = func() { c.ask(goal{}, (*timeline).loadOlder) }
	h.OnNewer = func() { c.ask(goal{}, (*timeline).loadNewer) }
	h.OnBottom = func() {
		c.ask(goal{kind: goalEnd}, func(t *timeline, ctx context.Context) error { return t.newest(ctx, pageSize) })
	}
	h.OnSeek = c.seek
	h.OnSeen = c.seen
	h.OnMenu = c.menu
	h.OnDelete = c.askDelete
	h.OnDetails = func(it widgets.Item) { c.toggleDetails(it.Key.ID) }
	h.OnAction = func(it widgets.Item) { c.resend(it.Key.ID) }
	h.OnMore = func(it widgets.Item) { c.toggleWhole(it.Key.ID) }
	h.OnQuote = func(it widgets.Item) { c.jump(it.QuoteOf) }
	h.OnFile = func(it widgets.Item, place, do int) { c.fileDo(it.Key.ID, place, do) }
	h.OnPicture = func(it widgets.Item, place int) { c.showPicture(it.Key.ID, place) }
	h.Thumbnail = c.thumbnail
	h.OnCopy = func(s string) { fyne.CurrentApp().Clipboard().SetContent(s) }
	h.OnRune = c.typeInto
	c.composer.OnSend = c.send
	c.composer.OnEdit = func(string) {
		c.u.touch()
		c.edited()
	}
	c.composer.OnPage = func(k fyne.KeyName) bool {
		c.u.touch()
		return h.Page(k)
	}
	c.composer.OnPaste = c.paste
	c.composer.OnLeave, h.OnLeave = c.u.escape, c.u.escape
}

// open shows the conversation with a person.
func (c *conversation) open(id chat.PersonID) {
	v := c.u.conversation(id)
	c.id, c.view, c.fresh, c.whole = id, nil, true, map[chat.MessageID]bool{}
	c.divided, c.divider, c.marked = v.Unread > 0, v.ReadSeq, v.ReadSeq
	c.dirty = false
	c.say("")
	c.history.SetItems(nil, false, false)
	c.composer.Set(v.Draft)
	c.showSealing()
	c.showHeader()
	me := c.u.me.ID
	at := c.target
	if at != nil {
		c.fresh, c.goal = false, goal{kind: goalMessage, id: at.ID}
		c.mark(at.ID)
	}
	c.u.pump.Ask(func(ctx context.Context) func() {
		tl := newTimeline(c.u.cfg.Client, v.ID, me)
		if err := tl.openAt(ctx, v, at); err != nil {
			return func() { c.failed(id, err, "error.load") }
		}
		c.u.load.open = tl
		view := tl.view()
		return func() { c.setView(view) }
	})
}

// leave closes the conversation and stores its draft.
func (c *conversation) leave() {
	c.saveDraft()
	c.find.reset()
	c.unmark()
	c.id, c.view = chat.PersonID{}, nil
	c.countDown()
	c.history.SetItems(nil, false, false)
	c.u.pump.Ask(func(context.Context) func() {
		c.u.load.open = nil
		return nil
	})
}

// ask runs a step of the timeline and shows what came of it.
func (c *conversation) ask(g goal, step func(*timeline, context.Context) error) {
	id := c.id
	conv := c.u.conversation(id).ID
	c.u.pump.Ask(func(ctx context.Context) func() {
		tl := c.u.load.open
		if tl == nil || tl.conv != conv {
			return nil
		}
		if err := step(tl, ctx); err != nil {
			return func() { c.failed(id, err, "error.load") }
		}
		v := tl.view()
		return func() {
			if id == c.id {
				c.goal = g
				c.setView(v)
			}
		}
	})
}

// setView takes over what is loaded.
func (c *conversation) setView(v *view) {
	if c.id.IsZero() || v.conv != c.u.conversation(c.id).ID {
		return
	}
	c.view = v
	c.show()
}

// show makes the items anew and puts them where they belong.
func (c *conversation) show() {
	if c.view == nil {
		return
	}
	s := &scene{
		view: c.view, me: c.u.me.ID, name: c.u.contacts[c.id].Name, divided: c.divided, divider: c.divider, whole: c.whole, found: c.found, now: c.u.now(),
		before: c.cards, made: map[chat.MessageID]*widgets.Files{},
	}
	c.history.SetExtent(c.view.first, c.view.last)
	items := s.items()
	c.cards = s.made
	c.history.SetItems(items, c.view.older, c.view.newer)
	c.hint.SetText("")
	if len(items) == 0 {
		c.hint.SetText(t("conversation.empty"))
	}
	show(c.hint, len(items) == 0)
	c.settle()
	c.history.SetNew(c.u.conversation(c.id).Unread)
	c.showSealing()
	c.notePatience(s)
	c.countDown()
}

// settle scrolls to where this view is to be shown.
func (c *conversation) settle() {
	g := c.goal
	c.goal = goal{}
	if c.fresh {
		c.fresh = false
		if !c.divided || !c.history.ShowAt(widgets.Key{Kind: widgets.ItemDivider}, dividerTop) {
			c.history.ShowEnd()
		}
		return
	}
	switch g.kind {
	case goalKeep:
	case goalEnd:
		c.history.ShowEnd()
	case goalMessage:
		c.history.ShowAt(widgets.Key{Kind: widgets.ItemBubble, ID: g.id}, c.history.Size().Height/3)
	case goalSeq:
		for _, it := range c.history.Items() {
			if it.Seq >= g.seq {
				c.history.ShowAt(it.Key, c.history.Size().Height/2)
				break
			}
		}
	}
}

// notePatience shows why the newest message waits, once it waited long enough.
func (c *conversation) notePatience(s *scene) {
	if c.stopNote != nil {
		c.stopNote()
		c.stopNote = nil
	}
	id := s.newestOwn()
	for i := len(s.msgs) - 1; i >= 0; i-- {
		if m := s.msgs[i]; m.ID == id && m.State == chat.Queued && s.now.Sub(m.SentAt) < patience {
			c.stopNote = c.u.pump.Later(patience, c.show)
			return
		}
	}
}

// countDown brings an open panel that says when a message is tried again up to
// date, second by second, while somebody can be looking.
func (c *conversation) countDown() {
	if c.stopTick != nil {
		c.stopTick()
		c.stopTick = nil
	}
	if c.view == nil || !c.u.active {
		return
	}
	for id := range c.view.opened {
		if !c.view.ways[id].NextTry.IsZero() {
			c.stopTick = c.u.pump.Later(time.Second, c.tick)
			return
		}
	}
}

// tick shows the time that is left; when it is over it asks how it went.
func (c *conversation) tick() {
	if c.view == nil {
		return
	}
	for id := range c.view.opened {
		if d := c.view.ways[id]; !d.NextTry.IsZero() && !d.NextTry.After(c.u.now()) {
			c.ask(goal{}, (*timeline).enrich)
			return
		}
	}
	c.show()
}

// closePanels closes the panels under the messages and reports whether there was
// one.
func (c *conversation) closePanels() bool {
	if c.view == nil || len(c.view.opened) == 0 {
		return false
	}
	c.ask(goal{}, func(t *timeline, ctx context.Context) error {
		clear(t.opened)
		return t.enrich(ctx)
	})
	return true
}

// seek shows a place that is not loaded.
func (c *conversation) seek(seq uint64) {
	c.ask(goal{kind: goalSeq, seq: seq}, func(t *timeline, ctx context.Context) error { return t.seek(ctx, seq) })
}

// jump shows a message, loaded or not.
func (c *conversation) jump(id chat.MessageID) {
	if c.history.ShowAt(widgets.Key{Kind: widgets.ItemBubble, ID: id}, c.history.Size().Height/3) {
		return
	}
	if q, ok := c.view.quotes[id]; ok {
		c.ask(goal{kind: goalMessage, id: id}, func(t *timeline, ctx context.Context) error { return t.seek(ctx, q.Seq) })
	}
}

// arrived is told that a message came in; before is the conversation without it.
func (c *conversation) arrived(before chat.Conversation) {
	if !c.divided && (!c.u.active || !c.history.AtEnd()) {
		c.divided, c.divider = true, max(before.ReadSeq, c.marked)
	}
}

// seen marks what is on screen as read, if somebody can be looking.
func (c *conversation) seen(seq uint64) {
	v := c.u.conversation(c.id)
	if !c.u.active || c.id.IsZero() || seq <= c.marked || v.Unread == 0 || c.fresh {
		return
	}
	c.marked = seq
	c.u.pump.Tell(func(ctx context.Context) func() {
		if err := c.u.cfg.Client.MarkRead(ctx, v.ID, seq); err != nil && ctx.Err() == nil {
			c.u.log.Warn("marking as read failed", "error", err)
		}
		return nil
	})
}

// setActive follows the window's keyboard.
func (c *conversation) setActive(active bool) {
	cv := c.u.cfg.Window.Canvas()
	switch {
	case !active:
		c.focused = cv.Focused() == fyne.Focusable(c.composer)
		if c.focused {
			cv.Unfocus() // a blinking cursor costs a tenth of a processor
		}
		c.countDown()
		if c.divided && c.history.AtEnd() && c.u.conversation(c.id).Unread == 0 {
			c.divided = false
			c.show()
		}
	default:
		if c.focused && cv.Focused() == nil && !c.id.IsZero() {
			cv.Focus(c.composer)
		}
		c.seen(c.history.Seen())
		c.show()
	}
}

// focus puts the cursor into the composer.
func (c *conversation) focus() {
	if c.u.active && !c.id.IsZero() && c.write.Visible() {
		c.u.cfg.Window.Canvas().Focus(c.composer)
	}
}

// typeInto begins to write, wherever the keyboard was.
func (c *conversation) typeInto(r rune) {
	if !c.id.IsZero() && c.root.Visible() && c.write.Visible() {
		c.focus()
		c.composer.TypedRune(r)
	}
}

// showHeader shows who it is and whether one may write to them.
func (c *conversation) showHeader() {
	p, ok := c.u.contacts[c.id]
	if !ok {
		return
	}
	c.head.Set(widgets.HeadText{
		ID: p.ID, Name: p.Name, Online: p.Online && !p.Blocked, Status: statusLine(p, c.u.now()),
		Verified: p.Verified, VerifiedText: t("conversation.verified"),
	})
	readOnly := p.Blocked || c.u.backup.Moved
	if c.u.backup.Moved {
		c.blocked.Set(widgets.ToneInfo, icons.Disk, t("main.moved.sealed"), "")
	} else if p.Blocked {
		c.blocked.Set(widgets.ToneInfo, icons.Block, t("conversation.blocked.text"), t("conversation.unblock"))
	} else {
		c.blocked.Set(widgets.ToneInfo, "", "", "")
	}
	if readOnly == c.write.Visible() {
		show(c.write, !readOnly)
		c.root.Refresh()
	}
}

// send hands over what was written. The composer is emptied at once; should the
// message not be taken, it comes back.
func (c *conversation) send(text string) bool {
	if len(text) > chat.MaxTextSize {
		c.say(t("error.send.long"))
		return false
	}
	id, conv := c.id, c.u.conversation(c.id).ID
	c.stopSaving()
	c.dirty = false
	c.divided = false
	c.say("")
	c.history.ToBottom()
	c.u.pump.Tell(func(ctx context.Context) func() {
		if _, err := c.u.cfg.Client.Send(ctx, conv, core.Outgoing{Text: text}); err != nil {
			return func() { c.giveBack(id, text, err) }
		}
		return func() {
			if id == c.id {
				c.ask(goal{kind: goalEnd}, (*timeline).catchUp)
			}
		}
	})
	return true
}

// giveBack puts a text that was not sent back into the composer, before what was
// written since.
func (c *conversation) giveBack(id chat.PersonID, text string, err error) {
	if id == c.id {
		c.composer.Set(joined(text, c.composer.Text))
		c.edited()
	} else {
		c.storeDraft(id, text)
	}
	c.failed(id, err, sendError(err))
}

// joined is one text before another.
func joined(a, b string) string { return strings.TrimSpace(a + "\n" + b) }

func sendError(err error) string {
	switch {
	case errors.Is(err, chat.ErrTooLong):
		return "error.send.long"
	case errors.Is(err, chat.ErrBlocked):
		return "error.send.blocked"
	case errors.Is(err, chat.ErrDiskFull):
		return "error.send.disk"
	}
	return "error.send"
}

// failed says what went wrong with a conversation, if it is still open.
func (c *conversation) failed(id chat.PersonID, err error, key string) {
	c.u.log.Warn("a question of the conversation failed", "error", err)
	if id == c.id {
		c.say(t(key))
	}
}

func (c *conversation) say(text string) {
	if text == "" {
		c.trouble.Set(widgets.ToneInfo, "", "", "")
	} else {
		c.trouble.Set(widgets.ToneError, icons.Alert, text, t("error.dismiss"))
	}
	c.root.Refresh()
}

// tell says what was done in a conversation, if it is still open.
func (c *conversation) tell(id chat.PersonID, text string) {
	if id == c.id {
		c.trouble.Set(widgets.ToneInfo, icons.Check, text, t("error.dismiss"))
		c.root.Refresh()
	}
}

func (c *conversation) resend(id chat.MessageID) {
	person := c.id
	c.u.pump.Tell(func(ctx context.Context) func() {
		if err := c.u.cfg.Client.Resend(ctx, id); err != nil {
			return func() { c.failed(person, err, "error.resend") }
		}
		return nil
	})
}

func (c *conversation) unblock() {
	person := c.id
	c.u.pump.Tell(func(ctx context.Context) func() {
		if err := c.u.cfg.Client.SetBlocked(ctx, person, false); err != nil {
			return func() { c.failed(person, err, "error.unblock") }
		}
		return nil
	})
}

// toggleDetails opens or closes the panel under a message.
func (c *conversation) toggleDetails(id chat.MessageID) {
	c.ask(goal{}, func(t *timeline, ctx context.Context) error {
		if t.opened[id] {
			delete(t.opened, id)
		} else {
			t.opened[id] = true
		}
		return t.enrich(ctx)
	})
}

// toggleWhole shows a long text in full, or folds it.
func (c *conversation) toggleWhole(id chat.MessageID) {
	c.whole[id] = !c.whole[id]
	c.show()
	if !c.whole[id] {
		c.history.ShowAt(widgets.Key{Kind: widgets.ItemBubble, ID: id}, dividerTop)
	}
}

// edited stores the draft after a pause.
func (c *conversation) edited() {
	c.dirty = true
	c.stopSaving()
	c.stopSave = c.u.pump.Later(draftPause, c.saveDraft)
}

func (c *conversation) stopSaving() {
	if c.stopSave != nil {
		c.stopSave()
		c.stopSave = nil
	}
}

// saveDraft stores what is written, if it changed.
func (c *conversation) saveDraft() {
	c.stopSaving()
	if !c.dirty || c.id.IsZero() {
		return
	}
	c.dirty = false
	c.storeDraft(c.id, c.composer.Text)
}

func (c *conversation) storeDraft(id chat.PersonID, text string) {
	v := c.u.conversation(id)
	if strings.TrimSpace(text) == "" {
		text = ""
	}
	if _, ok := c.u.convs[id]; ok {
		v.Draft = text
		c.u.convs[id] = v
	}
	c.u.pump.Tell(func(ctx context.Context) func() {
		if err := c.u.cfg.Client.SaveDraft(ctx, v.ID, text); err != nil && ctx.Err() == nil {
			c.u.log.Warn("storing a draft failed", "error", err)
		}
		return nil
	})
}

// paneLayout stacks header, history and composer.
type paneLayout struct{ c *conversation }

// MinSize implements fyne.Layout.
func (*paneLayout) MinSize([]fyne.CanvasObject) fyne.Size { return fyne.NewSize(280, 240) }

// Layout implements fyne.Layout.
func (l *paneLayout) Layout(o []fyne.CanvasObject, s fyne.Size) {
	c := l.c
	put(o[0], 0, 0, s.Width, s.Height)
	put(c.head, 0, 0, s.Width, theme.Header)
	put(o[2], 0, theme.Header, s.Width, 1)
	bottom := s.Height
	if h := c.blocked.Height(s.Width); h > 0 {
		bottom -= max(h, 56)
		put(c.blocked, 0, bottom, s.Width, max(h, 56))
	} else {
		h := c.write.MinSize().Height
		bottom -= h
		put(c.write, 0, bottom, s.Width, h)
	}
	put(o[5], 0, bottom-1, s.Width, 1)
	bottom--
	busy := c.sealing.Height(s.Width)
	bottom -= busy
	put(c.sealing, 0, bottom, s.Width, busy)
	h := c.trouble.Height(s.Width)
	put(c.trouble, 0, bottom-h, s.Width, h)
	top := float32(theme.Header + 1)
	if c.find.open {
		put(c.find.bar.Container, 0, top, s.Width, widgets.FindBarHeight)
		top += widgets.FindBarHeight
	}
	put(o[3], 0, top, s.Width, max(0, bottom-h-top))
}

// composerBar keeps the composer in the history's column.
type composerBar struct{}

const composerPad = 10

// MinSize implements fyne.Layout.
func (composerBar) MinSize(o []fyne.CanvasObject) fyne.Size {
	return o[0].MinSize().AddWidthHeight(2*theme.Gutter, 2*composerPad)
}

// Layout implements fyne.Layout.
func (composerBar) Layout(o []fyne.CanvasObject, s fyne.Size) {
	w := min(theme.Column, s.Width)
	put(o[0], (s.Width-w)/2+theme.Gutter, composerPad, w-2*theme.Gutter, s.Height-2*composerPad)
}
