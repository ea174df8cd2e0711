package mailstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"math"
)

// Put stores blobs in order and returns how many were taken, counted from the
// first; a blob that is there, or was deleted a short while ago, counts as taken.
// fresh tells whether any is new. None only looks whether the queue is there.
//
// With ErrFull those that were taken are durable; with any other error none is.
func (s *Store) Put(ctx context.Context, sendID [24]byte, sendCap [32]byte, blobs [][]byte) (number int64, taken int, fresh bool, err error) {
	if len(blobs) == 0 {
		return s.look(key{sendID, sendCap, sending})
	}
	hashes := make([][32]byte, len(blobs))
	for i, b := range blobs {
		hashes[i] = sha256.Sum256(b)
	}
	var full bool
	err = s.update(ctx, func(tx *statements) error {
		number, taken, fresh, full = 0, 0, false, false
		q, err := s.find(tx, key{sendID, sendCap, sending})
		if err != nil {
			return err
		}
		number = q.id
		for i, b := range blobs {
			known, err := s.known(tx, q, hashes[i])
			if err != nil {
				return err
			}
			if !known {
				if full = !s.fits(q, int64(len(b)), 0); full {
					break
				}
				if _, err := s.add(tx, q, b, hashes[i]); err != nil {
					return err
				}
				fresh = true
			}
			taken++
		}
		if !fresh {
			return nil
		}
		return q.save(tx)
	})
	if err != nil {
		return 0, 0, false, err
	}
	if full {
		err = ErrFull
	}
	return number, taken, fresh, err
}

// look finds a queue without changing anything.
func (s *Store) look(k key) (number int64, taken int, fresh bool, err error) {
	if err := s.enter(); err != nil {
		return 0, 0, false, err
	}
	defer s.leave()
	q, err := s.find(s.stmts, k)
	if err != nil {
		return 0, 0, false, err
	}
	return q.id, 0, false, nil
}

// known tells whether a blob is in a queue or was deleted a short while ago.
func (s *Store) known(tx *statements, q *queue, hash [32]byte) (bool, error) {
	var one int64
	since := millis(s.options.Now().Add(-goneLife))
	err := tx.row(background, `SELECT 1 FROM blob WHERE queue = ?1 AND hash = ?2
		UNION ALL SELECT 1 FROM gone WHERE queue = ?1 AND hash = ?2 AND at > ?3 LIMIT 1`, []any{q.id, hash[:], since}, &one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// fits tells whether a queue and its account have room for a blob, with so many
// blobs beyond the queue's limit.
func (s *Store) fits(q *queue, length, beyond int64) bool {
	return q.blobs < int64(s.options.Blobs)+beyond && q.bytes+length <= s.options.QueueBytes &&
		q.used+length+rowCost <= q.quota && q.next <= maxNumber
}

// add stores a blob at the next place and counts it; the caller saves the queue.
func (s *Store) add(tx *statements, q *queue, blob []byte, hash [32]byte) (id int64, err error) {
	id = q.id<<32 | q.next
	q.next++
	q.last = max(q.last+1, s.options.Now().UnixMicro())
	_, err = tx.exec(background, `INSERT INTO blob (id, queue, place, hash, data) VALUES (?, ?, ?, ?, ?)`, id, q.id, q.last, hash[:], blob)
	q.count(1, int64(len(blob)))
	return id, err
}

// Slot replaces the state blob of a queue, at a new place; the same one again
// changes nothing. It may be one more than the queue's limit of blobs.
func (s *Store) Slot(ctx context.Context, sendID [24]byte, sendCap [32]byte, blob []byte) (number int64, fresh bool, err error) {
	hash := sha256.Sum256(blob)
	err = s.update(ctx, func(tx *statements) error {
		number, fresh = 0, false
		q, err := s.find(tx, key{sendID, sendCap, sending})
		if err != nil {
			return err
		}
		old, length, err := slotOf(tx, q)
		if err != nil {
			return err
		}
		number = q.id
		if old == hash {
			return nil
		}
		if q.slot != 0 {
			q.count(-1, -length)
		}
		if !s.fits(q, int64(len(blob)), 1) {
			return ErrFull // nothing is written so far
		}
		fresh = true
		return s.replaceSlot(tx, q, blob, hash)
	})
	if err != nil {
		return 0, false, err
	}
	return number, fresh, nil
}

// slotOf returns the hash and the length of the state blob, zero if there is none.
func slotOf(tx *statements, q *queue) (hash [32]byte, length int64, err error) {
	if q.slot == 0 {
		return hash, 0, nil
	}
	var h []byte
	err = tx.row(background, `SELECT hash, length(data) FROM blob WHERE id = ?`, []any{q.slot}, &h, &length)
	copy(hash[:], h)
	return hash, length, err
}

func (s *Store) replaceSlot(tx *statements, q *queue, blob []byte, hash [32]byte) (err error) {
	if _, err := tx.exec(background, `DELETE FROM blob WHERE id = ?`, q.slot); err != nil {
		return err
	}
	if q.slot, err = s.add(tx, q, blob, hash); err != nil {
		return err
	}
	return q.save(tx)
}

// List returns up to limit blobs with places after one, ascending, of at most so
// many bytes in all, but at least one if there is one.
func (s *Store) List(_ context.Context, recvID [24]byte, recvCap [32]byte, after uint64, limit, bytes int) (places []uint64, blobs [][]byte, err error) {
	if err := s.enter(); err != nil {
		return nil, nil, err
	}
	defer s.leave()
	q, err := s.find(s.stmts, key{recvID, recvCap, receiving})
	if err != nil || after >= math.MaxInt64 {
		return nil, nil, err
	}
	// The length is read first: a blob that is too much is not read at all.
	query := `SELECT place, length(data), id FROM blob WHERE queue = ? AND place > ? ORDER BY place LIMIT ?`
	var ids []int64
	err = s.stmts.rows(background, query, []any{q.id, int64(after), limit}, func(scan func(...any) error) (bool, error) {
		var place, length, id int64
		if err := scan(&place, &length, &id); err != nil {
			return false, err
		}
		if bytes -= int(length); bytes < 0 && len(ids) > 0 {
			return false, nil
		}
		ids, places = append(ids, id), append(places, uint64(place))
		return true, nil
	})
	if err != nil {
		return nil, nil, err
	}
	return s.load(places, ids)
}

// load reads blobs by id. One that was deleted meanwhile is left out.
func (s *Store) load(places []uint64, ids []int64) (kept []uint64, blobs [][]byte, err error) {
	for i, id := range ids {
		var data []byte
		err := s.stmts.row(background, `SELECT data FROM blob WHERE id = ?`, []any{id}, &data)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		kept, blobs = append(kept, places[i]), append(blobs, data)
	}
	return kept, blobs, nil
}

// Delete removes the blobs at places; one that is not there is no error.
func (s *Store) Delete(ctx context.Context, recvID [24]byte, recvCap [32]byte, places []uint64) error {
	return s.update(ctx, func(tx *statements) error {
		q, err := s.find(tx, key{recvID, recvCap, receiving})
		if err != nil {
			return err
		}
		for _, place := range places {
			if place > math.MaxInt64 {
				continue
			}
			if err := s.forget(tx, q, int64(place)); err != nil {
				return err
			}
		}
		if q.addBlobs == 0 {
			return nil
		}
		if _, err := tx.exec(background, `DELETE FROM gone WHERE queue = ? AND number < ?`, q.id, q.next-goneNumbers); err != nil {
			return err
		}
		return q.save(tx)
	})
}

// forget deletes the blob at a place and remembers its hash.
func (s *Store) forget(tx *statements, q *queue, place int64) error {
	var id, length int64
	var hash []byte
	err := tx.row(background, `SELECT id, length(data), hash FROM blob WHERE queue = ? AND place = ?`, []any{q.id, place}, &id, &length, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := tx.exec(background, `DELETE FROM blob WHERE id = ?`, id); err != nil {
		return err
	}
	q.count(-1, -length)
	if id == q.slot {
		q.slot = 0
		return nil // a state may come again
	}
	_, err = tx.exec(background, `INSERT OR REPLACE INTO gone (queue, hash, number, at) VALUES (?, ?, ?, ?)`,
		q.id, hash, id&maxNumber, millis(s.options.Now()))
	return err
}
