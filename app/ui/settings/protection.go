package settings

import (
	"context"
	"errors"
	"strconv"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

// protection is the section about what keeps the data on this computer safe: the
// passphrase, the emergency sheet, the app lock.
type protection struct {
	s      *Screen
	state  protect.State
	newest parts.Newest

	how     *parts.Text
	say     *parts.Say
	set     *parts.Button
	remove  *parts.Button
	not     *parts.Text // why the passphrase cannot be removed
	ask     *parts.Switch
	missing *parts.Say // there is no sheet
	there   *parts.Text
	sheet   *parts.Button
	after   *choice
	lock    *parts.Button
	needs   *parts.Say // the lock needs a passphrase
}

// lockAfter are the values of core.SettingLockAfter in minutes, besides "".
var lockAfter = []int{5, 15, 60}

func newProtection(s *Screen) *protection {
	p := &protection{
		s: s, how: parts.Body(""), say: parts.NewSay(), not: parts.Muted(""), missing: parts.NewSay(),
		there: parts.Muted(parts.T("protect.sheet.there")), needs: parts.NewSay(),
	}
	p.set = parts.NewButton(parts.T("protect.set"), p.change)
	p.remove = parts.NewButton(parts.T("protect.remove"), p.askRemove)
	p.ask = parts.NewSwitch(parts.T("protect.ask"), parts.T("protect.ask.text"), p.askAtStart)
	p.sheet = parts.NewButtonWithIcon(parts.T("protect.sheet.make"), icons.New(icons.File), p.makeSheet)
	options := []option{{"", parts.T("protect.lock.off")}}
	for _, n := range lockAfter {
		options = append(options, option{strconv.Itoa(n), parts.T("protect.lock.minutes", parts.With("N", n))})
	}
	p.after = newChoice(options, func(v string) { s.set(core.SettingLockAfter, v, nil) })
	p.lock = parts.NewButtonWithIcon(parts.T("protect.lock.now"), icons.New(icons.Lock), func() {
		if s.cfg.Lock != nil {
			s.cfg.Lock()
		}
	})
	parts.Enable(false, p.set, p.sheet, p.lock) // until it is known how the profile is protected
	p.after.sel.Disable()
	for _, o := range []fyne.CanvasObject{p.remove, p.not, p.ask, p.there} {
		o.Hide()
	}
	return p
}

func (p *protection) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{
		parts.Muted(parts.T("protect.encrypted")), p.how, p.say,
		parts.Row(parts.Gap, p.set, p.remove), p.not, p.ask,
		parts.Line(),
		parts.Label(parts.T("protect.sheet.title")), p.missing, p.there, parts.Row(0, p.sheet),
		parts.Line(),
		parts.Label(parts.T("protect.lock")), p.needs, parts.Muted(parts.T("protect.lock.text")),
		parts.Beside(parts.Gap, nil, p.after.sel, p.lock),
	}
}

// load asks how the profile is protected.
func (p *protection) load() {
	fresh := p.newest.Ask()
	p.s.cfg.Work(func(ctx context.Context) func() {
		state, err := p.s.cfg.Guard.State(ctx)
		return func() {
			switch {
			case !fresh():
			case err != nil:
				p.say.Set(parts.ToneError, parts.T("protect.unknown"))
				p.s.relayout()
			default:
				p.show(state)
			}
		}
	})
}

func (p *protection) show(state protect.State) {
	p.state = state
	p.how.SetText(parts.T(how(state)))
	p.set.SetText(parts.T(map[bool]string{true: "protect.change", false: "protect.set"}[state.Passphrase]))
	p.sheet.SetText(parts.T(map[bool]string{true: "protect.sheet.make.new", false: "protect.sheet.make"}[state.Sheet]))
	parts.Enable(true, p.set, p.sheet)
	removable := state.Unfit == nil
	p.remove.Hidden = !state.Passphrase
	parts.Enable(removable, p.remove)
	p.not.Hidden = !state.Passphrase || removable
	p.not.SetText(parts.T("protect.remove.not.none"))
	if errors.Is(state.Unfit, chat.ErrPassphraseNeeded) {
		p.not.SetText(parts.T("protect.remove.not.others"))
	}
	p.ask.Hidden = !state.Passphrase || !removable
	p.ask.SetOn(!state.Keyring)
	p.there.Hidden = !state.Sheet
	p.missing.Clear()
	if !state.Sheet {
		p.missing.Set(parts.ToneWarning, parts.T("protect.sheet.missing"))
	}
	p.showLock()
	p.s.relayout()
}

// showLock: without a passphrase there is nothing to ask for.
func (p *protection) showLock() {
	parts.Enable(p.state.Passphrase, p.lock)
	p.needs.Clear()
	if p.state.Passphrase {
		p.after.sel.Enable()
		return
	}
	p.after.sel.Disable()
	p.needs.Set(parts.ToneInfo, parts.T("protect.lock.needs"))
}

func how(state protect.State) string {
	switch {
	case state.Passphrase && state.Keyring:
		return "protect.by.both"
	case state.Passphrase:
		return "protect.by.passphrase"
	case state.Keyring:
		return "protect.by.keyring"
	}
	return "protect.by.keyfile"
}

// stored says that something was changed, and shows it.
func (p *protection) stored(says string) {
	p.say.Clear()
	if says != "" {
		p.say.Set(parts.ToneGood, parts.T(says))
	}
	p.load()
}

func (p *protection) change() {
	protect.ChangePassphrase(p.s.cfg.Env, p.s.cfg.Guard, p.state.Passphrase, func() { p.stored("protect.done.set") })
}

func (p *protection) askRemove() {
	protect.AskPassphrase(p.s.cfg.Env, "protect.remove", "protect.remove.text", "protect.remove.do", p.s.cfg.Guard.RemovePassphrase,
		func(string) { p.stored("protect.done.removed") })
}

// askAtStart asks for the passphrase before it does what the switch says.
func (p *protection) askAtStart(on bool) {
	p.ask.SetOn(!on) // until it is confirmed
	do := func(ctx context.Context, passphrase string) error {
		return p.s.cfg.Guard.AskAtStart(ctx, passphrase, on)
	}
	protect.AskPassphrase(p.s.cfg.Env, "protect.ask", "protect.ask.confirm", "screens.save", do, func(string) { p.stored("") })
}

// makeSheet asks for the passphrase if there is one: whoever finds this computer
// unlocked must not get a key to take away.
func (p *protection) makeSheet() {
	cfg := p.s.cfg
	offer := func(passphrase string) {
		protect.MakeSheet(cfg.Env, cfg.Guard, passphrase, cfg.OpenPDF, func() { p.stored("") })
	}
	if !p.state.Passphrase {
		offer("")
		return
	}
	protect.AskPassphrase(cfg.Env, "protect.sheet.title", "protect.sheet.ask", "screens.next", cfg.Guard.Verify, offer)
}

// NeedPassphrase says in the section that the lock needs a passphrase, for whoever
// asked for the lock by its key.
func (s *Screen) NeedPassphrase() {
	s.protection.needs.Set(parts.ToneWarning, parts.T("protect.lock.needs"))
	s.Reveal(SectionProtection)
	s.cfg.Window.Canvas().Focus(s.protection.set)
}
