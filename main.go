// Command svctour makes Kubernetes Services visible: a guided tour on a live
// cluster, with the packet's path and the name's resolution beside it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"svctour/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := cli.Main(ctx, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args)
	stop()
	os.Exit(code)
}
