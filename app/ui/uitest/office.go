package uitest

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// line is one message of a made-up conversation.
type line struct {
	own  bool
	ago  time.Duration
	text string
	st   chat.State
}

// sabine is the conversation that the pictures show, oldest first.
var sabine = []line{
	{false, 26 * time.Hour, "Guten Morgen! Haben Sie das Angebot für Müller & Söhne schon rausgeschickt?", 0},
	{true, 25*time.Hour + 50*time.Minute, "Ja, gestern Abend.", chat.Read},
	{true, 25*time.Hour + 49*time.Minute, "Die Lieferung kommt voraussichtlich am Donnerstag zwischen 9 und 11 Uhr. Bitte achten Sie darauf, dass jemand im Lager ist und die Palette direkt prüft – letztes Mal fehlten zwei Kartons, und die Spedition hat das erst nach drei Wochen anerkannt.", chat.Read},
	{false, 25*time.Hour + 40*time.Minute, "Super, danke", 0},
	{false, 3 * time.Hour, "Ich habe den Vertrag noch einmal durchgesehen. Bei § 4 sollten wir die Kündigungsfrist auf drei Monate ändern, sonst passt alles.", 0},
	{false, 3*time.Hour - time.Minute, "Können wir heute um 14:30 Uhr kurz telefonieren?", 0},
	{true, 2 * time.Hour, "Kein Problem.", chat.Read},
	{true, 110 * time.Minute, "Ich schicke Ihnen vorher die geänderte Fassung:\n1. Kündigungsfrist drei Monate\n2. Zahlungsziel 14 Tage\n\nSagen Sie Bescheid, wenn etwas fehlt.", chat.Read},
	{false, 30 * time.Minute, "Passt. Rechnung Nr. 2025-1187 ist bezahlt, Skonto wurde abgezogen.", 0},
	{true, 12 * time.Minute, "Wunderbar, vielen Dank!", chat.Delivered},
}

// Office is a client with some people and their conversations; the first one has
// at least n messages.
func Office(n int) *Client {
	c := New("Anna Berger")
	c.Net.Waiting = 1
	add := func(name string, edit func(*chat.Contact), lines ...line) {
		p := Contact(name)
		if edit != nil {
			edit(&p)
		}
		c.AddConversation(p, c.lines(p, lines)...)
	}
	online := func(p *chat.Contact) { p.Online, p.Verified = true, true }
	sabineLines := sabine
	if n > len(sabine) {
		sabineLines = append(filler(n-len(sabine)), sabine...)
	}
	add("Sabine Krüger", online, sabineLines...)
	add("Thomas Weiß", nil, line{false, 98 * time.Minute, "Die Lieferung kommt am Donnerstag.", 0}, line{false, 97 * time.Minute, "Passt das bei Ihnen?", 0}, line{false, 96 * time.Minute, "Sonst rufe ich dort noch einmal an und frage nach einem anderen Termin.", 0})
	add("Elektro Böhm GmbH", func(p *chat.Contact) { p.Verified = true }, line{true, 20 * time.Hour, "Können Sie das Angebot bitte noch einmal schicken?", chat.Queued})
	add("Aylin Yılmaz", func(p *chat.Contact) { p.Online = true }, line{false, 22 * time.Hour, "Bis morgen!", 0})
	add("Steuerbüro Hartmann", nil, line{true, 50 * time.Hour, "Die Unterlagen liegen bei Ihnen im Briefkasten.", chat.Read})
	add("Jörg Lindemann", online, line{true, 75 * time.Hour, "Alles klar, dann bis Donnerstag.", chat.Read})
	add("Petra Schäfer", func(p *chat.Contact) { p.Pending = true })
	add("Werkstatt Nord", nil, line{true, 8 * 24 * time.Hour, "Ist der Wagen fertig?", chat.Failed})
	for i := range c.Convs {
		c.finish(&c.Convs[i])
	}
	return c
}

func filler(n int) []line {
	texts := []string{"Ok", "Kein Problem.", "Bis morgen!", sabine[0].text, sabine[2].text, sabine[4].text, "Danke, ist angekommen.", "Zeile eins\nZeile zwei\n\nZeile vier nach einer Leerzeile"}
	out := make([]line, n)
	for i := range out {
		h := uint32(i) * 2654435761
		out[i] = line{h>>13%5 < 2, 30*time.Hour + time.Duration(n-i)*41*time.Minute, texts[int(h>>7)%len(texts)], chat.Read}
	}
	return out
}

func (c *Client) lines(p chat.Contact, lines []line) []chat.Message {
	out := make([]chat.Message, len(lines))
	for i, l := range lines {
		m := chat.Message{Sender: p.ID, Kind: chat.KindText, Text: l.text, SentAt: Now.Add(-l.ago), ReceivedAt: Now.Add(-l.ago), State: chat.Received, Seq: uint64(i + 1)}
		if l.own {
			m.Sender, m.State = c.Me.ID, l.st
		}
		m.ID[0], m.ID[5] = p.ID[0], p.ID[5]
		binary.BigEndian.PutUint32(m.ID[8:], uint32(i+1))
		out[i] = m
	}
	return out
}

// finish gives a conversation the counters that fit its people, and ways to what
// is not delivered.
func (c *Client) finish(v *chat.Conversation) {
	msgs := c.Msgs[v.ID]
	v.ReadSeq, v.Unread = uint64(len(msgs)), 0
	if v.Contact == Person("Thomas Weiß") {
		v.ReadSeq, v.Unread = 0, len(msgs)
	}
	if v.Contact == Person("Aylin Yılmaz") {
		v.Draft = "Ich bringe die Muster mit, und dann"
	}
	if len(msgs) == 0 {
		return
	}
	last := msgs[len(msgs)-1]
	v.Last, v.LastAt = &last, last.SentAt
	switch last.State {
	case chat.Queued:
		c.Ways[last.ID] = core.Delivery{State: chat.Queued, Why: core.WhyNotFound, SentAt: last.SentAt, Attempts: 4}
	case chat.Failed:
		c.Ways[last.ID] = core.Delivery{State: chat.Failed, Why: core.WhyRefused, SentAt: last.SentAt, Attempts: 1}
	case chat.Sent, chat.Delivered, chat.Read, chat.Received:
	}
}

// Flood makes n messages arrive from a contact of the office.
func (c *Client) Flood(name string, n int) {
	for i := range n {
		c.Arrive(chat.DirectConversation(c.Me.ID, Person(name)), chat.Message{
			Sender: Person(name), Kind: chat.KindText, Text: fmt.Sprintf("Nachricht %d", i+1), State: chat.Received, SentAt: Now, ReceivedAt: Now,
		})
	}
}
