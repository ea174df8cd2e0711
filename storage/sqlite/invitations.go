package sqlite

import "github.com/kuvert-im/kuvert/app/chat"

const invitationColumns = `id, code, keys, bundle, hint1, hint2,
	created_at, expires_at, used_by, used_at, revoked`

func scanInvitation(r *row) chat.Invitation {
	return chat.Invitation{
		ID: r.id16(), Code: r.text(), Keys: r.blob(), Bundle: r.blob(),
		Hints:     [2]string{r.text(), r.text()},
		CreatedAt: r.time(), ExpiresAt: r.time(),
		UsedBy: r.id32(), UsedAt: r.time(), Revoked: r.bool(),
	}
}

// Invitation returns one that I issued.
func (t *ReadTx) Invitation(id [16]byte) (i chat.Invitation, err error) {
	err = t.get(func(r *row) { i = scanInvitation(r) },
		"SELECT "+invitationColumns+" FROM invitation WHERE id = ?", id)
	return i, err
}

// Invitations returns all that I issued, newest first, used and revoked ones too.
func (t *ReadTx) Invitations() ([]chat.Invitation, error) {
	return list(t.c, scanInvitation,
		"SELECT "+invitationColumns+" FROM invitation ORDER BY created_at DESC, num DESC")
}

// PutInvitation inserts or replaces one that I issued.
func (t *Tx) PutInvitation(i chat.Invitation) error {
	return t.do(`INSERT INTO invitation (`+invitationColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET code = excluded.code, keys = excluded.keys,
			bundle = excluded.bundle, hint1 = excluded.hint1, hint2 = excluded.hint2,
			created_at = excluded.created_at, expires_at = excluded.expires_at,
			used_by = excluded.used_by, used_at = excluded.used_at, revoked = excluded.revoked`,
		i.ID, i.Code, i.Keys, i.Bundle, i.Hints[0], i.Hints[1],
		i.CreatedAt, i.ExpiresAt, i.UsedBy, i.UsedAt, i.Revoked)
}

// DeleteInvitation removes one that I issued.
func (t *Tx) DeleteInvitation(id [16]byte) error {
	return t.do("DELETE FROM invitation WHERE id = ?", id)
}

// Joinings returns the invitations that I accepted and that wait for an answer,
// oldest first.
func (t *ReadTx) Joinings() ([]chat.Joining, error) {
	return list(t.c, func(r *row) chat.Joining {
		return chat.Joining{ID: r.id16(), Contact: r.id32(), Code: r.text(), StartedAt: r.time()}
	}, "SELECT id, contact, code, started_at FROM joining ORDER BY started_at, num")
}

// PutJoining inserts or replaces an invitation that I accepted.
func (t *Tx) PutJoining(j chat.Joining) error {
	return t.do(`INSERT INTO joining (id, contact, code, started_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET contact = excluded.contact, code = excluded.code,
			started_at = excluded.started_at`,
		j.ID, j.Contact, j.Code, j.StartedAt)
}

// DeleteJoining removes an invitation that I accepted.
func (t *Tx) DeleteJoining(id [16]byte) error {
	return t.do("DELETE FROM joining WHERE id = ?", id)
}
