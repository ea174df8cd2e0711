package firststart

import (
	"context"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

// keyring is what is known of the computer's keyring.
type keyring struct {
	asked, known bool
	unfit        error // why it cannot open the profile; nil if it can
	passphrase   bool  // chosen though it can
}

func (k *keyring) told(err error) { k.known, k.unfit = true, err }

// asks reports whether a passphrase is to be chosen.
func (k *keyring) asks() bool { return k.known && (k.unfit != nil || k.passphrase) }

// askProtection asks what keeps the data on this computer safe.
func (s *Screen) askProtection() []fyne.CanvasObject {
	next, text := parts.T("screens.first.protect.next"), parts.T("screens.first.protect.text")
	if s.restore.on {
		next, text = parts.T("screens.first.restore.next"), s.restoreText()+" "+text
	}
	s.primary(next, s.takeProtection)
	title := parts.Title(parts.T("screens.first.protect.title"))
	out := []fyne.CanvasObject{title, parts.Body(text)}
	if !s.keyring.known {
		s.next.Disable()
		s.say.Busy(parts.T("screens.first.protect.looking"))
		return out
	}
	s.pair = protect.NewPair(s.takeProtection)
	s.pair.Set(s.answers.Passphrase)
	s.pair.Changed = s.say.Clear
	pair := s.pair.Object()
	if s.keyring.unfit != nil {
		why := protect.Sentence(s.keyring.unfit) + " " + parts.T("screens.first.protect.needs")
		only := parts.T("screens.first.protect.only")
		if s.restore.on {
			only = s.restoreText() + " " + only
		}
		return []fyne.CanvasObject{title, parts.Body(only), parts.Body(why), pair}
	}
	group := s.protections(pair)
	return append(out, parts.Column(parts.Gap, group.Objects()...), pair)
}

// protections are the two answers where there is a keyring; pair is asked for with
// the second.
func (s *Screen) protections(pair fyne.CanvasObject) *parts.ChoiceGroup {
	selected := 0
	if s.keyring.passphrase {
		selected = 1
	} else {
		pair.Hide()
	}
	group := parts.NewChoiceGroup(selected,
		[2]string{parts.T("screens.first.protect.keyring"), parts.T("screens.first.protect.keyring.text")},
		[2]string{parts.T("screens.first.protect.passphrase"), parts.T("screens.first.protect.passphrase.text")})
	group.OnChanged = func(i int) {
		s.keyring.passphrase = i == 1
		s.pair.Clear()
		if i == 1 {
			pair.Show()
		} else {
			pair.Hide()
		}
		s.root.Refresh()
	}
	return group
}

// protectFocus is where the keyboard belongs in the step; nil for the button.
func (s *Screen) protectFocus() fyne.Focusable {
	if s.keyring.asks() {
		return s.pair.First()
	}
	return nil
}

// askKeyring asks once, when the step is on the screen.
func (s *Screen) askKeyring() {
	if s.keyring.asked || s.keyring.known {
		return
	}
	s.keyring.asked = true
	s.cfg.Work(func(ctx context.Context) func() {
		err := s.cfg.Keyring(ctx)
		return func() {
			s.keyring.told(err)
			if s.step == stepProtect {
				s.show()
			}
		}
	})
}

func (s *Screen) takeProtection() {
	if s.busy || !s.keyring.known {
		return
	}
	s.answers.Passphrase = ""
	if s.keyring.asks() {
		passphrase, wrong := s.pair.Value()
		if wrong != "" {
			s.say.Set(parts.ToneError, wrong)
			return
		}
		s.answers.Passphrase = passphrase
	}
	if s.restore.on {
		s.runRestore()
		return
	}
	s.create()
}

// offerSheet offers the emergency sheet of the profile that was just made.
func (s *Screen) offerSheet() []fyne.CanvasObject {
	on := func() { s.goTo(stepContact) }
	if s.restore.on { // they have contacts
		on = func() { s.cfg.Done(s.answers, false) }
	}
	s.primary(parts.T("screens.next"), on)
	s.next.Hide()
	s.back = parts.Quiet(parts.T("screens.first.sheet.later"), on)
	answers := s.answers
	s.offer = protect.NewOffer(protect.OfferConfig{
		Work: s.cfg.Work, Open: s.cfg.OpenPDF, Save: s.cfg.SavePDF,
		Make:    func(ctx context.Context) ([]byte, error) { return s.cfg.Sheet(ctx, answers) },
		Made:    s.sheetMade,
		Changed: func() { s.root.Refresh() },
	})
	return append([]fyne.CanvasObject{
		parts.Title(parts.T("protect.sheet.title")),
		parts.Body(parts.T("protect.sheet.text")),
	}, s.offer.Objects()...)
}

// sheetMade leads on: there is nothing left to be put off.
func (s *Screen) sheetMade() {
	s.back.Hide()
	s.next.Show()
	s.cfg.Window.Canvas().Focus(s.next)
}
