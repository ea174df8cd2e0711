package gdpr

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// Schema names the form of data.json (docs/gdpr.md).
const Schema = "kuvert-export/1"

// jsonWriter streams data.json. Its methods do nothing on nil; the first error
// stays.
type jsonWriter struct {
	file  *os.File
	w     *bufio.Writer
	err   error
	comma bool
}

func newJSONWriter(f *os.File) *jsonWriter { return &jsonWriter{file: f, w: bufio.NewWriter(f)} }

func (j *jsonWriter) failed() error {
	if j == nil {
		return nil
	}
	return j.err
}

func (j *jsonWriter) close() error {
	if j == nil {
		return nil
	}
	return errors.Join(j.err, j.w.Flush(), j.file.Sync(), j.file.Close())
}

func (j *jsonWriter) text(s string) {
	if j.err == nil {
		_, j.err = j.w.WriteString(s)
	}
}

func (j *jsonWriter) value(v any) {
	b, err := json.Marshal(v)
	if err != nil && j.err == nil {
		j.err = fmt.Errorf("gdpr: %s: %w", DataFile, err)
	}
	j.text(string(b))
}

// next separates the elements of a list.
func (j *jsonWriter) next() {
	if j.comma {
		j.text(",\n")
	}
	j.comma = true
}

func (j *jsonWriter) head(me core.Profile, now time.Time, all bool, settings map[string]string, people []person) {
	if j == nil {
		return
	}
	scope := "contact"
	if all {
		scope = "all"
	}
	j.text("{\"schema\":")
	j.value(Schema)
	j.text(",\n\"made_at\":")
	j.value(now.UTC())
	j.text(",\n\"scope\":")
	j.value(scope)
	j.text(",\n\"profile\":")
	j.value(me)
	if all {
		j.text(",\n\"settings\":")
		j.value(settings)
	}
	j.text(",\n\"people\":[")
	for i, p := range people {
		if i > 0 {
			j.text(",\n")
		}
		j.value(p)
	}
	j.text("],\n\"conversations\":[")
}

func (j *jsonWriter) begin(p person) {
	if j == nil {
		return
	}
	j.next()
	j.text("{\"id\":")
	j.value(p.Conversation)
	j.text(",\"contact\":")
	j.value(p.ID)
	j.text(",\"messages\":[\n")
	j.comma = false
}

// fileLine is a file of a message.
type fileLine struct {
	chat.Attachment
	File string `json:"file"` // where it lies in the export, "" if it was not here
}

// messageLine is a message. A notice's text is one of chat.Notice.
type messageLine struct {
	ID         chat.MessageID `json:"id"`
	Sender     chat.PersonID  `json:"sender"`
	Notice     bool           `json:"notice"`
	Text       string         `json:"text"`
	SentAt     time.Time      `json:"sent_at"`
	ReceivedAt time.Time      `json:"received_at"`
	State      chat.State     `json:"state"`
	ReplyTo    chat.MessageID `json:"reply_to"`
	Files      []fileLine     `json:"files"`
}

func (j *jsonWriter) message(m chat.Message, paths []string) {
	if j == nil {
		return
	}
	l := messageLine{m.ID, m.Sender, m.Kind == chat.KindNotice, m.Text, m.SentAt, m.ReceivedAt, m.State, m.ReplyTo, []fileLine{}}
	for i, a := range m.Attachments {
		l.Files = append(l.Files, fileLine{a, paths[i]})
	}
	j.next()
	j.value(l)
}

func (j *jsonWriter) end() {
	if j == nil {
		return
	}
	j.text("]}")
	j.comma = true
}

func (j *jsonWriter) tail(l core.ErasureLog) {
	if j == nil {
		return
	}
	j.text("],\n\"erasures\":")
	j.value(l)
	j.text("}\n")
}

// countMessages reads data.json and counts the messages in it, one at a time in
// memory.
func countMessages(path string) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("gdpr: read back: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	d := json.NewDecoder(bufio.NewReader(f))
	err = eachField(d, func(key string) error {
		if key != "conversations" {
			return skip(d)
		}
		return eachElement(d, func() error {
			return eachField(d, func(key string) error {
				if key != "messages" {
					return skip(d)
				}
				return eachElement(d, func() error {
					var m messageLine
					n++
					return d.Decode(&m)
				})
			})
		})
	})
	if err == nil {
		if _, end := d.Token(); !errors.Is(end, io.EOF) {
			err = ErrIncomplete
		}
	}
	if err != nil {
		return n, fmt.Errorf("gdpr: read back: %w: %w", ErrIncomplete, err)
	}
	return n, nil
}

func skip(d *json.Decoder) error {
	var v json.RawMessage
	return d.Decode(&v)
}

func eachField(d *json.Decoder, do func(key string) error) error {
	return eachOf(d, func() error {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		return do(name)
	})
}

func eachElement(d *json.Decoder, do func() error) error { return eachOf(d, do) }

// eachOf walks an object or a list.
func eachOf(d *json.Decoder, do func() error) error {
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		if err := do(); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}
