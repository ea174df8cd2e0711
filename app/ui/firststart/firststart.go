// Package firststart is what a person sees before there is a profile: six short
// steps on one card. It asks for a name, a language, whether to use the Internet
// and what protects the data on this computer, offers the emergency sheet, and
// leads to the first contact. Who has a backup is asked for that instead of a name
// and a network. It keeps the answers; making the profile is its caller's work.
package firststart

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/canvas"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

// Answers is what a new profile needs.
type Answers struct {
	Name     string
	Language string // "de" or "en"
	LANOnly  bool
	// Passphrase is "" if the computer's keyring is to open the profile.
	Passphrase string
}

// String keeps the passphrase out of texts.
func (Answers) String() string { return "[answers]" }

// GoString keeps the passphrase out of formatted text.
func (Answers) GoString() string { return "[answers]" }

// Config is what the screen is given.
type Config struct {
	Window fyne.Window
	// Work runs work away from the UI thread and what it returns on it.
	Work func(work func(ctx context.Context) (show func()))
	// Icon is shown with the welcome; nil shows none.
	Icon fyne.Resource
	// Language is the one spoken now; SetLanguage makes another one spoken.
	Language    string
	SetLanguage func(language string)
	// Create makes the profile; it runs away from the UI thread. Its errors may
	// wrap the sentinels of package chat.
	Create func(ctx context.Context, a Answers) error
	// Keyring says whether the computer's keyring can open the profile: nil,
	// chat.ErrNoKeyring, or chat.ErrPassphraseNeeded if this login has other profiles.
	// It runs away from the UI thread and may take seconds.
	Keyring func(ctx context.Context) error
	// Sheet makes the emergency sheet of the new profile as PDF; it runs away from the
	// UI thread. OpenPDF shows it in the system's program, SavePDF stores it (nil: in
	// the folder for downloads).
	Sheet   func(ctx context.Context, a Answers) ([]byte, error)
	OpenPDF func(pdf []byte) error
	SavePDF func(name string, pdf []byte) (path string, err error)
	// Look says whether a restore from a backup can begin, Restore makes the profile of
	// it: of the answers only the passphrase counts. Both run away from the UI thread,
	// and so does progress, which is given per cent. Errors wrap the sentinels of package
	// chat; Restore's may be about the protection as Create's.
	Look    func(ctx context.Context, src core.RestoreSource) (core.BackupSeen, error)
	Restore func(ctx context.Context, src core.RestoreSource, a Answers) (core.Restored, error)
	// Show runs f on the UI thread, soon.
	Show func(f func())
	// PickBackup asks for a backup or a folder of them; nil is the picker.
	PickBackup func(chosen func(path string))
	// Now is the time; nil is time.Now.
	Now func() time.Time
	// Done is called on the UI thread when the person is through: addContact says
	// whether they want to add a contact now.
	Done func(a Answers, addContact bool)
}

// The steps, in their order.
const (
	stepWelcome = iota
	stepName
	stepNetwork
	stepProtect
	stepSheet
	stepContact
	steps
)

// The steps of who has a backup, besides those that they share.
const (
	stepBackup = steps + iota
	stepRestoring
	stepRestored
)

// The steps in their order, of who is new and of who has a backup. The one that
// cannot be left counts as part of the one before.
var (
	pathNew     = []int{stepWelcome, stepName, stepNetwork, stepProtect, stepSheet, stepContact}
	pathRestore = []int{stepWelcome, stepBackup, stepProtect, stepRestored, stepSheet}
)

// Measures in dp.
const (
	cardWidth  = 440
	cardHeight = 352
	margin     = 20
)

var languages = []struct{ code, name string }{{"de", "Deutsch"}, {"en", "English"}}

// Screen is the card and where the person is on it.
type Screen struct {
	cfg     Config
	step    int
	answers Answers
	busy    bool
	keyring keyring
	offer   *protect.Offer
	restore restore

	root *fyne.Container
	name *widget.Entry
	pair *protect.Pair // nil where no passphrase is asked for
	say  *parts.Say
	next *parts.Button
	back *parts.Button
}

// Open puts the screen into the window, at its first step. LAN only is chosen
// beforehand: the safer answer.
func Open(cfg Config) *Screen {
	s := &Screen{cfg: cfg, answers: Answers{Language: cfg.Language, LANOnly: true}, root: container.NewStack()}
	cfg.Window.SetContent(s.root)
	s.show()
	return s
}

// Answers returns what was answered so far.
func (s *Screen) Answers() Answers { return s.answers }

func (s *Screen) goTo(step int) {
	s.step = step
	s.show()
}

// path is what this person goes through.
func (s *Screen) path() []int {
	if s.restore.on {
		return pathRestore
	}
	return pathNew
}

// goBack leads to the step before.
func (s *Screen) goBack() {
	path := s.path()
	before := path[max(0, slices.Index(path, s.step)-1)]
	if before == stepWelcome {
		s.restore.on = false
	}
	s.goTo(before)
}

// show builds the present step anew: that is also how a new language appears.
func (s *Screen) show() {
	s.say, s.name, s.pair = parts.NewSay(), nil, nil
	s.back = parts.Quiet(parts.T("screens.back"), s.goBack)
	var body []fyne.CanvasObject
	var focus fyne.Focusable
	switch s.step {
	case stepWelcome:
		body = s.welcome()
	case stepName:
		body = s.askName()
		focus = s.name
	case stepNetwork:
		body = s.askNetwork()
	case stepProtect:
		body = s.askProtection()
		focus = s.protectFocus()
	case stepSheet:
		body = s.offerSheet()
		focus = s.offer.Buttons()[0]
	case stepContact:
		body = s.offerContact()
	default:
		body, focus = s.restoring()
	}
	if focus == nil {
		focus = s.next
	}
	s.root.Objects = []fyne.CanvasObject{s.card(body)}
	s.root.Refresh()
	s.cfg.Window.Canvas().Focus(focus)
	if s.step == stepProtect {
		s.askKeyring()
	}
}

// card frames a step: where one is, the body, what went wrong, the buttons.
func (s *Screen) card(body []fyne.CanvasObject) fyne.CanvasObject {
	path := s.path()
	at := slices.Index(path, s.step)
	if at < 0 {
		at = slices.Index(path, stepProtect)
	}
	where := parts.Muted(parts.T("screens.first.step", parts.With("N", at+1, "Of", len(path))))
	all := append([]fyne.CanvasObject{where}, body...)
	all = append(all, parts.Spring(), s.say, parts.Beside(parts.Gap, s.back, parts.Space(0), s.next))
	least := canvas.NewRectangle(nil)
	least.SetMinSize(fyne.NewSize(0, cardHeight))
	sheet := container.NewStack(least, parts.Card(parts.Column(12, all...), 24))
	return container.NewVScroll(parts.Pad(parts.Middle(cardWidth, sheet), margin, margin, margin, margin))
}

func (s *Screen) primary(text string, f func()) { s.next = parts.Primary(text, f) }

func (s *Screen) welcome() []fyne.CanvasObject {
	s.primary(parts.T("screens.first.welcome.next"), func() { s.goTo(stepName) })
	s.back = parts.Quiet(parts.T("screens.first.backup"), s.haveBackup)
	out := []fyne.CanvasObject{}
	if s.cfg.Icon != nil {
		img := canvas.NewImageFromResource(s.cfg.Icon)
		img.FillMode = canvas.ImageFillContain
		img.SetMinSize(fyne.NewSquareSize(72))
		out = append(out, parts.Row(0, img))
	}
	return append(out,
		parts.Title(parts.T("screens.first.welcome.title")),
		parts.Body(parts.T("screens.first.welcome.text")),
	)
}

func (s *Screen) askName() []fyne.CanvasObject {
	s.primary(parts.T("screens.next"), s.takeName)
	s.name = widget.NewEntry()
	s.name.SetPlaceHolder(parts.T("screens.first.name.hint"))
	s.name.SetText(s.answers.Name)
	s.name.OnChanged = func(t string) {
		s.answers.Name = strings.TrimSpace(t)
		s.say.Clear()
	}
	s.name.OnSubmitted = func(string) { s.takeName() }
	return []fyne.CanvasObject{
		parts.Title(parts.T("screens.first.name.title")),
		parts.Body(parts.T("screens.first.name.text")),
		s.name,
		parts.Space(4),
		parts.Column(6, parts.Label(parts.T("screens.first.language.label")), s.languages()),
	}
}

func (s *Screen) languages() fyne.CanvasObject {
	var names []string
	for _, l := range languages {
		names = append(names, l.name)
	}
	sel := widget.NewSelect(names, nil)
	sel.SetSelectedIndex(slices.IndexFunc(languages, func(l struct{ code, name string }) bool { return l.code == s.answers.Language }))
	sel.OnChanged = func(string) {
		if i := sel.SelectedIndex(); i >= 0 && languages[i].code != s.answers.Language {
			s.answers.Language = languages[i].code
			s.cfg.SetLanguage(s.answers.Language)
			s.show()
		}
	}
	return sel
}

func (s *Screen) takeName() {
	if key := badName(s.answers.Name); key != "" {
		s.say.Set(parts.ToneError, parts.T(key))
		s.cfg.Window.Canvas().Focus(s.name)
		return
	}
	s.goTo(stepNetwork)
}

// badName returns the key of what is wrong with a name, "" if nothing is.
func badName(name string) string {
	switch {
	case name == "":
		return "screens.first.name.empty"
	case len(name) > chat.MaxNameSize:
		return "screens.first.name.long"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return "screens.first.name.bad"
	}
	return ""
}

func (s *Screen) askNetwork() []fyne.CanvasObject {
	s.primary(parts.T("screens.next"), func() { s.goTo(stepProtect) })
	selected := 1
	if s.answers.LANOnly {
		selected = 0
	}
	group := parts.NewChoiceGroup(selected,
		[2]string{parts.T("screens.network.lan"), parts.T("screens.network.lan.text")},
		[2]string{parts.T("screens.network.internet"), parts.T("screens.network.internet.text")})
	group.OnChanged = func(i int) { s.answers.LANOnly = i == 0 }
	return []fyne.CanvasObject{
		parts.Title(parts.T("screens.first.network.title")),
		parts.Column(parts.Gap, group.Objects()...),
		parts.Muted(parts.T("screens.first.network.later")),
	}
}

// create hands the answers over and goes on once there is a profile.
func (s *Screen) create() {
	if s.busy {
		return
	}
	s.busy = true
	s.next.Disable()
	s.back.Disable()
	s.say.Busy(parts.T("screens.first.creating"))
	answers := s.answers
	s.cfg.Work(func(ctx context.Context) func() {
		err := s.cfg.Create(ctx, answers)
		return func() { s.created(err) }
	})
}

func (s *Screen) created(err error) {
	s.busy = false
	switch {
	case err == nil:
		s.goTo(stepSheet)
		return
	case errors.Is(err, chat.ErrProfileExists):
		s.goTo(stepContact)
		return
	case errors.Is(err, chat.ErrNoKeyring), errors.Is(err, chat.ErrPassphraseNeeded):
		s.keyring.told(err)
		s.show()
		return
	}
	s.next.Enable()
	s.back.Enable()
	s.say.Set(parts.ToneError, failure(err))
	s.cfg.Window.Canvas().Focus(s.next)
}

// failure says why there is no profile.
func failure(err error) string {
	switch {
	case errors.Is(err, chat.ErrDiskFull):
		return parts.T("screens.first.failed.full")
	case errors.Is(err, chat.ErrProfileBusy):
		return parts.T("screens.first.failed.busy")
	case errors.Is(err, chat.ErrBadName):
		return parts.T("screens.first.name.bad")
	case errors.Is(err, chat.ErrPassphraseShort):
		return protect.Sentence(err)
	}
	return parts.T("screens.first.failed")
}

func (s *Screen) offerContact() []fyne.CanvasObject {
	s.primary(parts.T("screens.first.contact.add"), func() { s.cfg.Done(s.answers, true) })
	s.back = parts.Quiet(parts.T("screens.first.contact.later"), func() { s.cfg.Done(s.answers, false) })
	return []fyne.CanvasObject{
		parts.Title(parts.T("screens.first.contact.title")),
		parts.Body(parts.T("screens.first.contact.text")),
	}
}
