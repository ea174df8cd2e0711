package main

import (
	"context"
	"time"

	"github.com/spf13/pflag"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

var lifetimeCommands = []command{
	{name: "timer", args: "CONVERSATION [off|1h|1d|7d|30d|90d]", says: "Tell how long new messages stay, or set it for both sides", min: 1, max: 2, setup: timer},
	{name: "delete", args: "MESSAGE", says: "Delete a message here; others keep it", min: 1, max: 1, setup: deleteMessage},
	{name: "clear", args: "CONVERSATION", says: "Delete everything in a conversation here; others keep it", min: 1, max: 1, setup: clearConversation},
}

// timerLine is a conversation's timer as scripts see it.
type timerLine struct {
	Conversation chat.ConversationID `json:"conversation"`
	Timer        string              `json:"timer"`
	Seconds      int64               `json:"seconds"` // 0: messages stay
}

func timer(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		return e.with(ctx, func(c core.Client) error {
			id, err := conversation(ctx, c, args[0])
			if err != nil {
				return err
			}
			if len(args) == 2 {
				life, err := chat.ParseLife(args[1])
				if err != nil {
					return usagef("%q is none of off, 1h, 1d, 7d, 30d and 90d", args[1])
				}
				if err := c.SetTimer(ctx, id, life); err != nil {
					return err
				}
			}
			conv, err := c.Conversation(ctx, id)
			if err != nil {
				return err
			}
			l := timerLine{conv.ID, chat.LifeName(conv.Timer), int64(conv.Timer / time.Second)}
			return e.line(l, "%s", l.Timer)
		})
	}
}

func deleteMessage(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		id, err := messageID(args[0])
		if err != nil {
			return err
		}
		return e.with(ctx, func(c core.Client) error {
			if err := c.DeleteMessage(ctx, id); err != nil {
				return err
			}
			return e.line(map[string]chat.MessageID{"deleted": id}, "deleted here")
		})
	}
}

func clearConversation(*pflag.FlagSet) action {
	return func(ctx context.Context, e *env, args []string) error {
		return e.with(ctx, func(c core.Client) error {
			id, err := conversation(ctx, c, args[0])
			if err != nil {
				return err
			}
			if err := c.ClearConversation(ctx, id); err != nil {
				return err
			}
			return e.line(map[string]chat.ConversationID{"cleared": id}, "deleted here")
		})
	}
}
