package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

var searchCommand = command{
	name: "search", args: "QUERY [--in CONVERSATION] [--from CONTACT] [--since DATE] [--until DATE] [--file] [--limit N]",
	says: "Find messages: words that all stand in them, phrases in quotation marks", min: 0, max: 1, setup: search,
}

// hitLine is a message that was found, as scripts see it.
type hitLine struct {
	messageLine
	Snippet string      `json:"snippet"`
	Marks   []chat.Mark `json:"marks"` // ranges of bytes in snippet
}

func search(f *pflag.FlagSet) action {
	in := f.String("in", "", "only in this conversation")
	from := f.String("from", "", "only what this contact wrote, or \"me\"")
	since := f.String("since", "", "only from this day on, or this time: "+dateForms)
	until := f.String("until", "", "only up to this day, or before this time")
	file := f.Bool("file", false, "only messages with a file")
	limit := f.Int("limit", chat.DefaultPage, "at most so many, the newest")
	return func(ctx context.Context, e *env, args []string) error {
		q := chat.SearchQuery{HasFile: *file}
		if len(args) > 0 {
			q.Text = args[0]
		}
		if *limit < 1 {
			return usagef("--limit wants a number from 1")
		}
		var err error
		if q.Since, err = date(*since, 0); err != nil {
			return err
		}
		if q.Until, err = date(*until, 1); err != nil {
			return err
		}
		return e.with(ctx, func(c core.Client) error {
			if err := where(ctx, c, &q, *in, *from); err != nil {
				return err
			}
			hits, err := found(ctx, c, q, *limit)
			if err != nil {
				return err
			}
			return e.showHits(ctx, c, hits)
		})
	}
}

const dateForms = "2026-03-29 or 2026-03-29T14:00:00Z"

// date reads a day in local time, to which days are added, or an instant. ""
// is no time.
func date(s string, days int) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, s, time.Local); err == nil {
		return at.AddDate(0, 0, days), nil
	}
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return at, usagef("%q is no date: %s", s, dateForms)
	}
	return at, nil
}

// where fills in whose messages are asked for.
func where(ctx context.Context, c core.Client, q *chat.SearchQuery, in, from string) (err error) {
	if in != "" {
		if q.Conversation, err = conversation(ctx, c, in); err != nil {
			return err
		}
	}
	if from == "me" {
		me, err := c.Whoami(ctx)
		q.Sender = me.ID
		return err
	}
	if from != "" {
		person, err := contact(ctx, c, from)
		q.Sender = person.ID
		return err
	}
	return nil
}

// found collects up to limit hits, oldest first.
func found(ctx context.Context, c core.Client, q chat.SearchQuery, limit int) ([]chat.Hit, error) {
	var all []chat.Hit
	for {
		q.Limit = min(limit-len(all), chat.MaxPage)
		page, err := c.Search(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Hits...)
		if q.Before = page.Next; q.Before == 0 || len(all) >= limit {
			slices.Reverse(all)
			return all, nil
		}
	}
}

func (e *env) showHits(ctx context.Context, c core.Client, hits []chat.Hit) error {
	out := []hitLine{}
	for _, h := range hits {
		out = append(out, hitLine{messageLine: newMessageLine(h.Message), Snippet: h.Snippet, Marks: h.Marks})
	}
	names, err := senderNames(ctx, c)
	if err != nil {
		return err
	}
	return e.show(out, func(w io.Writer) {
		for _, h := range out {
			fmt.Fprintf(w, "%s  %s  %s: %s\n", h.ID, h.SentAt.Local().Format(time.DateTime), names[h.Sender], h.Snippet)
		}
	})
}
