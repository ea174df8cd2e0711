package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	modernc "modernc.org/sqlite"

	"github.com/kuvert-im/kuvert/app/chat"
)

// conn is one connection with its prepared statements. It belongs to one
// goroutine at a time. It speaks to the driver directly: database/sql would take
// as long again as the statements themselves.
type conn struct {
	dc    driver.Conn
	stmts map[string]*stmt
	args  []driver.NamedValue
	// err is the first error since it was last cleared. SQLite may have rolled the
	// transaction back on its own after one, so nothing may be run after it.
	err error
	// common is what Search knows of the words, for all readers of a store; nil for
	// a connection that is nobody's reader.
	common *atomic.Pointer[frequencies]
}

type stmt struct {
	driver.Stmt
	query driver.StmtQueryContext
	exec  driver.StmtExecContext
	row   []driver.Value
}

func connect(ctx context.Context, dsn string) (*conn, error) {
	connector, err := modernc.NewConnector(dsn)
	if err != nil {
		return nil, classify(err)
	}
	dc, err := connector.Connect(ctx)
	if err != nil {
		return nil, classify(err)
	}
	return &conn{dc: dc, stmts: make(map[string]*stmt)}, nil
}

func (c *conn) close() error {
	var errs []error
	for _, st := range c.stmts {
		errs = append(errs, st.Close())
	}
	errs = append(errs, c.dc.Close())
	if err := errors.Join(errs...); err != nil {
		return classify(err)
	}
	return nil
}

// prepare returns the prepared statement for query, which must be a constant or
// one of few texts: each is kept as long as the connection.
func (c *conn) prepare(query string) (*stmt, error) {
	if st, ok := c.stmts[query]; ok {
		return st, nil
	}
	ds, err := c.dc.Prepare(query)
	if err != nil {
		return nil, err
	}
	st := &stmt{Stmt: ds}
	var isQuery, isExec bool
	st.query, isQuery = ds.(driver.StmtQueryContext)
	st.exec, isExec = ds.(driver.StmtExecContext)
	if !isQuery || !isExec {
		return nil, errors.New("driver's statements take no context")
	}
	c.stmts[query] = st
	return st, nil
}

// exec runs a statement that returns no rows.
//
// Statements run with the background context: with any other the driver starts a
// goroutine for each one, and a transaction must not break off in the middle.
func (c *conn) exec(query string, args ...any) (driver.Result, error) {
	st, err := c.ready(query, args)
	if err != nil {
		return nil, c.failed(err)
	}
	res, err := st.exec.ExecContext(context.Background(), c.args)
	if err != nil {
		return nil, c.failed(err)
	}
	return res, nil
}

// changed runs a statement and returns how many rows it changed.
func (c *conn) changed(query string, args ...any) (int64, error) {
	res, err := c.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// errEnough is returned by a scan that needs no more rows.
var errEnough = errors.New("sqlite: enough rows")

// rows calls scan for each row that query returns, or until it returns errEnough.
// scan must not use c.
func (c *conn) rows(scan func(*row) error, query string, args ...any) error {
	st, err := c.ready(query, args)
	if err != nil {
		return c.failed(err)
	}
	rs, err := st.query.QueryContext(context.Background(), c.args)
	if err != nil {
		return c.failed(err)
	}
	if st.row == nil {
		st.row = make([]driver.Value, len(rs.Columns()))
	}
	err = scanAll(rs, st.row, scan)
	if cerr := rs.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return c.failed(err)
	}
	return nil
}

func scanAll(rs driver.Rows, dest []driver.Value, scan func(*row) error) error {
	for {
		switch err := rs.Next(dest); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		r := row{values: dest}
		switch err := scan(&r); {
		case errors.Is(err, errEnough):
			return r.err
		case err != nil:
			return err
		case r.err != nil:
			return r.err
		}
	}
}

// one calls scan for the only row of query; found tells whether there was one.
func (c *conn) one(scan func(*row), query string, args ...any) (found bool, err error) {
	err = c.rows(func(r *row) error {
		found = true
		scan(r)
		return nil
	}, query, args...)
	return found, err
}

// int returns the only number of a query that always has one.
func (c *conn) int(query string, args ...any) (int64, error) {
	var n int64
	_, err := c.one(func(r *row) { n = r.int64() }, query, args...)
	return n, err
}

func (c *conn) ready(query string, args []any) (*stmt, error) {
	if c == nil {
		return nil, ErrTxDone
	}
	if c.err != nil {
		return nil, c.err
	}
	st, err := c.prepare(query)
	if err != nil {
		return nil, err
	}
	c.args = c.args[:0]
	for i, a := range args {
		v, err := value(a)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return st, nil
}

func (c *conn) failed(err error) error {
	if c == nil {
		return err
	}
	if c.err == nil {
		c.err = classify(err)
	}
	return c.err
}

// script runs several statements without arguments.
func (c *conn) script(ctx context.Context, text string) error {
	e, ok := c.dc.(driver.ExecerContext)
	if !ok {
		return errors.New("sqlite: driver runs no scripts")
	}
	if _, err := e.ExecContext(ctx, text, nil); err != nil {
		return classify(err)
	}
	return nil
}

// value turns what the store's methods pass into what the driver takes.
func value(a any) (driver.Value, error) {
	switch v := a.(type) {
	case int64:
		return v, nil
	case string:
		return v, nil
	case []byte:
		if v == nil {
			v = []byte{}
		}
		return v, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case int:
		return int64(v), nil
	case time.Time:
		return millis(v), nil
	default:
		return idValue(a)
	}
}

func idValue(a any) (driver.Value, error) {
	switch v := a.(type) {
	case chat.PersonID:
		return blob32(v), nil
	case chat.ConversationID:
		return blob16(v), nil
	case chat.MessageID:
		return blob16(v), nil
	case [16]byte:
		return blob16(v), nil
	case [24]byte:
		return blob24(v), nil
	case [32]byte:
		return blob32(v), nil
	default:
		return nil, fmt.Errorf("sqlite: value of type %T cannot be stored", a)
	}
}

func blob16(b [16]byte) []byte {
	if b == ([16]byte{}) {
		return []byte{}
	}
	return b[:]
}

func blob24(b [24]byte) []byte {
	if b == ([24]byte{}) {
		return []byte{}
	}
	return b[:]
}

func blob32(b [32]byte) []byte {
	if b == ([32]byte{}) {
		return []byte{}
	}
	return b[:]
}

// millis is how a time is stored.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
