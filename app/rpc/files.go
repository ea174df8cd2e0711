package rpc

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// File implements core.Files.
func (c *Client) File(ctx context.Context, message chat.MessageID, place int) (core.FileInfo, error) {
	return ask[core.FileInfo](ctx, c, "File", message, place)
}

// FilePicture implements core.Files.
func (c *Client) FilePicture(ctx context.Context, message chat.MessageID, place int) ([]byte, error) {
	return ask[[]byte](ctx, c, "FilePicture", message, place)
}

// FileView implements core.Files.
func (c *Client) FileView(ctx context.Context, message chat.MessageID, place int) ([]byte, error) {
	return ask[[]byte](ctx, c, "FileView", message, place)
}

// FetchFile implements core.Files.
func (c *Client) FetchFile(ctx context.Context, message chat.MessageID, place int) error {
	return tell(ctx, c, "FetchFile", message, place)
}

// PauseFile implements core.Files.
func (c *Client) PauseFile(ctx context.Context, message chat.MessageID, place int) error {
	return tell(ctx, c, "PauseFile", message, place)
}

// SaveFile implements core.Files.
func (c *Client) SaveFile(ctx context.Context, message chat.MessageID, place int, path string) error {
	return tell(ctx, c, "SaveFile", message, place, path)
}

// FileUsage implements core.Files.
func (c *Client) FileUsage(ctx context.Context) (core.FileUsage, error) {
	return ask[core.FileUsage](ctx, c, "FileUsage")
}

// CleanFiles implements core.Files.
func (c *Client) CleanFiles(ctx context.Context, before time.Time) (int64, error) {
	return ask[int64](ctx, c, "CleanFiles", before)
}

// Sealing implements core.Files.
func (c *Client) Sealing(ctx context.Context) ([]core.Sealing, error) {
	return ask[[]core.Sealing](ctx, c, "Sealing")
}
