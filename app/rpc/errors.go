package rpc

import (
	"context"
	"errors"

	"github.com/kuvert-im/kuvert/app/chat"
)

// sentinels are the errors that keep their identity across the socket, by the
// code that stands for them. Codes are never reused.
var sentinels = map[string]error{
	"bad_id":               chat.ErrBadID,
	"not_found":            chat.ErrNotFound,
	"ambiguous":            chat.ErrAmbiguous,
	"empty":                chat.ErrEmpty,
	"too_long":             chat.ErrTooLong,
	"bad_name":             chat.ErrBadName,
	"blocked":              chat.ErrBlocked,
	"profile_busy":         chat.ErrProfileBusy,
	"no_profile":           chat.ErrNoProfile,
	"profile_exists":       chat.ErrProfileExists,
	"newer_schema":         chat.ErrNewerSchema,
	"corrupt":              chat.ErrCorrupt,
	"disk_full":            chat.ErrDiskFull,
	"disk":                 chat.ErrDisk,
	"read_only":            chat.ErrReadOnly,
	"port_taken":           chat.ErrPortTaken,
	"invitation_malformed": chat.ErrInvitationMalformed,
	"invitation_expired":   chat.ErrInvitationExpired,
	"invitation_used":      chat.ErrInvitationUsed,
	"invitation_own":       chat.ErrInvitationOwn,
	"invitation_version":   chat.ErrInvitationVersion,
	"already_contact":      chat.ErrAlreadyContact,
	"no_qr_code":           chat.ErrNoQRCode,
	"unsupported":          chat.ErrUnsupported,
	"unreachable":          chat.ErrUnreachable,
	"refused":              chat.ErrRefused,
	"quota":                chat.ErrQuota,
	"node_link":            chat.ErrNodeLink,
	"file_not_here":        chat.ErrFileNotHere,
	"file_damaged":         chat.ErrFileDamaged,
	"file_too_large":       chat.ErrFileTooLarge,
	"file_access":          chat.ErrFileAccess,
	"photo_data":           chat.ErrPhotoData,

	"passphrase_short":  chat.ErrPassphraseShort,
	"locked":            chat.ErrLocked,
	"wrong_passphrase":  chat.ErrWrongPassphrase,
	"passphrase_needed": chat.ErrPassphraseNeeded,
	"sheet_mistyped":    chat.ErrSheetMistyped,
	"no_keyring":        chat.ErrNoKeyring,
	"keyring_empty":     chat.ErrKeyringEmpty,
	"key_file":          chat.ErrKeyFile,
	"vault":             chat.ErrVault,
	"backup_passphrase": chat.ErrBackupPassphrase,
	"backup_damaged":    chat.ErrBackupDamaged,
	"backup_version":    chat.ErrBackupVersion,
	"not_backup":        chat.ErrNotBackup,
	"backup_part":       chat.ErrBackupPart,
	"backup_folder":     chat.ErrBackupFolder,
	"backup_running":    chat.ErrBackupRunning,
	"moved":             chat.ErrMoved,

	"canceled":   context.Canceled,
	"deadline":   context.DeadlineExceeded,
	"rpc_busy":   ErrBusy,
	"rpc_call":   ErrBadCall,
	"rpc_closed": ErrClosed,
	"rpc_large":  ErrTooLarge,
}

// wireError is an error as it travels.
type wireError struct {
	Message string   `json:"message"`
	Codes   []string `json:"codes"`
}

func toWire(err error) wireError {
	w := wireError{Message: err.Error()}
	for code, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			w.Codes = append(w.Codes, code)
		}
	}
	return w
}

// remoteError is an error of the other side. It wraps the same sentinels.
type remoteError struct {
	message string
	wrapped []error
}

func (e *remoteError) Error() string   { return e.message }
func (e *remoteError) Unwrap() []error { return e.wrapped }

func fromWire(w wireError) error {
	e := &remoteError{message: w.Message}
	for _, code := range w.Codes {
		if sentinel, ok := sentinels[code]; ok {
			e.wrapped = append(e.wrapped, sentinel)
		}
	}
	return e
}
