package chat

import "time"

// SearchQuery asks for messages, the newest first. Filters that are zero let
// everything through; without words and filters nothing is found.
type SearchQuery struct {
	// Text is what a person typed: words that must all stand in the message or in
	// its files' names, phrases in quotation marks. Any text is allowed.
	Text string `json:"text"`
	// Conversation and Sender limit it to one; Since and Until to messages whose
	// time (Message.ShownAt) is not before Since and before Until.
	Conversation ConversationID `json:"conversation"`
	Sender       PersonID       `json:"sender"`
	Since        time.Time      `json:"since"`
	Until        time.Time      `json:"until"`
	HasFile      bool           `json:"has_file"`
	// Before is a page's Next, 0 for the first page.
	Before int64 `json:"before"`
	Limit  int   `json:"limit"` // 0 means DefaultPage; at most MaxPage
}

// SearchPage is an answer.
type SearchPage struct {
	Hits []Hit `json:"hits"`
	// Next asks for what is older; 0: there is nothing more. A page may hold fewer
	// hits than asked for, or none, and still have a Next: looking takes no longer
	// than a screen can wait.
	Next int64 `json:"next"`
}

// Hit is a message that was found.
type Hit struct {
	Message Message `json:"message"`
	// Snippet is the part of the text, or of the files' names, around what was
	// found, in one line.
	Snippet string `json:"snippet"`
	// Marks are the ranges of bytes in Snippet that were asked for, in order and
	// apart from each other; none cuts a character.
	Marks []Mark `json:"marks"`
}

// Mark is a range of bytes.
type Mark struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// ShownAt is the time that people see at a message: when it was sent, though not
// after it arrived, since a sender's clock may be wrong.
func (m Message) ShownAt() time.Time {
	if m.State == Received && !m.ReceivedAt.IsZero() && m.SentAt.After(m.ReceivedAt) {
		return m.ReceivedAt
	}
	return m.SentAt
}
