package rights

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"github.com/kuvert-im/kuvert/app/gdpr"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// exporting is the dialog that gives out what is kept.
type exporting struct {
	cfg   Config
	who   *Subject // nil: everything
	modal *parts.Modal
	stop  context.CancelFunc // of the work under way, nil if none is

	bar   *widget.ProgressBar
	count *parts.Text
	// how far it is, written away from the UI thread; asked: a look at it is on its way.
	done, total atomic.Int64
	asked       atomic.Bool
}

// AskExport asks whether to give out everything that is kept, or all about one
// person, does it, and says where it is.
func AskExport(cfg Config, who *Subject) {
	x := &exporting{cfg: cfg.withDefaults(), who: who, modal: parts.NewModal(cfg.Window, wide), bar: widget.NewProgressBar(), count: parts.Muted("")}
	x.modal.OnClose = x.modal.Hide
	title, text := "rights.all.title", "rights.all.ask"
	if who != nil {
		title, text = "rights.person.title", "rights.person.ask"
	}
	no := x.modal.Button(parts.T("screens.cancel"), x.modal.Hide)
	x.show(parts.T(title, x.name()), parts.Body(parts.T(text, x.name())), no, x.modal.Primary(parts.T("rights.export.do"), x.run))
	x.modal.Focus(no)
}

func (x *exporting) name() map[string]any {
	if x.who == nil {
		return nil
	}
	return parts.With("Name", x.who.Name)
}

func (x *exporting) show(title string, body fyne.CanvasObject, answers ...fyne.CanvasObject) {
	x.modal.Show(parts.Column(12, parts.Title(title), x.modal.Fit(body, 130), parts.Space(4), parts.Answers(answers...)))
}

func (x *exporting) folder() (string, error) {
	day := x.cfg.Now().Local().Format("2006-01-02")
	if x.who == nil {
		return x.cfg.Folder(fileName("rights.export.folder", "Day", day))
	}
	return x.cfg.Folder(fileName("rights.export.folder.person", "Name", x.who.Name, "Day", day))
}

// run writes the export away from the UI thread. What was written is taken away again
// if it fails or is cancelled: half of an answer is none.
func (x *exporting) run() {
	ctx, cancel := context.WithCancel(context.Background())
	x.stop = cancel
	x.modal.OnClose = cancel
	stop := x.modal.Button(parts.T("screens.cancel"), cancel)
	x.look()
	x.show(parts.T("rights.export.busy"), parts.Column(10, x.bar, x.count), stop)
	x.modal.Focus(stop)
	x.cfg.Work(func(window context.Context) func() {
		defer cancel()
		defer context.AfterFunc(window, cancel)()
		report, err := x.write(ctx)
		return func() { x.finished(report, err) }
	})
}

func (x *exporting) write(ctx context.Context) (r gdpr.Report, err error) {
	o := gdpr.Options{HTML: true, JSON: true, Language: language(), Now: x.cfg.Now(), Progress: x.progress}
	if x.who != nil {
		o.Person = &x.who.ID
	}
	if o.Dir, err = x.folder(); err != nil {
		return r, err
	}
	if r, err = gdpr.Export(ctx, x.cfg.Client, o); err != nil {
		err = errors.Join(err, os.RemoveAll(o.Dir)) // the path was free before
	}
	return r, err
}

// progress is called away from the UI thread, after each message.
func (x *exporting) progress(done, total int64) {
	x.done.Store(done)
	x.total.Store(total)
	if x.asked.Swap(true) {
		return
	}
	x.cfg.Work(func(context.Context) func() {
		return func() {
			x.asked.Store(false)
			x.look()
		}
	})
}

// look shows how far it is.
func (x *exporting) look() {
	done, total := x.done.Load(), max(x.total.Load(), 1)
	x.bar.SetValue(min(1, float64(done)/float64(total)))
	x.count.SetText(parts.T("rights.export.count", parts.With("Done", parts.Count(done), "Total", parts.Count(x.total.Load()))))
}

func (x *exporting) finished(r gdpr.Report, err error) {
	x.stop, x.modal.OnClose = nil, x.modal.Hide
	shut := x.modal.Button(parts.T("screens.close"), x.modal.Hide)
	if errors.Is(err, context.Canceled) {
		x.modal.Hide()
		return
	}
	say := parts.NewSay()
	if err != nil {
		say.Set(parts.ToneError, sentence(err))
		x.show(parts.T("rights.export.failed"), say, shut)
		x.modal.Focus(shut)
		return
	}
	say.Set(parts.ToneGood, x.summary(r))
	open := x.modal.Primary(parts.T("rights.export.open"), func() { x.open(r.Dir, say) })
	x.show(parts.T("rights.export.done"), parts.Column(10, say, parts.Label(r.Dir), parts.Muted(parts.T("rights.export.after"))), shut, open)
	x.modal.Focus(open)
}

// summary says what was written, and what could not be.
func (x *exporting) summary(r gdpr.Report) string {
	all := []string{parts.N("rights.export.messages", int(r.Messages)), parts.N("rights.export.files", r.Files)}
	if x.who == nil {
		all = append([]string{parts.N("rights.export.people", r.People)}, all...)
	}
	out := strings.Join(all, ", ") + "."
	if r.Missing > 0 {
		out += " " + parts.N("rights.export.missing", r.Missing)
	}
	return out
}

func (x *exporting) open(path string, say *parts.Say) {
	x.cfg.Work(func(context.Context) func() {
		if err := x.cfg.Open(path); err != nil {
			return func() { say.Set(parts.ToneWarning, parts.T("rights.open.failed")) }
		}
		return nil
	})
}
