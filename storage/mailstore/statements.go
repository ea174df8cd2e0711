package mailstore

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// preparer is a connection, or the readers' pool of them.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements keeps prepared statements by their text, which must be one of few.
type statements struct {
	on preparer

	mu     sync.Mutex
	byText map[string]*sql.Stmt
}

func newStatements(on preparer) *statements {
	return &statements{on: on, byText: make(map[string]*sql.Stmt)}
}

func (s *statements) get(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.byText[query]; ok {
		return st, nil
	}
	st, err := s.on.PrepareContext(ctx, query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return nil, classify(err)
	}
	s.byText[query] = st
	return st, nil
}

// exec runs a statement and returns how many rows it changed.
func (s *statements) exec(ctx context.Context, query string, args ...any) (changed int64, err error) {
	st, err := s.get(ctx, query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return 0, err
	}
	res, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, classify(err)
	}
	return res.RowsAffected()
}

// row reads the only row of a query; sql.ErrNoRows if there is none.
func (s *statements) row(ctx context.Context, query string, args []any, dest ...any) error {
	st, err := s.get(ctx, query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return err
	}
	return classify(st.QueryRowContext(ctx, args...).Scan(dest...))
}

// rows calls each for every row until it returns false.
func (s *statements) rows(ctx context.Context, query string, args []any, each func(scan func(...any) error) (more bool, err error)) error {
	st, err := s.get(ctx, query) //nolint:sqlclosecheck // kept until close
	if err != nil {
		return err
	}
	rs, err := st.QueryContext(ctx, args...)
	if err != nil {
		return classify(err)
	}
	defer func() { _ = rs.Close() }() // after an error or the last row there is nothing left to fail
	for more := true; more && rs.Next(); {
		if more, err = each(rs.Scan); err != nil {
			return classify(err)
		}
	}
	return classify(rs.Err())
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, st := range s.byText {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}
