package sqlite

import "github.com/kuvert-im/kuvert/app/chat"

// ReadTx reads one snapshot. It is for the goroutine it was given to, until the
// function it was given to returns.
type ReadTx struct{ c *conn }

// Tx reads and writes. After a statement has failed every further one fails with
// the same error, and so does the update.
type Tx struct{ ReadTx }

// get is for a single thing: chat.ErrNotFound if there is none.
func (t *ReadTx) get(scan func(*row), query string, args ...any) error {
	found, err := t.c.one(scan, query, args...)
	if err == nil && !found {
		return chat.ErrNotFound
	}
	return err
}

// list collects what scan makes of each row.
func list[T any](c *conn, scan func(*row) T, query string, args ...any) ([]T, error) {
	var all []T
	err := c.rows(func(r *row) error {
		all = append(all, scan(r))
		return nil
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (t *Tx) do(query string, args ...any) error {
	_, err := t.c.exec(query, args...)
	return err
}

// Settings returns every stored setting.
func (t *ReadTx) Settings() (map[string]string, error) {
	all := make(map[string]string)
	err := t.c.rows(func(r *row) error {
		key := r.text()
		all[key] = r.text()
		return nil
	}, "SELECT key, value FROM setting")
	if err != nil {
		return nil, err
	}
	return all, nil
}

// PutSetting inserts or replaces a setting.
func (t *Tx) PutSetting(key, value string) error {
	return t.do(`INSERT INTO setting (key, value) VALUES (?, ?)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
}

// Secret returns a secret of this installation by its name.
func (t *ReadTx) Secret(name string) ([]byte, error) {
	var b []byte
	err := t.get(func(r *row) { b = r.blob() }, "SELECT value FROM secret WHERE name = ?", name)
	return b, err
}

// PutSecret inserts or replaces a secret.
func (t *Tx) PutSecret(name string, value []byte) error {
	return t.do(`INSERT INTO secret (name, value) VALUES (?, ?)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
}

// DeleteSecret removes a secret.
func (t *Tx) DeleteSecret(name string) error {
	return t.do("DELETE FROM secret WHERE name = ?", name)
}

// Seen reports whether an envelope with this hash was opened before, and whether
// it asked for an acknowledgement.
func (t *ReadTx) Seen(hash [32]byte) (seen, asks bool, err error) {
	seen, err = t.c.one(func(r *row) { asks = r.bool() }, "SELECT asks FROM seen WHERE hash = ?", hash)
	return seen, asks, err
}
