package core

import (
	"context"
	"fmt"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Searching is about finding messages.
type Searching interface {
	// Search returns messages that fit, the newest first. Whatever the text is, it
	// is no error; a Limit over chat.MaxPage is chat.ErrTooLong. A page may be
	// short and still have a Next, see chat.SearchPage.
	Search(ctx context.Context, q chat.SearchQuery) (chat.SearchPage, error)
}

// Search implements Client.
func (c *Core) Search(ctx context.Context, q chat.SearchQuery) (chat.SearchPage, error) {
	if q.Limit < 0 || q.Limit > chat.MaxPage {
		return chat.SearchPage{}, fmt.Errorf("core: a page of %d hits: %w", q.Limit, chat.ErrTooLong)
	}
	return read(ctx, c, func(tx ReadTx) (chat.SearchPage, error) { return tx.Search(q) })
}
