package mailbox

// Sizes of what requests are made of, in bytes.
const (
	opSize     = 1
	idSize     = 24
	capSize    = 32
	accessSize = idSize + capSize
	placeSize  = 8
	entryHead  = placeSize + 4 // place | length
)
