package mailstore

import (
	"bytes"
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"time"
)

// queue is a row, with how it stands with its account.
type queue struct {
	id, account         int64
	blobs, bytes        int64
	next, last, slot    int64
	used, quota         int64
	addBlobs, addBytes  int64 // what is to be added to the account's counters
	until               int64
	storedCap, otherCap []byte
}

// key is an id with the capability that goes with it, and which side's they are.
type key struct {
	id  [24]byte
	by  [32]byte
	end end
}

type end int

const (
	receiving end = iota
	sending
)

const queueColumns = `SELECT q.id, q.account, q.blobs, q.bytes, q.next, q.last, q.slot, q.until, a.used, a.quota, q.recv_cap, q.send_cap
	FROM queue q JOIN account a ON a.id = q.account `

// find returns the queue a key opens. An id that is not there and a capability that
// does not fit take the same time and give the same error.
func (s *Store) find(on *statements, k key) (*queue, error) {
	q := &queue{}
	query := queueColumns + `WHERE q.recv_id = ?`
	dest := []any{&q.id, &q.account, &q.blobs, &q.bytes, &q.next, &q.last, &q.slot, &q.until, &q.used, &q.quota, &q.storedCap, &q.otherCap}
	if k.end == sending {
		query = queueColumns + `WHERE q.send_id = ?`
		dest[10], dest[11] = dest[11], dest[10]
	}
	err := on.row(background, query, []any{k.id[:]}, dest...)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	given, kept := hashOf(k.by), q.storedCap
	if len(kept) != len(given) {
		kept = make([]byte, len(given)) // no hash is zero
	}
	fits := subtle.ConstantTimeCompare(given, kept) == 1
	if !fits || err != nil || over(q.until, s.options.Now()) {
		return nil, ErrNotFound
	}
	return q, nil
}

func over(until int64, now time.Time) bool { return until != 0 && until <= millis(now) }

// save stores a queue's counters and adds to its account's.
func (q *queue) save(tx *statements) error {
	_, err := tx.exec(background, `UPDATE queue SET blobs = ?, bytes = ?, next = ?, last = ?, slot = ? WHERE id = ?`,
		q.blobs, q.bytes, q.next, q.last, q.slot, q.id)
	if err != nil || q.addBlobs == 0 && q.addBytes == 0 {
		return err
	}
	return charge(tx, q.account, q.addBytes, 0, q.addBlobs, 0)
}

// count changes the counters by blobs of so many bytes in all.
func (q *queue) count(blobs, bytes int64) {
	cost := bytes + blobs*rowCost
	q.blobs += blobs
	q.bytes += bytes
	q.used += cost
	q.addBlobs += blobs
	q.addBytes += cost
}

// Make creates a queue. The same one again only gets the new end; a known id with
// anything else different is ErrRefused. A zero until has no end.
func (s *Store) Make(ctx context.Context, account int64, recvID [24]byte, recvCap [32]byte, sendID [24]byte, sendCap [32]byte, until time.Time) error {
	made := identity{account, recvID[:], hashOf(recvCap), sendID[:], hashOf(sendCap)}
	return s.update(ctx, func(tx *statements) error {
		if _, _, err := usageOf(tx, account); err != nil {
			return err
		}
		known, err := tx.same(made)
		if err != nil {
			return err
		}
		if known != 0 {
			_, err := tx.exec(background, `UPDATE queue SET until = ? WHERE id = ?`, millis(until), known)
			return err
		}
		return s.insert(tx, made, until)
	})
}

// identity is what makes two queues the same.
type identity struct {
	account                          int64
	recvID, recvCap, sendID, sendCap []byte
}

func (i identity) equal(j identity) bool {
	return i.account == j.account && bytes.Equal(i.recvID, j.recvID) && bytes.Equal(i.recvCap, j.recvCap) &&
		bytes.Equal(i.sendID, j.sendID) && bytes.Equal(i.sendCap, j.sendCap)
}

// same returns the number of the same queue, 0 if there is none with either id, and
// ErrRefused if there is another one.
func (s *statements) same(made identity) (id int64, err error) {
	query := `SELECT id, account, recv_id, recv_cap, send_id, send_cap FROM queue WHERE recv_id = ? OR send_id = ?`
	err = s.rows(background, query, []any{made.recvID, made.sendID}, func(scan func(...any) error) (bool, error) {
		var k identity
		if err := scan(&id, &k.account, &k.recvID, &k.recvCap, &k.sendID, &k.sendCap); err != nil {
			return false, err
		}
		if !k.equal(made) {
			return false, ErrRefused
		}
		return true, nil
	})
	return id, err
}

func (s *Store) insert(tx *statements, q identity, until time.Time) error {
	var used, quota, queues, newest int64
	err := tx.row(background, `SELECT used, quota, queues, (SELECT coalesce(max(id), 0) FROM queue) FROM account WHERE id = ?`,
		[]any{q.account}, &used, &quota, &queues, &newest)
	if err != nil {
		return err
	}
	if queues >= int64(s.options.Queues) || used+rowCost > quota || newest >= maxQueue {
		return ErrFull
	}
	_, err = tx.exec(background, `INSERT INTO queue (account, recv_id, recv_cap, send_id, send_cap, until, blobs, bytes, next, last, slot)
		VALUES (?, ?, ?, ?, ?, ?, 0, 0, 1, 0, 0)`, q.account, q.recvID, q.recvCap, q.sendID, q.sendCap, millis(until))
	if err != nil {
		return err
	}
	return charge(tx, q.account, rowCost, 1, 0, 0)
}

// Drop removes a queue and all that is in it.
func (s *Store) Drop(ctx context.Context, recvID [24]byte, recvCap [32]byte) error {
	return s.update(ctx, func(tx *statements) error {
		q, err := s.find(tx, key{recvID, recvCap, receiving})
		if err != nil {
			return err
		}
		return q.remove(tx)
	})
}

// remove deletes a queue with its rows.
func (q *queue) remove(tx *statements) error {
	if _, err := tx.exec(background, `DELETE FROM blob WHERE id BETWEEN ? AND ?`, q.id<<32, q.id<<32|maxNumber); err != nil {
		return err
	}
	if _, err := tx.exec(background, `DELETE FROM gone WHERE queue = ?`, q.id); err != nil {
		return err
	}
	if _, err := tx.exec(background, `DELETE FROM queue WHERE id = ?`, q.id); err != nil {
		return err
	}
	return charge(tx, q.account, -(q.bytes + (q.blobs+1)*rowCost), -1, -q.blobs, 0)
}

// Queues finds the numbers of queues, 0 for each that is not there or whose
// capability does not fit.
func (s *Store) Queues(ctx context.Context, recvIDs [][24]byte, recvCaps [][32]byte) ([]int64, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	numbers := make([]int64, len(recvIDs))
	for i := range recvIDs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		q, err := s.find(s.stmts, key{recvIDs[i], recvCaps[i], receiving})
		var d Denied
		switch {
		case errors.As(err, &d):
		case err != nil:
			return nil, err
		default:
			numbers[i] = q.id
		}
	}
	return numbers, nil
}

// Holding tells which of the queues hold something.
func (s *Store) Holding(ctx context.Context, queues []int64) ([]bool, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	holding := make([]bool, len(queues))
	for i, id := range queues {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var blobs int64
		err := s.stmts.row(background, `SELECT blobs FROM queue WHERE id = ?`, []any{id}, &blobs)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		holding[i] = blobs > 0
	}
	return holding, nil
}
