package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Every blob of a sidecar begins with a header of 32 bytes, little-endian:
//
//	0  magic "FIRN"
//	4  uint16 format version, 2
//	6  uint16 kind of blob
//	8  uint32 field id of the column; 0 for the head
//	12 uint32 CRC32C of the payload
//	16 uint64 length of the payload, which follows the header
//	24 uint32 reserved, 0
//	28 uint32 CRC32C of bytes 0 to 27
//
// Magic, version, kind and the place of the last checksum stay as they are in all versions, so that a newer version is told from damage.
const (
	headerBytes   = 32
	formatVersion = 2
)

var blobMagic = []byte("FIRN")

// blobKind is the kind of a blob.
type blobKind uint16

const (
	kindHead     blobKind = 1
	kindWords    blobKind = 2 // the dictionary
	kindIDs      blobKind = 3
	kindBloom    blobKind = 4
	kindPatterns blobKind = 5
)

// String returns the name of the kind, as people and Puffin's footer see it.
func (k blobKind) String() string {
	switch k {
	case kindHead:
		return "head"
	case kindWords:
		return "dictionary"
	case kindIDs:
		return "ids"
	case kindBloom:
		return "bloom"
	case kindPatterns:
		return "patterns"
	case kindPoints:
		return "points"
	case kindRanges:
		return "ranges"
	}
	return fmt.Sprintf("kind %d", uint16(k))
}

// putHeader fills in the header of a blob, whose first headerBytes are free and whose payload follows them.
func putHeader(blob []byte, kind blobKind, fieldID int) {
	copy(blob, blobMagic)
	binary.LittleEndian.PutUint16(blob[4:], formatVersion)
	binary.LittleEndian.PutUint16(blob[6:], uint16(kind))
	binary.LittleEndian.PutUint32(blob[8:], uint32(fieldID))
	binary.LittleEndian.PutUint32(blob[12:], checksum(blob[headerBytes:]))
	binary.LittleEndian.PutUint64(blob[16:], uint64(len(blob)-headerBytes))
	binary.LittleEndian.PutUint32(blob[24:], 0)
	binary.LittleEndian.PutUint32(blob[28:], checksum(blob[:28]))
}

// checkHeader checks the header of a blob of a known place and returns the checksum of its payload.
func checkHeader(header []byte, kind blobKind, fieldID int, payload int64) (uint32, error) {
	switch {
	case len(header) < headerBytes || !bytes.Equal(header[:4], blobMagic):
		return 0, corruptf("no %s blob where one should be", kind)
	case binary.LittleEndian.Uint32(header[28:]) != checksum(header[:28]):
		return 0, corruptf("checksum of the header of the %s blob is wrong", kind)
	}
	if v := binary.LittleEndian.Uint16(header[4:]); v != formatVersion {
		return 0, fmt.Errorf("%w: format version %d, this firn knows %d: use a newer firn, or build the index again", ErrUnknownVersion, v, formatVersion)
	}
	if got := blobKind(binary.LittleEndian.Uint16(header[6:])); got != kind {
		return 0, corruptf("a %s blob where a %s blob should be", got, kind)
	}
	if got := binary.LittleEndian.Uint32(header[8:]); int64(got) != int64(fieldID) {
		return 0, corruptf("%s blob of field %d where one of field %d should be", kind, got, fieldID)
	}
	if got := binary.LittleEndian.Uint64(header[16:]); got != uint64(payload) {
		return 0, corruptf("%s blob says that its payload has %d bytes, its place has %d", kind, got, payload)
	}
	return binary.LittleEndian.Uint32(header[12:]), nil
}
