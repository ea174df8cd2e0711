package addcontact

import (
	"context"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/ui/codes"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// theirs takes in somebody else's code.
type theirs struct {
	cfg  *Config
	form *codes.Form
	root *fyne.Container
}

func newTheirs(cfg *Config) *theirs {
	t := &theirs{cfg: cfg}
	t.form = codes.New(codes.Config{
		Env: cfg.Env, ClipboardPicture: cfg.ClipboardPicture, PickFile: cfg.PickFile,
		Hint: parts.T("screens.add.paste.hint"), Take: parts.T("screens.add.take"), Accept: t.accept,
		Elsewhere: codes.Elsewhere{Text: parts.T("screens.code.mailbox"), Button: parts.T("screens.code.mailbox.open"), Open: cfg.OpenMailbox},
	})
	t.root = parts.Card(parts.Column(12, append([]fyne.CanvasObject{
		parts.Head(parts.T("screens.add.theirs")),
		parts.Muted(parts.T("screens.add.theirs.text")),
	}, t.form.Objects()...)...), 20)
	return t
}

// accept hands a code to the core. No code that comes this way was scanned by a
// live camera.
func (t *theirs) accept(ctx context.Context, code string) (func(), error) {
	if codes.IsNodeLink(code) {
		return nil, codes.ErrElsewhere
	}
	got, err := t.cfg.Client.Accept(ctx, code, false)
	return func() {
		t.form.Say.Set(parts.ToneGood, parts.T("screens.add.done.pending"))
		if t.cfg.Open != nil {
			t.form.Lead(parts.T("screens.add.open"), func() { t.cfg.Open(got.Contact) })
		}
	}, err
}
