package webhdfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/firnlog/firn/storage"
)

// RemoteError is an error that a server answered with.
type RemoteError struct {
	Op        string // of WebHDFS, such as OPEN
	Server    string // host:port of who said it
	Datanode  bool   // it was a datanode, not a namenode
	Status    int    // of HTTP
	Exception string // simple name of the class of the exception, such as AccessControlException; "" if the server gave none
	Message   string // its first line
}

// Error implements error.
func (e *RemoteError) Error() string {
	who := "namenode"
	if e.Datanode {
		who = "datanode"
	}
	what := e.Exception
	if what == "" {
		what = fmt.Sprintf("HTTP status %d", e.Status)
	}
	text := fmt.Sprintf("%s by %s %s: %s", e.Op, who, e.Server, what)
	if e.Message != "" {
		text += ": " + e.Message
	}
	if hint := e.hint(); hint != "" {
		text += " (" + hint + ")"
	}
	return text
}

// Unwrap says which of the errors of package storage it is.
func (e *RemoteError) Unwrap() error {
	switch {
	case e.Exception == "FileNotFoundException", e.notDirectory() && e.Op != "CREATE":
		return storage.ErrNotExist
	case e.taken():
		return storage.ErrExist
	case e.Exception == "InvalidPathException":
		return storage.ErrInvalidName
	case e.outOfRange():
		return storage.ErrRange
	}
	return nil
}

// notDirectory says that a directory on the way is a file. Who is not a superuser is told so by a permission check.
func (e *RemoteError) notDirectory() bool {
	return e.Exception == "ParentNotDirectoryException" ||
		e.Exception == "AccessControlException" && strings.HasSuffix(e.Message, "(is not a directory)")
}

// taken says that the name is a file's or a directory's already.
func (e *RemoteError) taken() bool {
	return e.Exception == "FileAlreadyExistsException" || e.Op == "RENAME" && strings.Contains(e.Message, "must both be directories")
}

// outOfRange says that a read starts at or behind the end of the file.
func (e *RemoteError) outOfRange() bool {
	return e.Op == "OPEN" && strings.Contains(e.Message, "out of the range")
}

// hint says what to do.
func (e *RemoteError) hint() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return "the cluster wants Kerberos: set Options.Kerberos, or run kinit and set HADOOP_CONF_DIR"
	case e.notDirectory():
		return "a directory of that name is needed, but it is a file"
	}
	switch e.Exception {
	case "AccessControlException":
		return "grant the user access, or set HADOOP_USER_NAME or Kerberos to one who has it"
	case "SafeModeException":
		return "the namenode is starting or was put into safe mode: see hdfs dfsadmin -safemode get"
	case "StandbyException":
		return "name the active namenode too, in Options.Addresses or HADOOP_CONF_DIR"
	case "NSQuotaExceededException", "DSQuotaExceededException", "QuotaByStorageTypeExceededException":
		return "raise the quota or delete files: see hdfs dfsadmin -setQuota, -setSpaceQuota"
	case "BlockMissingException":
		return "too few datanodes that hold the block are alive: see hdfs fsck"
	case "":
		if e.Status == http.StatusNotFound {
			return "is this the HTTP address of a namenode with dfs.webhdfs.enabled?"
		}
	}
	return ""
}

// permanent are exceptions that the same request would meet again.
var permanent = map[string]bool{
	"FileNotFoundException": true, "AccessControlException": true, "AuthorizationException": true, "SecurityException": true,
	"InvalidPathException": true, "IllegalArgumentException": true, "HadoopIllegalArgumentException": true,
	"UnsupportedOperationException": true, "FileAlreadyExistsException": true, "ParentNotDirectoryException": true,
	"PathIsNotEmptyDirectoryException": true, "NSQuotaExceededException": true, "DSQuotaExceededException": true,
	"QuotaByStorageTypeExceededException": true, "PathComponentTooLongException": true, "MaxDirectoryItemsExceededException": true,
	"UnresolvedPathException": true,
}

// temporary tells whether the request may succeed when it is made again.
func (e *RemoteError) temporary() bool {
	switch {
	case permanent[e.Exception], e.outOfRange(), e.taken():
		return false
	case e.Exception == "StandbyException", e.Exception == "RetriableException", e.Exception == "SafeModeException", e.Status >= 500,
		e.Status == http.StatusTooManyRequests, e.Status == http.StatusRequestTimeout:
		return true
	case e.Datanode: // another one may do better, with a new token
		return true
	}
	return strings.Contains(e.Message, "nodes contain this block") || strings.Contains(e.Message, "Failed to find datanode")
}

// temporary tells whether an operation may succeed when it is tried again. All that is not an answer is.
func temporary(err error) bool {
	if errors.Is(err, errGivenUp) {
		return false // after many attempts; operations within operations would multiply them
	}
	if remote, ok := errors.AsType[*RemoteError](err); ok {
		return remote.temporary()
	}
	_, ok := errors.AsType[*transportError](err)
	return ok
}

// errGivenUp marks errors that were tried again as often as they shall be.
var errGivenUp = errors.New("given up")

// transportError is a request that brought no whole answer. Whether it was carried out is not known.
type transportError struct {
	op, server string
	err        error
}

// Error implements error.
func (e *transportError) Error() string { return fmt.Sprintf("%s by %s: %v", e.op, e.server, e.err) }

// Unwrap implements the interface of package errors.
func (e *transportError) Unwrap() error { return e.err }

// lost makes a transportError, or the error of the context if that is why. URLs are left out: they hold delegation tokens.
func lost(ctx context.Context, op, server string, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	cause := context.Cause(ctx)
	if stall, ok := errors.AsType[*stallError](cause); ok {
		return &transportError{op: op, server: server, err: stall}
	}
	if cause != nil {
		return fmt.Errorf("%s by %s: %w", op, server, cause)
	}
	return &transportError{op: op, server: server, err: err}
}

// maxErrorBytes bounds how much of an error's text is read.
const maxErrorBytes = 256 << 10

// remoteError reads the error that a server answered with, and closes the body.
func remoteError(op, server string, datanode bool, response *http.Response) error {
	content, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorBytes))
	_ = response.Body.Close()
	e := &RemoteError{Op: op, Server: server, Datanode: datanode, Status: response.StatusCode}
	var answer struct {
		RemoteException struct{ Exception, JavaClassName, Message string }
	}
	if json.Unmarshal(content, &answer) == nil {
		class := firstOf(answer.RemoteException.JavaClassName, answer.RemoteException.Exception)
		e.Exception = class[strings.LastIndexAny(class, ".$")+1:]
		e.Message, _, _ = strings.Cut(answer.RemoteException.Message, "\n")
	}
	return e
}
