package rights

import (
	"bytes"
	"context"
	"path/filepath"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/gdpr"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/assets/translations"
)

// documentWords are the documents' names and what each is for; a name's file is the
// key with ".file".
var documentWords = map[string][2]string{
	"record":        {"rights.record", "rights.record.text"},
	"information":   {"rights.information", "rights.information.text"},
	"measures":      {"rights.measures", "rights.measures.text"},
	"retention":     {"rights.retention", "rights.retention.text"},
	"lost-computer": {"rights.lost", "rights.lost.text"},
}

// languages of the documents, in the order of the choices.
var languages = []string{translations.German, translations.English}

// documents is the section that saves documents, filled with the profile's settings.
type documents struct {
	s       *Screen
	lang    *widget.Select
	say     *parts.Say
	open    *fyne.Container // the button that shows what was saved last
	saved   string          // what open shows
	busy    bool
	buttons []*parts.Button
}

func newDocuments(s *Screen) *documents {
	d := &documents{s: s, say: parts.NewSay(), lang: widget.NewSelect([]string{"Deutsch", "English"}, nil)}
	d.lang.SetSelectedIndex(0)
	if language() == translations.English {
		d.lang.SetSelectedIndex(1)
	}
	d.open = parts.Row(0, button("rights.documents.open", icons.Eye, d.show))
	d.open.Hide()
	return d
}

func (d *documents) objects() []fyne.CanvasObject {
	out := []fyne.CanvasObject{
		parts.Muted(parts.T("rights.documents.text")),
		parts.Beside(12, parts.Label(parts.T("rights.documents.language")), d.lang, nil),
	}
	for _, doc := range gdpr.Documents {
		w := documentWords[doc]
		save := button("rights.documents.save", icons.Save, func() { d.save(doc) })
		d.buttons = append(d.buttons, save)
		out = append(out, parts.Line(), parts.Beside(12, nil, parts.Column(2, parts.Label(parts.T(w[0])), parts.Muted(parts.T(w[1]))), save))
	}
	all := button("rights.documents.all", icons.Save, d.saveAll)
	d.buttons = append(d.buttons, all)
	return append(out, parts.Line(), parts.Beside(12, nil, parts.Muted(parts.T("rights.documents.all.text")), all), d.say, d.open)
}

func (d *documents) language() string { return languages[max(0, d.lang.SelectedIndex())] }

// save saves one document as PDF.
func (d *documents) save(doc string) {
	name, lang := fileName(documentWords[doc][0])+" ("+d.language()+").pdf", d.language()
	d.run(func(ctx context.Context) (string, error) {
		f, err := gather(ctx, d.s.cfg)
		if err != nil {
			return "", err
		}
		var pdf bytes.Buffer
		if err := gdpr.WritePDF(&pdf, doc, lang, f); err != nil {
			return "", err
		}
		return d.s.cfg.Save(name, pdf.Bytes())
	})
}

// saveAll saves all documents, as PDF and in a form that word processors change.
func (d *documents) saveAll() {
	name, lang := fileName("rights.documents.folder", "Day", d.s.cfg.Now().Local().Format("2006-01-02")), d.language()
	d.run(func(ctx context.Context) (string, error) {
		f, err := gather(ctx, d.s.cfg)
		if err != nil {
			return "", err
		}
		dir, err := d.s.cfg.Folder(name)
		if err != nil {
			return "", err
		}
		_, err = gdpr.WriteDocuments(dir, lang, f)
		return dir, err
	})
}

// run makes something, says where it is, and offers to show it.
func (d *documents) run(do func(ctx context.Context) (path string, err error)) {
	if d.busy {
		return
	}
	d.hold(true)
	d.open.Hide()
	d.say.Busy(parts.T("rights.documents.busy"))
	d.s.relayout()
	d.s.cfg.Work(func(ctx context.Context) func() {
		path, err := do(ctx)
		return func() {
			d.hold(false)
			if err != nil {
				d.say.Set(parts.ToneError, sentence(err))
			} else {
				d.saved = path
				d.say.Set(parts.ToneGood, parts.T("rights.documents.saved", parts.With("Name", filepath.Base(path), "Folder", filepath.Dir(path))))
				d.open.Show()
			}
			d.s.relayout()
		}
	})
}

func (d *documents) hold(on bool) {
	d.busy = on
	parts.Enable(!on, d.buttons...)
}

// show opens what was saved last.
func (d *documents) show() {
	path := d.saved
	d.s.cfg.Work(func(context.Context) func() {
		if err := d.s.cfg.Open(path); err != nil {
			return func() {
				d.say.Set(parts.ToneWarning, parts.T("rights.open.failed"))
				d.s.relayout()
			}
		}
		return nil
	})
}
