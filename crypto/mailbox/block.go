package mailbox

import (
	"encoding/binary"
	"fmt"
)

// MaxBlock is the most that a Block carries, in bytes: a block of a sealed file.
const MaxBlock = 64 << 10

// Manifest is the index of the block that is the file's manifest, whole.
const Manifest uint32 = 1<<32 - 1

// Block is one block of a small sealed file that waits with its message.
type Block struct {
	File  [32]byte // the file's id (docs/protocol/attachments.md)
	Index uint32   // or Manifest
	Data  []byte   // 1 to MaxBlock bytes
}

// Encode returns the content of a blob of KindBlock.
func (b Block) Encode() ([]byte, error) {
	if len(b.Data) == 0 || len(b.Data) > MaxBlock {
		return nil, fmt.Errorf("%w: block of %d bytes", ErrTooLarge, len(b.Data))
	}
	out := append(make([]byte, 0, len(b.File)+4+len(b.Data)), b.File[:]...)
	return append(binary.BigEndian.AppendUint32(out, b.Index), b.Data...), nil
}

// ParseBlock is the reverse; Data is part of content.
func ParseBlock(content []byte) (Block, error) {
	const head = 32 + 4
	if len(content) <= head || len(content) > head+MaxBlock {
		return Block{}, fmt.Errorf("%w: block of %d bytes", ErrMalformed, len(content))
	}
	return Block{File: [32]byte(content), Index: binary.BigEndian.Uint32(content[32:]), Data: content[head:]}, nil
}
