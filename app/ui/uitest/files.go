package uitest

import (
	"context"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// FileKey names a file of a message.
type FileKey struct {
	Message chat.MessageID
	Place   int
}

// files is what the client knows of files.
type files struct {
	Infos    map[FileKey]core.FileInfo
	Pictures map[FileKey][]byte
	Views    map[FileKey][]byte
	Usage    core.FileUsage
	Seals    []core.Sealing
}

func (c *Client) info(message chat.MessageID, place int) (core.FileInfo, error) {
	info, ok := c.Infos[FileKey{message, place}]
	if !ok {
		return info, chat.ErrNotFound
	}
	return info, nil
}

// File implements core.Files.
func (c *Client) File(ctx context.Context, message chat.MessageID, place int) (out core.FileInfo, err error) {
	err = c.do(ctx, "File", func() (err error) { out, err = c.info(message, place); return err })
	return out, err
}

// FilePicture implements core.Files.
func (c *Client) FilePicture(ctx context.Context, message chat.MessageID, place int) (out []byte, err error) {
	err = c.do(ctx, "FilePicture", func() error {
		out = c.Pictures[FileKey{message, place}]
		if out == nil {
			return chat.ErrNotFound
		}
		return nil
	})
	return out, err
}

// FileView implements core.Files.
func (c *Client) FileView(ctx context.Context, message chat.MessageID, place int) (out []byte, err error) {
	err = c.do(ctx, "FileView", func() error {
		out = c.Views[FileKey{message, place}]
		if out == nil {
			return chat.ErrNotFound
		}
		return nil
	})
	return out, err
}

func (c *Client) setFile(ctx context.Context, method string, message chat.MessageID, place int, s chat.FileState) error {
	return c.do(ctx, method, func() error {
		info, err := c.info(message, place)
		info.File.State = s
		if err == nil {
			c.Infos[FileKey{message, place}] = info
		}
		return err
	}, message, place)
}

// FetchFile implements core.Files.
func (c *Client) FetchFile(ctx context.Context, message chat.MessageID, place int) error {
	return c.setFile(ctx, "FetchFile", message, place, chat.FileWaiting)
}

// PauseFile implements core.Files.
func (c *Client) PauseFile(ctx context.Context, message chat.MessageID, place int) error {
	return c.setFile(ctx, "PauseFile", message, place, chat.FilePaused)
}

// SaveFile implements core.Files.
func (c *Client) SaveFile(ctx context.Context, message chat.MessageID, place int, path string) error {
	return c.do(ctx, "SaveFile", func() error { return nil }, message, place, fmt.Sprintf("%q", path))
}

// FileUsage implements core.Files.
func (c *Client) FileUsage(ctx context.Context) (out core.FileUsage, err error) {
	err = c.do(ctx, "FileUsage", func() error { out = c.Usage; return nil })
	return out, err
}

// CleanFiles implements core.Files.
func (c *Client) CleanFiles(ctx context.Context, before time.Time) (freed int64, err error) {
	err = c.do(ctx, "CleanFiles", func() error {
		freed, c.Usage.Bytes = c.Usage.Bytes, 0
		return nil
	}, before.UTC().Format(time.DateOnly))
	return freed, err
}

// Sealing implements core.Files.
func (c *Client) Sealing(ctx context.Context) (out []core.Sealing, err error) {
	err = c.do(ctx, "Sealing", func() error { out = c.Seals; return nil })
	return out, err
}
