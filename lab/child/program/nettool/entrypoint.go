package nettool

import (
	"context"
	"strings"

	"svctour/lab/child/process"
)

// CurlEntrypoint is /entrypoint.sh of the image curlimages/curl: what is an
// option, or is no program, are arguments of curl's.
func CurlEntrypoint(ctx context.Context, p *process.Process) int {
	args := p.Args[1:]
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		if _, main, err := process.LookPath(p, args[0]); err == nil {
			return instead(ctx, p, main, args)
		}
	}
	return instead(ctx, p, Commands["curl"], append([]string{"curl"}, args...))
}

// instead is exec(3): another program in the same process.
func instead(ctx context.Context, p *process.Process, main process.Main, args []string) int {
	next := *p
	next.Args = args
	return main(ctx, &next)
}
