package gdpr

import (
	"bufio"
	"errors"
	"fmt"
	"html"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

// pageHead begins every HTML page: nothing may be loaded and no script run,
// whatever a text holds.
const pageHead = `<!DOCTYPE html>
<html lang="%s"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer"><meta name="viewport" content="width=device-width">
<title>%s</title>
<style>
body{font:16px/1.5 sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%%}td,th{border:1px solid #bbb;padding:.3rem .5rem;text-align:left;vertical-align:top}
h2{margin-top:2rem;border-bottom:1px solid #bbb}mark{background:#ffe9a8}small,.m{color:#595959}
p.t{white-space:pre-wrap;overflow-wrap:anywhere;margin:.1rem 0 .8rem}
</style></head><body>
`

// htmlWriter streams index.html. Its methods do nothing on nil; the first error
// stays.
type htmlWriter struct {
	file     *os.File
	w        *bufio.Writer
	language string
	err      error
}

func newHTMLWriter(f *os.File, language string) *htmlWriter {
	if language != words.German {
		language = words.English
	}
	return &htmlWriter{file: f, w: bufio.NewWriter(f), language: language}
}

func (h *htmlWriter) failed() error {
	if h == nil {
		return nil
	}
	return h.err
}

func (h *htmlWriter) close() error {
	if h == nil {
		return nil
	}
	return errors.Join(h.err, h.w.Flush(), h.file.Sync(), h.file.Close())
}

// put writes a format of which every argument is escaped.
func (h *htmlWriter) put(format string, args ...string) {
	escaped := make([]any, len(args))
	for i, a := range args {
		escaped[i] = escape(a)
	}
	if h.err == nil {
		_, h.err = fmt.Fprintf(h.w, format, escaped...)
	}
}

func (h *htmlWriter) word(key string) string { return words.Text(h.language, "gdpr."+key, nil) }

// notice is the sentence that the window shows for one of chat.Notice.
func (h *htmlWriter) notice(code, name string) string {
	params := map[string]string{"Name": name}
	if text := words.Text(h.language, "conversation.notice."+code, params); text != "" {
		return text
	}
	return words.Text(h.language, "conversation.notice.unknown", params)
}

func (h *htmlWriter) time(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	if h.language == words.German {
		return t.Local().Format("02.01.2006 15:04:05 MST")
	}
	return t.Local().Format("2006-01-02 15:04:05 MST")
}

func (h *htmlWriter) head(me core.Profile, now time.Time, people []person) {
	if h == nil {
		return
	}
	h.put(pageHead, h.language, h.word("export.title"))
	h.put("<h1>%s</h1><p>%s: <bdi>%s</bdi> (%s)<br>%s: %s</p>\n", h.word("export.title"),
		h.word("export.profile"), me.Name, me.ID.String(), h.word("export.made"), h.time(now))
	h.put("<h2>%s</h2><ul>\n", h.word("export.people"))
	for _, p := range people {
		h.put("<li><a href=\"#c-%s\"><bdi>%s</bdi></a></li>\n", p.ID.String(), p.name())
	}
	h.put("</ul>\n")
}

// begin shows what is kept of a person before the conversation.
func (h *htmlWriter) begin(p person) {
	if h == nil {
		return
	}
	h.put("<h2 id=\"c-%s\"><bdi>%s</bdi></h2><table>\n", p.ID.String(), p.name())
	row := func(key, value string) { h.put("<tr><th>%s</th><td>%s</td></tr>\n", h.word("record."+key), value) }
	row("id", p.ID.String())
	if p.Contact != nil {
		row("given_name", p.Contact.GivenName)
		row("alias", p.Contact.Alias)
		row("added", h.time(p.Contact.AddedAt))
		row("seen", h.time(p.Contact.LastSeen))
	}
	if p.Request != nil {
		row("request", h.time(p.Request.ReceivedAt))
	}
	for _, host := range p.Hosts {
		row("host", host.Host+" "+strings.Join(host.Addrs, " ")+" "+h.time(host.SeenAt))
	}
	for _, i := range p.Invitations {
		row("invitation", h.time(i.UsedAt))
	}
	for _, c := range p.Contacted {
		row("contacted", c.Addr+" "+h.time(c.Last))
	}
	row("queues", fmt.Sprint(len(p.Queues)))
	row("waiting", fmt.Sprint(p.Waiting))
	row("envelopes", fmt.Sprint(p.Envelopes))
	row("messages", fmt.Sprint(p.Messages))
	if p.Draft != "" {
		row("draft", p.Draft)
	}
	h.put("</table>\n")
}

func (h *htmlWriter) message(m chat.Message, paths []string, me core.Profile, p person) {
	if h == nil {
		return
	}
	who := p.name()
	if m.Sender == me.ID {
		who = me.Name
	}
	at := m.SentAt
	if m.State == chat.Received {
		at = m.ReceivedAt
	}
	if m.Kind == chat.KindNotice {
		h.put("<p class=\"m\">%s · %s</p>\n", h.time(at), h.notice(m.Text, p.name()))
		return
	}
	h.put("<div class=\"m\" id=\"m-%s\"><bdi>%s</bdi> · %s</div><p class=\"t\" dir=\"auto\">%s</p>\n", m.ID.String(), who, h.time(at), m.Text)
	for i, a := range m.Attachments {
		if paths[i] == "" {
			h.put("<p class=\"m\"><bdi>%s</bdi> (%s)</p>\n", chat.ShownFileName(a.Name), h.word("export.not_here"))
			continue
		}
		h.put("<p><a href=\"%s\" download><bdi>%s</bdi></a> <small>%s</small></p>\n",
			(&url.URL{Path: paths[i]}).EscapedPath(), chat.ShownFileName(a.Name), a.SHA256.String())
	}
}

func (h *htmlWriter) end() {}

func (h *htmlWriter) tail(l core.ErasureLog) {
	if h == nil {
		return
	}
	h.put("<h2>%s</h2>\n", h.word("export.erasures"))
	if len(l.Entries) == 0 {
		h.put("<p>%s</p>\n", h.word("export.no_erasures"))
	}
	for _, e := range l.Entries {
		h.put("<p>%s · %s · %s</p>\n", h.time(e.At), h.word("erased."+e.Kind), h.word("reason."+string(e.Reason)))
	}
	h.put("<p><small>%s</small></p></body></html>\n", h.word("export.note"))
}

func escape(s string) string { return html.EscapeString(strings.ToValidUTF8(s, "\uFFFD")) }
