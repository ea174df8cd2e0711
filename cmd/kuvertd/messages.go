package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/run"
)

var messageCommands = []command{
	{name: "send", args: "CONVERSATION [TEXT] [--file F]… [--reply ID]", says: "Send a message; without TEXT and files what comes on standard input", min: 1, max: 2, setup: send},
	{name: "messages", args: "CONVERSATION [--since ID] [--limit N]", says: "Print the newest messages, or those after ID", min: 1, max: 1, setup: messages},
	searchCommand,
	{name: "delivery", args: "MESSAGE", says: "Tell where an own message is, and what it waits for", min: 1, max: 1, setup: delivery},
	{name: "read", args: "CONVERSATION", says: "Mark everything as read", min: 1, max: 1, setup: markRead},
	{name: "watch", args: "[--listen HOST:PORT] [--no-discovery]", says: "Print what happens, one event a line; runs the client if none runs", long: true, setup: watch},
}

func send(f *pflag.FlagSet) action {
	reply := f.String("reply", "", "id of the message this answers")
	paths := f.StringArray("file", nil, "a file to send with it; may be said several times")
	return func(ctx context.Context, e *env, args []string) error {
		out, err := e.outgoing(args[1:], *reply, *paths)
		if err != nil {
			return err
		}
		return e.with(ctx, func(c core.Client) error {
			id, err := conversation(ctx, c, args[0])
			if err != nil {
				return err
			}
			msg, err := c.Send(ctx, id, out)
			if err != nil {
				return err
			}
			return e.line(map[string]chat.MessageID{"id": msg}, "%s", msg)
		})
	}
}

func (e *env) outgoing(text []string, reply string, paths []string) (out core.Outgoing, err error) {
	if out.Files, err = ownFiles(paths); err != nil {
		return out, err
	}
	if len(text) == 1 {
		out.Text = text[0]
	} else if len(paths) == 0 {
		b, err := io.ReadAll(io.LimitReader(e.in, chat.MaxTextSize+2))
		if err != nil {
			return out, fmt.Errorf("standard input: %w", err)
		}
		out.Text = strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	}
	if !utf8.ValidString(out.Text) {
		return out, usagef("the text is not UTF-8")
	}
	if reply != "" {
		out.ReplyTo, err = messageID(reply)
	}
	return out, err
}

// messageLine is a message as scripts see it.
type messageLine struct {
	ID           chat.MessageID      `json:"id"`
	Conversation chat.ConversationID `json:"conversation"`
	Sender       chat.PersonID       `json:"sender"`
	Text         string              `json:"text"`
	SentAt       time.Time           `json:"sent_at"`
	ReceivedAt   *time.Time          `json:"received_at"`
	State        chat.State          `json:"state"`
	ReplyTo      *chat.MessageID     `json:"reply_to"`
	Attachments  []attachmentLine    `json:"attachments"`
}

func newMessageLine(m chat.Message) messageLine {
	l := messageLine{
		ID: m.ID, Conversation: m.Conversation, Sender: m.Sender, Text: m.Text,
		SentAt: m.SentAt.UTC(), State: m.State, Attachments: attachmentLines(m.Attachments),
	}
	if m.State == chat.Received {
		at := m.ReceivedAt.UTC()
		l.ReceivedAt = &at
	}
	if !m.ReplyTo.IsZero() {
		l.ReplyTo = &m.ReplyTo
	}
	return l
}

func messages(f *pflag.FlagSet) action {
	since := f.String("since", "", "only those after the message with this id, oldest first")
	limit := f.Int("limit", chat.DefaultPage, "at most so many")
	return func(ctx context.Context, e *env, args []string) error {
		if *limit < 1 {
			return usagef("--limit wants a number from 1")
		}
		return e.with(ctx, func(c core.Client) error {
			id, err := conversation(ctx, c, args[0])
			if err != nil {
				return err
			}
			var after *chat.Position
			if *since != "" {
				if after, err = position(ctx, c, id, *since); err != nil {
					return err
				}
			}
			list, err := page(ctx, c, id, after, *limit)
			if err != nil {
				return err
			}
			return e.showMessages(ctx, c, list)
		})
	}
}

// position finds where a message stands in its conversation.
func position(ctx context.Context, c core.Client, in chat.ConversationID, arg string) (*chat.Position, error) {
	id, err := messageID(arg)
	if err != nil {
		return nil, err
	}
	m, err := c.Message(ctx, id)
	if err != nil {
		return nil, err
	}
	if m.Conversation != in {
		return nil, fmt.Errorf("message of another conversation: %w", chat.ErrNotFound)
	}
	return &chat.Position{Seq: m.Seq, ID: m.ID}, nil
}

// page collects up to limit messages, oldest first: those after a position, or
// the newest.
func page(ctx context.Context, c core.Client, in chat.ConversationID, after *chat.Position, limit int) ([]chat.Message, error) {
	var all []chat.Message
	q := chat.MessageQuery{Conversation: in, After: after, TextOnly: true}
	for len(all) < limit {
		q.Limit = min(limit-len(all), chat.MaxPage)
		list, err := c.Messages(ctx, q)
		if err != nil {
			return nil, err
		}
		if after != nil {
			all = append(all, list...)
		} else {
			all = append(list[:len(list):len(list)], all...)
		}
		if len(list) < q.Limit {
			break
		}
		if after != nil {
			last := all[len(all)-1]
			q.After = &chat.Position{Seq: last.Seq, ID: last.ID}
		} else {
			q.Before = &chat.Position{Seq: all[0].Seq, ID: all[0].ID}
		}
	}
	return all, nil
}

func (e *env) showMessages(ctx context.Context, c core.Client, list []chat.Message) error {
	out := []messageLine{}
	for _, m := range list {
		out = append(out, newMessageLine(m))
	}
	names, err := senderNames(ctx, c)
	if err != nil {
		return err
	}
	return e.show(out, func(w io.Writer) {
		for _, m := range out {
			state := ""
			if m.State != chat.Received {
				state = " (" + m.State.String() + ")"
			}
			fmt.Fprintf(w, "%s  %s%s: %s\n", m.SentAt.Local().Format(time.DateTime), names[m.Sender], state, m.Text)
			showFiles(w, m.Attachments)
		}
	})
}

func senderNames(ctx context.Context, c core.Client) (map[chat.PersonID]string, error) {
	me, err := c.Whoami(ctx)
	if err != nil {
		return nil, err
	}
	list, err := c.Contacts(ctx)
	if err != nil {
		return nil, err
	}
	names := map[chat.PersonID]string{me.ID: me.Name}
	for _, ct := range list {
		names[ct.ID] = ct.Name
	}
	return names, nil
}

func markRead(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		return e.with(ctx, func(c core.Client) error {
			id, err := conversation(ctx, c, args[0])
			if err != nil {
				return err
			}
			newest, err := c.Messages(ctx, chat.MessageQuery{Conversation: id, Limit: 1})
			if err != nil {
				return err
			}
			if len(newest) == 1 {
				if err := c.MarkRead(ctx, id, newest[0].Seq); err != nil {
					return err
				}
			}
			return e.line(map[string]chat.ConversationID{"conversation": id}, "Everything is marked as read.")
		})
	}
}

// eventLine is an event as bots see it. The first line, of kind ready, says that
// nothing is missed from now on.
type eventLine struct {
	Event        event.Kind           `json:"event"`
	ID           *chat.MessageID      `json:"id"`
	Conversation *chat.ConversationID `json:"conversation"`
	Contact      *chat.PersonID       `json:"contact"`
}

func newEventLine(ev event.Event) eventLine {
	l := eventLine{Event: ev.Kind}
	if !ev.Message.IsZero() {
		l.ID = &ev.Message
	}
	if !ev.Conversation.IsZero() {
		l.Conversation = &ev.Conversation
	}
	if !ev.Contact.IsZero() {
		l.Contact = &ev.Contact
	}
	return l
}

func watch(f *pflag.FlagSet) action {
	opts := serveOptions(f)
	return func(ctx context.Context, e *env, _ []string) error {
		e.json = true
		s, err := run.AttachOrOpen(ctx, opts(e))
		if err != nil {
			return err
		}
		if s.Instance == nil {
			return errors.Join(e.follow(ctx, s), s.Close())
		}
		return serveWhile(ctx, s, nil, func(ctx context.Context) error { return e.follow(ctx, s) })
	}
}

// serveWhile runs the profile itself, since nobody else does, for as long as do
// takes. ready, if not nil, is called when the network is up.
func serveWhile(ctx context.Context, s *run.Session, ready func(), do func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer cancel()
		done <- do(ctx)
	}()
	err := s.Instance.Run(ctx, ready)
	cancel()
	return errors.Join(err, <-done)
}

// follow prints events until ctx ends, which is no fault.
func (e *env) follow(ctx context.Context, c core.Client) error {
	sub, err := c.Subscribe(ctx)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := e.show(eventLine{Event: "ready"}, nil); err != nil {
		return err
	}
	for {
		events, err := sub.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		for _, ev := range events {
			if err := e.show(newEventLine(ev), nil); err != nil {
				return err
			}
		}
	}
}
