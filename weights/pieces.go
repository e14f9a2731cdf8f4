package weights

import (
	"context"
	"io"
)

// filePiece is the size of a large page of most processors.
const filePiece = 2 << 20

// pieceWriter writes pieces that begin and end at multiples of filePiece in the file. Linux then keeps the file's cached bytes in large pages (ext4 since
// 6.16, XFS since 5.18), and maps them so for whoever reads it.
type pieceWriter struct {
	ctx  context.Context
	to   io.Writer
	rest []byte // less than a piece
}

// Write implements io.Writer.
func (w *pieceWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(w.rest) == 0 && len(p) >= filePiece {
			if err := w.put(p[:filePiece]); err != nil {
				return 0, err
			}
			p = p[filePiece:]
			continue
		}
		some := min(len(p), filePiece-len(w.rest))
		w.rest, p = append(w.rest, p[:some]...), p[some:]
		if len(w.rest) == filePiece {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// flush writes what is no whole piece.
func (w *pieceWriter) flush() error {
	err := w.put(w.rest)
	w.rest = w.rest[:0]
	return err
}

func (w *pieceWriter) put(p []byte) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	_, err := w.to.Write(p)
	return err
}
