package uitest

import (
	"context"
	"slices"
	"strings"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Search implements core.Searching: words that all stand in the text in any case.
// A page's Next counts the hits that were given.
func (c *Client) Search(ctx context.Context, q chat.SearchQuery) (page chat.SearchPage, err error) {
	err = c.do(ctx, "Search", func() error {
		hits := c.find(q)
		limit := q.Limit
		if limit <= 0 {
			limit = chat.DefaultPage
		}
		from := min(int(q.Before), len(hits))
		to := min(from+limit, len(hits))
		page.Hits = hits[from:to]
		if to < len(hits) {
			page.Next = int64(to)
		}
		return nil
	}, q.Text)
	return page, err
}

func (c *Client) find(q chat.SearchQuery) (hits []chat.Hit) {
	words := strings.Fields(strings.ToLower(strings.ReplaceAll(q.Text, `"`, " ")))
	if len(words) == 0 {
		return nil
	}
	for _, list := range c.Msgs {
		for _, m := range list {
			if !letsThrough(q, m) {
				continue
			}
			if h := (chat.Hit{Message: m, Snippet: strings.ReplaceAll(m.Text, "\n", " ")}); markWords(&h, words) {
				hits = append(hits, h)
			}
		}
	}
	slices.SortFunc(hits, func(a, b chat.Hit) int { return b.Message.SentAt.Compare(a.Message.SentAt) })
	return hits
}

// letsThrough applies a query's filters.
func letsThrough(q chat.SearchQuery, m chat.Message) bool {
	at := m.ShownAt()
	return m.Kind == chat.KindText && (q.Conversation.IsZero() || m.Conversation == q.Conversation) &&
		(q.Sender.IsZero() || m.Sender == q.Sender) && (!q.HasFile || len(m.Attachments) > 0) &&
		(q.Since.IsZero() || !at.Before(q.Since)) && (q.Until.IsZero() || at.Before(q.Until))
}

// markWords marks the first place of each word and reports whether all are there.
func markWords(h *chat.Hit, words []string) bool {
	text := strings.ToLower(h.Snippet)
	if len(text) != len(h.Snippet) {
		text = h.Snippet
	}
	for _, w := range words {
		i := strings.Index(text, w)
		if i < 0 {
			return false
		}
		h.Marks = append(h.Marks, chat.Mark{From: i, To: i + len(w)})
	}
	slices.SortFunc(h.Marks, func(a, b chat.Mark) int { return a.From - b.From })
	h.Marks = slices.CompactFunc(h.Marks, func(a, b chat.Mark) bool { return b.From < a.To })
	return true
}
