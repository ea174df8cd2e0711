package protect

import (
	"context"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/ui/files"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Offer is two buttons that make an emergency sheet: one saves it, one opens it to
// be printed. It is made once, at the first of them.
type Offer struct {
	cfg  OfferConfig
	pdf  []byte
	busy bool

	Say     *parts.Say
	buttons []*parts.Button
}

// OfferConfig is what an offer is given.
type OfferConfig struct {
	Work func(work func(ctx context.Context) (show func()))
	// Make makes the sheet, away from the UI thread.
	Make func(ctx context.Context) ([]byte, error)
	// Open shows a PDF in the system's program for it, away from the UI thread.
	Open func(pdf []byte) error
	// Save stores it and says where; nil is the folder for downloads.
	Save func(name string, pdf []byte) (path string, err error)
	// Made is called when it was saved or opened, Changed when the offer may have
	// become higher.
	Made, Changed func()
}

// NewOffer makes one.
func NewOffer(cfg OfferConfig) *Offer {
	if cfg.Save == nil {
		cfg.Save = files.Save
	}
	o := &Offer{cfg: cfg, Say: parts.NewSay()}
	o.buttons = []*parts.Button{
		parts.NewButtonWithIcon(parts.T("protect.sheet.save"), icons.New(icons.Save), o.save),
		parts.NewButtonWithIcon(parts.T("protect.sheet.print"), icons.New(icons.File), o.open),
	}
	return o
}

// Objects returns what the offer is made of, to be placed in a Column.
func (o *Offer) Objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{parts.Pair(parts.Gap, o.buttons[0], o.buttons[1]), o.Say}
}

// Buttons are the two.
func (o *Offer) Buttons() []*parts.Button { return o.buttons }

func (o *Offer) save() {
	o.run(func(pdf []byte) (string, error) {
		path, err := o.cfg.Save(parts.T("protect.sheet.file")+".pdf", pdf)
		return parts.T("protect.sheet.saved", parts.With("Path", path)), err
	}, "screens.add.save.failed")
}

func (o *Offer) open() {
	o.run(func(pdf []byte) (string, error) {
		return parts.T("protect.sheet.opened"), o.cfg.Open(pdf)
	}, "protect.sheet.open.failed")
}

// run makes the sheet unless it is made, and does something with it.
func (o *Offer) run(do func(pdf []byte) (says string, err error), failed string) {
	if o.busy {
		return
	}
	o.hold(true)
	o.Say.Busy(parts.T("protect.sheet.making"))
	o.cfg.Changed()
	pdf := o.pdf
	o.cfg.Work(func(ctx context.Context) func() {
		var err error
		if pdf == nil {
			pdf, err = o.cfg.Make(ctx)
		}
		made, says := err == nil, ""
		if made {
			says, err = do(pdf)
		}
		return func() {
			o.hold(false)
			switch {
			case !made:
				o.Say.Set(parts.ToneError, Sentence(err))
			case err != nil:
				o.pdf = pdf
				o.Say.Set(parts.ToneError, parts.T(failed))
			default:
				o.pdf = pdf
				o.Say.Set(parts.ToneGood, says)
				o.cfg.Made()
			}
			o.cfg.Changed()
		}
	})
}

func (o *Offer) hold(on bool) {
	o.busy = on
	parts.Enable(!on, o.buttons...)
}
