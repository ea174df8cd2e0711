package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/run"
)

var salvageCommands = []command{
	{name: "salvage", args: "OUT", says: "Read what can still be read from a damaged profile into the folder OUT, unencrypted", min: 1, max: 1, long: true, setup: salvage},
}

// salvagedLine is a salvaged message as it stands in messages.jsonl.
type salvagedLine struct {
	ID           chat.MessageID      `json:"id"`
	Conversation chat.ConversationID `json:"conversation"`
	Contact      chat.PersonID       `json:"contact"`
	Name         string              `json:"name"`
	Sender       chat.PersonID       `json:"sender"`
	Text         string              `json:"text"`
	SentAt       time.Time           `json:"sent_at"`
	State        chat.State          `json:"state"`
	Seq          uint64              `json:"seq"`
	Files        []string            `json:"files,omitempty"` // names
	Saved        []run.SalvagedFile  `json:"saved,omitempty"` // what became of them
}

// salvageLine is what a salvage came to, for scripts.
type salvageLine struct {
	Pages    int64 `json:"pages"`
	Damaged  int64 `json:"damaged"`
	Messages int   `json:"messages"`
	Lost     int   `json:"lost"`
	// Files were written into OUT/files; Missing could not be.
	Files   int                `json:"files"`
	Missing []run.SalvagedFile `json:"missing"`
}

// salvagedFiles is the folder of salvaged files in OUT.
const salvagedFiles = "files"

// losses says why a file is not there.
var losses = map[run.Loss]string{
	run.LossAbsent:  "was not on this computer",
	run.LossGone:    "was not found whole in the profile",
	run.LossDamaged: "is damaged",
}

const (
	salvageHead = "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>Kuvert</title>\n" +
		"<style>body{font:16px sans-serif;max-width:50em;margin:2em auto}p{white-space:pre-wrap}small{color:#555}</style>\n"
	salvageItem = `<p><small>{{.SentAt.Format "2006-01-02 15:04"}} · {{.Who}} · {{.Conversation}}</small>
{{.Text}}{{range .Saved}}
{{if .File}}<a href="files/{{.File}}">{{.Name}}</a>{{else}}<del>{{.Name}}</del>{{end}}{{end}}</p>
`
)

var salvageTemplate = template.Must(template.New("item").Parse(salvageItem))

// salvage writes messages.jsonl, messages.html and the files into a new folder.
func salvage(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		out := args[0]
		if err := os.Mkdir(out, 0o700); err != nil {
			return refusal{"the folder " + out + " cannot be made", "name one that does not exist yet", exitRefused}
		}
		w, err := newSalvageWriter(out)
		if err != nil {
			return err
		}
		r, err := run.Salvage(ctx, e.profile, e.unlock, filepath.Join(out, salvagedFiles), w.write)
		if err = errors.Join(err, w.close()); err != nil {
			return err
		}
		return e.show(salvageLine{r.Pages, r.Damaged, r.Messages, r.Lost, w.saved, w.missing}, func(to io.Writer) {
			fmt.Fprintf(to, "%d messages and %d files are in %s, unencrypted; %d of %d pages could not be read, %d rows were cut off\n",
				r.Messages, w.saved, out, r.Damaged, r.Pages, r.Lost)
			for _, f := range w.missing {
				fmt.Fprintf(to, "%s %s\n", chat.ShownFileName(f.Name), losses[f.Why])
			}
		})
	}
}

// salvageWriter writes both files.
type salvageWriter struct {
	files      []*os.File
	lines, web *bufio.Writer

	saved   int
	missing []run.SalvagedFile
}

func newSalvageWriter(dir string) (*salvageWriter, error) {
	w := &salvageWriter{missing: []run.SalvagedFile{}}
	open := func(name string) (*bufio.Writer, error) {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the person chose it
		if err != nil {
			return nil, err
		}
		w.files = append(w.files, f)
		return bufio.NewWriter(f), nil
	}
	var err error
	if w.lines, err = open("messages.jsonl"); err != nil {
		return nil, err
	}
	if w.web, err = open("messages.html"); err != nil {
		return nil, errors.Join(err, w.files[0].Close())
	}
	_, err = io.WriteString(w.web, salvageHead)
	return w, err
}

func (w *salvageWriter) write(s run.Salvaged) error {
	m := s.Message
	if m.Kind != chat.KindText && len(s.Files) == 0 {
		return nil
	}
	l := salvagedLine{m.ID, m.Conversation, s.Contact, s.Name, m.Sender, m.Text, m.SentAt, m.State, m.Seq, nil, s.Files}
	for _, f := range s.Files {
		l.Files = append(l.Files, f.Name)
		if f.File == "" {
			w.missing = append(w.missing, f)
		} else {
			w.saved++
		}
	}
	who := s.Name
	if m.Sender != s.Contact || who == "" {
		who = m.Sender.String()
	}
	return errors.Join(json.NewEncoder(w.lines).Encode(l), salvageTemplate.Execute(w.web, struct {
		salvagedLine
		Who string
	}{l, who}))
}

func (w *salvageWriter) close() error {
	errs := []error{w.lines.Flush(), w.web.Flush()}
	for _, f := range w.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
