package uitest

import (
	"context"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// Rights is what the client says about people's rights over their data.
type Rights struct {
	Gone []chat.PersonID // erased, in their order
	Log  core.ErasureLog
	Held []chat.Holding
}

// Erase implements core.Rights.
func (r *Rights) Erase(_ context.Context, id chat.PersonID, _ core.ErasureReason) (core.Erased, error) {
	r.Gone = append(r.Gone, id)
	return core.Erased{Scrubbed: true}, nil
}

// ErasureLog implements core.Rights.
func (r *Rights) ErasureLog(context.Context) (core.ErasureLog, error) { return r.Log, nil }

// PersonRecord implements core.Rights.
func (r *Rights) PersonRecord(context.Context, chat.PersonID) (core.PersonRecord, error) {
	return core.PersonRecord{}, nil
}

// Holdings implements core.Rights.
func (r *Rights) Holdings(context.Context) ([]chat.Holding, error) { return r.Held, nil }
