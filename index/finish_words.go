package index

import (
	"encoding/binary"

	"github.com/apache/iceberg-go/puffin"
)

// Forms of the rows of a dictionary's token that are in no pattern.
const (
	restNone   = 0 // there are none
	restRows   = 1 // a list of rows
	restBlocks = 2 // a list of blocks that they are in
	restBitmap = 3 // a bit for each block
	// The lowest bits of an entry's first number: the form, and whether the token is in patterns.
	restBits    = 2
	inPatterns  = 1 << restBits
	entryShift  = restBits + 1
	largestForm = 1<<restBits - 1
)

// writeWords writes the blob of the dictionary.
func (f *bitmapFinisher) writeWords(file *puffin.Writer) error {
	t, d := f.column.table, &f.dictionary
	order := f.of[:0]
	for i := range f.words {
		order = append(order, f.words[i].entry)
	}
	t.sortByKey(order)
	itemOf := append(f.starts[:0], make([]uint32, len(t.entries))...)
	for i := range f.words {
		itemOf[f.words[i].entry] = uint32(i)
	}
	f.of, f.starts = order, itemOf
	d.start()
	for _, entry := range order {
		item := &f.words[itemOf[entry]]
		key := t.key(&t.entries[entry])
		if item.rows == 1 && item.rest == 1 {
			if err := d.addRow(key, item.only); err != nil {
				return err
			}
			continue
		}
		f.out = f.appendEntry(f.out[:0], item)
		if err := d.add(key, f.out); err != nil {
			return err
		}
	}
	if err := d.end(); err != nil {
		return err
	}
	f.head.wordParts = d.parts
	var err error
	f.head.wordsBlob, err = addBlob(file, kindWords, f.column.spec.FieldID, d.out.Bytes())
	return err
}

// appendEntry appends what the dictionary says about a token.
func (f *bitmapFinisher) appendEntry(dst []byte, item *wordItem) []byte {
	form := f.restForm(item)
	patterns := f.numbers[item.patterns.start:item.patterns.end]
	head := uint64(item.rows)<<entryShift | uint64(form)
	if len(patterns) > 0 {
		dst = binary.AppendUvarint(dst, head|inPatterns)
		dst = binary.AppendUvarint(dst, uint64(len(patterns)))
	} else {
		dst = binary.AppendUvarint(dst, head)
	}
	next := uint32(0)
	for _, p := range patterns {
		dst = binary.AppendUvarint(dst, uint64(p-next))
		next = p + 1
	}
	if hasMask(f.rows) && (len(patterns) > 0 || item.word && form >= restBlocks) {
		dst = binary.AppendUvarint(dst, item.mask)
	}
	switch form {
	case restRows:
		if len(patterns) > 0 {
			dst = binary.AppendUvarint(dst, uint64(item.rest))
		}
		return append(dst, f.arena[item.exact.start:item.exact.end]...)
	case restBlocks:
		dst = binary.AppendUvarint(dst, uint64(item.blocks))
		fallthrough
	case restBitmap:
		return append(dst, f.arena[item.coarse.start:item.coarse.end]...)
	}
	return dst
}

func (f *bitmapFinisher) restForm(item *wordItem) uint32 {
	switch {
	case item.rest == 0:
		return restNone
	case item.rest <= f.head.exactRows || item.exact.size() <= item.coarse.size():
		return restRows
	case item.blocks == 0:
		return restBitmap
	}
	return restBlocks
}
