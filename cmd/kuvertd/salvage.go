package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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
	Files        []string            `json:"files,omitempty"`
}

// salvageLine is what a salvage came to, for scripts.
type salvageLine struct {
	Pages    int64 `json:"pages"`
	Damaged  int64 `json:"damaged"`
	Messages int   `json:"messages"`
	Lost     int   `json:"lost"`
}

const (
	salvageHead = "<!DOCTYPE html>\n<meta charset=\"utf-8\">\n<title>Kuvert</title>\n" +
		"<style>body{font:16px sans-serif;max-width:50em;margin:2em auto}p{white-space:pre-wrap}small{color:#555}</style>\n"
	salvageItem = `<p><small>{{.SentAt.Format "2006-01-02 15:04"}} · {{.Who}} · {{.Conversation}}</small>
{{.Text}}{{range .Files}}
[{{.}}]{{end}}</p>
`
)

var salvageTemplate = template.Must(template.New("item").Parse(salvageItem))

// salvage writes messages.jsonl and messages.html into a new folder.
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
		r, err := run.Salvage(ctx, e.profile, e.unlock, w.write)
		if err = errors.Join(err, w.close()); err != nil {
			return err
		}
		return e.line(salvageLine{r.Pages, r.Damaged, r.Messages, r.Lost},
			"%d messages are in %s, unencrypted; %d of %d pages could not be read, %d rows were cut off", r.Messages, out, r.Damaged, r.Pages, r.Lost)
	}
}

// salvageWriter writes both files.
type salvageWriter struct {
	files      []*os.File
	lines, web *bufio.Writer
}

func newSalvageWriter(dir string) (*salvageWriter, error) {
	w := &salvageWriter{}
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
	if m.Kind != chat.KindText {
		return nil
	}
	l := salvagedLine{m.ID, m.Conversation, s.Contact, s.Name, m.Sender, m.Text, m.SentAt, m.State, m.Seq, s.Files}
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
