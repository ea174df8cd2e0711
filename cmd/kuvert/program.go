package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
	"github.com/kuvert-im/kuvert/app/ui"
	"github.com/kuvert-im/kuvert/app/ui/failure"
	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/firststart"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/protect"
	"github.com/kuvert-im/kuvert/app/ui/theme"
	"github.com/kuvert-im/kuvert/assets/translations"
)

// program is the app while it runs. Its methods belong to the UI thread, except
// run's waiting.
type program struct {
	app    fyne.App
	window fyne.Window
	opts   run.Options
	log    *slog.Logger

	ctx  context.Context // ends with the program
	stop context.CancelFunc
	// pump carries what is done before there is a sitting, and between two.
	pump *ui.Pump
	now  *sitting // the profile at work; nil before and between
}

func newProgram(a fyne.App, opts run.Options, log *slog.Logger) *program {
	p := &program{app: a, opts: opts, log: log}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.pump = ui.NewPump(p.ctx)
	a.SetIcon(icons.App())
	a.Settings().SetTheme(theme.New(theme.System))
	p.speak("")
	p.window = a.NewWindow("Kuvert")
	p.window.SetMaster()
	p.window.SetPadded(false)
	p.window.Resize(fyne.NewSize(theme.WindowWidth, theme.WindowHeight))
	return p
}

// run opens the profile, shows the window, and returns when everything has
// stopped. ctx ends the program as Quit does.
func (p *program) run(ctx context.Context) error {
	forgetPrintouts()
	defer forgetPrintouts()
	files.ForgetAll()
	defer files.ForgetAll()
	go run.Restful(p.ctx)
	p.first()
	stop := context.AfterFunc(ctx, func() { p.pump.Show(p.quit) })
	defer stop()
	p.window.Show()
	p.app.Run()
	var err error
	if p.now != nil {
		err = p.now.end()
	}
	p.stop()
	within(pumpPatience, p.pump.Wait)
	return err
}

// firstPatience is how long the window waits for the profile before it shows that
// this takes longer: a keyring may want to be unlocked first.
const firstPatience = 400 * time.Millisecond

// first opens the profile before the window is there, or behind it if that takes
// longer.
func (p *program) first() {
	type answer struct {
		found
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		f, err := p.open(p.ctx, p.opts)
		answers <- answer{f, err}
	}()
	select {
	case a := <-answers:
		p.opened(a.found, a.err)
	case <-time.After(firstPatience):
		p.opening()
		p.pump.Work(func(context.Context) func() {
			a := <-answers
			return func() { p.opened(a.found, a.err) }
		})
	}
}

// opening says that the profile is on its way.
func (p *program) opening() { p.window.SetContent(protect.Opening()) }

func (p *program) quit() {
	if p.now != nil && p.now.ui != nil {
		p.now.ui.Quit()
		return
	}
	p.app.Quit()
}

// speak makes the chosen language the one of everything drawn from now on.
func (p *program) speak(setting string) {
	if err := translations.Register(translations.Choose(setting, lang.SystemLocale())); err != nil {
		p.log.Error("language", "error", err)
	}
}

// found is a profile that was opened, and what the window must know of it first.
type found struct {
	session  *run.Session
	settings map[string]string
}

// open attaches to the profile or opens it. It may take seconds.
func (p *program) open(ctx context.Context, opts run.Options) (found, error) {
	s, err := run.AttachOrOpen(ctx, opts)
	if err != nil {
		return found{}, err
	}
	values, err := s.Settings(ctx)
	if err != nil {
		return found{}, errors.Join(err, s.Close())
	}
	return found{session: s, settings: values}, nil
}

// opened shows the main window, the first start, or why neither is possible.
func (p *program) opened(f found, err error) {
	switch {
	case err == nil:
		p.speak(f.settings[core.SettingLanguage])
		p.app.Settings().SetTheme(theme.New(f.settings[core.SettingTheme]))
		p.now = p.sit(f)
	case errors.Is(err, chat.ErrNoProfile):
		p.firstStart()
	case locked(err):
		p.askUnlock(err)
	default:
		p.log.Error("profile does not open", "error", err)
		p.fail(err)
	}
}

// reopen opens the profile while the window stays.
func (p *program) reopen(u run.Unlock, then func()) {
	opts := p.opts
	opts.Unlock = u
	p.opening()
	p.pump.Work(func(ctx context.Context) func() {
		f, err := p.open(ctx, opts)
		return func() {
			p.opened(f, err)
			if err == nil && then != nil {
				then()
			}
		}
	})
}

// askUnlock shows the screen before a locked profile. why is what it did not open
// for.
func (p *program) askUnlock(why error) {
	lock, err := run.Ways(p.opts.Dir)
	if err != nil {
		p.fail(err)
		return
	}
	if !lock.Passphrase && !lock.Keyring {
		p.fail(chat.ErrKeyFile)
		return
	}
	if !errors.Is(why, chat.ErrNoKeyring) && !errors.Is(why, chat.ErrKeyringEmpty) {
		why = nil
	}
	var f found // written away from the UI thread, before it is read there
	screen := protect.NewUnlocking(protect.UnlockConfig{
		Window: p.window, Work: p.pump.Work, Icon: icons.App(), State: state(lock), Why: why,
		Unlock: func(ctx context.Context, passphrase string) (err error) {
			opts := p.opts
			opts.Unlock = run.Unlock{Passphrase: passphrase}
			f, err = p.open(ctx, opts)
			return err
		},
		Open: func() { p.opened(f, nil) }, Sheet: guard{dir: p.opts.Dir}, Other: p.fail, Quit: p.app.Quit,
	})
	p.window.SetCloseIntercept(nil)
	p.window.SetOnDropped(func(_ fyne.Position, items []fyne.URI) { screen.Dropped(items) })
	p.window.SetContent(screen.Object())
	screen.Focus()
}

// showPDF opens a PDF in the system's program for it.
func (p *program) showPDF(pdf []byte) error {
	path, err := printout(pdf)
	if err != nil {
		return err
	}
	return p.app.OpenURL(&url.URL{Scheme: "file", Path: filepath.ToSlash(path)})
}

func (p *program) fail(err error) {
	p.window.SetCloseIntercept(nil)
	failure.Show(p.window, err, p.opts.Dir, func() { p.reopen(p.opts.Unlock, nil) }, p.app.Quit)
}

func (p *program) firstStart() {
	system := translations.Choose("", lang.SystemLocale())
	firststart.Open(firststart.Config{
		Window: p.window, Work: p.pump.Work, Icon: icons.App(),
		Language: system, SetLanguage: p.speak,
		Create: func(ctx context.Context, a firststart.Answers) error {
			return run.Create(ctx, p.opts.Dir, newProfile(a, system), protection(a))
		},
		Keyring: func(ctx context.Context) error { return run.KeyringWorks(ctx, p.opts.Dir) },
		Sheet: func(ctx context.Context, a firststart.Answers) ([]byte, error) {
			owner := func(context.Context) (string, string) { return a.Name, a.Language }
			return guard{dir: p.opts.Dir, owner: owner}.NewSheet(ctx, a.Passphrase)
		},
		OpenPDF: p.showPDF,
		Look: func(_ context.Context, src core.RestoreSource) (core.BackupSeen, error) {
			return core.LookAtBackup(src)
		},
		Restore: func(ctx context.Context, src core.RestoreSource, a firststart.Answers) (core.Restored, error) {
			return run.Restore(ctx, p.opts.Dir, src, protection(a))
		},
		Show: p.pump.Show,
		Done: func(a firststart.Answers, addContact bool) {
			p.reopen(run.Unlock{Passphrase: a.Passphrase}, func() {
				if addContact {
					p.now.ui.ShowAddContact()
				}
			})
		},
	})
}

// protection is what opens the new profile.
func protection(a firststart.Answers) run.Protection {
	return run.Protection{Passphrase: a.Passphrase, Keyring: a.Passphrase == ""}
}

// newProfile turns the answers into a profile. Whoever keeps the system's language
// goes on following it.
func newProfile(a firststart.Answers, system string) core.NewProfile {
	n := core.NewProfile{Name: a.Name, Network: core.NetworkInternet, Language: a.Language}
	if a.LANOnly {
		n.Network = core.NetworkLAN
	}
	if a.Language == system {
		n.Language = ""
	}
	return n
}

// lost is called when the profile is no longer at work, though nobody asked for
// that.
func (p *program) lost(s *sitting, err error) {
	if p.now != s {
		return
	}
	p.now = nil
	p.log.Error("profile stopped", "error", err)
	p.pump.Work(func(context.Context) func() {
		if end := s.end(); end != nil {
			p.log.Error("profile did not close", "error", end)
		}
		return func() {
			p.window.Show()
			p.fail(fmt.Errorf("kuvert: %w", err))
		}
	})
}
