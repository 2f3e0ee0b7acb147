package hdfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The namenode's rename2 call takes a flag that says whether to replace what has the new name, and decides so in one step: without
// the flag it is the exclusive publication that storage.Store asks for, safe against any crash, since nothing else is left behind.
// The client library always sets the flag. So the flag is cleared in the request on its way to the namenode, in our own connection.

const (
	renameMethod     = "rename2"
	methodField      = 1 // of RequestHeaderProto
	overwriteField   = 3 // of Rename2RequestProto
	rpcLengthBytes   = 4
	wireVarint       = 0
	wireFixed64      = 1
	wireBytes        = 2
	wireFixed32      = 5
	wireTypeMask     = 7
	wireTypeBits     = 3
	fixed32, fixed64 = 4, 8
)

// errNotRPC is returned for what cannot be taken apart.
var errNotRPC = errors.New("the client library sent a request of unknown form")

// exclusiveRename returns the request to send in place of packet: a copy without the overwrite flag if it is a rename, and packet itself
// if it is another call or a handshake. If it cannot tell, it returns an error, and the packet must not be sent.
func exclusiveRename(packet []byte) (request []byte, isRename bool, err error) {
	if !bytes.Contains(packet, []byte(renameMethod)) {
		return packet, false, nil
	}
	if len(packet) < rpcLengthBytes || int64(binary.BigEndian.Uint32(packet)) != int64(len(packet)-rpcLengthBytes) {
		return nil, false, errNotRPC
	}
	var messages [][2]int // start and end of each message
	for at := rpcLengthBytes; at < len(packet); {
		length, n := binary.Uvarint(packet[at:])
		if n <= 0 || length > uint64(len(packet)-at-n) {
			return nil, false, errNotRPC
		}
		start := at + n
		at = start + int(length)
		messages = append(messages, [2]int{start, at})
	}
	if len(messages) != 3 { // a step of the SASL handshake; calls have two headers and the request
		return packet, false, nil
	}
	header := packet[messages[1][0]:messages[1][1]]
	start, end, err := findField(header, methodField, wireBytes)
	if err != nil {
		return nil, false, err
	}
	if string(header[start:end]) != renameMethod {
		return packet, false, nil // the word is in a path
	}
	request = bytes.Clone(packet)
	body := request[messages[2][0]:messages[2][1]]
	start, end, err = findField(body, overwriteField, wireVarint)
	if err != nil {
		return nil, false, err
	}
	if end-start != 1 {
		return nil, false, errNotRPC
	}
	body[start] = 0
	return request, true, nil
}

// findField returns where the value of a field of a message in protobuf's wire format lies. It must be there once.
func findField(message []byte, field, wire uint64) (start, end int, err error) {
	found := false
	for at := 0; at < len(message); {
		key, n := binary.Uvarint(message[at:])
		if n <= 0 {
			return 0, 0, errNotRPC
		}
		at += n
		from, to, err := fieldValue(message, at, key&wireTypeMask)
		if err != nil {
			return 0, 0, err
		}
		if key>>wireTypeBits == field {
			if found || key&wireTypeMask != wire {
				return 0, 0, errNotRPC
			}
			found, start, end = true, from, to
		}
		at = to
	}
	if !found {
		return 0, 0, fmt.Errorf("%w: field %d is missing", errNotRPC, field)
	}
	return start, end, nil
}

// fieldValue returns where the value that begins at a place lies, without its length prefix.
func fieldValue(message []byte, at int, wire uint64) (start, end int, err error) {
	length := uint64(0)
	switch wire {
	case wireVarint:
		_, n := binary.Uvarint(message[at:])
		if n <= 0 {
			return 0, 0, errNotRPC
		}
		length = uint64(n)
	case wireFixed64:
		length = fixed64
	case wireFixed32:
		length = fixed32
	case wireBytes:
		var n int
		length, n = binary.Uvarint(message[at:])
		if n <= 0 {
			return 0, 0, errNotRPC
		}
		at += n
	default:
		return 0, 0, errNotRPC
	}
	if length > uint64(len(message)-at) {
		return 0, 0, errNotRPC
	}
	return at, at + int(length), nil
}
