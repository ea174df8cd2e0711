// Package rights holds the screens about people's rights over their data: the page
// that says what is kept, gives it out, fills in documents and shows the deletion
// log; and the dialogs that give out or erase what is kept of one person. The work
// is done by package gdpr and the core.
package rights

import (
	"context"
	"errors"
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/gdpr"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/protect"
)

// Config is what the screens are given.
type Config struct {
	parts.Env
	// Protection tells what opens the profile. It is called away from the UI thread.
	Protection func(ctx context.Context) (protect.State, error)
	// Open shows a file or a folder in the system's program for it, away from the UI
	// thread; nil asks Fyne to.
	Open func(path string) error
	// Save stores a file and says where; nil is the folder for downloads. Folder is a
	// path there that nothing has yet.
	Save   func(name string, data []byte) (path string, err error)
	Folder func(name string) (path string, err error)
}

func (c Config) withDefaults() Config {
	if c.Open == nil {
		c.Open = files.Show
	}
	if c.Save == nil {
		c.Save = files.Save
	}
	if c.Folder == nil {
		c.Folder = files.FreePath
	}
	return c
}

// Subject is the person that a dialog is about.
type Subject struct {
	ID   chat.PersonID
	Name string
}

// language is the one that is spoken.
func language() string { return parts.T("rights.language") }

// Measures in dp.
const (
	maxWidth = 640
	wide     = 520 // of a dialog
)

// Screen is the page. Its methods belong to the UI thread.
type Screen struct {
	cfg    Config
	newest parts.Newest

	root      *container.Scroll
	say       *parts.Say
	held      *fyne.Container
	documents *documents
	log       *logSection
}

// New builds the page. Show fills it.
func New(cfg Config) *Screen {
	s := &Screen{cfg: cfg.withDefaults(), say: parts.NewSay(), held: parts.Column(0)}
	s.documents = newDocuments(s)
	s.log = newLog(s)
	all := parts.Column(parts.Section, parts.Muted(parts.T("rights.text")), s.say,
		section("rights.held", icons.Eye, parts.Muted(parts.T("rights.held.text")), s.held),
		section("rights.all", icons.Save, parts.Muted(parts.T("rights.all.text")),
			parts.Row(0, button("rights.all.do", icons.Save, func() { AskExport(s.cfg, nil) }))),
		section("rights.documents", icons.File, s.documents.objects()...),
		section("rights.log", icons.Trash, s.log.objects()...),
	)
	s.root = container.NewVScroll(parts.Pad(parts.AtMost(maxWidth, all), parts.Edge, parts.Edge, parts.Edge, parts.Edge))
	return s
}

// Title names the page.
func (s *Screen) Title() string { return parts.T("rights.title") }

// Object is what to show.
func (s *Screen) Object() fyne.CanvasObject { return s.root }

// Show is called each time the page comes to the front.
func (s *Screen) Show() { s.load() }

// Changed is called with what happened in the core. Numbers that grow by a message
// are brought up to date when the page is opened; what somebody does to the data is
// followed.
func (s *Screen) Changed(events []event.Event) {
	for _, e := range events {
		if e.Kind == event.ContactChanged {
			s.load()
			return
		}
	}
}

func (s *Screen) load() {
	fresh := s.newest.Ask()
	s.cfg.Work(func(ctx context.Context) func() {
		held, err := s.cfg.Client.Holdings(ctx)
		used, uerr := s.cfg.Client.FileUsage(ctx)
		log, lerr := s.cfg.Client.ErasureLog(ctx)
		bad := core.VerifyErasures(log) // a second for a log of decades
		return func() {
			if !fresh() {
				return
			}
			s.say.Clear()
			if err = errors.Join(err, uerr); err != nil {
				s.say.Set(parts.ToneError, parts.T("screens.code.unknown"))
			} else {
				s.held.Objects = table(held, used)
			}
			s.log.show(log, lerr, bad)
			s.relayout()
		}
	})
}

// relayout follows a change of heights.
func (s *Screen) relayout() { s.root.Content.Refresh(); s.root.Refresh() }

// gather reads what the documents are filled with.
func gather(ctx context.Context, cfg Config) (gdpr.Facts, error) {
	f, err := gdpr.Gather(ctx, cfg.Client, cfg.Now())
	if err != nil {
		return f, err
	}
	p, err := cfg.Protection(ctx)
	f.Passphrase, f.Keyring, f.KeyFile, f.Sheet = p.Passphrase, p.Keyring, p.KeyFile, p.Sheet
	return f, err
}

// fileName is a name for what is saved: without a dot, so that a number may be put
// behind it.
func fileName(key string, pairs ...any) string {
	return chat.SaveFileName(strings.ReplaceAll(parts.T(key, parts.With(pairs...)), ".", ""))
}

// sentence says what went wrong, and what to do.
func sentence(err error) string {
	switch {
	case errors.Is(err, chat.ErrDiskFull):
		return parts.T("screens.code.diskfull")
	case errors.Is(err, gdpr.ErrIncomplete):
		return parts.T("rights.failed.incomplete")
	case errors.Is(err, chat.ErrFileAccess):
		return parts.T("screens.add.save.failed")
	case errors.Is(err, chat.ErrNotFound):
		return parts.T("screens.contact.gone")
	case errors.Is(err, core.ErrErasureLog):
		return parts.T("rights.log.changed")
	}
	return parts.T("screens.code.unknown")
}
