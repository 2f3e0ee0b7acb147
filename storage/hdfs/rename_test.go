package hdfs

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// field encodes a field of bytes.
func field(number int, value string) []byte {
	out := binary.AppendUvarint(nil, uint64(number)<<wireTypeBits|wireBytes)
	out = binary.AppendUvarint(out, uint64(len(value)))
	return append(out, value...)
}

// flag encodes a field that is a number.
func flag(number int, value uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(number)<<wireTypeBits|wireVarint), value)
}

// join joins encoded fields to a message.
func join(fields ...[]byte) []byte {
	var out []byte
	for _, f := range fields {
		out = append(out, f...)
	}
	return out
}

// packet encodes messages as a request.
func packet(messages ...[]byte) []byte {
	out := make([]byte, rpcLengthBytes)
	for _, m := range messages {
		out = append(binary.AppendUvarint(out, uint64(len(m))), m...)
	}
	binary.BigEndian.PutUint32(out, uint32(len(out)-rpcLengthBytes))
	return out
}

// header encodes the header that names a method.
func header(method string) []byte { return join(field(1, method), field(2, "protocol"), flag(3, 1)) }

func TestExclusiveRename(t *testing.T) {
	first := join(flag(1, 2), flag(3, 77), field(4, "client"))
	paths := join(field(1, "/a/rename2"), field(2, "/b"))
	with, without := join(paths, flag(3, 1)), join(paths, flag(3, 0))

	request, isRename, err := exclusiveRename(packet(first, header("rename2"), with))
	require.NoError(t, err)
	require.True(t, isRename)
	require.Equal(t, packet(first, header("rename2"), without), request)

	request, isRename, err = exclusiveRename(packet(first, header("rename2"), join(with, flag(4, 0))))
	require.NoError(t, err)
	require.True(t, isRename)
	require.Equal(t, packet(first, header("rename2"), join(without, flag(4, 0))), request)

	for _, other := range [][]byte{
		[]byte("hrpc\x09\x00\x00"), nil,
		packet(first, header("getFileInfo"), with),
		packet(first, header("create"), field(1, "/x/rename2")),
		packet(first, join(flag(1, 9), field(3, "rename2"))), // a step of the handshake
		packet(first, header("complete"), join(field(1, "/x"), flag(3, 1))),
	} {
		request, isRename, err := exclusiveRename(other)
		require.NoError(t, err)
		require.False(t, isRename)
		require.Equal(t, other, request)
	}

	good := packet(first, header("rename2"), with)
	for _, bad := range [][]byte{
		good[:len(good)-1], append(good[:len(good):len(good)], 0), []byte("rename2"),
		packet(first, header("rename2"), paths),                  // without the flag
		packet(first, header("rename2"), join(with, flag(3, 1))), // twice
		packet(first, header("rename2"), join(paths, flag(3, 999))),
		packet(first, header("rename2"), join(paths, []byte{0xff})),
		packet(first, join(header("rename2"), []byte{7}), with),
		packet(first, join(flag(1, 1), field(2, "rename2")), with),
	} {
		_, _, err := exclusiveRename(bad)
		require.ErrorIs(t, err, errNotRPC, "%q", bad)
	}
}

func FuzzExclusiveRename(f *testing.F) {
	f.Add(packet(nil, header("rename2"), join(field(1, "/a"), field(2, "/b"), flag(3, 1))))
	f.Add([]byte("hrpc"))
	f.Fuzz(func(t *testing.T, data []byte) {
		request, isRename, err := exclusiveRename(data)
		if err != nil {
			return
		}
		require.Len(t, request, len(data))
		changed := 0
		for i := range data {
			if data[i] != request[i] {
				changed++
			}
		}
		require.True(t, changed == 0 || isRename && changed == 1)
	})
}
