package addcontact

import (
	"bytes"
	"context"
	"image/png"
	"math"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/lang"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/ui/codes"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// pictureSide is the side of a saved picture in pixels: 16 for each module of an
// invitation, sharp on paper at 8 cm.
const pictureSide = 65 * 16

// mine shows an invitation of my own. Each is good for one person: one that was
// copied or saved is not shown again to the next.
type mine struct {
	cfg   *Config
	inv   core.IssuedInvitation
	given bool // copied or saved: it is on its way to somebody
	busy  bool
	timer *time.Timer

	root    fyne.CanvasObject
	code    *parts.QRCode
	left    *parts.Text
	say     *parts.Say
	buttons []*parts.Button
}

func newMine(cfg *Config) *mine {
	m := &mine{cfg: cfg, code: parts.NewQRCode(codeSide), left: parts.Muted("").Centered(), say: parts.NewSay()}
	button := func(key string, icon fyne.Resource, f func()) *parts.Button {
		b := parts.NewButtonWithIcon(parts.T(key), icon, f)
		m.buttons = append(m.buttons, b)
		return b
	}
	copyLink := button("screens.add.copy", icons.New(icons.Link), m.copyLink)
	picture := button("screens.add.savepicture", icons.New(icons.Picture), m.savePicture)
	file := button("screens.add.savefile", icons.New(icons.Save), m.saveFile)
	fresh := button("screens.add.mine.new", icons.New(icons.Resend), m.renew)
	fresh.Importance = widget.LowImportance
	m.root = parts.Card(parts.Column(12,
		parts.Head(parts.T("screens.add.mine")),
		parts.Muted(parts.T("screens.add.mine.text")),
		m.code,
		m.left,
		m.say,
		copyLink,
		parts.Pair(parts.Gap, picture, file),
		fresh,
	), 20)
	m.enable(false)
	return m
}

func (m *mine) enable(on bool) {
	parts.Enable(on, m.buttons...)
}

// load shows the present invitation, or makes one if there is none to show.
func (m *mine) load() {
	m.say.Clear()
	if m.inv.Code == "" || m.given || !m.cfg.Now().Before(m.inv.ExpiresAt) {
		m.renew()
		return
	}
	m.check()
	m.tick()
}

// renew asks for a new invitation. The old one stays good until it expires.
func (m *mine) renew() {
	if m.busy {
		return
	}
	m.busy = true
	m.enable(false)
	m.left.SetText(parts.T("screens.add.mine.making"))
	m.cfg.Work(func(ctx context.Context) func() {
		inv, err := m.cfg.Client.Invite(ctx, 0)
		return func() { m.show(inv, err) }
	})
}

func (m *mine) show(inv core.IssuedInvitation, err error) {
	m.busy = false
	if err == nil {
		err = m.code.SetCode(inv.Code)
	}
	if err != nil {
		m.inv = core.IssuedInvitation{}
		_ = m.code.SetCode("") // an empty field is always possible
		m.left.SetText("")
		m.say.Set(parts.ToneError, parts.T("screens.add.mine.failed")+" "+codes.Say(err))
		m.buttons[len(m.buttons)-1].Enable()
		return
	}
	m.inv, m.given = inv, false
	m.say.Clear()
	m.enable(true)
	m.tick()
}

// check replaces an invitation that somebody has used meanwhile.
func (m *mine) check() {
	code := m.inv.Code
	if code == "" || m.busy {
		return
	}
	m.cfg.Work(func(ctx context.Context) func() {
		open, err := m.cfg.Client.Issued(ctx)
		if err != nil {
			return nil // the code on the screen may still be good
		}
		for _, i := range open {
			if i.Code == code {
				return nil
			}
		}
		return func() {
			if m.inv.Code == code {
				m.renew()
			}
		}
	})
}

// tick shows the remaining time now and whenever it changes.
func (m *mine) tick() {
	m.stop()
	rest := m.inv.ExpiresAt.Sub(m.cfg.Now())
	m.left.SetText(Remaining(rest))
	if rest <= 0 {
		m.enable(false)
		m.buttons[len(m.buttons)-1].Enable()
		return
	}
	next := time.Hour
	if rest <= 2*time.Hour {
		next = time.Minute
	}
	m.timer = time.AfterFunc(next, func() {
		m.cfg.Work(func(context.Context) func() { return m.tick })
	})
}

// stop ends the ticking while the screen is not seen.
func (m *mine) stop() {
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
	}
}

// Remaining says how long an invitation is good for, rounded up to the unit that
// people would say.
func Remaining(d time.Duration) string {
	up := func(unit time.Duration) int { return int(math.Ceil(float64(d) / float64(unit))) }
	switch {
	case d <= 0:
		return parts.T("screens.add.mine.expired")
	case d > 48*time.Hour:
		return lang.XN("screens.left.days", "", up(24*time.Hour), parts.With("PluralCount", up(24*time.Hour)))
	case d > 2*time.Hour:
		return lang.XN("screens.left.hours", "", up(time.Hour), parts.With("PluralCount", up(time.Hour)))
	}
	return lang.XN("screens.left.minutes", "", up(time.Minute), parts.With("PluralCount", up(time.Minute)))
}

func (m *mine) copyLink() {
	fyne.CurrentApp().Clipboard().SetContent(m.inv.Code)
	m.given = true
	m.say.Set(parts.ToneGood, parts.T("screens.add.copied"))
}

func (m *mine) savePicture() {
	code := m.inv.Code
	m.save(parts.T("screens.add.picture.name")+".png", func() ([]byte, error) {
		img, err := qr.Encode(code, pictureSide)
		if err != nil {
			return nil, err
		}
		var buf bytes.Buffer
		err = png.Encode(&buf, img)
		return buf.Bytes(), err
	})
}

func (m *mine) saveFile() {
	file := m.inv.File
	m.save(parts.T("screens.add.picture.name")+codes.FileExtension, func() ([]byte, error) { return file, nil })
}

func (m *mine) save(name string, make func() ([]byte, error)) {
	m.cfg.Work(func(context.Context) func() {
		data, err := make()
		path := ""
		if err == nil {
			path, err = m.cfg.SaveFile(name, data)
		}
		return func() {
			if err != nil {
				m.say.Set(parts.ToneError, parts.T("screens.add.save.failed"))
				return
			}
			m.given = true
			m.say.Set(parts.ToneGood, parts.T("screens.add.saved", parts.With("Path", path)))
		}
	})
}
