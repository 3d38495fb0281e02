package nettool

import (
	"context"
	"errors"
	"io"
	"net/http/httputil"
	"strings"
)

// readBody gives the body out as it comes.
func (t *curlTransfer) readBody(ctx context.Context, conn *curlConn, a *curlAnswer, discard bool) *curlError {
	out := t.out
	if discard || t.status >= 400 && t.has["fail"] {
		out = io.Discard
	}
	if t.most > 0 && a.length > t.most {
		return curlErrorf(63, "Maximum file size exceeded")
	}
	var body io.Reader = conn.reader
	switch {
	case a.chunked:
		body = httputil.NewChunkedReader(conn.reader)
	case a.length >= 0:
		body = io.LimitReader(conn.reader, a.length)
	}
	buffer := make([]byte, 16<<10)
	var got int64
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			if got += int64(n); t.most > 0 && got > t.most { // also without a Content-Length, from 8.4.0 on
				return curlErrorf(63, "Exceeded the maximum allowed file size (%d)", t.most)
			}
			t.downloaded += int64(n)
			t.note("{", "[%d bytes data]", n)
			if _, bad := out.Write(buffer[:n]); bad != nil {
				return curlErrorf(23, "client returned ERROR on write, %d bytes was not written", n)
			}
		}
		switch {
		case err == nil:
		case !errors.Is(err, io.EOF):
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return curlErrorf(18, "transfer closed with outstanding read data remaining")
			}
			return t.failed(ctx, err, got, a.length)
		case !a.chunked && a.length > got:
			return curlErrorf(18, "end of response with %d bytes missing", a.length-got)
		default:
			for line := "x"; a.chunked && strings.TrimSpace(line) != ""; { // the trailer
				if line, err = conn.reader.ReadString('\n'); err != nil {
					a.close = true
					break
				}
			}
			return nil
		}
	}
}
