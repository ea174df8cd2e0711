// Package blob keeps sealed files beside the database, in one folder
// (docs/storage.md, Files).
//
// It promises:
//
//   - What it keeps was sealed before: it never sees a content, a name or a key.
//   - A file's name on the disk is an HMAC over its id. No path, and nothing of
//     one, ever comes from outside.
//   - A whole file appears under its name only after it is on the disk.
//   - A file under way survives a kill at any moment: blocks are checked against
//     the manifest before they are stored, and those that a map says are there
//     are checked again when the file is taken up after a restart. So a torn or
//     lost write costs a block, never a wrong file.
//
// Who refers to a file is the database's knowledge. Sweep removes what nobody
// refers to.
package blob
