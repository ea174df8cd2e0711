// Package server is what an always-on node runs (docs/node.md): one libp2p host
// with the mailbox, a relay for those who cannot be reached, and help in finding
// out whether one can be.
//
// It promises:
//   - it learns no identity, no group and no content: it sees host keys, addresses,
//     sealed blobs and times;
//   - it dials nobody, except to tell somebody who asks whether their own public
//     address can be reached (AutoNAT); it announces itself nowhere, asks no name
//     server and takes part in no DHT;
//   - only machines that proved the access token get a reservation on the relay;
//     anybody may use it to reach them, within limits;
//   - members, as those who proved the token are called here, are never pushed out
//     by strangers: a connection of a stranger is kept while it uses the mailbox or
//     the relay, and there are never more than Limits.Strangers of them.
package server
