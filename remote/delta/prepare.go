package delta

import (
	"encoding/binary"
	"errors"
	"io"
)

// prepare reads what all must be known of before a byte is predicted: the pieces, and
// where the old file has references.
func (a *applier) prepare() error {
	defer a.close()
	if err := a.open(layouts, lengths, moves, adds); err != nil {
		return err
	}
	if err := a.readLayouts(); err != nil {
		return err
	}
	if err := a.readPieces(); err != nil {
		return err
	}
	if err := a.ended(lengths, moves, adds); err != nil {
		return err
	}
	var err error
	if a.predictor.old.fixed, err = a.predictor.old.references(a.old, a.OldSize); err != nil {
		return err
	}
	a.guide = newGuide(a.pieces, a.OldSize)
	return nil
}

func (a *applier) readLayouts() error {
	const most = 2 * places * binary.MaxVarintLen64
	b, err := io.ReadAll(io.LimitReader(a.stream[layouts], most+1))
	if err != nil {
		return damaged("layouts: %s", err)
	}
	b, err = a.predictor.old.decode(b, a.OldSize)
	if err != nil {
		return err
	}
	if b, err = a.predictor.new.decode(b, a.NewSize); err != nil {
		return err
	}
	if len(b) > 0 {
		return damaged("the layout goes on beyond the end")
	}
	return nil
}

// readPieces reads those that make all of the new file. Only the first may copy little,
// so there are not many.
func (a *applier) readPieces() error {
	var at, from int64
	for at < a.NewSize {
		if len(a.pieces) > int(a.NewSize/worth)+1 {
			return damaged("%d pieces, and only %d bytes of %d", len(a.pieces), at, a.NewSize)
		}
		p, err := a.piece(from, a.NewSize-at)
		if err != nil {
			return err
		}
		a.pieces = append(a.pieces, p)
		from = min(int64(p.old)+int64(p.n)+int64(p.add), a.OldSize)
		at += int64(p.n) + int64(p.add)
	}
	return nil
}

// piece reads one that makes no more than left bytes. It is expected at from, behind what
// the last one copied and as many bytes as it added, which come in place of others. That is
// within the old file, so that nothing overflows here.
func (a *applier) piece(from, left int64) (piece, error) {
	n, err1 := binary.ReadUvarint(a.stream[lengths])
	move, err2 := binary.ReadVarint(a.stream[moves])
	add, err3 := binary.ReadUvarint(a.stream[adds])
	if err := errors.Join(err1, err2, err3); err != nil {
		return piece{}, damaged("pieces: %s", err)
	}
	if n > uint64(left) || add > uint64(left)-n || n+add == 0 {
		return piece{}, damaged("a piece of %d and %d bytes, where %d are left", n, add, left)
	}
	if move < -from || move > a.OldSize-from || int64(n) > a.OldSize-from-move {
		return piece{}, damaged("%d bytes from %d%+d of an old file of %d", n, from, move, a.OldSize)
	}
	return piece{old: uint32(from + move), n: uint32(n), add: uint32(add)}, nil
}
