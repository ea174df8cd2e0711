package addcontact

import (
	"context"
	"strconv"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/codes"
	"github.com/kuvert-im/kuvert/app/ui/pairing"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/requests"
	"github.com/kuvert-im/kuvert/app/ui/widgets"
)

// nearby shows who waits for an answer of mine and who is visible in this network.
type nearby struct {
	cfg    *Config
	dialog *pairing.Dialog
	busy   bool
	newest parts.Newest
	// relayout gives the screen's parts their places again.
	relayout func()

	// What waits for an answer stands above everything else on the screen.
	waiting  *fyne.Container // comparisons
	requests *requests.List

	root    *fyne.Container
	rows    *fyne.Container // visible people
	none    *parts.Text
	visible *parts.Switch
	say     *parts.Say
}

func newNearby(cfg *Config) *nearby {
	n := &nearby{cfg: cfg, rows: parts.Column(parts.Gap), say: parts.NewSay(), requests: requests.New(cfg.Env)}
	n.waiting = parts.Column(parts.Gap)
	n.waiting.Hide()
	n.none = parts.Muted(parts.T("screens.add.nearby.none"))
	n.visible = parts.NewSwitch(parts.T("screens.add.visible"), parts.T("screens.add.visible.text"), n.setVisible)
	n.requests.OnAccepted = func(id chat.PersonID) {
		if cfg.Open != nil {
			cfg.Open(id)
		}
	}
	n.root = parts.Column(parts.Gap, parts.Head(parts.T("screens.add.nearby")), n.visible, n.say, n.rows, n.none)
	return n
}

// state is what the section shows.
type state struct {
	visible  bool
	around   []core.Nearby
	pairings []core.Pairing
}

// load asks for everything at once and shows it.
func (n *nearby) load() {
	n.requests.Load()
	if n.dialog != nil {
		n.dialog.Changed([]event.Event{{Kind: event.PairingChanged}})
	}
	fresh := n.newest.Ask()
	n.cfg.Work(func(ctx context.Context) func() {
		var s state
		values, err := n.cfg.Client.Settings(ctx)
		if err == nil {
			s.visible = values[core.SettingVisible] == "true"
			s.around, err = n.cfg.Client.Nearby(ctx)
		}
		if err == nil {
			s.pairings, err = n.cfg.Client.Pairings(ctx)
		}
		if err != nil {
			return nil // what is shown stays
		}
		return func() {
			if fresh() {
				n.show(s)
			}
		}
	})
}

func (n *nearby) show(s state) {
	n.visible.SetOn(s.visible)
	n.rows.RemoveAll()
	for _, p := range s.around {
		n.rows.Add(n.person(p))
	}
	if len(s.around) == 0 {
		n.none.Show()
	} else {
		n.none.Hide()
	}
	n.showWaiting(s.pairings)
	n.relayout()
}

func (n *nearby) person(p core.Nearby) fyne.CanvasObject {
	connect := parts.NewButton(parts.T("screens.add.nearby.connect"), func() { n.connect(p.ID) })
	return parts.Person(avatar(nearbyKey(p.ID), p.Name), p.Name, parts.T("screens.add.nearby.unverified"), connect)
}

func avatar(id chat.PersonID, name string) fyne.CanvasObject {
	return widgets.ForContact(chat.Contact{ID: id, Name: name}, parts.AvatarSide, theme.ColorNameBackground).Container
}

// nearbyKey gives somebody whose identity is not known yet a colour.
func nearbyKey(id string) (key chat.PersonID) {
	copy(key[:], id)
	return key
}

// showWaiting lists the comparisons that want an answer; the first that somebody
// else asked for opens by itself.
func (n *nearby) showWaiting(all []core.Pairing) {
	n.waiting.RemoveAll()
	for _, p := range all {
		if p.State != core.PairingCompare && p.State != core.PairingWaiting {
			continue
		}
		if len(n.waiting.Objects) == 0 {
			n.waiting.Add(parts.Head(parts.T("screens.add.waiting")))
		}
		n.waiting.Add(n.comparison(p))
	}
	if len(n.waiting.Objects) == 0 {
		n.waiting.Hide()
	} else {
		n.waiting.Show()
	}
}

func (n *nearby) comparison(p core.Pairing) fyne.CanvasObject {
	key := "screens.pair.waiting"
	switch {
	case p.Invitation:
		key = "screens.pair.invited"
	case p.Incoming:
		key = "screens.pair.incoming"
	}
	open := parts.NewButton(parts.T("screens.add.compare"), func() { n.open(p) })
	open.Importance = widget.HighImportance
	return parts.Person(avatar(p.Contact, p.Name), p.Name, parts.T(key, parts.With("Name", p.Name)), open)
}

func (n *nearby) open(p core.Pairing) {
	if n.dialog != nil && !n.dialog.Closed() {
		return
	}
	n.dialog = pairing.Show(n.cfg.Env, p)
	n.dialog.OnClosed = n.load
}

// connect asks a visible person to compare digits.
func (n *nearby) connect(id string) {
	if n.busy {
		return
	}
	n.busy = true
	n.say.Clear()
	n.cfg.Work(func(ctx context.Context) func() {
		p, err := n.cfg.Client.Pair(ctx, id)
		return func() {
			n.busy = false
			if err != nil {
				n.say.Set(parts.ToneError, codes.Say(err))
				return
			}
			n.open(p)
		}
	})
}

// setVisible follows the switch. The switch goes back if it could not be stored.
func (n *nearby) setVisible(on bool) {
	n.say.Clear()
	n.cfg.Order(func(ctx context.Context) func() {
		err := n.cfg.Client.SetSetting(ctx, core.SettingVisible, strconv.FormatBool(on))
		if err == nil {
			return nil
		}
		return func() {
			n.say.Set(parts.ToneError, parts.T("screens.settings.failed"))
			n.load()
		}
	})
}
