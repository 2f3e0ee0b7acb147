package format

// writeTexts writes a chunk of byte arrays. For a map's leaf, rowOf gives the entries of each row: row i has
// texts[rowOf[i]-rowOf[0] : rowOf[i+1]-rowOf[0]]. For a plain column it is nil.
func (w *chunkWriter) writeTexts(texts [][]byte, rowOf []int32) error {
	if w.dict.build(texts) {
		if err := w.writeTextDictionary(); err != nil {
			return err
		}
		w.encoding = encodingRLEDictionary
		w.epoch = append(w.epoch[:0], make([]uint32, len(w.dict.entries))...)
		w.ids = w.dict.ids
		return w.writeTextPages(texts, rowOf, 0, w.addIDs)
	}
	w.encoding = encodingPlain
	return w.writeTextPages(texts, rowOf, w.choosePageBytes(texts), w.addPlain)
}

// writeTextPages cuts the chunk into pages of about so many bytes of text (0: any) and encodes their texts that are not null by
// encode.
func (w *chunkWriter) writeTextPages(texts [][]byte, rowOf []int32, pageBytes int, encode func(texts [][]byte)) error {
	rows := len(texts)
	if rowOf != nil {
		rows = len(rowOf) - 1
	}
	for start := 0; start < rows; {
		lo, hi, end := w.nextTextPage(texts, rowOf, start, rows, pageBytes)
		if rowOf != nil {
			w.addMapLevels(texts[lo:hi], rowOf[start:end+1])
		} else {
			w.addLevels(texts[lo:hi])
		}
		encode(texts[lo:hi])
		if err := w.flushPage(end); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// nextTextPage returns where the page that starts at row start ends, and its range in texts.
func (w *chunkWriter) nextTextPage(texts [][]byte, rowOf []int32, start, rows, pageBytes int) (lo, hi, end int) {
	size := 0
	if rowOf == nil {
		for end = start; end < rows && end-start < maxPageValues; {
			size += len(texts[end]) + 4
			end++
			if pageBytes > 0 && size >= pageBytes {
				break
			}
		}
		return start, end, end
	}
	lo = int(rowOf[start] - rowOf[0])
	hi = lo
	for end = start; end < rows; {
		next := int(rowOf[end+1] - rowOf[0])
		for _, t := range texts[hi:next] {
			size += len(t) + 4
		}
		hi = next
		end++
		if hi-lo+end-start >= maxPageValues || (pageBytes > 0 && size >= pageBytes) {
			break
		}
	}
	return lo, hi, end
}

// addLevels appends the levels of plain texts.
func (w *chunkWriter) addLevels(texts [][]byte) {
	w.page.values += int64(len(texts))
	for _, t := range texts {
		def := uint8(1)
		if t == nil {
			w.page.nulls++
			def = 0
		}
		w.def = append(w.def, def)
	}
}

// addMapLevels appends the levels of a map's rows.
func (w *chunkWriter) addMapLevels(texts [][]byte, rowOf []int32) {
	empty, full := uint8(1), uint8(w.leaf.maxDef)
	if w.field.Required {
		empty = 0
	}
	for row := range len(rowOf) - 1 {
		lo, hi := rowOf[row]-rowOf[0], rowOf[row+1]-rowOf[0]
		if lo == hi {
			w.page.values++
			w.page.nulls++
			w.def, w.rep = append(w.def, empty), append(w.rep, 0)
			continue
		}
		rep := uint8(0)
		w.page.values += int64(hi - lo)
		for _, t := range texts[lo:hi] {
			def := full
			if t == nil {
				w.page.nulls++
				def--
			}
			w.def, w.rep = append(w.def, def), append(w.rep, rep)
			rep = 1
		}
	}
}

// addPlain appends the texts that are not null in the PLAIN encoding.
func (w *chunkWriter) addPlain(texts [][]byte) {
	for _, t := range texts {
		if t != nil {
			w.body = appendPlainText(w.body, t)
		}
	}
	if w.leaf.part != partValue {
		return
	}
	for _, t := range texts {
		if t != nil {
			w.page.addText(t)
		}
	}
}

// addIDs appends the dictionary's entry numbers for the texts that are not null, and adds the texts to the page's bounds.
func (w *chunkWriter) addIDs(texts [][]byte) {
	n := 0
	for _, t := range texts {
		if t != nil {
			n++
		}
	}
	ids := w.ids[:n]
	w.ids = w.ids[n:]
	if w.leaf.part == partValue {
		page := uint32(w.firstRow + 1)
		for _, id := range ids {
			if w.epoch[id] != page {
				w.epoch[id] = page
				w.page.addText(w.dict.entries[id])
			}
		}
	}
	w.appendIDs(ids)
}

// appendIDs appends entry numbers, in as many bits as the greatest of them takes.
func (w *chunkWriter) appendIDs(ids []uint32) {
	greatest := uint32(1) // no page takes less than one bit a value: not every reader knows zero
	for _, id := range ids {
		greatest = max(greatest, id)
	}
	width := bitWidth(greatest)
	w.body = append(w.body, byte(width))
	w.body = appendHybrid(w.body, ids, width)
}

// writeTextDictionary writes the dictionary page of w.dict.
func (w *chunkWriter) writeTextDictionary() error {
	w.body = w.body[:0]
	for _, e := range w.dict.entries {
		w.body = appendPlainText(w.body, e)
	}
	return w.writeDictionary(len(w.dict.entries))
}

// writeDictionary writes the dictionary page, whose entries are in w.body.
func (w *chunkWriter) writeDictionary(entries int) error {
	h := pageHeader{kind: pageDictionary, values: int32(entries), encoding: encodingPlain, uncompressed: int32(len(w.body)), hasCRC: true}
	packed := w.compress(w.body)
	w.body = w.body[:0]
	return w.emit(&h, packed, nil, 0)
}
