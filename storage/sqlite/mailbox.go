package sqlite

import (
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

func (t *ReadTx) Nodes() ([]chat.Node, error)                   { return nil, nil }
func (t *ReadTx) Queues(chat.PersonID) ([]chat.Queue, error)    { return nil, nil }
func (t *ReadTx) AllQueues() ([]chat.Queue, error)              { return nil, nil }
func (t *ReadTx) Contacted(time.Time) ([]chat.Contacted, error) { return nil, nil }
func (t *Tx) PutNode(chat.Node) error                           { return nil }
func (t *Tx) DeleteNode([32]byte) error                         { return nil }
func (t *Tx) PutQueue(chat.Queue) (int64, error)                { return 0, nil }
func (t *Tx) DeleteQueue(int64) error                           { return nil }
func (t *Tx) PutContacted(chat.Contacted) error                 { return nil }
func (t *Tx) PruneContacted(time.Time) error                    { return nil }
