package settings

import (
	"context"
	"errors"
	"net/netip"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/codes"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// mailbox is the section about the machines that keep mail: which ones there are,
// how to add one, and whether this computer is one.
type mailbox struct {
	s     *Screen
	nodes []core.NodeInfo

	rows *fyne.Container
	none *parts.Text
	say  *parts.Say
	add  *fyne.Container // the button
	form *codes.Form
	how  *fyne.Container // to add one; hidden until it is asked for
	kept *parts.Text     // under the switch
}

// mailSentences are about access links where the usual ones are about invitations.
var mailSentences = []codes.Sentence{
	{Err: chat.ErrNodeLink, Key: "screens.mailbox.code.malformed"},
	{Err: chat.ErrInvitationMalformed, Key: "screens.mailbox.code.malformed"},
	{Err: chat.ErrInvitationVersion, Key: "screens.mailbox.code.version"},
	{Err: chat.ErrTooLong, Key: "screens.mailbox.code.many"},
	{Err: qr.ErrSeveral, Key: "screens.mailbox.code.several"},
	{Err: codes.ErrWebCode, Key: "screens.mailbox.code.foreign"},
	{Err: qr.ErrForeign, Key: "screens.mailbox.code.foreign"},
	{Err: codes.ErrWebText, Key: "screens.mailbox.code.web"},
}

func newMailbox(s *Screen) *mailbox {
	m := &mailbox{s: s, rows: parts.Column(parts.Gap), none: parts.Body(parts.T("screens.mailbox.none")), say: parts.NewSay(), kept: parts.Body("")}
	m.form = codes.New(codes.Config{
		Env: s.cfg.Env, ClipboardPicture: s.cfg.ClipboardPicture, PickFile: s.cfg.PickFile,
		Hint: parts.T("screens.mailbox.hint"), Take: parts.T("screens.add.take"), Accept: m.accept, Sentences: mailSentences, Changed: m.follow,
		Elsewhere: codes.Elsewhere{Text: parts.T("screens.mailbox.invitation"), Button: parts.T("screens.mailbox.invitation.open"), Open: s.cfg.AddContact},
	})
	m.add = parts.Row(0, parts.NewButtonWithIcon(parts.T("screens.mailbox.add"), icons.New(icons.Mailbox), m.open))
	m.how = parts.Column(12, append([]fyne.CanvasObject{parts.Muted(parts.T("screens.mailbox.add.text"))}, m.form.Objects()...)...)
	m.how.Hide()
	m.rows.Hide()
	m.kept.Hide()
	return m
}

// objects is what the section consists of.
func (m *mailbox) objects() []fyne.CanvasObject {
	keep := m.s.check(core.SettingKeepMail, "screens.mailbox.keep", "screens.mailbox.keep.text")
	return []fyne.CanvasObject{
		parts.Muted(parts.T("screens.mailbox.text")),
		m.rows, m.none, m.say, m.add, m.how,
		parts.Line(), keep, m.kept,
	}
}

// open shows how to add a mailbox.
func (m *mailbox) open() {
	m.say.Clear()
	m.form.Reset()
	m.add.Hide()
	m.how.Show()
	m.s.cfg.Window.Canvas().Focus(m.form.Entry)
	m.follow()
}

// shut hides that again.
func (m *mailbox) shut() {
	m.how.Hide()
	m.add.Show()
}

// follow keeps what the form says in view.
func (m *mailbox) follow() {
	m.s.relayout()
	if !m.how.Visible() {
		return
	}
	d, scroll := fyne.CurrentApp().Driver(), m.s.root
	bottom := d.AbsolutePositionForObject(m.how).Y - d.AbsolutePositionForObject(scroll.Content).Y + m.how.Size().Height
	if hidden := bottom + parts.Edge - scroll.Size().Height; hidden > scroll.Offset.Y {
		scroll.ScrollToOffset(fyne.NewPos(0, hidden))
	}
}

// accept hands an access link to the core.
func (m *mailbox) accept(ctx context.Context, code string) (func(), error) {
	if qr.IsInvitation(code) {
		return nil, codes.ErrElsewhere
	}
	_, err := m.s.cfg.Client.AddNode(ctx, code)
	return func() {
		m.shut()
		m.say.Set(parts.ToneGood, parts.T("screens.mailbox.added"))
		m.s.load()
	}, err
}

// show shows the mailboxes and what is kept here.
func (m *mailbox) show(nodes []core.NodeInfo, kept core.KeptMail) {
	m.nodes = nodes
	rows := make([]fyne.CanvasObject, len(nodes))
	for i, n := range nodes {
		rows[i] = m.row(n)
	}
	m.rows.Objects = rows
	m.rows.Hidden, m.none.Hidden = len(rows) == 0, len(rows) > 0
	m.rows.Refresh()
	on := m.s.values[core.SettingKeepMail] == "true"
	m.kept.Hidden = !on
	m.kept.SetText(keptWords(kept))
}

// row is a mailbox: whose it is, how it stands with it, and a way to leave it.
func (m *mailbox) row(n core.NodeInfo) fyne.CanvasObject {
	look := standings[n.State]
	text := parts.Column(2, parts.Label(nodeName(n)), parts.Body(nodeState(n)))
	switch {
	case look.advice != "":
		text.Add(parts.Muted(parts.T(look.advice)))
	case n.Relay:
		text.Add(parts.Muted(parts.T("screens.mailbox.relay")))
	}
	remove := parts.Quiet(parts.T("screens.mailbox.remove"), func() { m.askRemove(n) })
	row := parts.Beside(12, parts.Mark(icons.Colored(look.icon, look.color)), text, remove)
	return container.NewStack(parts.Ground(theme.ColorNameBackground, parts.Radius, theme.ColorNameSeparator), parts.Pad(row, 10, 6, 10, 12))
}

// nodeName says whose a mailbox is, and of one's own where.
func nodeName(n core.NodeInfo) string {
	switch {
	case n.Keeper.IsZero() && len(n.Addrs) > 0:
		return parts.T("screens.mailbox.own") + " · " + bareHost(n.Addrs[0])
	case n.Keeper.IsZero():
		return parts.T("screens.mailbox.own")
	case n.KeeperName == "":
		return parts.T("screens.mailbox.theirs.unnamed")
	}
	return parts.T("screens.mailbox.theirs", parts.With("Name", n.KeeperName))
}

// standing is how a mailbox's state is shown.
type standing struct {
	icon         icons.Name
	color        fyne.ThemeColorName
	word, advice string
}

var standings = map[core.NodeStanding]standing{
	core.NodeConnected:   {icons.Check, theme.ColorNameSuccess, "screens.mailbox.connected", ""},
	core.NodeConnecting:  {icons.Clock, theme.ColorNamePlaceHolder, "screens.mailbox.connecting", ""},
	core.NodeUnreachable: {icons.Offline, theme.ColorNameWarning, "screens.mailbox.unreachable", "screens.mailbox.unreachable.text"},
	core.NodeRefused:     {icons.Alert, theme.ColorNameError, "screens.mailbox.refused", "screens.mailbox.refused.text"},
	core.NodeOutside:     {icons.Info, theme.ColorNameWarning, "screens.mailbox.outside", "screens.mailbox.outside.text"},
	core.NodeFull:        {icons.Warning, theme.ColorNameWarning, "screens.mailbox.full", "screens.mailbox.full.text"},
}

// nodeState is a mailbox's state in words: how it stands and how full it is.
func nodeState(n core.NodeInfo) string {
	state := parts.T(standings[n.State].word)
	if n.Quota > 0 {
		state += " · " + parts.T("screens.mailbox.used", parts.With("Used", parts.Bytes(n.Used), "Quota", parts.Bytes(n.Quota)))
	}
	return state
}

// bareHost is an address without its port.
func bareHost(addr string) string {
	if ap, err := netip.ParseAddrPort(addr); err == nil {
		return ap.Addr().String()
	}
	return addr
}

// keptWords says what this computer keeps for others.
func keptWords(k core.KeptMail) string {
	if !k.On || k.People == 0 {
		return parts.T("screens.mailbox.kept.nobody")
	}
	people := parts.N("screens.mailbox.kept.people", k.People)
	if k.Blobs == 0 {
		return people + " · " + parts.T("screens.mailbox.kept.nothing")
	}
	return people + " · " + parts.N("screens.mailbox.kept.messages", k.Blobs) + " (" + parts.Bytes(k.Bytes) + ")"
}

func (m *mailbox) askRemove(n core.NodeInfo) {
	text := parts.T("screens.mailbox.remove.own")
	if !n.Keeper.IsZero() {
		text = parts.T("screens.mailbox.remove.theirs", parts.With("Name", nodeName(n)))
	}
	parts.Ask(m.s.cfg.Window, parts.T("screens.mailbox.remove.title"), text,
		parts.T("screens.cancel"), parts.T("screens.mailbox.remove"), true, func() { m.remove(n.ID) })
}

func (m *mailbox) remove(id string) {
	m.say.Clear()
	m.s.cfg.Order(func(ctx context.Context) func() {
		err := m.s.cfg.Client.RemoveNode(ctx, id)
		return func() {
			if err != nil && !errors.Is(err, chat.ErrNotFound) {
				m.say.Set(parts.ToneError, codes.Say(err))
			}
			m.s.load()
		}
	})
}
