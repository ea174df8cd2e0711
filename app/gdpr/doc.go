// Package gdpr carries out what people may ask for about their data: it exports all
// that a profile holds of everybody or of one person, and writes the documents that
// a small organisation keeps beside it (record of processing, information for
// contacts, measures, retention, a lost computer), filled with the profile's
// settings. It works over core.Client alone, so that it serves the command line and
// the screens, here or on a running Kuvert. docs/gdpr.md describes the formats.
//
// It promises: memory does not grow with the history; what an export says of its own
// counts was read back from the written file; HTML holds neither scripts nor
// references to anything outside its folder, and every text in it is escaped; an
// export of one person holds nothing of another.
package gdpr
