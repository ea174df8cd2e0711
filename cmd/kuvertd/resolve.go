package main

import (
	"context"
	"errors"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// candidate is something that an argument may mean.
type candidate[T any] struct {
	ids   []string // any of them, or a prefix
	name  string
	value T
}

// pick finds what arg means: an id, else a name, else the beginning of an id.
// Names are compared as written first, then without regard to case.
func pick[T any](arg string, all []candidate[T]) (T, error) {
	id := strings.ToLower(arg)
	for _, fits := range []func(candidate[T]) bool{
		func(c candidate[T]) bool { return anyID(c.ids, func(s string) bool { return s == id }) },
		func(c candidate[T]) bool { return c.name == arg },
		func(c candidate[T]) bool { return strings.EqualFold(c.name, arg) },
		func(c candidate[T]) bool {
			return anyID(c.ids, func(s string) bool { return strings.HasPrefix(s, id) })
		},
	} {
		var found []T
		for _, c := range all {
			if arg != "" && fits(c) {
				found = append(found, c.value)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			var none T
			return none, chat.ErrAmbiguous
		}
	}
	var none T
	return none, chat.ErrNotFound
}

func anyID(ids []string, fits func(string) bool) bool {
	for _, id := range ids {
		if fits(id) {
			return true
		}
	}
	return false
}

// contact finds a contact by id, prefix or name.
func contact(ctx context.Context, c core.Client, arg string) (chat.Contact, error) {
	list, err := c.Contacts(ctx)
	if err != nil {
		return chat.Contact{}, err
	}
	var all []candidate[chat.Contact]
	for _, ct := range list {
		all = append(all, candidate[chat.Contact]{[]string{ct.ID.String()}, ct.Name, ct})
	}
	return pick(arg, all)
}

// conversation finds a conversation by its id, by its contact's, by a prefix of
// one or by the contact's name. A contact's conversation can be named before
// anything was written in it.
func conversation(ctx context.Context, c core.Client, arg string) (chat.ConversationID, error) {
	me, err := c.Whoami(ctx)
	if err != nil {
		return chat.ConversationID{}, err
	}
	contacts, err := c.Contacts(ctx)
	if err != nil {
		return chat.ConversationID{}, err
	}
	open, err := c.Conversations(ctx)
	if err != nil {
		return chat.ConversationID{}, err
	}
	all := map[chat.ConversationID]candidate[chat.ConversationID]{}
	for _, cv := range open {
		all[cv.ID] = candidate[chat.ConversationID]{[]string{cv.ID.String()}, "", cv.ID}
	}
	for _, ct := range contacts {
		id := chat.DirectConversation(me.ID, ct.ID)
		all[id] = candidate[chat.ConversationID]{[]string{id.String(), ct.ID.String()}, ct.Name, id}
	}
	var list []candidate[chat.ConversationID]
	for _, cand := range all {
		list = append(list, cand)
	}
	return pick(arg, list)
}

// request finds a contact request by id, prefix or name.
func request(ctx context.Context, c core.Client, arg string) (chat.Request, error) {
	list, err := c.Requests(ctx)
	if err != nil {
		return chat.Request{}, err
	}
	var all []candidate[chat.Request]
	for _, r := range list {
		all = append(all, candidate[chat.Request]{[]string{r.ID.String()}, r.Name, r})
	}
	return pick(arg, all)
}

// messageID reads a message's full id.
func messageID(arg string) (id chat.MessageID, err error) {
	if err := id.UnmarshalText([]byte(arg)); err != nil || id.IsZero() {
		return id, errors.Join(chat.ErrBadID, err)
	}
	return id, nil
}
