package rights

import (
	"bytes"
	"context"
	"slices"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/gdpr"
	"github.com/kuvert-im/kuvert/app/ui/icons"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// logShown is how many entries the page shows, the newest; what is saved has all.
const logShown = 20

// logSection shows the deletion log and what a check of it gave.
type logSection struct {
	s       *Screen
	log     core.ErasureLog
	verdict *parts.Say
	say     *parts.Say
	list    *fyne.Container
	save    *parts.Button
	busy    bool
}

func newLog(s *Screen) *logSection {
	l := &logSection{s: s, verdict: parts.NewSay(), say: parts.NewSay(), list: parts.Column(0)}
	l.save = button("rights.log.save", icons.Save, l.saveLog)
	l.save.Disable()
	return l
}

func (l *logSection) objects() []fyne.CanvasObject {
	return []fyne.CanvasObject{parts.Muted(parts.T("rights.log.text")), l.verdict, l.list, parts.Row(0, l.save), l.say}
}

// show lists the newest entries. A log that cannot be read is a damaged one.
// bad is what a check of it gave.
func (l *logSection) show(log core.ErasureLog, err, bad error) {
	l.log = log
	l.verdict.Clear()
	switch {
	case err != nil:
		l.verdict.Set(parts.ToneError, parts.T("rights.log.unreadable"))
	case bad != nil:
		l.verdict.Set(parts.ToneError, parts.T("rights.log.changed"))
	case len(log.Entries) > 0:
		l.verdict.Set(parts.ToneGood, parts.T("rights.log.valid"))
	}
	l.list.Objects = nil
	for i, e := range slices.Backward(log.Entries) {
		if len(log.Entries)-i > logShown {
			l.list.Add(parts.Pad(parts.Muted(parts.N("rights.log.more", i+1)), 7, 0, 7, 0))
			break
		}
		what := parts.T("gdpr.erased."+e.Kind) + ", " + parts.T("gdpr.reason."+string(e.Reason))
		row := parts.Column(1, parts.Body(what), parts.Tiny(parts.T("rights.log.entry", parts.With("N", e.Number, "When", parts.Moment(e.At, l.s.cfg.Now())))))
		l.list.Add(parts.Pad(row, 7, 0, 7, 0))
	}
	if err != nil || len(log.Entries) == 0 {
		l.save.Disable()
	} else {
		l.save.Enable()
	}
	if err == nil && len(log.Entries) == 0 {
		l.list.Add(parts.Muted(parts.T("rights.log.none")))
	}
}

func (l *logSection) saveLog() {
	if l.busy {
		return
	}
	l.busy = true
	cfg, log, lang, name := l.s.cfg, l.log, language(), fileName("rights.log.file", "Day", l.s.cfg.Now().Local().Format("2006-01-02"))+".pdf"
	cfg.Work(func(ctx context.Context) func() {
		path, err := saveLog(ctx, cfg, log, lang, name)
		return func() {
			l.busy = false
			if err != nil {
				l.say.Set(parts.ToneError, sentence(err))
			} else {
				l.say.Set(parts.ToneGood, parts.T("screens.add.saved", parts.With("Path", path)))
			}
			l.s.relayout()
		}
	})
}

func saveLog(ctx context.Context, cfg Config, log core.ErasureLog, lang, name string) (string, error) {
	me, err := cfg.Client.Whoami(ctx)
	if err != nil {
		return "", err
	}
	var pdf bytes.Buffer
	if err := gdpr.WriteErasures(&pdf, lang, me.Name, cfg.Now(), log); err != nil {
		return "", err
	}
	return cfg.Save(name, pdf.Bytes())
}
