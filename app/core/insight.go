package core

import (
	"context"
	"encoding/hex"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Limits of the record of contacted machines.
const (
	contactedLife = 24 * time.Hour
	// contactedMost is how many are noted before they are stored at the latest;
	// beyond twice as many nothing more is noted until they are.
	contactedMost  = 256
	contactedEvery = time.Minute
)

// contactLog collects which machines were contacted; it is stored from time to
// time, so that packets never wait for the disk.
type contactLog struct {
	mu   sync.Mutex
	seen map[contactKey]*chat.Contacted
	full chan struct{}
}

type contactKey struct {
	kind chat.ContactKind
	ref  string
	host HostKey
	addr string
}

func (l *contactLog) init() {
	l.seen, l.full = map[contactKey]*chat.Contacted{}, make(chan struct{}, 1)
}

// Traffic implements TransportHandler.
func (c *Core) Traffic(kind chat.ContactKind, ref string, host HostKey, addr string) {
	if addr == "" {
		return // through a relay: what was contacted is the relay
	}
	l := &c.contacted
	now := c.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	key := contactKey{kind, ref, host, addr}
	if e := l.seen[key]; e != nil {
		e.Last, e.Count = now, e.Count+1
		return
	}
	if len(l.seen) >= 2*contactedMost {
		return
	}
	l.seen[key] = &chat.Contacted{Kind: kind, Host: host, Addr: addr, First: now, Last: now, Count: 1}
	if len(l.seen) >= contactedMost {
		select {
		case l.full <- struct{}{}:
		default:
		}
	}
}

func (l *contactLog) take() map[contactKey]*chat.Contacted {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.seen
	l.seen = map[contactKey]*chat.Contacted{}
	return out
}

// contactedLoop stores what was noted, until ctx ends and then once more.
func (c *Core) contactedLoop(ctx context.Context) error {
	t := time.NewTicker(contactedEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), contactedEvery)
			defer cancel()
			return c.storeContacted(last)
		case <-t.C:
		case <-c.contacted.full:
		}
		if err := c.storeContacted(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("contacted machines not noted", "err", err)
		}
	}
}

func (c *Core) storeContacted(ctx context.Context) error {
	seen := c.contacted.take()
	if len(seen) == 0 {
		return nil
	}
	return c.update(ctx, func(s *step) error {
		for key, e := range seen {
			person, err := c.personOf(s, key.ref)
			if err == nil {
				e.Person = person
			}
			if err := s.PutContacted(*e); err != nil {
				return err
			}
		}
		return s.PruneContacted(s.env.Now.Add(-contactedLife))
	})
}

// Contacted implements Insight.
func (c *Core) Contacted(ctx context.Context) ([]Contacted, error) {
	if err := c.storeContacted(ctx); err != nil {
		return nil, err
	}
	out := []Contacted{}
	return out, c.view(ctx, func(tx ReadTx) error {
		all, err := tx.Contacted(c.now().Add(-contactedLife))
		if err != nil {
			return err
		}
		for _, e := range all {
			row := Contacted{Kind: ContactedKinds[e.Kind], Who: e.Person, Addr: e.Addr, First: e.First, Last: e.Last, Count: e.Count}
			if e.Host != (HostKey{}) {
				row.Host = hex.EncodeToString(e.Host[:])
			}
			if ct, err := tx.Contact(e.Person); err == nil {
				row.Name = ct.Name
			}
			out = append(out, row)
		}
		return nil
	})
}
