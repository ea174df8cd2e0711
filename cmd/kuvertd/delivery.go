package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/assets/translations/words"
)

// whyNotRunning is what a message waits for while nobody runs the profile.
const whyNotRunning core.Why = "not_running"

// deliveryLine is where one message is for one recipient, as scripts see it. Times
// that are not known are null.
type deliveryLine struct {
	Recipient chat.PersonID `json:"recipient"`
	Name      string        `json:"name"`
	State     chat.State    `json:"state"`
	Where     core.Where    `json:"where"`
	Holder    string        `json:"holder"`
	HeldAt    *time.Time    `json:"held_at"`
	Why       core.Why      `json:"why"`
	SentAt    *time.Time    `json:"sent_at"`
	NextTry   *time.Time    `json:"next_try"`
	Attempts  int           `json:"attempts"`
}

func newDeliveryLine(d core.Delivery, runs bool) deliveryLine {
	l := deliveryLine{
		Recipient: d.Recipient, Name: d.Name, State: d.State, Where: d.Where, Holder: d.Holder, HeldAt: stored(d.HeldAt),
		Why: d.Why, SentAt: stored(d.SentAt), NextTry: stored(d.NextTry), Attempts: d.Attempts,
	}
	// Without a network of its own the command cannot tell.
	if !runs && (d.Why == core.WhyNoNetwork || d.Why == core.WhyNotFound) {
		l.Why, l.NextTry = whyNotRunning, nil
	}
	return l
}

// stored is t in UTC, nil for the zero time.
func stored(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func delivery(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		id, err := messageID(args[0])
		if err != nil {
			return err
		}
		return e.withState(ctx, func(c core.Client, runs bool) error {
			lang, err := language(ctx, c)
			if err != nil {
				return err
			}
			d, err := c.Delivery(ctx, id)
			if err != nil {
				return err
			}
			if d.State == chat.Received {
				return refusal{"this message came from somebody else", "give the id of one of your own", exitUsage}
			}
			out := []deliveryLine{newDeliveryLine(d, runs)}
			return e.show(out, func(w io.Writer) {
				for _, l := range out {
					fmt.Fprintln(w, l.sentence(lang))
				}
			})
		})
	}
}

// sentence tells everything in one line.
func (l deliveryLine) sentence(lang string) string {
	params := map[string]string{"name": l.Name, "holder": l.Holder, "since": clock(l.HeldAt), "time": clock(l.NextTry)}
	text := func(key string) string { return words.Text(lang, "delivery.line."+key, params) }
	if l.Name == "" {
		params["name"] = text("unnamed")
	}
	parts := []string{text(l.place())}
	switch {
	case l.Why == whyNotRunning && l.Where == core.WhereMailbox:
		parts = append(parts, text("why.not_running.mailbox"))
	case l.Why != core.WhyNone:
		parts = append(parts, text("why."+string(l.Why)))
	}
	if l.NextTry != nil {
		parts = append(parts, text("next"))
	}
	return strings.Join(parts, " ")
}

// place is the key of the words for where the message is.
func (l deliveryLine) place() string {
	switch {
	case l.State == chat.Failed:
		return "failed"
	case l.Where != core.WhereMailbox:
		return string(l.Where)
	}
	key := "mailbox"
	if l.Holder != "" {
		key = "holder"
	}
	if l.HeldAt != nil {
		key += ".since"
	}
	return key
}

func clock(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Local().Format(time.DateTime)
}
