package main

import (
	"context"
	"errors"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/qr"
	"github.com/kuvert-im/kuvert/app/rpc"
	"github.com/kuvert-im/kuvert/app/run"
)

// The exit codes.
const (
	exitDone     = 0
	exitFailed   = 1
	exitUsage    = 2
	exitNotFound = 3 // or ambiguous
	exitBusy     = 4
	exitRefused  = 5
	exitTimeout  = 6
)

// failure is an error as the command line tells it.
type failure struct {
	Error  string `json:"error"`  // what happened
	Advice string `json:"advice"` // what to do
	code   int
}

func (f failure) sentence() string { return f.Error + "; " + f.Advice + "." }

// known are the errors that a person can do something about. The first that fits
// is told, so that the closer ones come first.
var known = []struct {
	err error
	failure
}{
	{chat.ErrNoProfile, failure{"there is no profile here yet", `make one with kuvertd init --name "Your Name", or name another folder with --profile`, exitNotFound}},
	{chat.ErrProfileExists, failure{"there is a profile here already", "use it, or name another folder with --profile", exitRefused}},
	{chat.ErrProfileBusy, failure{"the profile is in use by another process", "end that process first, or try again in a moment", exitBusy}},
	{chat.ErrNewerSchema, failure{"the profile was written by a newer version of Kuvert", "install that version or a newer one", exitFailed}},
	{chat.ErrMoved, failure{"this profile has moved to another computer", "use it there; to come back, restore a backup of that one into another folder", exitRefused}},
	{chat.ErrBackupPassphrase, failure{"this passphrase does not open the backup", "try again with the right one; nothing was changed", exitRefused}},
	{chat.ErrBackupVersion, failure{"the backup was written by a newer version of Kuvert", "install that version or a newer one", exitFailed}},
	{chat.ErrNotBackup, failure{"this is not a backup of Kuvert", "name a file that kuvertd backup wrote, or the folder of the automatic backup", exitUsage}},
	{chat.ErrBackupPart, failure{"an earlier part of the backup is missing", "put all files of the automatic backup into one folder and name that", exitFailed}},
	{chat.ErrBackupDamaged, failure{"the backup is damaged or not all there", "use another copy or an earlier backup; nothing was changed", exitFailed}},
	{chat.ErrBackupFolder, failure{"the file or folder of the backup is not there", "plug the disk in, or name another one", exitNotFound}},
	{chat.ErrBackupRunning, failure{"a backup is being made already", "try again when it has ended", exitBusy}},
	{chat.ErrVault, failure{"the file with the profile's keys is missing or damaged, and so is its copy", "restore the files vault and vault.copy in the profile's folder from a backup; nothing was changed", exitFailed}},
	{chat.ErrPassphraseShort, failure{"the passphrase is too short or too long", "choose one of at least 8 characters, better four or more random words", exitUsage}},
	{chat.ErrSheetMistyped, failure{"this is not the key of an emergency sheet", "copy all nine groups; one of their characters is wrong or missing", exitUsage}},
	{chat.ErrWrongPassphrase, failure{"this passphrase or key does not open the profile", "try again with the right one; nothing was changed", exitRefused}},
	{chat.ErrKeyFile, failure{"the key file cannot be used", "give one that kuvertd init made, readable for you alone (chmod 600)", exitRefused}},
	{chat.ErrPassphraseNeeded, failure{"this profile needs a passphrase", "give one with --passphrase-file FILE; the system's keyring alone is enough only for the one profile of a login", exitRefused}},
	{chat.ErrKeyringEmpty, failure{"the system's keyring does not know this profile any more", "give its passphrase with --passphrase-file FILE, or the key of its emergency sheet with --sheet-file FILE", exitRefused}},
	{chat.ErrNoKeyring, failure{"the system's keyring cannot be used here", "unlock it and try again, or give a passphrase with --passphrase-file FILE (a server without people: --key-file FILE)", exitRefused}},
	{chat.ErrLocked, failure{"the profile is locked", "give its passphrase with --passphrase-file FILE", exitRefused}},
	{chat.ErrCorrupt, failure{"the profile's database is damaged", "restore the profile's folder from a backup; nothing was changed in it", exitFailed}},
	{chat.ErrDiskFull, failure{"the disk is full", "make room and try again; nothing that was accepted is lost", exitFailed}},
	{chat.ErrDisk, failure{"the disk does not read or write as it should", "check the disk and copy the profile's folder to a safe place", exitFailed}},
	{chat.ErrReadOnly, failure{"the profile's folder cannot be read or written", "check its owner and its permissions, or name another folder with --profile", exitFailed}},
	{run.ErrListen, failure{"--listen cannot be used like that", "give HOST:PORT with HOST empty or 127.0.0.1, and 0 for the port used last", exitUsage}},
	{chat.ErrPortTaken, failure{"the port is in use by another program", "end that program, or choose another port with --listen", exitFailed}},

	{qr.ErrSeveral, failure{"the picture shows several invitations", "cut it so that it shows one", exitRefused}},
	{qr.ErrForeign, failure{"the picture shows a QR code, but not one of Kuvert's", "ask for a picture of the right code", exitRefused}},
	{qr.ErrNoPicture, failure{"the file is neither a picture nor an invitation that can be read", "give a PNG or JPEG picture, a .kuvert file or the text of the invitation", exitUsage}},
	{qr.ErrTooLarge, failure{"the file is too large for an invitation", "give a smaller picture of the code", exitUsage}},
	{chat.ErrNoQRCode, failure{"no QR code was found in the picture", "take the picture again, closer and straight, or use the text of the invitation", exitNotFound}},
	{chat.ErrInvitationExpired, failure{"the invitation has expired", "ask for a new one", exitRefused}},
	{chat.ErrInvitationUsed, failure{"the invitation was used already", "ask for a new one", exitRefused}},
	{chat.ErrInvitationOwn, failure{"this is your own invitation", "give it to the other person, who accepts it on their computer", exitRefused}},
	{chat.ErrInvitationVersion, failure{"the invitation or link is of a newer version of Kuvert", "update Kuvert", exitRefused}},
	{chat.ErrInvitationMalformed, failure{"this is not a Kuvert invitation", "copy all of it, from KUVERT: to its end", exitUsage}},
	{chat.ErrNodeLink, failure{"this is not a node's access link", "copy all of it, from KUVERT-NODE: to its end", exitUsage}},
	{chat.ErrAlreadyContact, failure{"you are connected with this person already", "write to them", exitRefused}},

	{chat.ErrFileNotHere, failure{"the file is not on this computer yet", "fetch it with kuvertd file MESSAGE --fetch, and wait until it is here", exitFailed}},
	{chat.ErrFileDamaged, failure{"the file is not the one its sender announced", "ask the sender to send it again; it was put aside and is not opened", exitRefused}},
	{chat.ErrFileTooLarge, failure{"the file is too large", "send at most 64 GiB in one file", exitUsage}},
	{chat.ErrPhotoData, failure{"the picture is damaged, so that place and time cannot be removed from it", "send another one, or allow it with kuvertd settings set remove_photo_data false", exitRefused}},
	{chat.ErrFileAccess, failure{"the file cannot be read or written", "check its name, its folder and its permissions", exitFailed}},

	{chat.ErrAmbiguous, failure{"more than one fits", "use the full name or more characters of the id, which kuvertd contacts shows", exitNotFound}},
	{chat.ErrNotFound, failure{"nothing fits", "look at kuvertd contacts or kuvertd messages for what there is", exitNotFound}},
	{chat.ErrBadID, failure{"this is not an id", "copy all of it", exitUsage}},
	{chat.ErrBlocked, failure{"the contact is blocked", "take that back with kuvertd block CONTACT --undo", exitRefused}},
	{chat.ErrQuota, failure{"the mailbox is full", "try again when the contact was online", exitFailed}},
	{chat.ErrRefused, failure{"the other side refused", "ask the person", exitRefused}},
	{chat.ErrEmpty, failure{"there is nothing to send", "give a text or a file", exitUsage}},
	{chat.ErrTooLong, failure{"the text is too long", "send at most 64 KiB at a time", exitUsage}},
	{chat.ErrBadName, failure{"the name is empty, too long or holds control characters", "choose a name of at most 128 bytes", exitUsage}},
	{chat.ErrUnsupported, failure{"the setting or its value is not known", "see kuvertd settings get for what there is", exitUsage}},
	{chat.ErrUnreachable, failure{"the other side cannot be reached now", "try again when it is online", exitTimeout}},

	{rpc.ErrVersion, failure{"another version of Kuvert runs on this profile", "end it and start this one", exitFailed}},
	{rpc.ErrClosed, failure{"the running Kuvert ended meanwhile", "try again", exitFailed}},
	{rpc.ErrBusy, failure{"the running Kuvert is busy", "try again in a moment", exitBusy}},
	{rpc.ErrTooLarge, failure{"the answer is too large", "ask for less with --limit", exitFailed}},
	{context.DeadlineExceeded, failure{"it took too long", "try again, or allow more with --timeout", exitTimeout}},
	{context.Canceled, failure{"it was interrupted", "start it again", exitFailed}},
}

// refusal is a command's own refusal, with what to do.
type refusal struct {
	what, advice string
	code         int
}

func (r refusal) Error() string { return r.what }

// explain finds the words and the exit code for an error.
func explain(err error) failure {
	var u errUsage
	if errors.As(err, &u) {
		return failure{u.text, "see kuvertd help", exitUsage}
	}
	var r refusal
	if errors.As(err, &r) {
		return failure{r.what, r.advice, r.code}
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return k.failure
		}
	}
	return failure{err.Error(), "the file kuvert.log in the profile's folder says more", exitFailed}
}
