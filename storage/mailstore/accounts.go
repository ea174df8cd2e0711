package mailstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"time"
)

// hashOf is how a token or capability is kept.
func hashOf(secret [32]byte) []byte {
	h := sha256.Sum256(secret[:])
	return h[:]
}

// millis is how a time is kept; 0 is none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Allow replaces the valid tokens and their quotas in bytes, 0 for DefaultQuota. A
// token that is not named is refused from now on; what its queues hold can be
// fetched for as long as it lives, and nothing is added to them.
func (s *Store) Allow(ctx context.Context, tokens map[[32]byte]int64) error {
	return s.update(ctx, func(tx *statements) error {
		if _, err := tx.exec(background, `UPDATE account SET active = 0, quota = 0`); err != nil {
			return err
		}
		for token, quota := range tokens {
			if quota <= 0 {
				quota = DefaultQuota
			}
			_, err := tx.exec(background, `INSERT INTO account (token, active, quota, used, queues, blobs, pages) VALUES (?, 1, ?, 0, 0, 0, 0)
				ON CONFLICT (token) DO UPDATE SET active = 1, quota = excluded.quota`, hashOf(token), quota)
			if err != nil {
				return err
			}
		}
		_, err := tx.exec(background, `DELETE FROM account WHERE active = 0 AND queues = 0 AND pages = 0`)
		return err
	})
}

// background is the context of statements: with any other the driver starts a
// goroutine for each, and a transaction must not break off in its middle.
var background = context.Background()

// Auth finds the account of a valid token. ErrRefused if there is none.
func (s *Store) Auth(_ context.Context, token [32]byte) (account int64, err error) {
	if err := s.enter(); err != nil {
		return 0, err
	}
	defer s.leave()
	err = s.stmts.row(background, `SELECT id FROM account WHERE token = ? AND active = 1`, []any{hashOf(token)}, &account)
	return account, none(err, ErrRefused)
}

// Usage tells how much of an account's quota is used, in bytes. ErrRefused once its
// token is not valid any more.
func (s *Store) Usage(_ context.Context, account int64) (used, quota int64, err error) {
	if err := s.enter(); err != nil {
		return 0, 0, err
	}
	defer s.leave()
	return usageOf(s.stmts, account)
}

func usageOf(on *statements, account int64) (used, quota int64, err error) {
	err = on.row(background, `SELECT used, quota FROM account WHERE id = ? AND active = 1`, []any{account}, &used, &quota)
	return used, quota, none(err, ErrRefused)
}

// none turns "no rows" into what a client is told.
func none(err error, denied Denied) error {
	if errors.Is(err, sql.ErrNoRows) {
		return denied
	}
	return err
}

// Kept tells what is stored; bytes as they count against quotas.
func (s *Store) Kept(_ context.Context) (queues, blobs int, bytes int64, err error) {
	if err := s.enter(); err != nil {
		return 0, 0, 0, err
	}
	defer s.leave()
	err = s.stmts.row(background, `SELECT coalesce(sum(queues), 0), coalesce(sum(blobs), 0), coalesce(sum(used), 0) FROM account`,
		nil, &queues, &blobs, &bytes)
	return queues, blobs, bytes, err
}

// charge adds to an account's counters.
func charge(tx *statements, account, bytes, queues, blobs, pages int64) error {
	_, err := tx.exec(background, `UPDATE account SET used = used + ?, queues = queues + ?, blobs = blobs + ?, pages = pages + ? WHERE id = ?`,
		bytes, queues, blobs, pages, account)
	return err
}

// Publish leaves a blob at an id for whoever knows it, until a time or for as long
// as a blob lives. ErrRefused if the id is another account's.
func (s *Store) Publish(ctx context.Context, account int64, id [24]byte, blob []byte, until time.Time) error {
	now := s.options.Now()
	if until.IsZero() {
		until = now.Add(s.options.Life)
	}
	if latest := now.Add(maxPageLife); until.After(latest) {
		until = latest
	}
	return s.update(ctx, func(tx *statements) error {
		used, quota, err := usageOf(tx, account)
		if err != nil {
			return err
		}
		had, before, err := s.pageBefore(tx, account, id)
		if err != nil {
			return err
		}
		more := int64(len(blob)) - before
		if !had {
			more += rowCost
		}
		if used+more > quota {
			return ErrFull
		}
		_, err = tx.exec(background, `INSERT INTO page (id, account, until, data) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET until = excluded.until, data = excluded.data`, id[:], account, millis(until), blob)
		if err != nil {
			return err
		}
		added := int64(1)
		if had {
			added = 0
		}
		return charge(tx, account, more, 0, 0, added)
	})
}

// pageBefore looks whether an account may write a page, and how long it is so far.
func (s *Store) pageBefore(tx *statements, account int64, id [24]byte) (had bool, length int64, err error) {
	var owner, pages int64
	err = tx.row(background, `SELECT account, length(data) FROM page WHERE id = ?`, []any{id[:]}, &owner, &length)
	if err == nil {
		if owner != account {
			err = ErrRefused
		}
		return true, length, err
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return false, 0, err
	}
	err = tx.row(background, `SELECT pages FROM account WHERE id = ?`, []any{account}, &pages)
	if err == nil && pages >= int64(s.options.Pages) {
		err = ErrFull
	}
	return false, 0, err
}

// Read returns a published blob.
func (s *Store) Read(_ context.Context, id [24]byte) (blob []byte, err error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.leave()
	err = s.stmts.row(background, `SELECT data FROM page WHERE id = ? AND until > ?`, []any{id[:], millis(s.options.Now())}, &blob)
	return blob, none(err, ErrNotFound)
}
